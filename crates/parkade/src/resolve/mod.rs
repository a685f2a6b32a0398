//! The PBX's addresses (RFC 3263).

mod dns;
mod memory;
mod names;
mod order;
mod standing;
#[cfg(test)]
mod table;
mod walk;
mod watch;

pub(crate) use watch::{Found, Resolver};
