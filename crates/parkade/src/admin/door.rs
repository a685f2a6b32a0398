//! The doors themselves: a Unix socket, and HTTP on an address, encrypted or not. A connection that
//! does not get on is closed; there are only so many at once.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tower_service::Service;

use crate::admin::peer::Peer;

/// So many connections may be open at a door.
const MOST_CONNECTIONS: usize = 2_048;
/// A request's head, and the handshake of TLS, may take so long.
const HASTE: Duration = Duration::from_secs(10);
/// Somebody who takes nothing for so long while there is something to take is disconnected.
const STALLED: Duration = Duration::from_secs(20);
/// Passes when the system has no descriptors left.
const NO_DESCRIPTORS: Duration = Duration::from_millis(50);

/// The open Unix socket; it is removed with this.
#[derive(Debug)]
pub(crate) struct LocalDoor {
    path: PathBuf,
    listener: UnixListener,
}

impl LocalDoor {
    /// Opens the door at `path`. A socket that nobody listens on any more is removed first.
    pub(crate) fn open(path: &Path) -> io::Result<LocalDoor> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        match UnixStream::connect(path) {
            Ok(_) => {
                let why = "another instance is listening there";
                return Err(io::Error::new(io::ErrorKind::AddrInUse, why));
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                fs::remove_file(path)?;
            }
            Err(_) => {}
        }
        let listener = UnixListener::bind(path)?;
        listener.set_nonblocking(true)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
        Ok(LocalDoor { path: path.to_owned(), listener })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Serves whoever comes.
    pub(super) async fn serve(&self, routes: Router) -> io::Result<()> {
        let listener = tokio::net::UnixListener::from_std(self.listener.try_clone()?)?;
        let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        loop {
            let Ok(place) = Arc::clone(&room).acquire_owned().await else { return Ok(()) };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let routes = routes.clone();
                    tokio::spawn(async move {
                        converse(stream, Peer::Local, routes).await;
                        drop(place);
                    });
                }
                Err(_) => tokio::time::sleep(NO_DESCRIPTORS).await,
            }
        }
    }
}

impl Drop for LocalDoor {
    fn drop(&mut self) {
        // Whoever starts next removes it otherwise.
        let _ = fs::remove_file(&self.path);
    }
}

/// The open HTTP door.
pub(crate) struct HttpDoor {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
}

impl std::fmt::Debug for HttpDoor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpDoor").field("listener", &self.listener).finish_non_exhaustive()
    }
}

impl HttpDoor {
    /// Opens the door.
    pub(crate) fn open(address: SocketAddr, tls: Option<TlsAcceptor>) -> io::Result<HttpDoor> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(HttpDoor { listener, tls })
    }

    /// Where it is, for a browser.
    pub(crate) fn url(&self) -> io::Result<String> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        Ok(format!("{scheme}://{}", self.listener.local_addr()?))
    }

    /// Serves whoever comes.
    pub(super) async fn serve(self, routes: Router) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        loop {
            let Ok(place) = Arc::clone(&room).acquire_owned().await else { return Ok(()) };
            let (stream, peer) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(_) => {
                    tokio::time::sleep(NO_DESCRIPTORS).await;
                    continue;
                }
            };
            // An event is small, and is to be seen at once. Without it all is only a little later.
            let _ = stream.set_nodelay(true);
            let (routes, tls) = (routes.clone(), self.tls.clone());
            let peer = Peer::Remote(peer.ip().to_canonical());
            tokio::spawn(async move {
                match tls {
                    None => converse(stream, peer, routes).await,
                    Some(tls) => {
                        if let Ok(Ok(stream)) = timeout(HASTE, tls.accept(stream)).await {
                            converse(stream, peer, routes).await;
                        }
                    }
                }
                drop(place);
            });
        }
    }
}

/// Answers requests until the other end goes, or does not get on.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Send + 'static,
    peer: Peer,
    routes: Router,
) {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(STALLED));
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        routes.clone().call(request)
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HASTE)
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    // Whoever goes in the middle is no concern of ours.
    let _ = pin!(served).await;
}
