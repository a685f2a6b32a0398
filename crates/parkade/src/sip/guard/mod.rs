//! Who is heard. The decision falls before the engine takes a turn, by source address, first bytes, and who the
//! engine says that is: phones that are registered, calls that are up and the PBX are never limited, strangers are.
//!
//! - `judge`: the decision, and what follows from what the engine tells;
//! - `glance`: the little that is read of a message; `pace`: how often; `sources`: what each stranger has used up;
//! - `bans`: who is not heard any more; `counts`: what was turned away.
//!
//! *A leaky bucket of our own, not the crate governor*: its keyed table grows with every source that an attacker
//! makes up until somebody sweeps it, it is made for threads, and it brings a clock of its own. Ours has a fixed size
//! and runs on the engine's time, so that tests are exact.

mod bans;
mod counts;
mod glance;
mod judge;
mod pace;
mod sources;
#[cfg(test)]
mod tests;

pub(crate) use bans::{BanChange, BanView, News};
pub(crate) use counts::{GuardCounts, Turned};
pub(crate) use judge::{Guard, Verdict};
