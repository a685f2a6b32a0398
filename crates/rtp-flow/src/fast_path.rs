//! Ways of packets that need no look at them, and may therefore be left to the kernel.

use std::net::SocketAddr;

use crate::plan::PairId;
use crate::verdict::Component;

/// One socket of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Door {
    /// The pair.
    pub pair: PairId,
    /// Which of its two sockets.
    pub component: Component,
}

/// One direction of a relayed stream: what comes in at `at` from `from`, and from nobody else, goes
/// out by `by` to `to` as it is. By `at` and `from` it is told from all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FastPath {
    /// Where packets come in, …
    pub at: Door,
    /// … and who sends them.
    pub from: SocketAddr,
    /// Where they go out, …
    pub by: Door,
    /// … and who gets them.
    pub to: SocketAddr,
}

/// An order to whoever forwards without us. Those of one turn belong together: they take effect
/// before the next packet of our own is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathOrder {
    /// Forward this from now on.
    Open(FastPath),
    /// Leave what comes this way to us again.
    Close(FastPath),
}

/// What has gone a fast path since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Passed {
    /// Packets that came in.
    pub came: u64,
    /// Packets that left. Where packets come and none leave, the host does not let them through.
    pub left: u64,
    /// Bytes that came, IP headers with them.
    pub bytes: u64,
}
