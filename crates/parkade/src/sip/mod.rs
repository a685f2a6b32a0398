//! SIP sockets: UDP and TCP, towards the phones and towards the PBX.

mod batch;
mod bind;
mod ends;
mod event;
mod guard;
mod icmp;
mod route;
mod stream;
mod streams;
mod trouble;
mod udp;

pub(crate) use bind::UDP_ROOM;
pub use ends::CannotBind;
pub(crate) use ends::Ends;
pub(crate) use event::StreamEvent;
pub(crate) use guard::{BanView, Guard, GuardCounts, News, Turned, Verdict};
