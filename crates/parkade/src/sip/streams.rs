//! The book of stream connections: which are open, to whom, and how many one peer may have.

use std::collections::BTreeMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, SocketAddr};

use base::{ConnId, Flow, Side, Transport};
use bytes::Bytes;
use rustc_hash::FxHashMap;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::config::HalfOpen;
use crate::sip::event::StreamEvent;
use crate::sip::opening;
use crate::sip::stream::{Carried, MOST_WAITING};
use crate::tls::{Facts, Failure, Secure, Tls};

/// While there are so many connections we open none.
const MOST: usize = 16_384;

/// What became of handshakes: on which side, who connected to whom, and what came of it.
pub(crate) type Handshakes = BTreeMap<(Side, &'static str, &'static str), u64>;

/// One open connection, or one that is being opened.
#[derive(Debug)]
struct Open {
    flow: Flow,
    /// Whether the other end has opened it.
    inbound: bool,
    /// Whether it is still to be encrypted.
    is_shaking: bool,
    /// What the other end has shown of itself.
    shown: Option<Facts>,
    orders: mpsc::Sender<(Flow, Bytes)>,
}

/// A peer, as requests are sent to it.
type Peer = (Side, Transport, SocketAddr);

/// All stream connections.
#[derive(Debug)]
pub(crate) struct Streams {
    open: FxHashMap<ConnId, Open>,
    by_peer: FxHashMap<Peer, ConnId>,
    /// Connections of others that stand for one to this address of theirs (RFC 5923).
    aliases: FxHashMap<Peer, ConnId>,
    from_one: FxHashMap<IpAddr, usize>,
    shaking: FxHashMap<IpAddr, usize>,
    handshakes: Handshakes,
    tls: Option<Tls>,
    half_open: HalfOpen,
    last: u64,
    events: mpsc::Sender<StreamEvent>,
}

/// How a new connection is to be opened.
#[derive(Debug)]
pub(crate) struct Way {
    /// From where; its port is 0.
    pub(crate) source: SocketAddr,
    /// For which of these hosts the certificate must be, if it is to be encrypted.
    pub(crate) hosts: Vec<String>,
    /// The certificates that are believed as they are.
    pub(crate) fingerprints: Vec<[u8; 32]>,
}

impl Streams {
    pub(crate) fn new(events: mpsc::Sender<StreamEvent>, tls: Option<Tls>) -> Streams {
        Streams {
            open: FxHashMap::default(),
            by_peer: FxHashMap::default(),
            aliases: FxHashMap::default(),
            from_one: FxHashMap::default(),
            shaking: FxHashMap::default(),
            handshakes: Handshakes::new(),
            tls,
            half_open: HalfOpen::default(),
            last: 0,
            events,
        }
    }

    /// From now on, certificates are these.
    pub(crate) fn set_tls(&mut self, tls: Option<Tls>) {
        self.tls = tls;
    }

    /// From now on, new connections may take so much until they come to something.
    pub(crate) fn limit(&mut self, half_open: HalfOpen) {
        self.half_open = half_open;
    }

    /// What is presented and believed now.
    pub(crate) fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// Whether this connection is open, or being opened.
    pub(crate) fn is_open(&self, conn: ConnId) -> bool {
        self.open.contains_key(&conn)
    }

    /// How many are open of this transport.
    pub(crate) fn len(&self, transport: Transport) -> usize {
        self.open.values().filter(|open| open.flow.transport == transport).count()
    }

    /// What became of handshakes.
    pub(crate) fn handshakes(&self) -> &Handshakes {
        &self.handshakes
    }

    /// How many are open.
    pub(crate) fn open(&self) -> usize {
        self.open.len()
    }

    /// How many one IP address has.
    pub(crate) fn len_from(&self, ip: IpAddr) -> usize {
        self.from_one.get(&ip).copied().unwrap_or(0)
    }

