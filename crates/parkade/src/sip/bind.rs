//! Listening sockets: how they are opened.

use std::io;
use std::net::{IpAddr, SocketAddr};

use base::Transport;
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};

use crate::config::Listen;
use crate::sip::icmp;

/// What a burst of calls may need while the engine is busy with one of them.
pub(crate) const UDP_ROOM: usize = 4 << 20;

/// Waiting connections.
const BACKLOG: i32 = 1024;

/// Opens a socket that listens there. `alone` tells whether a wildcard IPv6 socket must leave IPv4
/// to another one.
///
/// # Errors
/// What the system says.
pub(super) fn open(listen: Listen, alone: bool) -> io::Result<Socket> {
    let domain = Domain::for_address(listen.address);
    let socket = match listen.transport {
        Transport::Udp => Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?,
        Transport::Tcp | Transport::Tls => Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?,
    };
    socket.set_nonblocking(true)?;
    if listen.address.is_ipv6() {
        socket.set_only_v6(!(alone && listen.address.ip().is_unspecified()))?;
    }
    match listen.transport {
        Transport::Udp => {
            // As much as the system grants; it says nothing if that is less.
            let _ = socket.set_recv_buffer_size(UDP_ROOM);
            let _ = socket.set_send_buffer_size(UDP_ROOM);
            icmp::keep_errors(&socket, listen.address.is_ipv6());
            if listen.address.ip().is_unspecified() {
                tell_local(&socket, listen.address.ip())?;
            }
            socket.bind(&listen.address.into())?;
        }
        Transport::Tcp | Transport::Tls => {
            socket.set_reuse_address(true)?;
            socket.bind(&listen.address.into())?;
            socket.listen(BACKLOG)?;
        }
    }
    Ok(socket)
}

fn tell_local(socket: &Socket, ip: IpAddr) -> io::Result<()> {
    match ip {
        IpAddr::V4(_) => setsockopt(socket, sockopt::Ipv4PacketInfo, &true)?,
        IpAddr::V6(_) => setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true)?,
    }
    Ok(())
}

/// The address to which the socket is bound.
///
/// # Errors
/// What the system says.
pub(super) fn bound(socket: &Socket) -> io::Result<SocketAddr> {
    socket.local_addr()?.as_socket().ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}
