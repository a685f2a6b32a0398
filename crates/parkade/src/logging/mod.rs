//! Logs: one line per fact, no secrets, no flood.

mod facts;
mod flood;
mod harmless;
mod open;
mod parked;

pub(crate) use facts::FactLog;
pub use open::{LevelOfLog, Log};
