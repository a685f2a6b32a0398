//! All SIP sockets of the program: opened in one go, then one place to send from.

use std::io;
use std::net::{IpAddr, SocketAddr};

use base::{Flow, Moment, Side, Transport};
use bytes::Bytes;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc;

use crate::config::Listen;
use crate::kept_sockets::{KeptSockets, Purpose};
use crate::sip::bind;
use crate::sip::event::StreamEvent;
use crate::sip::peers::Peers;
use crate::sip::route::Routes;
use crate::sip::streams::{Streams, Way};
use crate::sip::udp::{UdpEnds, serves};
use crate::tls::Tls;

/// A socket that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("{side}.listen: {listen} cannot be bound: {error}")]
pub struct CannotBind {
    /// Whose.
    pub side: Side,
    /// Which.
    pub listen: Listen,
    /// Why.
    pub error: io::Error,
}

/// All SIP sockets.
#[derive(Debug)]
pub(crate) struct Ends {
    /// The UDP ones.
    pub(crate) udp: UdpEnds,
    /// The streams.
    pub(crate) streams: Streams,
    listeners: Vec<(Side, Transport, TcpListener)>,
    /// All that are bound, with concrete ports; IPv4 before IPv6.
    bound: Vec<(Side, Listen)>,
    routes: Routes,
    peers: Peers,
    /// The certificates of the PBX that are believed as they are.
    fingerprints: Vec<[u8; 32]>,
    events: mpsc::Sender<StreamEvent>,
}

impl Ends {
    /// Binds everything that is not `kept` from the run before. `events` is where streams tell what happens; TLS is
    /// spoken with `tls`.
    pub(crate) fn bind(
        wanted: &[(Side, Listen)],
        kept: &KeptSockets,
        events: mpsc::Sender<StreamEvent>,
        tls: Option<Tls>,
    ) -> Result<Ends, CannotBind> {
        let mut ends = Ends {
            udp: UdpEnds::new(),
            streams: Streams::new(events.clone(), tls),
            listeners: Vec::new(),
            bound: Vec::new(),
            routes: Routes::default(),
            peers: Peers::default(),
            fingerprints: Vec::new(),
            events,
        };
        let mut wanted = wanted.to_vec();
        // A flow over IPv4 must find the IPv4 socket before an IPv6 one that serves both.
        wanted.sort_by_key(|(_, listen)| listen.address.is_ipv6());
        for &(side, listen) in &wanted {
            let taken = |other: &Listen| {
                other.transport == listen.transport
                    && other.address.is_ipv4()
                    && other.address.port() == listen.address.port()
            };
            let alone = !wanted.iter().any(|(_, other)| taken(other));
            let bound = ends.bind_one(side, listen, alone, kept);
            let address = bound.map_err(|error| CannotBind { side, listen, error })?;
            ends.bound.push((side, Listen { address, ..listen }));
        }
        Ok(ends)
    }

    fn bind_one(
        &mut self,
        side: Side,
        listen: Listen,
        alone: bool,
        kept: &KeptSockets,
    ) -> io::Result<SocketAddr> {
        let is_stream = listen.transport != Transport::Udp;
        // Whether a wildcard IPv6 socket serves IPv4 too cannot be changed any more.
        let can_be_kept = !(listen.address.is_ipv6() && listen.address.ip().is_unspecified());
        let socket = match kept.claim(Purpose::Sip, listen.address, is_stream) {
            Some(socket) => socket,
            None => {
                let socket = bind::open(listen, alone)?;
                if can_be_kept {
                    kept.keep(Purpose::Sip, &socket);
                }
                socket
            }
        };
        let address = bind::bound(&socket)?;
        match listen.transport {
            Transport::Udp => self.udp.add(side, address, UdpSocket::from_std(socket.into())?),
            stream @ (Transport::Tcp | Transport::Tls) => {
                self.listeners.push((side, stream, TcpListener::from_std(socket.into())?));
            }
        }
        Ok(address)
    }

