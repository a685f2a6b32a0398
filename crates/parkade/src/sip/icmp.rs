//! Who could not be reached: the error queue of a UDP socket (ip(7) `IP_RECVERR`).

use std::io::IoSliceMut;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::sys::socket::{MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt};

/// Asks for ICMP errors to be kept with the address that they are about.
pub(super) fn keep_errors(socket: &socket2::Socket, v6: bool) {
    // Without it a dead peer is noticed by its silence: slower, and nothing else is lost.
    let _ = if v6 {
        setsockopt(socket, sockopt::Ipv6RecvErr, &true)
    } else {
        setsockopt(socket, sockopt::Ipv4RecvErr, &true)
    };
}

/// The next peer that could not be reached, if the queue holds one.
pub(super) fn next_unreachable(socket: BorrowedFd<'_>) -> Option<SocketAddr> {
    let mut start = [0u8; 64];
    let mut slices = [IoSliceMut::new(&mut start)];
    let mut control = [0u8; 512];
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let read =
        recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut slices, Some(&mut control), flags);
    // The address of an error is the destination of the datagram that it is about.
    let to = read.ok()?.address?;
    if let Some(v4) = to.as_sockaddr_in() {
        return Some(SocketAddr::new(IpAddr::V4(v4.ip()), v4.port()));
    }
    let v6 = to.as_sockaddr_in6()?;
    Some(SocketAddr::new(IpAddr::V6(v6.ip()).to_canonical(), v6.port()))
}
