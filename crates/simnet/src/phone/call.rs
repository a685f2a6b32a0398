//! One call of a phone: its dialog, its audio, and where it stands.

use base::Moment;
use bytes::Bytes;
use sip_core::{ClientKey, ServerKey};
use sip_msg::{Direction, Message};

use super::keyring::Keyring;
use crate::dialog::Dialog;
use crate::rtp_end::RtpEnd;
use crate::sdp::{self, FarAudio};

/// Which call of a phone: numbered from 1, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallNo(pub u32);

/// Where a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallState {
    /// We asked, and nothing has come but perhaps 100.
    Calling,
    /// We asked, and it rings there.
    RingingThere,
    /// We are asked, and it rings here.
    RingingHere,
    /// Answered.
    Up,
    /// Over.
    Ended,
}

/// How a transfer that this phone has asked for gets on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transfer {
    /// The final answer to the REFER.
    pub answer: Option<u16>,
    /// The status of the latest NOTIFY's fragment.
    pub progress: Option<u16>,
    /// How many NOTIFYs said that it is over.
    pub terminations: u32,
    /// Every status that was heard by NOTIFY, in order.
    pub told: Vec<u16>,
    /// Whether a subscription was declined (`Refer-Sub: false` in the answer).
    pub without_subscription: bool,
}

impl Transfer {
    /// The outcome, once it is known: a status.
    pub fn outcome(&self) -> Option<u16> {
        // What was told by NOTIFY stands, whatever became of the REFER's own answer.
        let told = self.progress.filter(|status| *status >= 200);
        told.or(self.answer.filter(|status| *status >= 300 || self.without_subscription))
    }
}

/// A session change that waits for its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A re-INVITE with our present wish for a direction.
    Direction,
    /// A refresh of the session timer.
    Refresh,
}

/// The callee's reliable provisional that has not been acknowledged (RFC 3262).
#[derive(Debug, Clone)]
pub struct Reliable {
    /// Its RSeq.
    pub rseq: u32,
    /// The whole response, without Via, to be repeated.
    pub draft: sip_msg::Draft,
    /// Its status.
    pub status: u16,
    /// The wait before the next repetition, in microseconds.
    pub wait_us: u64,
}

/// One call.
#[derive(Debug)]
pub struct Call {
    /// Its number.
    pub no: CallNo,
    /// Its dialog.
    pub dialog: Dialog,
    /// Where it stands.
    pub state: CallState,
    /// Whether we asked for it.
    pub is_ours: bool,
    /// What was dialled, if we asked.
    pub dialled: String,
    /// The client transaction of our INVITE.
    pub invite: Option<ClientKey>,
    /// The server transaction of their INVITE, while it has no final answer.
    pub server: Option<ServerKey>,
    /// Their INVITE.
    pub request: Option<Message>,
    /// Our audio.
    pub media: RtpEnd,
    /// The keys of our audio.
    pub keyring: Keyring,
    /// What we would like: send and receive, or hold.
    pub wish: Direction,
    /// What was agreed, seen from here.
    pub agreed: Direction,
    /// What the far side said last.
    pub far: Option<FarAudio>,
    /// The version of our description.
    pub version: u32,
    /// Our re-INVITE, while it is under way.
    pub change: Option<(ClientKey, Change)>,
    /// What waits for it.
    pub queued: Option<Change>,
    /// Whether the 2xx that we sent carried the offer, so that the ACK owes the answer.
    pub owes_answer: bool,
    /// Server transaction of a 2xx that we sent and that is not acknowledged yet.
    pub unacknowledged: Option<ServerKey>,
    /// The final status that our INVITE was refused with.
    pub refused: Option<u16>,
    /// Whether the user has given up while it was not answered yet.
    pub given_up: bool,
    /// Who we are shown to be talking to, from P-Asserted-Identity or Remote-Party-ID.
    pub shown: Option<String>,
    /// What the INVITE said in From: display name and URI.
    pub from: Option<String>,
    /// The Alert-Info of the INVITE.
    pub alert_info: Option<String>,
    /// A transfer that we asked for.
    pub transfer: Option<Transfer>,
    /// For whom we make this call: the call in which we were asked to (REFER), its CSeq number.
    pub for_transfer: Option<(CallNo, u32)>,
    /// Our reliable provisional.
    pub reliable: Option<Reliable>,
    /// The last RSeq that we acknowledged, as a caller.
    pub rseq_seen: Option<u32>,
    /// Session timer: (length in seconds, whether we refresh).
    pub timer: Option<(u32, bool)>,
    /// The Reason of the BYE or CANCEL that ended it.
    pub reason: Option<String>,
    /// When it was answered.
    pub up_since: Option<Moment>,
    /// Our latest description.
    pub said: Bytes,
}

impl Call {
    /// Whether we hold the far side.
    pub fn holds(&self) -> bool {
        !self.wish.receives()
    }

    /// Whether it may still have audio.
    pub fn is_alive(&self) -> bool {
        self.state != CallState::Ended
    }

    /// Takes the far side's description as an offer and agrees to it.
    pub fn hear_offer(&mut self, far: FarAudio) {
        self.agreed = sdp::mirrored(far.direction, self.wish);
        if far.is_black_hole {
            self.agreed = sdp::mirrored(Direction::SendOnly, self.wish);
        }
        self.keyring.hear_offer(&far);
        self.take(far);
    }

    /// Takes the far side's description as the answer to ours.
    pub fn hear_answer(&mut self, far: FarAudio) {
        self.agreed = sdp::mirrored(far.direction, self.wish);
        self.media.lock(self.keyring.hear_answer(&far));
        self.take(far);
    }

    fn take(&mut self, far: FarAudio) {
        self.media.far = far.at;
        if let Some(format) = far.formats.iter().find(|f| matches!(**f, 0 | 8)) {
            self.media.payload_type = *format;
        }
        let speaks = self.wish == Direction::SendRecv && self.agreed.sends();
        self.media.may_send = speaks && far.at.is_some();
        self.far = Some(far);
    }
}
