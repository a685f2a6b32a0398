//! Where a message came from and how to answer there.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// Which side of the house: towards the phones or towards the PBX.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Side {
    /// Towards the phones.
    Phones,
    /// Towards the PBX.
    Pbx,
}

impl Side {
    /// The other side.
    pub fn other(self) -> Side {
        match self {
            Side::Phones => Side::Pbx,
            Side::Pbx => Side::Phones,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Phones => "phones",
            Side::Pbx => "pbx",
        })
    }
}

/// A SIP transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Transport {
    /// Datagrams; requests are retransmitted by us.
    Udp,
    /// A stream; nothing is retransmitted.
    Tcp,
    /// A stream of TLS over TCP (RFC 3261 §26.2.1).
    Tls,
}

impl Transport {
    /// As written in a Via (RFC 3261 §20.42).
    pub fn in_via(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
        }
    }

    /// As written in a URI's `transport` parameter.
    pub fn in_uri(self) -> &'static str {
        match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
        }
    }

    /// What a URI asks for: `sips` is TLS whatever its `transport` says (RFC 3261 §26.2.2). None if it
    /// leaves the choice to others.
    pub fn of_uri(is_sips: bool, transport: Option<&str>) -> Option<Transport> {
        let is = |name: &str| transport.is_some_and(|text| text.eq_ignore_ascii_case(name));
        match transport {
            _ if is_sips || is("tls") => Some(Transport::Tls),
            _ if is("tcp") => Some(Transport::Tcp),
            Some(_) => Some(Transport::Udp),
            None => None,
        }
    }

    /// The port where none is said (RFC 3261 §19.1.2).
    pub fn default_port(self) -> u16 {
        match self {
            Transport::Udp | Transport::Tcp => 5060,
            Transport::Tls => 5061,
        }
    }

    /// Whether the transport itself delivers or fails (RFC 3261 §17).
    pub fn is_reliable(self) -> bool {
        self != Transport::Udp
    }
}

/// One stream connection, numbered by the program; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// A way between one of our sockets and one peer. What came by a flow is answered by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Flow {
    /// The side of the house on which the peer is.
    pub side: Side,
    /// The transport.
    pub transport: Transport,
    /// Our own address as the peer sees or should see it: concrete, never a wildcard; the port is the
    /// listener's (for a stream that we opened, the listener's too, not the ephemeral one).
    pub local: SocketAddr,
    /// The peer's address.
    pub peer: SocketAddr,
    /// The connection, when one is known. A stream flow without it is connected on first use. It does
    /// not outlive the program, and so is not kept.
    #[serde(skip)]
    pub conn: Option<ConnId>,
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.transport.in_uri(), self.peer)
    }
}
