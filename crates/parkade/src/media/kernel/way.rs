//! One direction of a relayed stream, in addresses.

use std::net::{IpAddr, SocketAddr};

use nix::errno::Errno;

use crate::media::kernel::keys::Bytes;
use crate::media::kernel::routes::towards;

/// What comes in at `at` from `from`, and from nobody else, goes out by `by` to `to` as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Way {
    /// Who sends.
    pub(crate) from: SocketAddr,
    /// Our socket that it comes to; a wildcard address stands for the one that leads to `from`.
    pub(crate) at: SocketAddr,
    /// Our socket that it leaves by; a wildcard address stands for the one that leads to `to`.
    pub(crate) by: SocketAddr,
    /// Who gets it.
    pub(crate) to: SocketAddr,
}

/// An order about a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WayOrder {
    /// Forward it from now on. What went another way from there to here no longer does.
    Open(Way),
    /// Leave to our sockets what comes from there to here.
    Close(Way),
}

/// Why the kernel does not take a way; user space does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotHere {
    /// One end speaks IPv4, the other IPv6.
    #[error("one end speaks IPv4, the other IPv6")]
    Families,
    /// One end is on the loopback, the other is not.
    #[error("what comes from 127.0.0.0/8 or ::1 does not leave this machine")]
    Loopback,
    /// Link-local addresses are not forwarded.
    #[error("link-local addresses are not forwarded")]
    LinkLocal,
    /// Nothing leads to one of the ends.
    #[error("there is no route to it")]
    NoRoute,
    /// The host does not forward this IP version between others.
    #[error("this machine does not forward this IP version")]
    NotForwarding,
    /// The same two ends have another way already, and in between a packet does not say which.
    #[error("the same two ends have another way already")]
    Ambiguous,
    /// The maps are full.
    #[error("there is no room for more ways")]
    Full,
    /// One end is this machine, where the program for streams that are shifted has nothing to send to.
    #[error("one end is this machine, and what is shifted goes from one cable to another")]
    ThisMachine,
    /// It comes by an interface without Ethernet headers.
    #[error("it comes by an interface that is not Ethernet")]
    NoEthernet,
    /// The kernel says so.
    #[error("the kernel refuses it: {0}")]
    Kernel(Errno),
}

/// What of a way depends on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::media) struct Placed {
    /// The way, with no wildcard and no IPv4 address in IPv6 form.
    pub(in crate::media) way: Way,
    /// Whether neither end is this machine.
    pub(in crate::media) forwarded: bool,
}

impl Way {
    /// What it is known by, however routes and addresses of the host change.
    pub(in crate::media) fn asked(&self) -> Bytes {
        Bytes::pair(plain(self.from), plain(self.at))
    }

    /// The way as packets have it.
    ///
    /// # Errors
    /// If no packet can go it.
    pub(in crate::media) fn place(&self) -> Result<Placed, NotHere> {
        let [from, at, by, to] = [self.from, self.at, self.by, self.to].map(plain);
        // A wildcard for IPv6 takes IPv4 too.
        let fits = |end: SocketAddr| end.is_ipv4() == from.is_ipv4() || end.ip().is_unspecified();
        if to.is_ipv4() != from.is_ipv4() || !fits(at) || !fits(by) {
            return Err(NotHere::Families);
        }
        if [from, to].into_iter().any(|end| link_local(end.ip())) {
            return Err(NotHere::LinkLocal);
        }
        let (own_from, own_to) = (own(from)?, own(to)?);
        let fill = |socket: SocketAddr, ip| match socket.ip().is_unspecified() {
            true => SocketAddr::new(ip, socket.port()),
            false => socket,
        };
        let way = Way { from, at: fill(at, own_from), by: fill(by, own_to), to };
        let ends = [way.at, way.by, way.to];
        if ends.iter().any(|end| end.ip().is_loopback() != from.ip().is_loopback()) {
            return Err(NotHere::Loopback);
        }
        // The address that leads to one of our own is that address.
        Ok(Placed { way, forwarded: own_from != from.ip() && own_to != to.ip() })
    }
}

fn own(peer: SocketAddr) -> Result<IpAddr, NotHere> {
    towards(peer).map_err(|_| NotHere::NoRoute)
}

/// An IPv4 address in IPv6 form, as sockets for both have it, is an IPv4 address.
fn plain(socket: SocketAddr) -> SocketAddr {
    SocketAddr::new(socket.ip().to_canonical(), socket.port())
}

fn link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}
