//! Far sides at one relay.

mod ends;

pub(crate) use ends::*;
