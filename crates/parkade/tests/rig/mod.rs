//! The whole program in this process, and stub peers.

mod running;

pub(crate) use running::*;
