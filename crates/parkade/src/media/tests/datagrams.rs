//! UDP written by hand, so that its checksum is known.

use crate::media::tests::net::at;

/// UDP over IPv4 with its checksum (RFC 768).
pub(in crate::media) fn datagram(from: &str, to: &str, payload: &[u8]) -> Vec<u8> {
    let octets = |text: &str| match at(text) {
        std::net::SocketAddr::V4(v4) => v4.ip().octets(),
        std::net::SocketAddr::V6(_) => panic!("{text} is IPv4"),
    };
    let len = (payload.len() as u16 + 8).to_be_bytes();
    let mut bytes = [at(from).port().to_be_bytes(), at(to).port().to_be_bytes(), len].concat();
    bytes.extend([0, 0]);
    bytes.extend(payload);
    let pseudo = [&octets(from)[..], &octets(to), &[0, 17], &len, &bytes].concat();
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    let mut sum: u32 = pseudo.chunks(2).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    bytes[6..8].copy_from_slice(&(!sum as u16).to_be_bytes());
    bytes
}
