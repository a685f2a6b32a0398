//! Keys and values of the maps as their bytes are: fields in the order of the packet, each filled
//! up to four bytes, in network byte order.

use std::net::{IpAddr, SocketAddr};

/// The longest: two IPv6 addresses and two ports.
const LONGEST: usize = 40;

/// An IP version, as it counts here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both.
    pub(crate) const ALL: [Family; 2] = [Family::V4, Family::V6];

    /// The version of an address.
    pub(in crate::media) fn of(socket: SocketAddr) -> Family {
        if socket.is_ipv4() { Family::V4 } else { Family::V6 }
    }

    /// How long an address is, in bytes.
    pub(super) fn address(self) -> u32 {
        match self {
            Family::V4 => 4,
            Family::V6 => 16,
        }
    }
}

/// Bytes of a key or of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::media) struct Bytes {
    bytes: [u8; LONGEST],
    len: u8,
}

impl Bytes {
    /// Two sockets: source address, destination address, source port, destination port.
    pub(in crate::media) fn pair(source: SocketAddr, destination: SocketAddr) -> Bytes {
        let mut bytes = Bytes::none();
        bytes.address(source.ip());
        bytes.address(destination.ip());
        bytes.port(source.port());
        bytes.port(destination.port());
        bytes
    }

    /// One socket: address and port.
    pub(super) fn socket(socket: SocketAddr) -> Bytes {
        let mut bytes = Bytes::none();
        bytes.address(socket.ip());
        bytes.port(socket.port());
        bytes
    }

    /// What the kernel says; `None` if it is longer than any of ours.
    pub(super) fn read(said: &[u8]) -> Option<Bytes> {
        let mut bytes = Bytes::none();
        (said.len() <= LONGEST).then(|| bytes.push(said))?;
        Some(bytes)
    }

    /// The bytes.
    pub(in crate::media) fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    fn none() -> Bytes {
        Bytes { bytes: [0; LONGEST], len: 0 }
    }

    fn address(&mut self, ip: IpAddr) {
        match ip {
            IpAddr::V4(ip) => self.push(&ip.octets()),
            IpAddr::V6(ip) => self.push(&ip.octets()),
        }
    }

    fn port(&mut self, port: u16) {
        let [high, low] = port.to_be_bytes();
        self.push(&[high, low, 0, 0]);
    }

    fn push(&mut self, more: &[u8]) {
        let at = usize::from(self.len);
        self.bytes[at..at + more.len()].copy_from_slice(more);
        self.len += more.len() as u8;
    }
}
