//! How a stream connection comes about: accepted or opened, plain or encrypted. From then on all are
//! carried alike.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base::ConnId;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::rustls::ServerConfig;

use crate::sip::event::{Ended, StreamEvent};
use crate::sip::stream::{Carried, carry, end};
use crate::tls::{self, Failed, Secure};

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(4);

/// Carries a connection that somebody has opened to us, encrypted if there is a configuration for it.
pub(super) async fn accepted(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    conn: ConnId,
    carried: Carried,
) {
    prepare(&stream);
    match tls {
        None => carry(stream, conn, carried).await,
        Some(config) => {
            let done = tls::accept(config, stream, carried.half_open.handshake).await;
            secured(done, conn, carried).await;
        }
    }
}

/// Connects from `source` (its port 0) to the peer of the flow, encrypted if that is wanted, and carries
/// the connection.
pub(super) async fn connect(
    source: SocketAddr,
    tls: Option<Secure>,
    conn: ConnId,
    carried: Carried,
) {
    let stream = match timeout(CONNECT, connected(source, carried.flow.peer)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            return end(conn, carried, Vec::new(), Ended::For(error.to_string())).await;
        }
        Err(_) => return end(conn, carried, Vec::new(), Ended::For("no answer".to_owned())).await,
    };
    prepare(&stream);
    match tls {
        None => carry(stream, conn, carried).await,
        Some(secure) => {
            let done = tls::connect(secure, stream, carried.half_open.handshake).await;
            secured(done, conn, carried).await;
        }
    }
}

fn prepare(stream: &TcpStream) {
    // Small messages must not wait for one another; a refusal costs only speed.
    let _ = stream.set_nodelay(true);
}

async fn connected(source: SocketAddr, peer: SocketAddr) -> io::Result<TcpStream> {
    let socket = if peer.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.bind(source)?;
    socket.connect(peer).await
}

async fn secured(done: Result<tls::Secured, Failed>, conn: ConnId, mut carried: Carried) {
    match done {
        Ok((stream, shown)) => {
            carried.shown = shown.clone();
            let told = StreamEvent::Secured { conn, shown };
            if carried.events.send(told).await.is_ok() {
                carry(stream, conn, carried).await;
            }
        }
        Err(failed) => end(conn, carried, Vec::new(), Ended::NotSecured(failed)).await,
    }
}
