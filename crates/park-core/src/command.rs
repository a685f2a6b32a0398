//! Orders from the admin door and their answers.

use serde::{Deserialize, Serialize};

/// What an operator may order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "command")]
pub enum Command {
    /// List the parked calls.
    Parked,
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
