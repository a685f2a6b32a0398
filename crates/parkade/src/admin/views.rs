//! The lists of the API, with the times of day that the engine does not know.

use std::time::Duration;

use base::Moment;
use park_core::{
    BindingView, CallView, ElsewhereView, GroupView, LotView, ParkedView, StreamView,
    SubscriptionView,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::Clock;
use crate::sip::BanView;

/// A parked call, with the time of day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Dated {
    #[serde(flatten)]
    pub(crate) call: ParkedView,
    /// When it was parked (RFC 3339).
    #[schema(example = "2026-03-01T09:30:00.000Z")]
    pub(crate) parked_at: String,
    /// When its recall is due, if one is (RFC 3339).
    pub(crate) recall_at: Option<String>,
}

impl Dated {
    /// This call, listed at `now`.
    pub(crate) fn of(call: ParkedView, clock: Clock, now: Moment) -> Dated {
        let recall = call.recall_in_s.map(|seconds| now + Duration::from_secs(seconds));
        Dated {
            parked_at: clock.date(Moment::from_micros(call.since_us)),
            recall_at: recall.map(|at| clock.date(at)),
            call,
        }
    }
}

/// The parked calls, and the lots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct ParkedList {
    /// By lot, domain and slot; in a slot the first that came is the first.
    pub(crate) parked: Vec<Dated>,
    /// Each lot, as each domain sees it.
    pub(crate) lots: Vec<LotView>,
    /// What is parked at other nodes.
    #[serde(default)]
    pub(crate) elsewhere: Vec<ElsewhereView>,
}

/// The lots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct LotList {
    /// Each lot, as each domain sees it.
    pub(crate) lots: Vec<LotView>,
}

/// A slot, and what is parked there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct SlotView {
    /// The lot.
    pub(crate) lot: String,
    /// The SIP domain.
    pub(crate) domain: String,
    /// Its number: an orbit, or an extension at which something is parked.
    pub(crate) slot: String,
    /// The names of the calls that are parked there, the first that came first.
    pub(crate) parked: Vec<String>,
}

/// Slots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct SlotList {
    /// By lot, domain and number.
    pub(crate) slots: Vec<SlotView>,
}

/// The park groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct GroupList {
    /// By lot, then as configured.
    pub(crate) groups: Vec<GroupView>,
}

/// Who is registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct BindingList {
    /// By domain, then extension.
    pub(crate) bindings: Vec<BindingView>,
}

/// Calls in progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct CallList {
    /// The longest first.
    pub(crate) calls: Vec<CallView>,
}

/// Subscriptions to what is parked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct SubscriptionList {
    /// By domain, then extension.
    pub(crate) subscriptions: Vec<SubscriptionView>,
}

/// What streams are like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct StreamList {
    /// By call, then side.
    pub(crate) streams: Vec<StreamView>,
}

/// Who is banned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct BanList {
    /// By address.
    pub(crate) bans: Vec<BanView>,
}
