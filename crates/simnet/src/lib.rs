//! A virtual world for stories: phones, callers, a PBX and the house on one virtual clock, a wire that
//! can lose, repeat, reorder and delay any single datagram, and invariants that hold at every step.
//!
//! It owns
//! - the machines that stand around the house: [`Phone`] (callers are phones behind the PBX) and
//!   [`Pbx`], sans-IO, to be driven by the [`World`] or over real sockets;
//! - [`RtpEnd`] and [`Listener`]: each party's tone, and whether what it hears is one unbroken stream;
//! - [`World`]: the clock, the wire, the verbs of a story and the checks;
//! - what must hold whatever the story (`invariants`), and that nothing is left at its end;
//! - [`Houses`]: several worlds whose houses share lots;
//! - [`sweep`]: every story again with every single datagram spoilt.
#![forbid(unsafe_code)]

mod board;
mod cluster;
mod dialog;
mod digest;
mod invariants;
mod ladder;
mod media;
mod party;
mod pbx;
mod phone;
mod rtp_end;
mod sdp;
mod sweep;
mod tone;
mod wire;
mod world;

pub use cluster::Houses;
pub use dialog::Dialog;
pub use ladder::Ladder;
pub use party::Party;
pub use pbx::{Binding, Pbx, PbxSettings, Style};
pub use phone::{
    Account, Call, CallNo, CallState, Encrypts, Habits, Keyring, Notice, Phone, Transfer,
};
pub use rtp_end::{Listener, RtpEnd, Sound};
pub use sweep::{play, run_with, sweep, sweep_restarts};
pub use tone::frequency;
pub use wire::Fault;
pub use world::{MUSIC, NOTHING, SILENCE, Source, World};
