//! Orders and their answers.

use serde::{Deserialize, Serialize};

use crate::command::calls::CallView;
use crate::command::counts::Counts;
use crate::command::lots::{GroupView, LotView};
use crate::command::metrics::Metrics;
use crate::command::parked::{ElsewhereView, ParkedView};
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
    /// Give all that is counted.
    Metrics,
    /// Ring all phones of an extension to take a parked call; the first to answer has it. If none does
    /// it waits on, and its time to the recall has gone on.
    Retrieve {
        /// The name of the parked call.
        park: String,
        /// The extension, of the call's own domain.
        to: String,
    },
    /// Recall a parked call now; from the beginning if its recall is over.
    Recall {
        /// The name of the parked call.
        park: String,
    },
    /// Move a parked call to another place of its lot. It waits there behind all others, and the time to
    /// its recall goes on.
    Move {
        /// The name of the parked call.
        park: String,
        /// Where to: a slot, an extension, or a code that parks.
        slot: String,
    },
    /// Hang up a parked call.
    HangUp {
        /// The name of the parked call.
        park: String,
    },
    /// Park a talking call; the phone's leg ends. Of a call from phone to phone, the one that the phone
    /// is on which is to lose it.
    Park {
        /// The id of the call.
        id: String,
        /// Where: a slot, an extension, or a code that parks.
        slot: String,
    },
    /// End a call for all who are on it.
    End {
        /// The id of the call.
        id: String,
    },
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
        /// What is parked at other nodes, in the same order.
        #[serde(default)]
        elsewhere: Vec<ElsewhereView>,
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
    /// To [`Command::Metrics`].
    Metrics(Box<Metrics>),
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
