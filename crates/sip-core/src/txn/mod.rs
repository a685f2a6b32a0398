//! The transaction room (RFC 3261 §17, RFC 6026): four small machines, one table, one door.

mod branch;
mod client;
mod clients;
mod counts;
mod desk;
mod heard;
mod invite_client;
mod invite_server;
mod kept;
mod key;
mod layer;
mod noninvite_client;
mod noninvite_server;
mod pace;
mod print;
mod servers;
mod table;
mod timing;
mod via;

pub use counts::TxnCounts;
pub use heard::{Failure, Heard, Oversize};
pub use kept::{KeptClient, KeptServer};
pub use key::{ClientKey, ServerKey};
pub use layer::Layer;
pub use timing::Timing;
