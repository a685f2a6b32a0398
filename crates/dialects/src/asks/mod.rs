//! How phones ask: one file per way of asking. A new one (INFO, a vendor's XML, an orbit parameter)
//! is a new file here.

mod bad;
mod invite;
mod number;
mod refer;
mod replaces;

pub use bad::BadAsk;
pub use invite::Invite;
pub use refer::Refer;
