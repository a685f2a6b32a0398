//! What the tasks beside the engine's have to tell it.

use base::{ConnId, Flow, Side};
use bytes::Bytes;
use std::net::SocketAddr;
use tokio::net::TcpStream;

/// One thing that happened on a stream.
#[derive(Debug)]
pub(crate) enum StreamEvent {
    /// Somebody has connected to us.
    Accepted {
        /// On which side.
        side: Side,
        /// The address of the listener, its IP concrete.
        local: SocketAddr,
        /// Who.
        peer: SocketAddr,
        /// The connection.
        stream: TcpStream,
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
        /// Why, if it is worth a line.
        why: Option<String>,
    },
}
