//! One worker's share of the streams.
//! - `streams`: what there is, and the door to it; `path`: one pair;
//! - `orders`: what is ordered of them; `packets`: what becomes of a packet that comes in; `paced`:
//!   music, each packet when it is due;
//! - `fast`: what may go without us; `shifted`: what is rewritten there; `looks`: what is looked at now and then: silence, and what has
//!   gone without us.

mod fast;
mod looks;
mod orders;
mod paced;
mod packets;
mod path;
mod shifted;
mod streams;

pub use fast::Through;
pub use streams::Relay;
