//! What every machine in the world looks like from outside: bytes and a time go in, bytes and
//! "wake me at" come out.

use std::net::SocketAddr;

use base::{Flow, Moment};
use bytes::Bytes;

/// A machine that speaks SIP from one address of its own: a phone, a caller, a PBX. Whoever drives it
/// (the virtual world, or real sockets) hands in what arrives and sends what [`Party::poll`] gives.
pub trait Party {
    /// Takes one whole SIP message. `flow.local` is this party's address, `flow.peer` the sender's.
    fn handle(&mut self, now: Moment, flow: Flow, bytes: Bytes);
    /// Takes the alarms that are due.
    fn wake(&mut self, now: Moment);
    /// The next message to send; `flow.peer` is where it goes. Until `None`.
    fn poll(&mut self) -> Option<(Flow, Bytes)>;
    /// When to call [`Party::wake`], if ever.
    fn next(&self) -> Option<Moment>;
    /// The address that it speaks from.
    fn address(&self) -> SocketAddr;
}
