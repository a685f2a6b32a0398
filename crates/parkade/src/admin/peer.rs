//! Who is at the other end of a connection.

use std::net::IpAddr;

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    /// Somebody who may open the Unix socket.
    Local,
    /// Somebody at this address.
    Remote(IpAddr),
}
