//! Where each RTP packet goes. This crate decides and paces; it owns no socket, no clock and no
//! thread, and knows no SIP. It has
//! - `plan`: who hears whom, as data: what the engine hands to the media workers;
//! - `leases`: which bound port pairs are in use, quarantined, or ready.
#![forbid(unsafe_code)]

mod leases;
mod plan;

pub use leases::{Dry, Leases};
pub use plan::{
    Codec, Guard, Hears, MediaNotice, Pair, PairId, PayloadMap, Plan, StreamKind, StreamPlan,
    WorkerId,
};
