//! One media description and what it says about its stream.

use std::net::IpAddr;
use std::ops::Range;

use super::crypto::Crypto;

/// Which way a stream flows, as the sender of the description sees it (RFC 8866 §6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Direction {
    /// Both ways.
    #[default]
    SendRecv,
    /// The sender of the description only sends.
    SendOnly,
    /// The sender of the description only receives.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// As written in `a=`.
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }

    /// What an attribute of that name says.
    pub fn of(name: &str) -> Option<Direction> {
        Some(match name {
            "sendrecv" => Direction::SendRecv,
            "sendonly" => Direction::SendOnly,
            "recvonly" => Direction::RecvOnly,
            "inactive" => Direction::Inactive,
            _ => return None,
        })
    }

    /// The same, as the other side sees it (RFC 3264 §6.1).
    pub fn reversed(self) -> Direction {
        match self {
            Direction::SendOnly => Direction::RecvOnly,
            Direction::RecvOnly => Direction::SendOnly,
            both => both,
        }
    }

    /// Whether the sender of the description sends.
    pub fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    /// Whether the sender of the description receives.
    pub fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }
}

/// One `m=` section. What it does not say itself it has from the session level.
#[derive(Debug, Clone)]
pub struct Media<'a> {
    /// `audio`, `video`, `image` …
    pub kind: &'a str,
    /// The port; 0 means refused or off.
    pub port: u16,
    /// `RTP/AVP`, `udptl` …
    pub proto: &'a str,
    /// Payload numbers, or what the protocol has instead.
    pub formats: Vec<&'a str>,
    /// The address of `c=`, the section's own or the session's, without TTL.
    pub connection: Option<&'a str>,
    /// Port and perhaps address of `a=rtcp` (RFC 3605).
    pub rtcp: Option<(u16, Option<IpAddr>)>,
    /// Whether RTP and RTCP share the port (RFC 5761).
    pub rtcp_mux: bool,
    /// The section's own direction or the session's.
    pub direction: Direction,
    /// Number and `name/clock[/channels]` of each `a=rtpmap`.
    pub rtpmaps: Vec<(u8, &'a str)>,
    /// Number and parameters of each `a=fmtp` of a numbered format.
    pub fmtps: Vec<(u8, &'a str)>,
    /// Milliseconds of sound in a packet.
    pub ptime: Option<u8>,
    /// Whether there is `a=crypto`, or a fingerprint here or at session level.
    pub crypto: bool,
    /// The keys of SRTP, in order of preference.
    pub cryptos: Vec<Crypto<'a>>,
    /// Whether there is a fingerprint here or at session level: keys by DTLS (RFC 5763).
    pub fingerprint: bool,
    /// Whether there is anything about ICE here or at session level.
    pub ice: bool,
    /// Where the section lies in the body.
    pub(crate) place: Range<usize>,
}

impl<'a> Media<'a> {
    /// Whether it goes by UDP, so that a relay can carry it.
    pub fn is_udp(&self) -> bool {
        let proto = self.proto;
        let is = |name: &str| proto.eq_ignore_ascii_case(name);
        let begins = |name: &str| {
            proto.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name))
        };
        is("udp") || is("udptl") || begins("UDP/") || begins("RTP/AVP") || begins("RTP/SAVP")
    }

    /// Whether it is RTP that anybody can read: not encrypted.
    pub fn is_plain_rtp(&self) -> bool {
        let named = self.proto.eq_ignore_ascii_case("RTP/AVP")
            || self.proto.eq_ignore_ascii_case("RTP/AVPF");
        named && !self.crypto
    }

    /// Whether it is RTP that must be encrypted (RFC 3711, RFC 5124), wherever the keys come from.
    pub fn is_secure_rtp(&self) -> bool {
        let is = |name: &str| self.proto.eq_ignore_ascii_case(name);
        is("RTP/SAVP") || is("RTP/SAVPF") || self.is_by_dtls()
    }

    /// Whether it is RTP with keys that the ends make out by DTLS (RFC 5763).
    pub fn is_by_dtls(&self) -> bool {
        let is = |name: &str| self.proto.eq_ignore_ascii_case(name);
        let by_name = is("UDP/TLS/RTP/SAVP") || is("UDP/TLS/RTP/SAVPF");
        by_name || (self.fingerprint && self.cryptos.is_empty())
    }

    /// Whether it is RTP at all, encrypted or not.
    pub fn is_rtp(&self) -> bool {
        let is = |name: &str| self.proto.eq_ignore_ascii_case(name);
        is("RTP/AVP") || is("RTP/AVPF") || self.is_secure_rtp()
    }

    /// Whether the sender of the description neither hears nor wants to: sendonly, inactive, or the
    /// old way, `c=IN IP4 0.0.0.0` (RFC 3264 §8.4).
    pub fn on_hold(&self) -> bool {
        let old_way = self.connection_ip().is_some_and(|ip| ip.is_unspecified());
        !self.direction.receives() || old_way
    }

    /// The address of `c=`, if it is not a name.
    pub fn connection_ip(&self) -> Option<IpAddr> {
        self.connection?.parse().ok()
    }

    /// The formats as RTP payloads, in order of preference; numbers without `a=rtpmap` as RFC 3551
    /// has them.
    pub fn payloads(&self) -> impl Iterator<Item = Payload<'a>> {
        self.formats.iter().filter_map(|format| self.payload(format.parse().ok()?))
    }

    /// One payload by number, whether or not it is among the formats.
    pub fn payload(&self, number: u8) -> Option<Payload<'a>> {
        let of = |list: &[(u8, &'a str)]| list.iter().find(|(n, _)| *n == number).map(|(_, v)| *v);
        let fmtp = of(&self.fmtps).unwrap_or("");
        let map = match of(&self.rtpmaps) {
            Some(map) => map,
            None => static_map(number)?,
        };
        let mut parts = map.split('/').map(str::trim);
        let (name, clock) = (parts.next()?, parts.next()?.parse().ok()?);
        let channels = parts.next().and_then(|n| n.parse().ok()).unwrap_or(1);
        Some(Payload { number, name, clock, channels, fmtp })
    }
}

/// One RTP payload type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payload<'a> {
    /// The number in RTP headers.
    pub number: u8,
    /// The encoding's name as received; compare in any case.
    pub name: &'a str,
    /// RTP timestamp units in a second.
    pub clock: u32,
    /// Channels.
    pub channels: u8,
    /// `a=fmtp` parameters; may be empty.
    pub fmtp: &'a str,
}

impl Payload<'_> {
    /// Whether it is of that name, in any case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

// RFC 3551 §6, what phones still use.
fn static_map(number: u8) -> Option<&'static str> {
    Some(match number {
        0 => "PCMU/8000",
        3 => "GSM/8000",
        4 => "G723/8000",
        8 => "PCMA/8000",
        9 => "G722/8000",
        10 => "L16/44100/2",
        11 => "L16/44100",
        13 => "CN/8000",
        15 => "G728/8000",
        18 => "G729/8000",
        26 => "JPEG/90000",
        31 => "H261/90000",
        34 => "H263/90000",
        _ => return None,
    })
}
