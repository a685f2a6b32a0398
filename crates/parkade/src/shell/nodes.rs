//! News of the store, in the engine's words: by which of our sockets a node is reached only the program knows.

use base::Flow;
use park_core::{ClusterNews, ClusterNode};

use crate::cluster::StoreNews;
use crate::config::Listen;

/// The same news with the ways to the nodes, which `reach` finds.
pub(super) fn in_words(
    news: StoreNews,
    mut reach: impl FnMut(Listen) -> Option<Flow>,
) -> ClusterNews {
    let mut nodes = |all: Vec<(String, String)>| {
        let node = |(name, address): (String, String)| ClusterNode {
            name,
            reach: address.parse().ok().and_then(&mut reach),
        };
        all.into_iter().map(node).collect()
    };
    match news {
        StoreNews::Joined { nodes: all, calls } => ClusterNews::Joined { nodes: nodes(all), calls },
        StoreNews::Nodes(all) => ClusterNews::Nodes(nodes(all)),
        StoreNews::Other(news) => news,
    }
}
