//! Why the program does not start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::sip::CannotBind;

/// Why the program does not start.
#[derive(Debug, thiserror::Error)]
pub enum CannotStart {
    /// A SIP socket cannot be bound.
    #[error(transparent)]
    Bind(#[from] CannotBind),
    /// The admin door cannot be opened where it is configured.
    #[error("admin.socket: {} cannot be opened: {error}", path.display())]
    Door {
        /// Where.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The HTTP door cannot be opened where it is configured.
    #[error("admin.listen: {address} cannot be opened: {error}")]
    Http {
        /// Where.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// A certificate or a key cannot be used.
    #[error("tls: {0}")]
    Tls(String),
    /// The media workers cannot be started, or the music cannot be loaded.
    #[error("media: {0}")]
    Media(String),
    /// The thread for the nodes' store cannot be started.
    #[error("cluster: {0}")]
    Store(io::Error),
    /// The system gives no entropy.
    #[error("the system gives no random numbers: {0}")]
    Entropy(getrandom::Error),
    /// The system refuses something that the runtime needs.
    #[error("the runtime cannot be started: {0}")]
    Runtime(#[from] io::Error),
}
