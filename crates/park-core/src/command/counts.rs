//! How much is in the house.

use serde::{Deserialize, Serialize};

/// How much is in the house. All but `bindings`, `pairs_free` and the totals are zero when it is quiet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
    /// New calls are refused.
    #[serde(default)]
    pub draining: bool,
    /// Messages dropped as malformed or foreign, since the start.
    pub dropped: u64,
    /// Notices that phones would not take, since the start.
    pub notices_refused: u64,
    /// Broken inner promises since the start; should be zero.
    pub bugs: u64,
}
