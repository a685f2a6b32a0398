//! Pairs of bound UDP sockets: RTP on an even port, RTCP on the next (RFC 3550 §11).

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;

use rtp_flow::{Component, PairId};
use socket2::{Domain, Protocol, Socket, Type};

use crate::kept_sockets::{KeptSockets, Purpose};

/// Two bound, non-blocking sockets.
#[derive(Debug)]
pub(super) struct BoundPair {
    pub(super) port: u16,
    pub(super) rtp: UdpSocket,
    pub(super) rtcp: UdpSocket,
    /// On which address they are bound; may be a wildcard.
    pub(super) address: IpAddr,
}

impl BoundPair {
    /// The socket of a component.
    pub(super) fn socket(&self, component: Component) -> &UdpSocket {
        match component {
            Component::Rtp => &self.rtp,
            Component::Rtcp => &self.rtcp,
        }
    }

    /// A peer's address as these sockets name it.
    pub(super) fn as_named(&self, peer: SocketAddr) -> SocketAddr {
        match peer {
            // To sockets that speak IPv6 an IPv4 peer must be mapped.
            SocketAddr::V4(v4) if self.address.is_ipv6() => {
                SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port())
            }
            _ => peer,
        }
    }
}

/// How pairs are numbered: a pair's number says which worker has it and at which place there, so
/// that nobody need look it up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbering {
    /// How many workers there are; at least one.
    pub(super) workers: u32,
}

impl Numbering {
    /// The number of the pair at `place` of `worker`.
    pub(super) fn pair(self, worker: u32, place: usize) -> PairId {
        PairId((place as u32).wrapping_mul(self.workers).wrapping_add(worker))
    }

    /// The worker that has a pair.
    pub(super) fn worker(self, pair: PairId) -> usize {
        (pair.0 % self.workers.max(1)) as usize
    }

    /// Its place there.
    pub(super) fn place(self, pair: PairId) -> usize {
        (pair.0 / self.workers.max(1)) as usize
    }
}

/// Even ports of a range that have not been tried yet.
#[derive(Debug)]
pub(super) struct Untried {
    next: Option<u16>,
    last: u16,
}

/// Why no more pairs can be bound.
#[derive(Debug)]
pub(super) enum NoPair {
    /// Every pair of the range has been tried.
    RangeUsedUp,
    /// The system refuses, and not because of the port.
    Refused(io::Error),
}

impl Untried {
    /// All pairs that lie wholly in `range`.
    pub(super) fn of(range: &RangeInclusive<u16>) -> Untried {
        let first = range.start().checked_next_multiple_of(2);
        Untried { next: first, last: *range.end() }
    }

    /// How many pairs are left to be tried.
    pub(super) fn len(&self) -> usize {
        let left = |next: u16| (usize::from(self.last) + 1).saturating_sub(next.into()) / 2;
        self.next.map_or(0, left)
    }

    fn take(&mut self) -> Option<u16> {
        let port = self.next.filter(|port| port.checked_add(1).is_some_and(|p| p <= self.last))?;
        self.next = port.checked_add(2);
        Some(port)
    }

    /// Binds the next pair of which both ports are free.
    pub(super) fn bind(
        &mut self,
        address: IpAddr,
        kept: &KeptSockets,
    ) -> Result<BoundPair, NoPair> {
        loop {
            let port = self.take().ok_or(NoPair::RangeUsedUp)?;
            match bind_pair(address, port, kept) {
                Ok(pair) => return Ok(pair),
                Err(e) if is_busy(&e) => {}
                Err(e) => {
                    // The port is as good as before: it may be tried again.
                    self.next = Some(port);
                    return Err(NoPair::Refused(e));
                }
            }
        }
    }
}

/// Binds a pair, or has it from the run before: the port, and the one after it.
pub(super) fn bind_pair(address: IpAddr, port: u16, kept: &KeptSockets) -> io::Result<BoundPair> {
    let after = port.checked_add(1).ok_or(io::ErrorKind::InvalidInput)?;
    let claim = |port| kept.claim(Purpose::Media, SocketAddr::new(address, port), false);
    if let Some((rtp, rtcp)) = claim(port).zip(claim(after)) {
        return Ok(BoundPair { port, rtp: rtp.into(), rtcp: rtcp.into(), address });
    }
    let (rtp, rtcp) = (bind(address, port)?, bind(address, after)?);
    kept.keep(Purpose::Media, &rtp);
    kept.keep(Purpose::Media, &rtcp);
    Ok(BoundPair { port, rtp, rtcp, address })
}

/// Binds one socket; the wildcard of IPv6 takes IPv4 too.
pub(super) fn bind(address: IpAddr, port: u16) -> io::Result<UdpSocket> {
    let domain = if address.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    // Thousands are bound one after the other: each system call counts.
    let socket = Socket::new(domain, Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
    if address.is_ipv6() && address.is_unspecified() {
        socket.set_only_v6(false)?;
    }
    socket.bind(&SocketAddr::new(address, port).into())?;
    Ok(socket.into())
}

/// Whether a port bound on `a` may not be bound on `b` any more.
pub(super) fn overlap(a: IpAddr, b: IpAddr) -> bool {
    a == b || a.is_unspecified() || b.is_unspecified()
}

/// Whether another port may be had.
pub(super) fn is_busy(error: &io::Error) -> bool {
    // A port below 1024, or one that the system keeps for itself, is as good as busy.
    matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
}

#[cfg(test)]
mod tests {
    use super::{Numbering, Untried};

    fn ports(first: u16, last: u16) -> Vec<u16> {
        let mut untried = Untried::of(&(first..=last));
        let promised = untried.len();
        let taken: Vec<u16> = std::iter::from_fn(|| untried.take()).collect();
        assert_eq!((promised, untried.len()), (taken.len(), 0));
        taken
    }

    #[test]
    fn a_pair_is_an_even_port_and_the_next_both_in_the_range() {
        assert_eq!(ports(30_000, 30_005), [30_000, 30_002, 30_004]);
        assert_eq!(ports(30_001, 30_006), [30_002, 30_004]);
        assert_eq!(ports(30_001, 30_002), [0u16; 0]);
        assert_eq!(ports(65_533, 65_535), [65_534]);
        assert_eq!(ports(65_535, 65_535), [0u16; 0]);
    }

    #[test]
    fn a_pairs_number_leads_back_to_its_worker_and_place() {
        let numbering = Numbering { workers: 3 };
        for worker in 0..3 {
            for place in [0, 1, 700] {
                let pair = numbering.pair(worker, place);
                assert_eq!(numbering.worker(pair), worker as usize);
                assert_eq!(numbering.place(pair), place);
            }
        }
    }
}
