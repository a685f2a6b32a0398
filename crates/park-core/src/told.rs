//! Facts: one line each in the log, and the whole feed for whoever keeps a journal.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use base::Side;
use rtp_flow::Quality;

/// One fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The Call-ID that it is about, if it is about a call.
    pub call: Option<String>,
    /// The side of the leg that it is about, if it is about one: of a parked call it is the parkee's.
    pub leg: Option<Side>,
    /// The fact.
    pub fact: Fact,
}

/// What a fact says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A binding was learnt or refreshed.
    Registered {
        /// The extension.
        extension: String,
        /// Its domain.
        domain: String,
        /// Where its phone is.
        at: SocketAddr,
        /// Whether it is new.
        fresh: bool,
    },
    /// A binding has ended.
    Unregistered {
        /// The extension.
        extension: String,
        /// Its domain.
        domain: String,
    },
    /// A call has been answered.
    Answered {
        /// On which side.
        by: Side,
        /// By whom.
        who: String,
    },
    /// A leg, and with it a call that was up or being set up, has ended.
    Ended {
        /// On which side it was ended, where one side did.
        leg: Option<Side>,
        /// Why, in a few words.
        why: String,
    },
    /// A call is parked.
    Parked {
        /// The lot.
        lot: String,
        /// The slot.
        slot: String,
        /// The parkee.
        parkee: String,
        /// The parker.
        parker: String,
        /// How many of the lot's slots are free now, if it is parked in one of them.
        free: Option<usize>,
    },
    /// Somebody is to be paged, because a call is parked: whoever reads this does it.
    Page {
        /// Who, in the words of the configuration: a paging zone, a group, a number.
        page: String,
        /// Where the call is parked.
        slot: String,
        /// What to dial to take it.
        retrieve: String,
        /// The parkee's name, if it has one.
        name: Option<String>,
        /// The parkee.
        parkee: String,
        /// The parker.
        parker: String,
    },
    /// A parked call has been retrieved.
    Retrieved {
        /// The slot.
        slot: String,
        /// By whom.
        by: String,
        /// Whether as the answer to a recall.
        recall: bool,
    },
    /// A recall attempt begins.
    Recalling {
        /// The slot.
        slot: String,
        /// Who rings.
        to: String,
        /// Which attempt, from 1.
        attempt: u32,
    },
    /// The parker is reminded of a call that still waits.
    Reminded {
        /// The slot.
        slot: String,
        /// Who parked it.
        parker: String,
    },
    /// The recall is over without an answer.
    RecallUnanswered {
        /// The slot.
        slot: String,
        /// What happens to the call: `stay`, `hangup`, or where it goes.
        then: String,
    },
    /// The PBX has taken the parkee elsewhere.
    HandedOver {
        /// The slot.
        slot: String,
        /// Where.
        to: String,
    },
    /// The parkee hung up while parked.
    Abandoned {
        /// The slot.
        slot: String,
    },
    /// A request was refused by a rule.
    Refused {
        /// The status that it was answered with.
        status: u16,
        /// Who asked.
        who: String,
        /// Why.
        why: String,
    },
    /// A message was dropped.
    Dropped {
        /// From where.
        from: SocketAddr,
        /// Why.
        why: String,
    },
    /// A phone would not take a notice.
    NoticeRefused {
        /// Whose phone.
        extension: String,
        /// Which notice: the word for it in a profile.
        notice: &'static str,
        /// Its answer; 408 is none.
        status: u16,
    },
    /// A PBX address does not answer; the next one is used.
    PbxSilent {
        /// Which.
        at: SocketAddr,
    },
    /// The PBX's name leads nowhere.
    PbxUnresolved {
        /// The target.
        target: String,
    },
    /// Nothing has come from one end of a talking call for a while.
    Silent {
        /// On which side.
        side: Side,
        /// For how long.
        after: Duration,
    },
    /// It is heard again.
    HeardAgain {
        /// On which side.
        side: Side,
    },
    /// A stream of sound through us has ended; this is what it was like.
    StreamEnded {
        /// From which side it came.
        side: Side,
        /// What came.
        quality: Quality,
    },
    /// A port pair was wanted and none was left.
    NoPorts,
    /// A broken promise of ours; the call that it hit was ended.
    Bug {
        /// What.
        what: String,
    },
}

