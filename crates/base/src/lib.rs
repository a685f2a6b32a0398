//! The ground floor: time as a value, alarms as data, chance from a seed, and the few words that
//! several crates must share (sides, transports, flows, extensions). It owns no clock, no entropy
//! and no input or output: whoever runs the house says what time it is and where a seed came from.
#![forbid(unsafe_code)]

mod alarms;
mod chance;
mod changes;
mod flow;
mod names;
mod private;
mod time;

pub use alarms::Deadlines;
pub use chance::Chance;
pub use changes::Changes;
pub use flow::{ConnId, Flow, Side, Transport};
pub use names::{Domain, Extension, LotName, SlotName};
pub use private::Private;
pub use time::Moment;
