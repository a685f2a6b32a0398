//! Orders and their answers.

use serde::{Deserialize, Serialize};

use crate::command::calls::CallView;
use crate::command::counts::Counts;
use crate::command::lots::{GroupView, LotView, ParkedView};
use crate::command::people::{BindingView, SubscriptionView};
use crate::command::streams::StreamView;

/// What an operator may order. A list is made in one turn of the engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "command")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Command {
    /// List the parked calls and the lots.
    Parked,
    /// List who is registered.
    Bindings,
    /// List the park groups.
    Groups,
    /// List the calls in progress, parked ones too.
    Calls {
        /// The Call-ID of the call; none: all.
        #[serde(default)]
        call: Option<String>,
    },
    /// List the subscriptions to what is parked.
    Subscriptions,
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
    /// Take new calls again.
    Undrain,
    /// End every call with BYE and a Reason, and every recall.
    EndAll,
}

/// What the operator is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "reply")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Reply {
    /// To [`Command::Parked`].
    Parked {
        /// By lot, domain and slot; in a slot the first that came is the first.
        calls: Vec<ParkedView>,
        /// Each lot, as each domain sees it.
        #[serde(default)]
        lots: Vec<LotView>,
    },
    /// To [`Command::Bindings`].
    Bindings {
        /// By domain, then extension.
        bindings: Vec<BindingView>,
    },
    /// To [`Command::Groups`].
    Groups {
        /// By lot, then as configured.
        groups: Vec<GroupView>,
    },
    /// To [`Command::Calls`].
    Calls {
        /// The longest first.
        calls: Vec<CallView>,
    },
    /// To [`Command::Subscriptions`].
    Subscriptions {
        /// By domain, then extension.
        subscriptions: Vec<SubscriptionView>,
    },
    /// To [`Command::Streams`].
    Streams {
        /// By call, then side.
        streams: Vec<StreamView>,
    },
    /// To [`Command::Counts`].
    Counts(Counts),
    /// Done. What becomes of it is told by facts.
    Done,
    /// Not done, and nothing has changed.
    Refused {
        /// As SIP would answer: 404 there is no such thing, 409 not as things stand, 480 nobody is
        /// there, 486 no room, 488 the media do not fit, 491 not answered yet.
        status: u16,
        /// Why, in a few words.
        why: String,
    },
}
