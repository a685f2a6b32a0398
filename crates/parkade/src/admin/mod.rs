//! The operators' surface: the doors, the API, events; and the other end of the Unix socket.

mod access;
mod ask;
mod desk;
mod door;
mod event;
mod feed;
mod hooks;
mod metrics;
mod operators;
mod order;
mod peer;
mod problem;
mod records;
mod routes;
mod tap;
mod tls;
mod trace;
mod views;
mod webhook;

pub(crate) use access::{digest, new_token};
pub use ask::CannotAsk;
pub(crate) use ask::{Asker, understood};
pub(crate) use desk::Desk;
pub(crate) use door::{HttpDoor, LocalDoor};
pub(crate) use metrics::{Figures, TlsFigures};
pub(crate) use operators::{Doors, Operators};
pub use order::Steering;
pub(crate) use order::{AdminOrder, ReloadAsked};
pub(crate) use routes::LoggedIn;
pub(crate) use tap::{Batch, Tap, Way};
pub(crate) use tls::acceptor;
pub(crate) use trace::{MessageView, TraceView};
pub(crate) use views::{BanList, BindingList, CallList, Dated, ParkedList, StreamList};
