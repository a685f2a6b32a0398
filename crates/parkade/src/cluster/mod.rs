//! The store that nodes share, at Redis or Valkey: a thread of its own carries out what the engine orders there,
//! keeps this node's lease, and tells what changes. The engine never waits for it.
//!
//! - `address` is where the store is, and the way there;
//! - `membership` says which instance of the program is the node;
//! - `scripts` are what is done at the server, each in one step (`lua/`);
//! - `link` is the thread, `changes` another one that reads along;
//! - `news` is what is told.

mod address;
mod changes;
mod link;
mod membership;
mod news;
mod scripts;
#[cfg(test)]
mod tests;

pub use address::StoreAddress;
pub(crate) use link::{Link, StoreFigures};
pub(crate) use membership::Membership;
pub(crate) use news::StoreNews;
pub(crate) use scripts::{Kept, Scripts};
