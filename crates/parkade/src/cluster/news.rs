//! What the store's threads tell: the engine's words, but for the ways to nodes, which the sockets know.

use park_core::{ClusterNews, SharedCall};
use redis::{FromRedisValue, RedisResult, Value};

/// A node and where it is reached, as it has written that itself.
pub(crate) type NodeAt = (String, String);

/// One thing that has become known.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum StoreNews {
    /// The store is reached.
    Joined {
        /// The nodes that live.
        nodes: Vec<NodeAt>,
        /// All calls.
        calls: Vec<SharedCall>,
    },
    /// The nodes that live, where that has changed.
    Nodes(Vec<NodeAt>),
    /// Anything else.
    Other(ClusterNews),
}

/// A list in which names and their values take turns.
pub(super) fn pairs<A: FromRedisValue, B: FromRedisValue>(
    list: Vec<Value>,
) -> RedisResult<Vec<(A, B)>> {
    let mut found = Vec::with_capacity(list.len() / 2);
    let mut list = list.into_iter();
    while let (Some(one), Some(other)) = (list.next(), list.next()) {
        found.push((A::from_redis_value(one)?, B::from_redis_value(other)?));
    }
    Ok(found)
}

/// A call as the server keeps it: node, token, place and record, with spaces between.
pub(super) fn shared_call(park: String, kept: &[u8]) -> Option<SharedCall> {
    let mut parts = kept.splitn(4, |byte| *byte == b' ');
    let node = std::str::from_utf8(parts.next()?).ok()?.to_owned();
    let record = parts.nth(2)?.to_vec();
    Some(SharedCall { park, node, record })
}
