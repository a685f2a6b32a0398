//! Logs: one line per fact, no secrets, no flood.

mod facts;
mod flood;
mod open;

pub(crate) use facts::FactLog;
pub use open::{LevelOfLog, Log};
