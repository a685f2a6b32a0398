//! The journal, on disk or in the store that nodes share: what the engine writes down is kept by a thread of its
//! own, in commits that many turns share, so that no call waits for it; and read again when the program starts.

mod batch;
mod keeper;
mod ledger;
mod shared;
mod store;
#[cfg(test)]
mod tests;

pub(crate) use keeper::{Journal, JournalFigures};
pub(crate) use store::Records;
