//! Orders from the admin door and their answers.

use std::time::Duration;

use base::Side;
use rtp_flow::Quality;
use serde::{Deserialize, Serialize};

/// What an operator may order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "command")]
pub enum Command {
    /// List the parked calls.
    Parked,
    /// Measure the streams of calls whose sound goes through us.
    Streams {
        /// The Call-ID of the call; none: all.
        #[serde(default)]
        call: Option<String>,
    },
    /// Count what is in the house.
    Counts,
    /// Refuse new calls with 503; parked calls are kept.
    Drain,
    /// End every call with BYE and a Reason, and every recall.
    EndAll,
}

/// What the operator is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "reply")]
pub enum Reply {
    /// To [`Command::Parked`].
    Parked {
        /// By lot, then slot, then since when.
        calls: Vec<ParkedView>,
        /// Each lot, as each domain sees it.
        #[serde(default)]
        lots: Vec<LotView>,
    },
    /// To [`Command::Streams`].
    Streams {
        /// By call, then side.
        streams: Vec<StreamView>,
    },
    /// To [`Command::Counts`].
    Counts(Counts),
    /// Done.
    Done,
}

/// One parked call, as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParkedView {
    /// The lot.
    pub lot: String,
    /// The slot.
    pub slot: String,
    /// The SIP domain.
    pub domain: String,
    /// The parkee's display name, if it has one.
    pub parkee_name: Option<String>,
    /// The parkee's number or user.
    pub parkee: String,
    /// Who parked it.
    pub parker: String,
    /// The park group, for a group park.
    pub group: Option<String>,
    /// Seconds parked so far.
    pub parked_for_s: u64,
    /// Seconds to the recall, if one is due.
    pub recall_in_s: Option<u64>,
    /// `parked`, `recalling` or `claimed`.
    pub state: String,
    /// The Call-ID of the parkee's leg.
    pub call_id: String,
}

/// What has come from one end of a call so far, as an operator sees it: [`Quality`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamView {
    /// The Call-ID.
    pub call_id: String,
    /// From which side: `phones` or `pbx`.
    pub side: String,
    /// Packets that came, …
    pub received: u64,
    /// … and how many of them the kernel forwarded.
    pub by_kernel: u64,
    /// Packets that did not come.
    pub lost: u64,
    /// Packets that came after a later one.
    pub reordered: u64,
    /// Packets that came again.
    pub repeated: u64,
    /// How many SSRCs there were.
    pub sources: u32,
    /// Interarrival jitter (RFC 3550 §6.4.1), in microseconds.
    pub jitter_us: u64,
    /// The most that it ever was.
    pub worst_jitter_us: u64,
    /// What that end last reported of what it hears, if it did.
    pub reported: Option<ReportedView>,
}

/// A reception report (RFC 3550 §6.4.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedView {
    /// Lost since the report before, in 256ths.
    pub fraction_lost: u8,
    /// Lost since the beginning.
    pub lost: i32,
    /// Interarrival jitter, in microseconds.
    pub jitter_us: u64,
}

impl StreamView {
    pub(crate) fn of(call_id: String, side: Side, quality: &Quality) -> StreamView {
        let micros = |time: Duration| time.as_micros() as u64;
        StreamView {
            call_id,
            side: side.to_string(),
            received: quality.received,
            by_kernel: quality.unseen,
            lost: quality.lost,
            reordered: quality.reordered,
            repeated: quality.repeated,
            sources: quality.sources,
            jitter_us: micros(quality.jitter),
            worst_jitter_us: micros(quality.worst_jitter),
            reported: quality.reported.map(|reported| ReportedView {
                fraction_lost: reported.fraction_lost,
                lost: reported.lost,
                jitter_us: micros(reported.jitter),
            }),
        }
    }
}

/// How full a lot is, as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LotView {
    /// Its name.
    pub lot: String,
    /// The SIP domain for which this holds; empty: nobody has used the lot yet.
    pub domain: String,
    /// How many calls are parked, extensions included.
    pub parked: usize,
    /// How many slots it has.
    pub slots: usize,
    /// How many of them are free.
    pub free: usize,
}

/// How much is in the house. All but `bindings`, `pairs_free` and the totals are zero when it is quiet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Legs, of calls and of subscriptions.
    pub legs: usize,
    /// Parked calls.
    pub parked: usize,
    /// Requests being passed or awaited.
    pub pending: usize,
    /// Subscriptions to what is ours.
    pub watches: usize,
    /// Transactions.
    pub transactions: usize,
    /// Port pairs in use.
    pub pairs: usize,
    /// Alarms of calls and slots.
    pub alarms: usize,
    /// Live bindings.
    pub bindings: usize,
    /// Messages dropped as malformed or foreign, since the start.
    pub dropped: u64,
    /// Notices that phones would not take, since the start.
    pub notices_refused: u64,
    /// Broken inner promises since the start; should be zero.
    pub bugs: u64,
}