impl Fact {
    /// The side of the leg that the fact is about.
    pub(crate) fn leg(&self) -> Option<Side> {
        match self {
            Fact::Answered { by: leg, .. } | Fact::Ended { leg: Some(leg), .. } => Some(*leg),
            Fact::Parked { .. }
            | Fact::Page { .. }
            | Fact::Reminded { .. }
            | Fact::Retrieved { .. }
            | Fact::RecallUnanswered { .. }
            | Fact::HandedOver { .. }
            | Fact::Abandoned { .. } => Some(Side::Pbx),
            Fact::Recalling { .. } => Some(Side::Phones),
            Fact::Silent { side, .. }
            | Fact::HeardAgain { side }
            | Fact::StreamEnded { side, .. } => Some(*side),
            _ => None,
        }
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fact::Registered { extension, at, fresh, .. } => {
                let verb = if *fresh { "registered" } else { "refreshed" };
                write!(f, "{extension} {verb} at {at}")
            }
            Fact::Unregistered { extension, .. } => write!(f, "{extension} unregistered"),
            Fact::Answered { who, .. } => write!(f, "answered by {who}"),
            Fact::Ended { why, .. } => write!(f, "ended: {why}"),
            Fact::Parked { slot, parkee, parker, free, .. } => {
                write!(f, "{parkee} parked at {slot} by {parker}")?;
                if *free == Some(0) { f.write_str(", the lot is full now") } else { Ok(()) }
            }
            Fact::Page { page, slot, name, parkee, .. } => {
                write!(f, "page {page}: {} at {slot}", name.as_ref().unwrap_or(parkee))
            }
            Fact::Retrieved { slot, by, recall: false } => {
                write!(f, "retrieved from {slot} by {by}")
            }
            Fact::Retrieved { slot, by, recall: true } => {
                write!(f, "recall from {slot} answered by {by}")
            }
            Fact::Recalling { slot, to, attempt } => {
                write!(f, "recall from {slot} rings {to}, attempt {attempt}")
            }
            Fact::RecallUnanswered { slot, then } => {
                write!(f, "recall from {slot} unanswered, then: {then}")
            }
            Fact::HandedOver { slot, to } => write!(f, "handed over from {slot} to {to}"),
            Fact::Abandoned { slot } => write!(f, "abandoned in {slot}"),
            Fact::Refused { status, who, why } => write!(f, "refused {who} with {status}: {why}"),
            Fact::Dropped { from, why } => write!(f, "dropped a message from {from}: {why}"),
            Fact::NoticeRefused { extension, notice, status: 408 } => {
                write!(f, "{notice} notice to {extension} not answered")
            }
            Fact::NoticeRefused { extension, notice, status } => {
                write!(f, "{notice} notice to {extension} answered with {status}")
            }
            Fact::Reminded { slot, parker } => {
                write!(f, "{parker} reminded of the call in {slot}")
            }
            Fact::PbxSilent { at } => write!(f, "PBX address {at} does not answer"),
            Fact::PbxUnresolved { target } => write!(f, "PBX target {target} has no address"),
            Fact::Silent { after, .. } => {
                write!(f, "nothing has been heard for {} s", after.as_secs())
            }
            Fact::HeardAgain { .. } => f.write_str("heard again"),
            Fact::StreamEnded { quality, .. } => {
                let Quality { received, lost, worst_jitter, .. } = quality;
                let ms = worst_jitter.as_millis();
                write!(f, "{received} packets came, {lost} were lost, jitter up to {ms} ms")
            }
            Fact::NoPorts => f.write_str("no RTP port pair left"),
            Fact::Bug { what } => write!(f, "bug: {what}"),
        }
    }
}
