//! What the tasks beside the engine's have to tell it.

use base::{ConnId, Flow, Side, Transport};
use bytes::Bytes;
use std::net::SocketAddr;
use tokio::net::TcpStream;

use crate::tls::{Facts, Failed};

/// One thing that happened on a stream.
#[derive(Debug)]
pub(crate) enum StreamEvent {
    /// Somebody has connected to us.
    Accepted {
        /// On which side.
        side: Side,
        /// By which transport.
        transport: Transport,
        /// The address of the listener, its IP concrete.
        local: SocketAddr,
        /// Who.
        peer: SocketAddr,
        /// The connection.
        stream: TcpStream,
    },
    /// A connection is encrypted now.
    Secured {
        /// Which.
        conn: ConnId,
        /// What the other end has shown of itself.
        shown: Option<Facts>,
    },
    /// Who is at the other end, and has shown so, takes requests by this connection too, as if it were
    /// one to this port of its (RFC 5923).
    Alias {
        /// Which.
        conn: ConnId,
        /// The port.
        port: u16,
    },
    /// A message has come.
    Sip {
        /// By which flow; `conn` is set.
        flow: Flow,
        /// Its bytes.
        bytes: Bytes,
    },
    /// A connection has ended, or has not come about.
    Closed {
        /// Which.
        conn: ConnId,
        /// The flows, as given, of what was not sent, and of what was sent by flows that did not
        /// name this connection: nobody else can tell that what waits there waits in vain.
        unsent: Vec<Flow>,
        /// Why.
        ended: Ended,
    },
}

/// Why a connection has ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// As connections do.
    Quietly,
    /// For a reason that is worth a line.
    For(String),
    /// It was never encrypted.
    NotSecured(Failed),
}
