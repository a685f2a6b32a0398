//! Several nodes: places in shared lots are staked at a store that all nodes reach, each node mirrors what the
//! others have parked, and a call that is parked elsewhere is taken there.
//!
//! - `words` is what is said between the house and the store;
//! - `state` is what this node knows of the others;
//! - `stake` has places taken, given up, and settled when the store is back;
//! - `mirror` keeps the calls of other nodes among those of the house;
//! - `vouch` is how one node believes another;
//! - `fact` is what there is to tell;
//! - `elsewhere` takes a call that another node has.

mod elsewhere;
mod fact;
mod mirror;
mod stake;
mod state;
mod vouch;
mod words;

pub(crate) use elsewhere::{is_vouched, pass_on, take};
pub use fact::ClusterFact;
pub(crate) use mirror::views;
pub(crate) use stake::{ask, ask_for_new_place, forget_others, hear, release, unanswered, usable};
pub(crate) use state::{Cluster, Stake};
pub(crate) use vouch::HEADER as NODE_HEADER;
pub use words::{ClusterNews, ClusterNode, ClusterOrder, SharedCall};
