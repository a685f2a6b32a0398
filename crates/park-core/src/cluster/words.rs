//! The words between the house and the store that all nodes share: what is to be done there, and what has
//! become known of it.

use base::Flow;

/// One thing to be done at the store. Orders are carried out one after the other; what is asked while the
/// store is away is asked again by the house when it is back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterOrder {
    /// Take a place for a call, in one step: if fewer than `most` calls of living nodes have it. A call that
    /// has another place gives that up in the same step. Answered by [`ClusterNews::Granted`] or
    /// [`ClusterNews::Refused`].
    Stake {
        /// The name of the call.
        park: String,
        /// The name of the place: lot, domain and slot.
        place: String,
        /// How many calls may have it.
        most: usize,
        /// The token by which it was had before: it goes before younger ones, one of which is then
        /// [`ClusterNews::Lost`].
        token: Option<u64>,
        /// What the other nodes are told of the call.
        record: Vec<u8>,
    },
    /// Give up the place of a call, if it has one.
    Release {
        /// The name of the call.
        park: String,
    },
}

/// What has become known of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterNews {
    /// The store is reached, and this is what is in it. Nothing that was asked before holds.
    Joined {
        /// The nodes that live.
        nodes: Vec<ClusterNode>,
        /// All calls.
        calls: Vec<SharedCall>,
    },
    /// The store cannot be reached: nothing that was asked will be answered.
    Away {
        /// Why.
        why: String,
    },
    /// Another instance runs under this node's name: this one may write nothing more.
    Fenced,
    /// The nodes that live, where that has changed.
    Nodes(Vec<ClusterNode>),
    /// A call is parked, maybe at another node, or what is told of it has changed.
    Put(SharedCall),
    /// A call has given up its place, or its node lives no more.
    Gone {
        /// The name of the call.
        park: String,
    },
    /// The place is had.
    Granted {
        /// The name of the call.
        park: String,
        /// By which it is had: whoever came later has a greater one.
        token: u64,
    },
    /// The place is taken.
    Refused {
        /// The name of the call.
        park: String,
        /// The node that has it.
        by: String,
    },
    /// The place of this call was taken by one with an older token.
    Lost {
        /// The name of the call.
        park: String,
        /// The node that has it now.
        by: String,
    },
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterNode {
    /// Its name.
    pub name: String,
    /// The flow by which it is reached, on the PBX's side; none: none of our sockets leads there.
    pub reach: Option<Flow>,
}

/// A parked call in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedCall {
    /// The name of the call.
    pub park: String,
    /// The node that has it.
    pub node: String,
    /// What is told of it, as its node wrote it.
    pub record: Vec<u8>,
}
