//! What was said lately, call by call: for ladders, for pcap files, and for Homer.

mod hep;
mod pcap;
mod redact;
mod ring;
mod view;

pub(super) use hep::{Homer, HomerCounts};
pub(super) use pcap::pcap;
pub(super) use redact::Redactor;
pub(super) use ring::Traces;

pub(super) use crate::admin::tap::Seen;
pub(crate) use view::{MessageView, TraceView};
