//! Messages sent to Homer as they come: HEP version 3, a datagram each.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use base::Transport;

use crate::admin::tap::Seen;
use crate::admin::trace::redact::Redactor;
use crate::admin::trace::ring::call_id;
use crate::clock::Clock;
use crate::config::HepSettings;

/// The numbers of HEP3's generic chunks.
mod chunk {
    pub(super) const FAMILY: u16 = 0x01;
    pub(super) const PROTOCOL: u16 = 0x02;
    pub(super) const FROM_IPV4: u16 = 0x03;
    pub(super) const TO_IPV4: u16 = 0x04;
    pub(super) const FROM_IPV6: u16 = 0x05;
    pub(super) const TO_IPV6: u16 = 0x06;
    pub(super) const FROM_PORT: u16 = 0x07;
    pub(super) const TO_PORT: u16 = 0x08;
    pub(super) const SECONDS: u16 = 0x09;
    pub(super) const MICROS: u16 = 0x0a;
    pub(super) const KIND: u16 = 0x0b;
    pub(super) const CAPTURE_ID: u16 = 0x0c;
    pub(super) const PASSWORD: u16 = 0x0e;
    pub(super) const PAYLOAD: u16 = 0x0f;
    pub(super) const CORRELATION: u16 = 0x11;
}

/// The families of addresses, as HEP counts them.
const IPV4: u8 = 2;
const IPV6: u8 = 10;
/// The numbers of the protocols (IANA).
const TCP: u8 = 6;
const UDP: u8 = 17;
/// The kind of payload that SIP is.
const SIP: u8 = 1;
/// So much of a datagram is for the message.
const MOST: usize = 65_507 - 1_024;
/// No Call-ID or password that is longer is sent along.
const LONGEST_WORD: usize = 256;

/// The way to Homer.
#[derive(Debug)]
pub(crate) struct Homer {
    socket: UdpSocket,
    settings: HepSettings,
    counts: Arc<HomerCounts>,
}

/// What became of messages for Homer.
#[derive(Debug, Default)]
pub(crate) struct HomerCounts {
    /// They went.
    pub(crate) sent: AtomicU64,
    /// They could not be sent.
    pub(crate) lost: AtomicU64,
}

