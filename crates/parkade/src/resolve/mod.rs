//! The PBX's addresses (RFC 3263).

mod dns;
mod names;
mod order;
mod walk;
mod watch;

pub(crate) use watch::{Found, Resolver};
