//! SIP sockets: UDP, TCP and TLS, towards the phones and towards the PBX.

mod alias;
mod batch;
mod bind;
mod ends;
mod event;
mod guard;
mod icmp;
mod opening;
mod peers;
mod route;
mod stream;
mod streams;
mod trouble;
mod udp;

pub(crate) use bind::UDP_ROOM;
pub use ends::CannotBind;
pub(crate) use ends::Ends;
pub(crate) use event::{Ended, StreamEvent};
pub(crate) use guard::{BanChange, BanView, Guard, GuardCounts, News, Turned, Verdict};
pub(crate) use streams::Handshakes;
