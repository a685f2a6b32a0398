//! What the running program tells, for a terminal: tables, ladders, and the parking board.

mod board;
mod ladder;
mod plain;
mod table;
mod top;

pub(crate) use ladder::ladder;
pub(crate) use table::{bans_table, bindings_table, calls_table, parked_table, streams_table};
pub(crate) use top::top;
