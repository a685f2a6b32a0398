//! A PBX as a machine: registrar, router, and either a back-to-back user agent with a new dialog per
//! side (as Asterisk) or a record-routing proxy (as Kamailio).

mod answers;
mod bridge;
mod incoming;
mod leg;
mod machine;
mod others;
mod proxy;
mod registrar;
mod state;
mod transfer;

pub use registrar::Binding;
pub use state::{Pbx, PbxSettings, Style};
