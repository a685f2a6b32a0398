//! The whole program in this process, and stub peers.

mod binary;
mod running;

#[allow(unused_imports, reason = "each test file uses its part")]
pub(crate) use binary::*;
pub(crate) use running::*;
