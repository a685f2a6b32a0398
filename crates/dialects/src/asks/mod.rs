//! How phones ask: one file per way of asking. A new one is a new file here.

mod bad;
mod command;
mod dtmf;
mod info;
mod info_rule;
mod invite;
mod key;
mod keyed;
mod keys;
mod number;
mod orbit;
mod part;
mod refer;
mod remotecc;
mod replaces;

pub use bad::BadAsk;
pub use command::ParkCommand;
pub use info::{InfoAsk, info_status, info_taken};
pub use info_rule::{BadInfoRule, InfoMatcher, InfoRule, InfoVerb};
pub use invite::Invite;
pub use key::Key;
pub use keyed::Keyed;
pub use keys::{KeyOutcome, KeySource, Keys};
pub use orbit::{OrbitAsk, orbit_uri};
pub use refer::Refer;
pub use remotecc::{CiscoCall, RemoteCc, SoftKey};