    /// What is bound.
    pub(crate) fn bound(&self) -> &[(Side, Listen)] {
        &self.bound
    }

    /// Begins to accept streams.
    pub(crate) fn accept_streams(&mut self) {
        for (side, transport, listener) in self.listeners.drain(..) {
            tokio::spawn(accept(side, transport, listener, self.events.clone()));
        }
    }

    /// From now on these certificates of the PBX are believed as they are.
    pub(crate) fn believe(&mut self, fingerprints: &[[u8; 32]]) {
        self.fingerprints = fingerprints.to_vec();
    }

    /// A target of the PBX, with this host in its URI, has been found to be there.
    pub(crate) fn learn(&mut self, target: usize, host: &str, at: Vec<SocketAddr>) {
        self.peers.learn(target, host, at);
    }

    /// Sends by this flow; hands back the flows that lead nowhere.
    pub(crate) fn send(&mut self, flow: Flow, bytes: Bytes) -> Vec<Flow> {
        match flow.transport {
            Transport::Udp => self.udp.send(flow, bytes),
            Transport::Tcp | Transport::Tls => {
                let way = self.way(&flow);
                if self.streams.send(flow, way, bytes) { Vec::new() } else { vec![flow] }
            }
        }
    }

    fn way(&self, flow: &Flow) -> Way {
        let is_known = flow.conn.is_some_and(|conn| self.streams.is_open(conn));
        let is_to_be_shown = flow.transport == Transport::Tls && !is_known;
        Way {
            source: self.source(flow),
            hosts: if is_to_be_shown { self.peers.hosts(flow.peer) } else { Vec::new() },
            fingerprints: if is_to_be_shown { self.fingerprints.clone() } else { Vec::new() },
        }
    }

    /// From where a new stream to the peer of this flow is opened: the listener's address where it
    /// has one, any port.
    fn source(&self, flow: &Flow) -> SocketAddr {
        let concrete = self.bound.iter().any(|(side, l)| {
            (*side, l.transport) == (flow.side, flow.transport) && l.address.ip() == flow.local.ip()
        });
        let ip = match flow.peer.ip() {
            _ if concrete => flow.local.ip(),
            IpAddr::V4(_) => IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
        };
        SocketAddr::new(ip, 0)
    }

    /// The flow by which `peer` is reached first: our socket for it, its address concrete. None if
    /// no socket of that side and transport leads there.
    pub(crate) fn flow_to(
        &mut self,
        at: Moment,
        side: Side,
        transport: Transport,
        peer: SocketAddr,
    ) -> Option<Flow> {
        let routed = self.routes.towards(at, peer.ip());
        let mut fitting = self.bound.iter().filter(|(s, listen)| {
            let own = listen.address.ip();
            let family = own.is_ipv4() == peer.is_ipv4() || (own.is_unspecified() && own.is_ipv6());
            *s == side && listen.transport == transport && family
        });
        let by_route = routed.and_then(|ip| {
            let mut fitting = fitting.clone();
            fitting.find(|(_, listen)| serves(listen.address, ip))
        });
        let (_, listen) = by_route.or_else(|| fitting.next())?;
        let own = listen.address.ip();
        let ip = if own.is_unspecified() { routed? } else { own };
        let local = SocketAddr::new(ip, listen.address.port());
        Some(Flow { side, transport, local, peer, conn: None })
    }
}

async fn accept(
    side: Side,
    transport: Transport,
    listener: TcpListener,
    events: mpsc::Sender<StreamEvent>,
) {
    let port = listener.local_addr().map(|a| a.port()).unwrap_or_default();
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // No descriptors left, or the peer has gone again: both pass.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let Ok(own) = stream.local_addr() else { continue };
        let local = SocketAddr::new(own.ip().to_canonical(), port);
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let told = StreamEvent::Accepted { side, transport, local, peer, stream };
        if events.send(told).await.is_err() {
            return;
        }
    }
}
