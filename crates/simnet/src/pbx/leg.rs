//! One leg of a call through the PBX.

use bytes::Bytes;
use sip_core::{ClientKey, ServerKey};
use sip_msg::Message;

use crate::dialog::Dialog;

/// Which leg; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct LegNo(pub u32);

/// Where a leg stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LegState {
    /// Not answered yet.
    Early,
    /// Answered.
    Up,
    /// Over.
    Ended,
}

/// For a leg that was called because of a REFER: who asked, and who is to be connected.
#[derive(Debug, Clone, Copy)]
pub(super) struct ForTransfer {
    /// The leg on which the REFER came.
    pub referrer: LegNo,
    /// The CSeq number of the REFER.
    pub number: u32,
    /// The leg that gets connected.
    pub transferee: LegNo,
}

/// One leg.
#[derive(Debug, Clone)]
pub(super) struct Leg {
    pub no: LegNo,
    pub dialog: Dialog,
    /// The user at its far end.
    pub user: String,
    /// Its name and address as others are shown it.
    pub identity: String,
    pub state: LegState,
    /// Their INVITE, while it has no final answer.
    pub server: Option<ServerKey>,
    pub request: Option<Message>,
    /// Our INVITE.
    pub client: Option<ClientKey>,
    /// Whether that INVITE carried no offer.
    pub offered_late: bool,
    /// The description in that INVITE: it may be out of date when the call is answered.
    pub given: Bytes,
    /// Whom it is connected with.
    pub peer: Option<LegNo>,
    /// For a caller: the legs that are being tried.
    pub forks: Vec<LegNo>,
    /// For a called leg: the caller.
    pub caller: Option<LegNo>,
    pub for_transfer: Option<ForTransfer>,
    /// The description that its far end gave last, and its content type.
    pub said: (String, Bytes),
    /// The 2xx that we gave and that has not been acknowledged.
    pub unacknowledged: Option<ServerKey>,
    /// An ACK that another leg is owed when the ACK on this one brings the answer: (whose, for what,
    /// CSeq number).
    pub owes_ack: Option<(LegNo, ClientKey, u32)>,
    /// Whether a re-INVITE of ours is under way.
    pub changing: bool,
    /// A description that its far end is still to be given.
    pub owed: Option<Bytes>,
    /// After that, the peer is to be given this one's answer.
    pub then_peer: bool,
}

impl Leg {
    /// Whether it is answered and not over.
    pub(super) fn is_up(&self) -> bool {
        self.state == LegState::Up
    }
}
