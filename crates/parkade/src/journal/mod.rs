//! The journal on disk: what the engine writes down is kept by a thread of its own, in commits that many
//! turns share, so that no call waits for a disk; and read again when the program starts.

mod keeper;
mod store;
#[cfg(test)]
mod tests;

pub(crate) use keeper::{Journal, JournalFigures};
