//! What is counted for whoever keeps an eye on the house. What became of parks, retrieves and recalls is
//! in the facts.

use serde::{Deserialize, Serialize};

use crate::command::calls::{CallState, LegStage};
use crate::command::counts::Counts;

/// All that the engine counts. Totals are since the start, and never fall.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Metrics {
    /// How much is in the house.
    pub counts: Counts,
    /// Calls now, by state; those that there are none of are left out.
    pub calls: Vec<CallsIn>,
    /// Legs of calls now, by side and stage; those that there are none of are left out.
    pub legs: Vec<LegsIn>,
    /// Notices that were answered, or were not, since the start.
    pub notices: Vec<NoticesTold>,
    /// Malformed messages that were dropped, by what was wrong with them, since the start.
    pub malformed: Vec<Malformed>,
    /// SIP messages that we sent again, since the start.
    pub repeated: u64,
    /// Repeated SIP messages that were absorbed, since the start.
    pub absorbed: u64,
    /// Requests of ours without a final answer in time, and 2xx of ours without an ACK, since the start.
    pub timed_out: u64,
    /// Requests of ours that could not be delivered, since the start.
    pub undelivered: u64,
    /// RTP port pairs now, by side.
    pub pairs: Vec<PairsOf>,
    /// Of several nodes, where there are several.
    #[serde(default)]
    pub cluster: Option<ClusterMetrics>,
}

/// What a node counts of the cluster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClusterMetrics {
    /// Whether the shared store is reached.
    pub connected: bool,
    /// Whether another instance has this node's name, so that this one may write nothing more.
    pub fenced: bool,
    /// How many nodes live, this one among them.
    pub nodes: usize,
    /// How many calls are parked at other nodes.
    pub elsewhere: usize,
    /// Places that the store has given, since the start.
    pub granted: u64,
    /// Places that it has refused, as another call has them, since the start.
    pub refused: u64,
    /// Parked calls that had to leave their place to another node's, since the start.
    pub displaced: u64,
    /// Retrieves that were passed on to other nodes, since the start.
    pub passed_on: u64,
    /// Retrieves for which another node vouched, since the start.
    pub vouched: u64,
    /// Requests with another node's word that was not believed, since the start.
    pub forged: u64,
}

/// How many calls are in a state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CallsIn {
    /// The state.
    pub state: CallState,
    /// How many.
    pub calls: usize,
}

/// How many legs of calls are in a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LegsIn {
    /// Towards whom: `phones` or `pbx`.
    pub side: String,
    /// The stage.
    pub stage: LegStage,
    /// How many.
    pub legs: usize,
}

/// How many notices of a kind were answered so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NoticesTold {
    /// The word for it in a profile: `park-info`; of a subscription its event package.
    pub notice: String,
    /// Whether the phone has subscribed to it; else it was told unasked.
    pub subscribed: bool,
    /// The class of the answer: `2xx` to `6xx`; `none`.
    pub answer: String,
    /// How many.
    pub notices: u64,
}

/// How many messages had this wrong with them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Malformed {
    /// What was wrong, in a few words, of which there are few.
    pub why: String,
    /// How many.
    pub messages: u64,
}

/// The RTP port pairs of a side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PairsOf {
    /// `phones` or `pbx`.
    pub side: String,
    /// In use.
    pub leased: usize,
    /// Bound and ready; more are bound when these are few, as long as `media.ports` has some.
    pub ready: usize,
    /// Left alone for a moment after use.
    pub resting: usize,
}
