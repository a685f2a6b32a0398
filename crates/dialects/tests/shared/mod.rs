//! What several test files begin with: samples, and a lot's numbers.
#![allow(unused_imports, reason = "each test file uses its part")]

mod codes;
mod sample;

pub(crate) use codes::*;
pub(crate) use sample::*;
