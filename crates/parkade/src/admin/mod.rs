//! The admin door, both ends of it.

mod ask;
mod door;
mod table;

pub use ask::{CannotAsk, ask};
pub(crate) use door::{AdminOrder, Door};
pub use table::table;
