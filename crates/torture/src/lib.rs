//! What hostile input is thrown at. Each harness takes any bytes and panics if a promise is broken: nothing else may
//! happen, whatever the bytes are. `fuzz/` has libFuzzer look for such bytes, `tests/corpus.rs` plays what has been
//! collected and what can be made of it, on every run of the tests.
//!
//! - `wire`: messages, streams cut into messages, SDP;
//! - `bodies`: INFO bodies, XML;
//! - `sound`: packets at the relay;
//! - `house`: datagrams, answers, time and orders at the engine; `parties`: what those around it say; `journal`: records of
//!   an earlier run before all that;
//! - `spoil`: what can be made of a sample; `bytes`: choices out of bytes; `targets`: all harnesses by name.
#![forbid(unsafe_code)]

mod bodies;
mod bytes;
mod house;
mod journal;
mod parties;
mod sound;
mod spoil;
mod targets;
mod wire;

pub use bodies::{info, xml};
pub use house::engine;
pub use journal::journal;
pub use sound::rtp;
pub use spoil::spoilt;
pub use targets::{Harness, TARGETS};
pub use wire::{message, sdp};
