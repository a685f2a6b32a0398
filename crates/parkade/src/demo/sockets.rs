//! Sockets of the parties, on loopback and on any free port.

use std::io;
use std::net::{IpAddr, SocketAddr};

use mio::net::UdpSocket;

/// A row of free ports is found long before this.
const ATTEMPTS: usize = 200;

/// Ports that a phone needs for sound: two pairs, so that a call may begin while another ends.
const ROW: u16 = 4;

/// One socket on any free port.
pub(super) fn one(ip: IpAddr) -> io::Result<(SocketAddr, UdpSocket)> {
    let socket = UdpSocket::bind(SocketAddr::new(ip, 0))?;
    Ok((socket.local_addr()?, socket))
}

/// Sockets on ports that follow each other, from an even one on.
pub(super) fn row(ip: IpAddr) -> io::Result<Vec<(SocketAddr, UdpSocket)>> {
    let mut last = None;
    for _ in 0..ATTEMPTS {
        match row_at_random(ip) {
            Ok(row) => return Ok(row),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()))
}

fn row_at_random(ip: IpAddr) -> io::Result<Vec<(SocketAddr, UdpSocket)>> {
    let (first, socket) = one(ip)?;
    if first.port() % 2 != 0 || first.port() > u16::MAX - ROW {
        return Err(io::ErrorKind::AddrNotAvailable.into());
    }
    let mut row = vec![(first, socket)];
    for port in first.port() + 1..first.port() + ROW {
        let address = SocketAddr::new(ip, port);
        row.push((address, UdpSocket::bind(address)?));
    }
    Ok(row)
}
