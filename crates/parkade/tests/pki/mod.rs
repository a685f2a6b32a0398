//! Certificates for tests, and peers that speak TLS with them.
#![allow(dead_code, reason = "each test file uses its part")]

mod authority;
mod party;

pub(crate) use authority::Authority;
pub(crate) use party::{Party, handshakes};
