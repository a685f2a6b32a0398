//! The admin door, both ends of it.

mod ask;
mod door;
mod table;

pub use ask::{CannotAsk, ask};
pub(crate) use door::{AdminOrder, Door};
pub(crate) use table::streams_table;
pub use table::table;
