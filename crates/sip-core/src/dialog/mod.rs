//! Dialogs (RFC 3261 §12): who speaks with whom, by which numbers and routes.

mod party;
mod state;

pub use party::Party;
pub use state::{Dialog, Fork, NotOurs, ahead};
