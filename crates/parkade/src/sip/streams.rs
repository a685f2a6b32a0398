//! The book of stream connections: which are open, to whom, and how many one peer may have.

use std::collections::hash_map::Entry;
use std::net::{IpAddr, SocketAddr};

use base::{ConnId, Flow, Side};
use bytes::Bytes;
use rustc_hash::FxHashMap;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::sip::event::StreamEvent;
use crate::sip::stream::{self, Carried, MOST_WAITING};

/// While there are so many connections we open none.
const MOST: usize = 16_384;

/// One open connection, or one that is being opened.
#[derive(Debug)]
struct Open {
    side: Side,
    peer: SocketAddr,
    orders: mpsc::Sender<(Flow, Bytes)>,
}

/// All stream connections.
#[derive(Debug)]
pub(crate) struct Streams {
    open: FxHashMap<ConnId, Open>,
    by_peer: FxHashMap<(Side, SocketAddr), ConnId>,
    from_one: FxHashMap<IpAddr, usize>,
    last: u64,
    events: mpsc::Sender<StreamEvent>,
}

impl Streams {
    pub(crate) fn new(events: mpsc::Sender<StreamEvent>) -> Streams {
        Streams {
            open: FxHashMap::default(),
            by_peer: FxHashMap::default(),
            from_one: FxHashMap::default(),
            last: 0,
            events,
        }
    }

    /// How many are open.
    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    /// How many one IP address has.
    pub(crate) fn len_from(&self, ip: IpAddr) -> usize {
        self.from_one.get(&ip).copied().unwrap_or(0)
    }

    /// Takes a connection that somebody has opened to us, and whom the guard has let in.
    pub(crate) fn accept(&mut self, flow: Flow, stream: TcpStream) {
        let (conn, carried) = self.enter(flow);
        tokio::spawn(stream::carry(stream, conn, carried));
    }

    /// Sends by this flow: by its connection, else by another one to the same peer, else by a new
    /// one from `source`. Tells whether it was taken.
    pub(crate) fn send(&mut self, flow: Flow, source: SocketAddr, bytes: Bytes) -> bool {
        let known = flow.conn.filter(|conn| self.open.contains_key(conn));
        let conn = known.or_else(|| self.by_peer.get(&(flow.side, flow.peer)).copied());
        let Some(open) = conn.and_then(|conn| self.open.get(&conn)) else {
            if self.open.len() >= MOST {
                return false;
            }
            let (conn, carried) = self.enter(flow);
            let taken =
                self.open.get(&conn).is_some_and(|o| o.orders.try_send((flow, bytes)).is_ok());
            tokio::spawn(stream::connect(source, conn, carried));
            return taken;
        };
        open.orders.try_send((flow, bytes)).is_ok()
    }

    fn enter(&mut self, flow: Flow) -> (ConnId, Carried) {
        self.last += 1;
        let conn = ConnId(self.last);
        let (orders, taken) = mpsc::channel(MOST_WAITING);
        self.open.insert(conn, Open { side: flow.side, peer: flow.peer, orders });
        self.by_peer.insert((flow.side, flow.peer), conn);
        *self.from_one.entry(flow.peer.ip()).or_default() += 1;
        let flow = Flow { conn: Some(conn), ..flow };
        (conn, Carried { flow, orders: taken, events: self.events.clone() })
    }

    /// Strikes out a connection that has ended; tells whose it was.
    pub(crate) fn closed(&mut self, conn: ConnId) -> Option<SocketAddr> {
        let open = self.open.remove(&conn)?;
        if let Entry::Occupied(entry) = self.by_peer.entry((open.side, open.peer))
            && *entry.get() == conn
        {
            entry.remove();
        }
        if let Entry::Occupied(mut entry) = self.from_one.entry(open.peer.ip()) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
        Some(open.peer)
    }
}

#[cfg(test)]
mod tests {
    use base::Transport;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn what_was_sent_on_a_connection_that_we_opened_is_lost_when_it_closes() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = listener.local_addr().unwrap();
        let (events, mut told) = mpsc::channel(8);
        let mut streams = Streams::new(events);
        let source: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let (side, transport) = (Side::Pbx, Transport::Tcp);
        let flow = Flow { side, transport, local: source, peer, conn: None };
        for request in ["first", "second"] {
            assert!(streams.send(flow, source, Bytes::from(request)));
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
        assert_eq!(streams.closed(conn), Some(peer));
    }
}