    /// Takes a connection that somebody has opened to us, and whom the guard has let in. Tells why not,
    /// if it is not taken.
    pub(crate) fn accept(&mut self, flow: Flow, stream: TcpStream) -> Result<(), &'static str> {
        let ip = flow.peer.ip();
        let mut tls = None;
        if flow.transport == Transport::Tls {
            let config = self.tls.as_ref().ok_or("there is no certificate any more")?;
            tls = Some(config.server(flow.side).clone());
            let of_all: usize = self.shaking.values().sum();
            let of_one = self.shaking.get(&ip).copied().unwrap_or_default();
            let HalfOpen { handshakes, handshakes_per_source, .. } = self.half_open;
            if of_all >= handshakes || of_one >= handshakes_per_source {
                self.count(flow.side, true, "too-many");
                return Err("too many TLS handshakes at once");
            }
        }
        let (conn, carried) = self.enter(flow, true);
        tokio::spawn(opening::accepted(stream, tls, conn, carried));
        Ok(())
    }

    /// Sends by this flow: by its connection, else by another one to the same peer, else by a new
    /// one. Tells whether it was taken.
    pub(crate) fn send(&mut self, flow: Flow, way: Way, bytes: Bytes) -> bool {
        let Some(conn) = self.known(&flow, &way) else { return self.send_anew(flow, way, bytes) };
        let open = self.open.get(&conn);
        open.is_some_and(|open| open.orders.try_send((flow, bytes)).is_ok())
    }

    /// The open connection by which this flow goes.
    fn known(&self, flow: &Flow, way: &Way) -> Option<ConnId> {
        let peer = (flow.side, flow.transport, flow.peer);
        let is_open = |conn: &ConnId| self.open.contains_key(conn);
        let by_alias = || {
            let conn = self.aliases.get(&peer)?;
            let shown = self.open.get(conn)?.shown.as_ref()?;
            // It must be whom we would have asked for (RFC 5923 §8.2).
            way.hosts.iter().any(|host| shown.is_for(host)).then_some(*conn)
        };
        let by_peer = || self.by_peer.get(&peer).copied().or_else(by_alias);
        flow.conn.filter(is_open).or_else(by_peer)
    }

    fn send_anew(&mut self, flow: Flow, way: Way, bytes: Bytes) -> bool {
        let secure = match (flow.transport, flow.side, &self.tls) {
            (Transport::Tls, Side::Pbx, Some(tls)) => Some(Secure {
                config: tls.to_pbx.clone(),
                hosts: way.hosts,
                fingerprints: way.fingerprints,
            }),
            // A phone is reached by the connection that it has opened: nobody could say who it is
            // that answers there.
            (Transport::Tls, ..) => return false,
            _ => None,
        };
        if self.open.len() >= MOST {
            return false;
        }
        let (conn, carried) = self.enter(flow, false);
        let taken = self.open.get(&conn).is_some_and(|o| o.orders.try_send((flow, bytes)).is_ok());
        tokio::spawn(opening::connect(way.source, secure, conn, carried));
        taken
    }

    fn enter(&mut self, flow: Flow, inbound: bool) -> (ConnId, Carried) {
        self.last += 1;
        let conn = ConnId(self.last);
        let (orders, taken) = mpsc::channel(MOST_WAITING);
        let is_shaking = flow.transport == Transport::Tls;
        self.open.insert(conn, Open { flow, inbound, is_shaking, shown: None, orders });
        // Who has connected from there by TLS need not be who listens there.
        let is_whom = !(inbound && flow.side == Side::Pbx && flow.transport == Transport::Tls);
        if is_whom {
            self.by_peer.insert((flow.side, flow.transport, flow.peer), conn);
        }
        *self.from_one.entry(flow.peer.ip()).or_default() += 1;
        if is_shaking && inbound {
            *self.shaking.entry(flow.peer.ip()).or_default() += 1;
        }
        let flow = Flow { conn: Some(conn), ..flow };
        let (half_open, events) = (self.half_open, self.events.clone());
        (conn, Carried { flow, shown: None, half_open, orders: taken, events })
    }

    /// Notes that a connection is encrypted now, and what the other end has shown of itself.
    pub(crate) fn secured(&mut self, conn: ConnId, shown: Option<Facts>) {
        let Some(open) = self.open.get_mut(&conn) else { return };
        open.is_shaking = false;
        open.shown = shown;
        let (side, inbound, ip) = (open.flow.side, open.inbound, open.flow.peer.ip());
        if inbound {
            less(&mut self.shaking, ip);
        }
        self.count(side, inbound, "done");
    }

    /// Notes that a connection of the PBX's stands for one to this port of its.
    pub(crate) fn alias(&mut self, conn: ConnId, port: u16) {
        let Some(open) = self.open.get(&conn) else { return };
        let Flow { side, transport, peer, .. } = open.flow;
        self.aliases.insert((side, transport, SocketAddr::new(peer.ip(), port)), conn);
    }

    /// Strikes out a connection that has ended, and why if it was never encrypted; tells whose it was.
    pub(crate) fn closed(&mut self, conn: ConnId, failed: Option<Failure>) -> Option<Flow> {
        let open = self.open.remove(&conn)?;
        let Flow { side, transport, peer, .. } = open.flow;
        if let Entry::Occupied(entry) = self.by_peer.entry((side, transport, peer))
            && *entry.get() == conn
        {
            entry.remove();
        }
        if open.shown.is_some() {
            self.aliases.retain(|_, other| *other != conn);
        }
        less(&mut self.from_one, peer.ip());
        if open.is_shaking && open.inbound {
            less(&mut self.shaking, peer.ip());
        }
        if let Some(failure) = failed {
            self.count(side, open.inbound, failure.as_str());
        }
        Some(open.flow)
    }

    fn count(&mut self, side: Side, inbound: bool, outcome: &'static str) {
        let way = if inbound { "in" } else { "out" };
        *self.handshakes.entry((side, way, outcome)).or_default() += 1;
    }
}

