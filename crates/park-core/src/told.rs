//! Facts: one line each in the log, and the whole feed for whoever keeps a journal.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use base::{Flow, Side};
use rtp_flow::{Dry, Quality};

use crate::cluster::ClusterFact;
use crate::command::{ParkedAt, ParkedWho};

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

/// What a request that was refused had asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asked {
    /// To park a call.
    Park,
    /// To retrieve one.
    Retrieve,
    /// To call somebody.
    Call,
    /// Something else.
    Other,
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Asked::Park => "park",
            Asked::Retrieve => "retrieve",
            Asked::Call => "call",
            Asked::Other => "other",
        })
    }
}

/// What a fact says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// The house was opened with what an earlier run of the program had written down.
    Restored {
        /// How many parked calls.
        parked: usize,
        /// How many legs, those of parked calls among them.
        legs: usize,
        /// How many bindings.
        bindings: usize,
        /// How many subscriptions to what is ours.
        subscriptions: usize,
        /// How many records could not be read.
        unreadable: usize,
    },
    /// A port of an earlier run of the program could not be had again: its call is moved to another.
    PortLost {
        /// On which side.
        side: Side,
        /// Which.
        port: u16,
    },
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
        /// Which, and where.
        of: ParkedAt,
        /// Who.
        parked: ParkedWho,
        /// When it is recalled; none: never.
        recall_in: Option<Duration>,
        /// From when it was asked for until it stood.
        took: Duration,
        /// How many of the lot's slots are free now, if it is parked in one of them.
        free: Option<usize>,
    },
    /// A call is parked since before the house was opened: what an earlier run of the program had told of
    /// it, for whoever has forgotten.
    StillParked {
        /// Which, and where.
        of: ParkedAt,
        /// Who.
        parked: ParkedWho,
        /// How long it has waited.
        waited: Duration,
        /// When it is recalled; none: never, or not again.
        recall_in: Option<Duration>,
        /// How many attempts to bring it back there have been.
        attempt: u32,
    },
    /// Somebody is to be paged, because a call is parked: whoever reads this does it.
    Page {
        /// Which call, and where.
        of: ParkedAt,
        /// Who, in the words of the configuration: a paging zone, a group, a number.
        page: String,
        /// What to dial to take it.
        retrieve: String,
        /// The parkee's name, if it has one.
        name: Option<String>,
        /// The parkee.
        parkee: String,
        /// The parker.
        parker: String,
    },
    /// Somebody begins to take a parked call: nobody else can, until that has failed.
    Claimed {
        /// Which.
        of: ParkedAt,
        /// Who.
        by: String,
        /// Whether as the answer to a recall.
        recall: bool,
    },
    /// Who was taking a parked call has failed: it waits, and its time to the recall goes on.
    Released {
        /// Which.
        of: ParkedAt,
    },
    /// A parked call has been retrieved.
    Retrieved {
        /// Which, and where it was.
        of: ParkedAt,
        /// By whom.
        by: String,
        /// Whether as the answer to a recall.
        recall: bool,
        /// How long it was parked.
        waited: Duration,
        /// From the retriever's INVITE, or the answer of a phone that was rung, until they were joined.
        took: Duration,
    },
    /// A recall attempt begins.
    Recalling {
        /// Which call.
        of: ParkedAt,
        /// Who rings.
        to: String,
        /// Which attempt, from 1.
        attempt: u32,
    },
    /// An operator has an extension rung to take a parked call.
    Delivering {
        /// Which call.
        of: ParkedAt,
        /// The extension.
        to: String,
    },
    /// A recall attempt, or what an operator has tried, is over, and nobody has the call: it waits.
    Waiting {
        /// Which call.
        of: ParkedAt,
        /// When it is recalled next; none: not any more.
        recall_in: Option<Duration>,
        /// How many attempts there were at who is recalled next.
        attempt: u32,
    },
    /// A parked call has been moved to another slot of its lot.
    Moved {
        /// Which call, and where it is now.
        of: ParkedAt,
        /// The slot where it was.
        from: String,
        /// The park group for which it waits now, if for one.
        group: Option<String>,
        /// What a phone dials now to take it.
        retrieve: String,
        /// When it is recalled; none: not any more, or never.
        recall_in: Option<Duration>,
    },
    /// The parker is reminded of a call that still waits.
    Reminded {
        /// Which call.
        of: ParkedAt,
        /// Who parked it.
        parker: String,
    },
    /// The recall is over without an answer.
    RecallUnanswered {
        /// Which call.
        of: ParkedAt,
        /// What happens to it: `stay`, `hangup`, or where it goes.
        then: String,
    },
    /// The PBX has taken the parkee elsewhere.
    HandedOver {
        /// Which call, and where it was.
        of: ParkedAt,
        /// Where it is now.
        to: String,
    },
    /// The parkee hung up while parked.
    Abandoned {
        /// Which call, and where it was.
        of: ParkedAt,
    },
    /// We have hung up a parked call.
    HungUp {
        /// Which, and where it was.
        of: ParkedAt,
        /// Why, in a few words.
        why: String,
    },
    /// A request was refused by a rule.
    Refused {
        /// The status that it was answered with.
        status: u16,
        /// What was asked.
        asked: Asked,
        /// Who asked.
        who: String,
        /// Why.
        why: String,
    },
    /// The PBX has denied what somebody on the phones' side asked: wrong credentials, nobody of that name, or not
    /// for them.
    Denied {
        /// Who asked.
        by: Flow,
        /// The status that says so.
        status: u16,
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
    /// A port pair was wanted and none was there.
    NoPorts {
        /// Why.
        why: Dry,
    },
    /// Something about the other nodes, or the store that they share.
    Cluster {
        /// What.
        what: ClusterFact,
    },
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
            Fact::Recalling { .. } | Fact::Delivering { .. } => Some(Side::Phones),
            Fact::Silent { side, .. }
            | Fact::HeardAgain { side }
            | Fact::StreamEnded { side, .. } => Some(*side),
            _ => self.parked().map(|_| Side::Pbx),
        }
    }

    /// The parked call that the fact is about.
    pub fn parked(&self) -> Option<&ParkedAt> {
        match self {
            Fact::Parked { of, .. }
            | Fact::StillParked { of, .. }
            | Fact::Page { of, .. }
            | Fact::Claimed { of, .. }
            | Fact::Released { of }
            | Fact::Retrieved { of, .. }
            | Fact::Recalling { of, .. }
            | Fact::Delivering { of, .. }
            | Fact::Waiting { of, .. }
            | Fact::Moved { of, .. }
            | Fact::Reminded { of, .. }
            | Fact::RecallUnanswered { of, .. }
            | Fact::HandedOver { of, .. }
            | Fact::Abandoned { of }
            | Fact::HungUp { of, .. } => Some(of),
            _ => None,
        }
    }

    /// Whether the call that it is about is parked no more.
    pub fn is_end_of_park(&self) -> bool {
        matches!(
            self,
            Fact::Retrieved { .. }
                | Fact::HandedOver { .. }
                | Fact::Abandoned { .. }
                | Fact::HungUp { .. }
        )
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fact::Restored { parked, legs, bindings, subscriptions, unreadable } => {
                write!(
                    f,
                    "restored {parked} parked calls, {legs} legs, {bindings} bindings, {subscriptions} \
                     subscriptions"
                )?;
                match unreadable {
                    0 => Ok(()),
                    lost => write!(f, "; {lost} records could not be read"),
                }
            }
            Fact::PortLost { side, port } => {
                write!(f, "port {port} of the {side} side cannot be had again: media is moved")
            }
            Fact::Registered { extension, at, fresh, .. } => {
                let verb = if *fresh { "registered" } else { "refreshed" };
                write!(f, "{extension} {verb} at {at}")
            }
            Fact::Unregistered { extension, .. } => write!(f, "{extension} unregistered"),
            Fact::Answered { who, .. } => write!(f, "answered by {who}"),
            Fact::Ended { why, .. } => write!(f, "ended: {why}"),
            Fact::Parked { of, parked: ParkedWho { parkee, parker, .. }, free, .. } => {
                write!(f, "{parkee} parked at {} by {parker}", of.slot)?;
                if *free == Some(0) { f.write_str(", the lot is full now") } else { Ok(()) }
            }
            Fact::StillParked { of, parked: ParkedWho { parkee, parker, .. }, .. } => {
                write!(f, "{parkee} is still parked at {} by {parker}", of.slot)
            }
            Fact::Page { of, page, name, parkee, .. } => {
                write!(f, "page {page}: {} at {}", name.as_ref().unwrap_or(parkee), of.slot)
            }
            Fact::Claimed { of, by, recall } => {
                let how = if *recall { "answers its recall" } else { "is taking it" };
                write!(f, "{by} {how} at {}", of.slot)
            }
            Fact::Released { of } => write!(f, "not taken, waits at {}", of.slot),
            Fact::Retrieved { of, by, recall: false, .. } => {
                write!(f, "retrieved from {} by {by}", of.slot)
            }
            Fact::Retrieved { of, by, recall: true, .. } => {
                write!(f, "recall from {} answered by {by}", of.slot)
            }
            Fact::Recalling { of, to, attempt } => {
                write!(f, "recall from {} rings {to}, attempt {attempt}", of.slot)
            }
            Fact::Delivering { of, to } => write!(f, "{to} is rung for the call at {}", of.slot),
            Fact::Waiting { of, recall_in: Some(after), .. } => {
                write!(f, "waits at {}, next recall in {} s", of.slot, after.as_secs())
            }
            Fact::Waiting { of, recall_in: None, .. } => {
                write!(f, "waits at {}, no more recalls", of.slot)
            }
            Fact::Moved { of, from, .. } => write!(f, "moved from {from} to {}", of.slot),
            Fact::RecallUnanswered { of, then } => {
                write!(f, "recall from {} unanswered, then: {then}", of.slot)
            }
            Fact::HandedOver { of, to } => write!(f, "handed over from {} to {to}", of.slot),
            Fact::Abandoned { of } => write!(f, "abandoned in {}", of.slot),
            Fact::HungUp { of, why } => write!(f, "hung up in {}: {why}", of.slot),
            Fact::Refused { status, who, why, .. } => {
                write!(f, "refused {who} with {status}: {why}")
            }
            Fact::Denied { by, status } => write!(f, "the PBX denied {} with {status}", by.peer),
            Fact::Dropped { from, why } => write!(f, "dropped a message from {from}: {why}"),
            Fact::NoticeRefused { extension, notice, status: 408 } => {
                write!(f, "{notice} notice to {extension} not answered")
            }
            Fact::NoticeRefused { extension, notice, status } => {
                write!(f, "{notice} notice to {extension} answered with {status}")
            }
            Fact::Reminded { of, parker } => {
                write!(f, "{parker} reminded of the call in {}", of.slot)
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
            Fact::NoPorts { why: Dry::UsedUp } => f.write_str("no RTP port pair left"),
            Fact::NoPorts { why: Dry::NotBound } => {
                f.write_str("no more RTP port pairs can be bound")
            }
            Fact::NoPorts { why: Dry::Coming } => {
                f.write_str("RTP port pairs are bound too slowly")
            }
            Fact::Cluster { what } => what.fmt(f),
            Fact::Bug { what } => write!(f, "bug: {what}"),
        }
    }
}
