//! Ways of packets that need no look at them, and may therefore be left to the kernel.

use std::net::SocketAddr;

use base::Moment;

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
/// out by `by` to `to`. By `at` and `from` it is told from all others.
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
    /// What is changed of its RTP; none: it goes out as it comes.
    pub shift: Option<Shift>,
}

/// What makes the RTP of a source go on in the stream that the far side hears already. It holds for
/// what goes on from where the source was: RTP of that SSRC and of version 2, at most
/// [`Shift::AHEAD`] further than the newest packet, or at most [`Shift::BEHIND`] before it. All else
/// is left to us, and RTCP too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shift {
    /// The source's SSRC, …
    pub from_ssrc: u32,
    /// … and the one that its packets get.
    pub to_ssrc: u32,
    /// What is added to sequence numbers, …
    pub sequence: u16,
    /// … and to timestamps.
    pub timestamp: u32,
    /// The newest that went on the stream before.
    pub last: Sent,
}

impl Shift {
    /// How many numbers a packet may be ahead and count as loss; beyond, the source has begun anew
    /// (RFC 3550 §A.1).
    pub const AHEAD: u16 = 3_000;
    /// How many it may be behind and count as out of order (ibid.).
    pub const BEHIND: u16 = 100;
}

/// How far a stream has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sent {
    /// The newest sequence number, as the far side has it, …
    pub sequence: u16,
    /// … the newest timestamp, …
    pub timestamp: u32,
    /// … and when a packet with that was first sent.
    pub at: Moment,
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
    /// How far the stream has gone by it, where it has a [`Shift`] and anything has come.
    pub last: Option<Sent>,
}
