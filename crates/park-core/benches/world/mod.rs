//! An engine with everybody around it, for benches and the test of memory.

mod around;

pub(crate) use around::World;
