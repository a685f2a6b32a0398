//! The product: calls through the house, lots and slots, park, retrieve and recall, behind one
//! [`Engine`]. One input climbs, one room decides, effects descend. No socket, clock, thread or lock.
//!
//! - `reception` takes what belongs to no dialog: an ask about parking, a call, a subscription;
//! - `register` and `contacts` know who is registered where;
//! - `calls` holds the legs, passes requests between them, and parks, retrieves and recalls;
//! - `lots` settles who gets a slot and who gets a call;
//! - `lamps` tells phones what is parked for them, `watches` those that have subscribed;
//! - `operator` does what operators order, and reads what they ask for;
//! - `cluster` shares lots with other nodes;
//! - `lobby` has calls wait for port pairs;
//! - `caps` says how much there may be of everything;
//! - `standing` tells who speaks before a message is read;
//! - `journal` writes down what must outlive the program, and takes it up again;
//! - `uplink` knows the way to the PBX.
#![forbid(unsafe_code)]

mod alarms;
mod calls;
mod caps;
mod cluster;
mod command;
mod contacts;
mod engine;
mod house;
mod journal;
mod keys;
mod lamps;
mod lobby;
mod lots;
mod operator;
mod patience;
mod reception;
mod refusal;
mod register;
mod settings;
mod standing;
mod tally;
mod told;
mod uplink;
mod watches;
mod words;

pub use caps::Caps;
pub use cluster::{ClusterFact, ClusterNews, ClusterNode, ClusterOrder, SharedCall};
pub use command::{
    BindingView, CallState, CallView, CallsIn, ClusterMetrics, Command, Counts, ElsewhereView,
    GroupView, LegMedia, LegStage, LegView, LegsIn, LotView, Malformed, Metrics, NoticesTold,
    PairsOf, ParkedAt, ParkedState, ParkedView, ParkedWho, Reply, ReportedView, StreamView,
    SubscriptionView, Watches,
};
pub use engine::Engine;
pub use journal::{JOURNAL_FORMAT, JournalStep, RecordKey, RecordKind};
pub use lots::MOST_TOLD;
pub use settings::{
    Anchor, ClusterSettings, Courtesy, FindSlot, GroupSettings, LotSettings, Network,
    NoticeTemplate, OwnSettings, PlaceSettings, RecallSettings, RecallThen, RecallTo, Settings,
    SrtpUse,
};
pub use standing::Standing;
pub use told::{Asked, Fact, Told};
pub use words::{Input, Output};
