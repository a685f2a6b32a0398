//! The UDP sockets of both sides: batches in, one datagram out, and what waits while a socket is full.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::task::{Context, Poll};

use base::{Flow, Side, Transport};
use bytes::Bytes;
use tokio::io::Interest;
use tokio::net::UdpSocket;

use crate::sip::batch::{self, BATCH, Batch};
use crate::sip::icmp;
use crate::sip::trouble::Trouble;

/// What may wait for a full socket; beyond it datagrams are lost, as on any network.
const MOST_WAITING: usize = 4096;

/// How many flows are remembered for ICMP errors, which come within moments.
const MOST_RECENT: usize = 256;

/// One bound UDP socket.
#[derive(Debug)]
struct UdpEnd {
    side: Side,
    local: SocketAddr,
    socket: Arc<UdpSocket>,
    trouble: Trouble,
    waiting: VecDeque<(Flow, Bytes)>,
    /// The flows last sent by, in a ring: an ICMP error tells only the peer.
    recent: Vec<Flow>,
    next_recent: usize,
}

/// The UDP sockets of both sides.
#[derive(Debug)]
pub(crate) struct UdpEnds {
    ends: Vec<UdpEnd>,
    batch: Batch,
    turn: usize,
}

impl UdpEnds {
    pub(super) fn new() -> UdpEnds {
        UdpEnds { ends: Vec::new(), batch: Batch::new(), turn: 0 }
    }

    pub(super) fn add(&mut self, side: Side, local: SocketAddr, socket: UdpSocket) {
        let socket = Arc::new(socket);
        self.ends.push(UdpEnd {
            side,
            local,
            trouble: Trouble::of(Arc::clone(&socket)),
            socket,
            waiting: VecDeque::new(),
            recent: Vec::new(),
            next_recent: 0,
        });
    }

    /// The socket at which something lies; one after another where several have something. What
    /// waits is sent on the way.
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        let count = self.ends.len();
        for step in 0..count {
            let i = (self.turn + step) % count;
            let end = &mut self.ends[i];
            if !end.waiting.is_empty() {
                end.flush(cx);
            }
            if end.socket.poll_recv_ready(cx).is_ready() {
                self.turn = i + 1;
                return Poll::Ready(i);
            }
        }
        // What the network reports does not make a socket readable. While datagrams lie there, taking
        // them brings it to light.
        let troubled = self.ends.iter_mut().position(|end| end.trouble.poll(cx).is_ready());
        troubled.map_or(Poll::Pending, Poll::Ready)
    }

    /// Takes what lies at socket `i`, and hands each datagram with its flow to `take`. Hands back the
    /// flows that turn out to lead nowhere.
    pub(crate) fn receive(&mut self, i: usize, mut take: impl FnMut(Flow, &[u8])) -> Vec<Flow> {
        let end = &mut self.ends[i];
        if end.trouble.take() {
            return end.unreachable();
        }
        let mut taken = Ok(0);
        // Fewer than asked for means that no more lie there: saying so spares a call.
        let _ = end.socket.try_io(Interest::READABLE, || {
            taken = self.batch.receive(end.socket.as_fd());
            match &taken {
                Ok(BATCH) => Ok(()),
                Ok(_) => Err(io::ErrorKind::WouldBlock.into()),
                Err(error) => Err(error.kind().into()),
            }
        });
        match taken {
            Ok(count) => {
                for datagram in (0..count).filter_map(|d| self.batch.get(d)) {
                    take(end.flow(datagram.from, datagram.to), datagram.bytes);
                }
                Vec::new()
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Vec::new(),
            Err(_) => end.unreachable(),
        }
    }

    /// Sends by this flow; hands back the flows that turn out to lead nowhere.
    pub(crate) fn send(&mut self, flow: Flow, bytes: Bytes) -> Vec<Flow> {
        match self.ends.iter_mut().find(|end| end.serves(&flow)) {
            Some(end) => end.send(flow, bytes),
            None => vec![flow],
        }
    }
}

impl UdpEnd {
    fn serves(&self, flow: &Flow) -> bool {
        self.side == flow.side
            && self.local.port() == flow.local.port()
            && serves(self.local, flow.local.ip())
    }

    fn flow(&self, peer: SocketAddr, to: Option<IpAddr>) -> Flow {
        let ip = to.filter(|_| self.local.ip().is_unspecified()).unwrap_or(self.local.ip());
        let local = SocketAddr::new(ip, self.local.port());
        Flow { side: self.side, transport: Transport::Udp, local, peer, conn: None }
    }

