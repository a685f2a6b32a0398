//! The product: calls through the house, lots and slots, park, retrieve and recall, behind one
//! [`Engine`]. One input climbs, one room decides, effects descend. No socket, clock, thread or lock.
#![forbid(unsafe_code)]

mod command;
mod engine;
mod settings;
mod told;
mod words;

pub use command::{Command, Counts, ParkedView, Reply};
pub use engine::Engine;
pub use settings::{
    Anchor, GroupSettings, LotSettings, Network, NoticeTemplate, RecallSettings, RecallThen,
    RecallTo, Settings,
};
pub use told::{Fact, Told};
pub use words::{Input, Output};
