//! The world: one clock, the house, phones, callers, a PBX and the wire between them.

mod between;
mod build;
mod checks;
mod drive;
mod hearing;
mod lots;
mod restart;
mod state;
mod tidy;
mod verbs;

pub use hearing::{MUSIC, NOTHING, SILENCE, Source};
pub use state::World;