    fn send(&mut self, flow: Flow, bytes: Bytes) -> Vec<Flow> {
        self.remember(flow);
        if !self.waiting.is_empty() {
            self.wait(flow, bytes);
            return Vec::new();
        }
        match self.send_now(&flow, &bytes) {
            Ok(()) => Vec::new(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.wait(flow, bytes);
                Vec::new()
            }
            // The error may be that of an earlier datagram to another peer: the queue tells whose,
            // and this one is tried once more.
            Err(_) => {
                let mut dead = self.unreachable();
                if !dead.iter().any(|d| d.peer == flow.peer)
                    && self
                        .send_now(&flow, &bytes)
                        .is_err_and(|e| e.kind() != io::ErrorKind::WouldBlock)
                {
                    dead.push(flow);
                }
                dead
            }
        }
    }

    fn send_now(&self, flow: &Flow, bytes: &[u8]) -> io::Result<()> {
        let from = self.local.ip().is_unspecified().then(|| flow.local.ip());
        let from = from.filter(|ip| !ip.is_unspecified());
        batch::send(self.socket.as_fd(), bytes, as_family_of(self.local, flow.peer), from)
    }

    fn remember(&mut self, flow: Flow) {
        match self.recent.get_mut(self.next_recent) {
            Some(oldest) => *oldest = flow,
            None => self.recent.push(flow),
        }
        self.next_recent = (self.next_recent + 1) % MOST_RECENT;
    }

    fn wait(&mut self, flow: Flow, bytes: Bytes) {
        if self.waiting.len() < MOST_WAITING {
            self.waiting.push_back((flow, bytes));
        }
    }

    fn flush(&mut self, cx: &mut Context<'_>) {
        while self.socket.poll_send_ready(cx).is_ready() {
            let Some((flow, bytes)) = self.waiting.front() else { return };
            let sent = self.socket.try_io(Interest::WRITABLE, || self.send_now(flow, bytes));
            if sent.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
                continue;
            }
            self.waiting.pop_front();
        }
    }

    fn unreachable(&self) -> Vec<Flow> {
        let next = || icmp::next_unreachable(self.socket.as_fd());
        let as_sent = |peer| self.recent.iter().find(|flow| flow.peer == peer).copied();
        std::iter::from_fn(next)
            .map(|peer| as_sent(peer).unwrap_or_else(|| self.flow(peer, None)))
            .collect()
    }
}

/// Whether a socket that is bound to `bound` sends from and receives at `ip`.
pub(super) fn serves(bound: SocketAddr, ip: IpAddr) -> bool {
    match bound.ip() {
        own if own == ip => true,
        IpAddr::V4(own) => own.is_unspecified() && ip.is_ipv4(),
        // Another socket, asked before, has IPv4 if this one has not.
        IpAddr::V6(own) => own.is_unspecified(),
    }
}

/// The peer's address as a socket of that family wants it.
fn as_family_of(local: SocketAddr, peer: SocketAddr) -> SocketAddr {
    match (local, peer) {
        (SocketAddr::V6(_), SocketAddr::V4(v4)) => {
            SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port())
        }
        _ => peer,
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use base::Side;
    use tokio::time::timeout;

    use super::*;
    use crate::config::Listen;
    use crate::sip::bind;

    fn ends(address: &str) -> (UdpEnds, SocketAddr) {
        let listen = Listen { transport: Transport::Udp, address: address.parse().unwrap() };
        let socket = bind::open(listen, true).unwrap();
        let local = bind::bound(&socket).unwrap();
        let mut ends = UdpEnds::new();
        ends.add(Side::Pbx, local, UdpSocket::from_std(socket.into()).unwrap());
        (ends, local)
    }

    /// Where nobody listens.
    fn deserted(address: &str) -> SocketAddr {
        std::net::UdpSocket::bind(address).unwrap().local_addr().unwrap()
    }

    #[tokio::test]
    async fn that_nobody_listens_is_known_without_sending_again() {
        for any_port in ["127.0.0.1:0", "[::1]:0"] {
            let (mut ends, local) = ends(any_port);
            let (side, transport) = (Side::Pbx, Transport::Udp);
            // More than once: what was reported must not hide what is reported next.
            for _ in 0..3 {
                let flow = Flow { side, transport, local, peer: deserted(any_port), conn: None };
                assert!(ends.send(flow, Bytes::from_static(b"hello")).is_empty());
                let mut dead = Vec::new();
                while dead.is_empty() {
                    let ready = poll_fn(|cx| ends.poll_ready(cx));
                    let i = timeout(Duration::from_secs(5), ready).await.expect("a report");
                    dead = ends.receive(i, |_, _| panic!("nobody has sent anything"));
                }
                assert_eq!(dead, [flow]);
            }
            // And then there is rest.
            let ready = poll_fn(|cx| ends.poll_ready(cx));
            let ready = timeout(Duration::from_millis(50), ready).await;
            let spurious = ready.is_ok_and(|i| !ends.receive(i, |_, _| {}).is_empty());
            assert!(!spurious);
            let ready = poll_fn(|cx| ends.poll_ready(cx));
            assert!(timeout(Duration::from_millis(50), ready).await.is_err());
        }
    }
}
