//! Where each RTP packet goes. This crate decides and paces; it owns no socket, no clock and no
//! thread, and knows no SIP. It has
//! - `plan`: who hears whom, as data: what the engine hands to the media workers;
//! - `leases`: which bound port pairs are in use, quarantined, or ready;
//! - `relay`: one worker's share of the streams: a packet goes in, the same bytes come out rewritten
//!   for whoever hears them, and music comes when it is due;
//! - below it `latch` (who may speak into a pair), `egress` (one unbroken stream towards a far side,
//!   whoever feeds it), `rtcp` (reports that fit that stream), `wheel` (the pacing of music) and
//!   `pressed` (which keys a far side presses);
//! - `srtp`: what is encrypted, with keys that the plans name;
//! - `tune`: music encoded once per codec; `melody`: the tune that is always there; `clip`: what is
//!   played once, before something else;
//! - `listen`: measures what a stream sounds like, for whoever must prove it.
#![forbid(unsafe_code)]

mod clip;
mod egress;
mod fast_path;
mod latch;
mod leases;
mod listen;
mod melody;
mod packet;
mod plan;
mod pressed;
mod quality;
mod reception;
mod relay;
mod rtcp;
mod srtp;
mod tune;
mod verdict;
mod wheel;

pub use clip::{Clip, Opening};
pub use fast_path::{Door, FastPath, Passed, PathOrder, Sent, Shift};
pub use leases::{Dry, Leases, Usage};
pub use listen::{Ear, Tone, level, loudness, samples_of};
pub use melody::melody;
pub use plan::{
    Codec, Guard, Hears, KeyWatch, Label, MediaNotice, OldPort, Pair, PairId, PayloadMap, Plan,
    SilenceWatch, StreamKind, StreamPlan, WorkerId,
};
pub use quality::{Quality, Reported};
pub use relay::{Relay, Through};
pub use srtp::{BadMaster, Master, Rejected, Srtp, SrtpReceiver, SrtpSender, Suite, Unsent};
pub use tune::{Encoded, NoMusic, TUNE_RATE, Tune, Tunes};
pub use verdict::{Component, Counts, Outgoing, Verdict, Why};
