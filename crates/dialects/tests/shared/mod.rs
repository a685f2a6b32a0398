//! What several test files begin with: samples, a lot's numbers, and what is parked.
#![allow(unused_imports, reason = "each test file uses its part")]

mod codes;
mod notice;
mod sample;

pub(crate) use codes::*;
pub(crate) use notice::*;
pub(crate) use sample::*;
