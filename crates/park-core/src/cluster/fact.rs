//! What there is to tell of the other nodes and the store.

use std::fmt;
use std::net::SocketAddr;

/// Something about the other nodes, or the store that they share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterFact {
    /// The store is reached.
    StoreReached {
        /// How many nodes live, this one among them.
        nodes: usize,
    },
    /// The store cannot be reached: what is parked stays, and nothing can be parked in shared places.
    StoreAway {
        /// Why.
        why: String,
    },
    /// Another instance runs under this node's name.
    Fenced,
    /// Another node is there.
    NodeSeen {
        /// Its name.
        node: String,
    },
    /// Another node has not been heard of for as long as its lease lasts.
    NodeLost {
        /// Its name.
        node: String,
    },
    /// The store has refused a place: another call has it.
    Refused {
        /// The slot.
        slot: String,
        /// The node that has it.
        by: String,
    },
    /// A parked call has had to leave its place to another node's.
    Displaced {
        /// Where it was.
        from: String,
        /// The node that has the place now.
        by: String,
        /// Where it is now; none: no slot was free, so it stays, for the phones of this node alone.
        to: Option<String>,
    },
    /// A request with another node's word was not believed.
    NotBelieved {
        /// From where it came.
        from: SocketAddr,
        /// Why.
        why: &'static str,
    },
}

impl ClusterFact {
    /// Whether somebody should look after it.
    pub fn is_trouble(&self) -> bool {
        !matches!(
            self,
            ClusterFact::StoreReached { .. }
                | ClusterFact::NodeSeen { .. }
                | ClusterFact::Refused { .. }
        )
    }
}

impl fmt::Display for ClusterFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClusterFact::StoreReached { nodes } => {
                write!(f, "the nodes' store is reached, {nodes} live")
            }
            ClusterFact::StoreAway { why } => write!(
                f,
                "the nodes' store is away ({why}): calls go on, shared places take no new ones"
            ),
            ClusterFact::Fenced => f.write_str(
                "another instance runs under this node's name: this one parks nothing in shared places \
                 any more; stop one of the two, and restart the other",
            ),
            ClusterFact::NodeSeen { node } => write!(f, "node {node} is there"),
            ClusterFact::NodeLost { node } => write!(f, "node {node} is not heard of any more"),
            ClusterFact::Refused { slot, by } => write!(f, "slot {slot} was taken by node {by} first"),
            ClusterFact::Displaced { from, by, to: Some(to) } => {
                write!(f, "slot {from} is node {by}'s now: the call there was moved to {to}")
            }
            ClusterFact::Displaced { from, by, to: None } => write!(
                f,
                "slot {from} is node {by}'s now, and no other is free: the call stays there, for the \
                 phones of this node alone"
            ),
            ClusterFact::NotBelieved { from, why } => {
                write!(f, "a request from {from} with a node's word was refused: {why}")
            }
        }
    }
}
