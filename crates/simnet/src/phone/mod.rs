//! A SIP phone as a machine: it registers, calls, answers, holds, transfers, subscribes, and can be
//! made to misbehave.

mod answers;
mod call;
mod habits;
mod incoming;
mod keyring;
mod machine;
mod offers;
mod refer;
mod state;
mod usages;
mod user;
mod view;

pub use call::{Call, CallNo, CallState, Transfer};
pub use habits::{Account, Encrypts, Habits};
pub use keyring::Keyring;
pub use state::{Notice, Phone};
pub(crate) use view::{calls_in, is_ours};
