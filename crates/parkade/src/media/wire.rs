//! What a worker asks of its sockets, whichever way the system is asked: wait, take what has come,
//! collect what is to go out, and send it all at the end of the turn.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rtp_flow::{Component, Outgoing};

use crate::media::ports::BoundPair;

/// The room for one datagram. What does not fit is dropped: no packet of sound comes near it, and
/// what is larger than a network's frame comes in pieces that a call cannot rely on.
pub(super) const ROOM: usize = 2_048;
/// How many packets are taken in one turn, before orders and music have theirs.
pub(super) const TURN: usize = 128;
/// For how long packets gather before they are looked at, if more than one came the last time: one
/// wake-up then serves many of them. It is added to their way, so it is far below a packet time.
pub(super) const GATHER: Duration = Duration::from_micros(500);

/// A packet that has come. It lies in a room of the wire's until it is passed on or let go.
#[derive(Debug)]
pub(super) struct Came {
    /// The place of the pair at which it came, …
    pub(super) place: usize,
    /// … and at which of its sockets.
    pub(super) component: Component,
    /// Who sent it.
    pub(super) from: SocketAddr,
    /// In which room it lies, …
    pub(super) room: u16,
    /// … and how long it is.
    pub(super) len: u16,
}

/// One socket of a worker: its pair's place, and which of the two.
pub(super) type At = (usize, Component);

/// The number by which the system knows a socket.
pub(super) fn number_of((place, component): At) -> u64 {
    2 * place as u64 + component as u64
}

/// The socket of a number.
pub(super) fn at_of(number: u64) -> At {
    let component = if number.is_multiple_of(2) { Component::Rtp } else { Component::Rtcp };
    ((number / 2) as usize, component)
}

/// What waits for the end of the turn.
#[derive(Debug)]
pub(super) enum Collected {
    /// The first `len` bytes of what lies in a room.
    Packet { room: u16, len: u16, by: At, to: SocketAddr },
    /// A packet of music, by the RTP socket of this place.
    Music { place: usize, outgoing: Outgoing },
}

/// What has gone wrong at the sockets since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Troubles {
    /// Packets that the system did not take.
    pub(super) unsent: u64,
    /// Packets that were longer than the room for one.
    pub(super) huge: u64,
    /// Errors in place of packets: what ICMP says of packets of ours, for the most part.
    pub(super) errors: u64,
    /// How often a packet found all rooms full, and waited at its socket.
    pub(super) full: u64,
}

/// The sockets of one worker. A turn is: [`Wire::wait`], [`Wire::next`] until there is none and for
/// each [`Wire::pass_on`] or [`Wire::let_go`], [`Wire::play`], and at its end [`Wire::send`].
pub(super) trait Wire {
    /// Called once, by the thread that makes all other calls.
    ///
    /// # Errors
    /// What the system says.
    fn begin(&mut self) -> io::Result<()>;

    /// Takes in a bound pair.
    fn take_in(&mut self, place: usize, pair: BoundPair);

    /// Waits until something has come, it is woken, or so long (none: for ever). Where much comes,
    /// it lets it gather.
    ///
    /// # Errors
    /// What the system says, if it cannot be waited at all.
    fn wait(&mut self, patience: Option<Duration>) -> io::Result<()>;

    /// The next packet of this turn.
    fn next(&mut self) -> Option<Came>;

    /// The whole room in which it lies, its bytes first: it may become longer there.
    fn room(&mut self, came: &Came) -> &mut [u8];

    /// Has the first `len` bytes of it sent by a socket to an address.
    fn pass_on(&mut self, came: Came, len: usize, by: At, to: SocketAddr);

    /// Nobody needs it any more.
    fn let_go(&mut self, came: Came);

    /// Has a packet of music sent by the RTP socket at a place.
    fn play(&mut self, place: usize, outgoing: Outgoing);

    /// Sends all that has been collected, in its order.
    fn send(&mut self);

    /// What has gone wrong so far.
    fn troubles(&self) -> Troubles;
}
