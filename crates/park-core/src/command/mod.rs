//! The words of operators: what they may order, and what they are shown. All of it is plain data, and
//! with the feature `openapi` each view describes itself (utoipa).

mod calls;
mod counts;
mod lots;
mod metrics;
mod order;
mod parked;
mod people;
mod streams;

pub use calls::{CallState, CallView, LegMedia, LegStage, LegView};
pub use counts::Counts;
pub use lots::{GroupView, LotView};
pub use metrics::{CallsIn, ClusterMetrics, LegsIn, Malformed, Metrics, NoticesTold, PairsOf};
pub use order::{Command, Reply};
pub use parked::{ElsewhereView, ParkedAt, ParkedState, ParkedView, ParkedWho};
pub use people::{BindingView, SubscriptionView, Watches};
pub use streams::{ReportedView, StreamView};
