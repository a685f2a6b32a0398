//! What this node knows of the others.

use std::net::IpAddr;
use std::time::Duration;

use base::{Flow, Moment};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::cluster::words::ClusterNode;

/// For how long an address is known as a node's, from its last request that was vouched for.
const KNOWN: Duration = Duration::from_secs(3600);

/// How far the place of a parked call is staked at the store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stake {
    /// It need not be: there is one node only, or the place is no other node's business.
    #[default]
    None,
    /// The store has been asked.
    Asked,
    /// It is had, by this token.
    Held(u64),
    /// The store cannot say, or another call has it, and the parker has gone: the call waits here all the
    /// same, and the store is asked again when it is back.
    Alone,
}

/// What has been counted.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) granted: u64,
    pub(crate) refused: u64,
    pub(crate) displaced: u64,
    pub(crate) passed_on: u64,
    pub(crate) vouched: u64,
    pub(crate) forged: u64,
}

/// This node's view of the cluster.
#[derive(Debug, Default)]
pub(crate) struct Cluster {
    /// The store is reached, and this node may write.
    pub(super) joined: bool,
    /// Another instance has this node's name.
    pub(super) fenced: bool,
    nodes: Vec<ClusterNode>,
    /// Addresses from which vouched requests came, and until when they are known.
    proven: FxHashMap<IpAddr, Moment>,
    /// The nonces that were heard, and until when they are remembered.
    nonces: FxHashMap<Box<str>, Moment>,
    pub(super) counts: Counts,
}

impl Cluster {
    /// Whether the store is reached.
    pub(crate) fn has_joined(&self) -> bool {
        self.joined
    }

    /// Takes the living nodes; gives the names of those that came and those that went.
    pub(super) fn learn(&mut self, nodes: Vec<ClusterNode>) -> (Vec<String>, Vec<String>) {
        let missing = |from: &[ClusterNode], of: &[ClusterNode]| -> Vec<String> {
            let known = |node: &&ClusterNode| !from.iter().any(|other| other.name == node.name);
            of.iter().filter(known).map(|node| node.name.clone()).collect()
        };
        let (came, went) = (missing(&self.nodes, &nodes), missing(&nodes, &self.nodes));
        self.nodes = nodes;
        (came, went)
    }

    /// How many nodes live, this one among them.
    pub(crate) fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// The flow by which a node is reached.
    pub(super) fn reach(&self, node: &str) -> Option<Flow> {
        self.nodes.iter().find(|known| known.name == node)?.reach
    }

    /// A node has spoken from this address.
    pub(super) fn prove(&mut self, ip: IpAddr, at: Moment) {
        self.proven.retain(|_, until| *until > at);
        self.proven.insert(ip.to_canonical(), at + KNOWN);
    }

    /// Whether a node speaks from this address.
    pub(crate) fn is_node(&self, ip: IpAddr, at: Moment) -> bool {
        self.proven.get(&ip.to_canonical()).is_some_and(|until| *until > at)
    }

    /// Notes a nonce; says whether it is new. Only what was signed comes here, so that no stranger fills
    /// the memory.
    pub(super) fn is_fresh(&mut self, nonce: &str, at: Moment, long: Duration) -> bool {
        self.nonces.retain(|_, until| *until > at);
        self.nonces.insert(nonce.into(), at + long).is_none()
    }

    /// What has been counted.
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether this instance has been fenced off.
    pub(crate) fn is_fenced(&self) -> bool {
        self.fenced
    }
}
