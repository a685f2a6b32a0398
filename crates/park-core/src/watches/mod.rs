//! Watches: subscriptions (RFC 6665) to what is ours. Slots and whole lots are told as dialogs (RFC 4235),
//! so that a key with a lamp shows what is parked there; an extension is told what is parked for it
//! as BroadWorks does (`call-info`).

mod list;
mod open;
mod state;
mod tell;
mod view;
mod watched;

pub(crate) use list::views;
pub(crate) use open::{of_uri, open, restored, settled, within};
pub(crate) use state::{Watch, Watches, tells_line};
pub(crate) use tell::{
    answered, changed, due, end_all, look_again, profile_of, tell_all_again, tell_line_again,
    tell_some,
};
pub(crate) use watched::{dialog_of, watched};
