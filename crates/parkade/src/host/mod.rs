//! What this host can do for Parkade and what it lacks, in plain words: `parkade check --host`. It
//! only looks: nothing is bound, set or made.
//! - `fact`: one line; `facts`: all of them; `network`: those about forwarding.

mod fact;
mod facts;
mod network;

pub(crate) use fact::{as_json, as_text, nothing_is_missing};
pub(crate) use facts::facts;