impl Homer {
    /// Opens the way.
    ///
    /// # Errors
    /// If the system has no socket for it.
    pub(crate) fn open(settings: &HepSettings, counts: Arc<HomerCounts>) -> io::Result<Homer> {
        let any: IpAddr = match settings.to.is_ipv4() {
            true => Ipv4Addr::UNSPECIFIED.into(),
            false => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((any, 0))?;
        socket.set_nonblocking(true)?;
        socket.connect(settings.to)?;
        Ok(Homer { socket, settings: settings.clone(), counts })
    }

    /// Where it leads, and how.
    pub(crate) fn settings(&self) -> &HepSettings {
        &self.settings
    }

    /// Sends a message. If it cannot be sent at once it is lost: Homer is no reason to wait.
    pub(crate) fn send(&mut self, seen: &Seen, redactor: &Redactor, clock: Clock) {
        let payload = redactor.redact(&seen.bytes);
        let packet = packet(seen, &payload, &self.settings, clock.wall(seen.at));
        // An ICMP error that an earlier packet met is told here, once; this one may arrive.
        let sent = packet.is_some_and(|packet| {
            self.socket.send(&packet).or_else(|_| self.socket.send(&packet)).is_ok()
        });
        let count = if sent { &self.counts.sent } else { &self.counts.lost };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// A message in HEP3; none if no datagram holds it.
fn packet(seen: &Seen, payload: &[u8], settings: &HepSettings, at: SystemTime) -> Option<Vec<u8>> {
    if payload.len() > MOST {
        return None;
    }
    let (from, to) = seen.ends();
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut text = b"HEP3\0\0".to_vec();
    let mut put = |number: u16, value: &[u8]| {
        // Of vendor 0, which is the standard itself.
        text.extend_from_slice(&[0, 0]);
        text.extend_from_slice(&number.to_be_bytes());
        text.extend_from_slice(&(value.len() as u16 + 6).to_be_bytes());
        text.extend_from_slice(value);
    };
    let protocol = match seen.flow.transport {
        // What was seen is what is in it.
        Transport::Tcp | Transport::Tls => TCP,
        Transport::Udp => UDP,
    };
    match (from.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            put(chunk::FAMILY, &[IPV4]);
            put(chunk::PROTOCOL, &[protocol]);
            put(chunk::FROM_IPV4, &from.octets());
            put(chunk::TO_IPV4, &to.octets());
        }
        (from, to) => {
            let octets = |ip| match ip {
                IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
                IpAddr::V6(ip) => ip.octets(),
            };
            put(chunk::FAMILY, &[IPV6]);
            put(chunk::PROTOCOL, &[protocol]);
            put(chunk::FROM_IPV6, &octets(from));
            put(chunk::TO_IPV6, &octets(to));
        }
    }
    put(chunk::FROM_PORT, &from.port().to_be_bytes());
    put(chunk::TO_PORT, &to.port().to_be_bytes());
    put(chunk::SECONDS, &(since.as_secs() as u32).to_be_bytes());
    put(chunk::MICROS, &since.subsec_micros().to_be_bytes());
    put(chunk::KIND, &[SIP]);
    put(chunk::CAPTURE_ID, &settings.capture_id.to_be_bytes());
    if let Some(password) = settings.password.as_ref().filter(|word| word.len() <= LONGEST_WORD) {
        put(chunk::PASSWORD, password.as_bytes());
    }
    if let Some(call) = call_id(payload).filter(|call| call.len() <= LONGEST_WORD) {
        put(chunk::CORRELATION, call.as_bytes());
    }
    put(chunk::PAYLOAD, payload);
    let length = u16::try_from(text.len()).ok()?;
    text[4..6].copy_from_slice(&length.to_be_bytes());
    Some(text)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use base::{Flow, Moment, Side};
    use bytes::Bytes;

    use super::*;
    use crate::admin::tap::Way;

    /// The chunks of a packet, as a receiver reads them.
    fn chunks(packet: &[u8]) -> Vec<(u16, Vec<u8>)> {
        assert_eq!(&packet[..4], b"HEP3");
        assert_eq!(usize::from(u16::from_be_bytes([packet[4], packet[5]])), packet.len());
        let mut rest = &packet[6..];
        let mut all = Vec::new();
        while let [v, w, a, b, c, d, ..] = *rest {
            assert_eq!([v, w], [0, 0]);
            let length = usize::from(u16::from_be_bytes([c, d]));
            all.push((u16::from_be_bytes([a, b]), rest[6..length].to_vec()));
            rest = &rest[length..];
        }
        assert!(rest.is_empty());
        all
    }

    fn seen(way: Way, text: &'static str) -> Seen {
        let flow = Flow {
            side: Side::Phones,
            transport: Transport::Udp,
            local: SocketAddr::from(([192, 0, 2, 9], 5060)),
            peer: SocketAddr::from(([192, 0, 2, 1], 5062)),
            conn: None,
        };
        Seen { at: Moment::ZERO, way, flow, bytes: Bytes::from_static(text.as_bytes()) }
    }

    fn settings() -> HepSettings {
        let to = SocketAddr::from(([127, 0, 0, 1], 9060));
        HepSettings { to, capture_id: 2001, password: Some("secret".into()) }
    }

    #[test]
    fn a_message_is_packed_with_its_addresses_time_and_call_id() {
        let text = "OPTIONS sip:x SIP/2.0\r\nCall-ID: a@b\r\n\r\n";
        let at = SystemTime::UNIX_EPOCH + Duration::from_micros(1_700_000_000_000_123);
        let packed = packet(&seen(Way::In, text), text.as_bytes(), &settings(), at).unwrap();
        let all = chunks(&packed);
        let of = |number| all.iter().find(|(n, _)| *n == number).map(|(_, value)| value.clone());
        assert_eq!(of(chunk::FROM_IPV4).unwrap(), [192, 0, 2, 1]);
        assert_eq!(of(chunk::TO_IPV4).unwrap(), [192, 0, 2, 9]);
        assert_eq!(of(chunk::FROM_PORT).unwrap(), 5062_u16.to_be_bytes());
        assert_eq!(of(chunk::SECONDS).unwrap(), 1_700_000_000_u32.to_be_bytes());
        assert_eq!(of(chunk::MICROS).unwrap(), 123_u32.to_be_bytes());
        assert_eq!(of(chunk::CAPTURE_ID).unwrap(), 2001_u32.to_be_bytes());
        assert_eq!(of(chunk::CORRELATION).unwrap(), b"a@b");
        assert_eq!(of(chunk::PASSWORD).unwrap(), b"secret");
        assert_eq!(of(chunk::PAYLOAD).unwrap(), text.as_bytes());
        let out = packet(&seen(Way::Out, text), text.as_bytes(), &settings(), at).unwrap();
        assert!(chunks(&out).contains(&(chunk::TO_IPV4, vec![192, 0, 2, 1])));
    }

    #[test]
    fn what_no_datagram_holds_is_not_sent() {
        let large = vec![b'x'; 65_400];
        let at = SystemTime::UNIX_EPOCH;
        assert_eq!(packet(&seen(Way::In, ""), &large, &settings(), at), None);
    }
}