/// Counts one less, down to nothing.
fn less(counts: &mut FxHashMap<IpAddr, usize>, ip: IpAddr) {
    if let Entry::Occupied(mut entry) = counts.entry(ip) {
        *entry.get_mut() -= 1;
        if *entry.get() == 0 {
            entry.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::time::Instant;

    use super::*;
    use crate::sip::event::Ended;
    use crate::tls::{CertificateFiles, TlsSettings};

    fn tls(folder: &std::path::Path) -> Tls {
        let made = rcgen::generate_simple_self_signed(["sip.example".to_owned()]).unwrap();
        let (certificate, key) = (folder.join("own.pem"), folder.join("own.key"));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let certificates = vec![CertificateFiles { certificate, key }];
        Tls::load(&TlsSettings { certificates, ..TlsSettings::default() }).unwrap().unwrap()
    }

    #[tokio::test]
    async fn who_does_not_get_on_with_handshakes_has_only_so_many_and_the_next_who_is_done_makes_room()
     {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let local = listener.local_addr().unwrap();
        let (events, mut told) = mpsc::channel(8);
        let mut streams = Streams::new(events, Some(tls(folder.path())));
        let mut stalled = std::collections::VecDeque::new();
        let (side, transport) = (Side::Phones, Transport::Tls);
        let mut answers = Vec::new();
        for _ in 0..=HalfOpen::default().handshakes_per_source {
            stalled.push_back(TcpStream::connect(local).await.unwrap());
            let (stream, peer) = listener.accept().await.unwrap();
            answers.push(streams.accept(Flow { side, transport, local, peer, conn: None }, stream));
        }
        assert_eq!(answers.pop(), Some(Err("too many TLS handshakes at once")));
        assert!(answers.iter().all(Result::is_ok));
        assert_eq!(streams.handshakes()[&(side, "in", "too-many")], 1);
        stalled.pop_front();
        let Some(StreamEvent::Closed { conn, ended: Ended::NotSecured(failed), .. }) =
            told.recv().await
        else {
            panic!("it is closed");
        };
        streams.closed(conn, Some(failed.failure));
        assert_eq!(streams.handshakes()[&(side, "in", "gone")], 1);
        let _last = TcpStream::connect(local).await.unwrap();
        let (stream, peer) = listener.accept().await.unwrap();
        assert_eq!(
            streams.accept(Flow { side, transport, local, peer, conn: None }, stream),
            Ok(())
        );
    }

    #[tokio::test]
    async fn who_does_not_end_a_handshake_or_a_message_has_as_long_as_the_settings_say() {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let local = listener.local_addr().unwrap();
        let (events, mut told) = mpsc::channel(8);
        let mut streams = Streams::new(events, Some(tls(folder.path())));
        let millis = Duration::from_millis;
        let (handshake, message) = (millis(100), millis(200));
        streams.limit(HalfOpen { handshake, message, handshakes: 1, handshakes_per_source: 1 });
        let mut clients = Vec::new();
        for (transport, says, lasts) in [
            (Transport::Tls, "", handshake),
            (Transport::Tcp, "", message),
            (Transport::Tcp, "INVITE", message),
        ] {
            let mut client = TcpStream::connect(local).await.unwrap();
            let (stream, peer) = listener.accept().await.unwrap();
            client.write_all(says.as_bytes()).await.unwrap();
            let begun = Instant::now();
            let flow = Flow { side: Side::Phones, transport, local, peer, conn: None };
            assert_eq!(streams.accept(flow, stream), Ok(()));
            clients.push(client);
            let Some(StreamEvent::Closed { conn, ended, .. }) = told.recv().await else {
                panic!("it is closed");
            };
            let took = begun.elapsed();
            assert!(took >= lasts && took < 20 * lasts, "{took:?}: {ended:?}");
            let why = match &ended {
                Ended::NotSecured(failed) => failed.what.clone(),
                ended => format!("{ended:?}"),
            };
            let setting = if transport == Transport::Tls { "handshake" } else { "message" };
            assert!(why.contains(&format!("security.{setting}_timeout")), "{why}");
            streams.closed(conn, None);
        }
    }

    #[tokio::test]
    async fn nobody_connects_to_a_phone_by_tls_and_nothing_for_tls_goes_by_tcp() {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = listener.local_addr().unwrap();
        let (events, _told) = mpsc::channel(8);
        let mut streams = Streams::new(events, Some(tls(folder.path())));
        let source: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let way = || Way { source, hosts: Vec::new(), fingerprints: Vec::new() };
        let flow =
            |transport| Flow { side: Side::Phones, transport, local: source, peer, conn: None };
        assert!(streams.send(flow(Transport::Tcp), way(), Bytes::from_static(b"plain")));
        assert!(!streams.send(flow(Transport::Tls), way(), Bytes::from_static(b"secret")));
    }

    #[tokio::test]
    async fn what_was_sent_on_a_connection_that_we_opened_is_lost_when_it_closes() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = listener.local_addr().unwrap();
        let (events, mut told) = mpsc::channel(8);
        let mut streams = Streams::new(events, None);
        let source: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let (side, transport) = (Side::Pbx, Transport::Tcp);
        let flow = Flow { side, transport, local: source, peer, conn: None };
        for request in ["first", "second"] {
            let way = Way { source, hosts: Vec::new(), fingerprints: Vec::new() };
            assert!(streams.send(flow, way, Bytes::from(request)));
        }
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut heard = [0; 11];
        stream.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"firstsecond");
        drop(stream);
        let Some(StreamEvent::Closed { conn, unsent, .. }) = told.recv().await else {
            panic!("it is closed");
        };
        assert_eq!(unsent, [flow]);
        assert_eq!(streams.closed(conn, None), Some(flow));
    }
}
