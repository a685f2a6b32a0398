//! Keep-alives between the messages of a datagram socket: line ends, and STUN Binding requests, by
//! which a phone behind NAT keeps its way open and sees whether its address has changed (RFC 5626
//! §3.5, §8).

use std::net::{IpAddr, SocketAddr};

/// RFC 8489 §5: in the second word of every message.
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const BINDING_SUCCESS: [u8; 2] = [0x01, 0x01];
const XOR_MAPPED_ADDRESS: [u8; 2] = [0x00, 0x20];
/// Type, length, cookie, transaction id.
const HEAD: usize = 20;

/// What lies between messages in a datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeepAlive {
    /// Nothing is to be said to it.
    Silent,
    /// A ping, with its answer.
    Ping(Vec<u8>),
}

impl KeepAlive {
    /// Reads a datagram that came from `peer`; nothing if it is no keep-alive.
    pub fn read(datagram: &[u8], peer: SocketAddr) -> Option<KeepAlive> {
        if datagram.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Some(KeepAlive::Silent);
        }
        binding_request(datagram).map(|id| KeepAlive::Ping(binding_success(id, peer)))
    }
}

/// The transaction id of a Binding request (RFC 8489 §5).
fn binding_request(datagram: &[u8]) -> Option<&[u8]> {
    let head = datagram.get(..HEAD)?;
    let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
    let fits = length.is_multiple_of(4) && datagram.len() == HEAD + length;
    (fits && head[..2] == BINDING_REQUEST && head[4..8] == COOKIE).then(|| &head[8..])
}

/// The answer says from where the request came (RFC 8489 §14.2).
fn binding_success(id: &[u8], peer: SocketAddr) -> Vec<u8> {
    let (family, address) = match peer.ip() {
        IpAddr::V4(ip) => (1, ip.octets().to_vec()),
        IpAddr::V6(ip) => (2, ip.octets().to_vec()),
    };
    let length = 4 + address.len() as u16;
    let mut answer = Vec::with_capacity(HEAD + 4 + usize::from(length));
    answer.extend(BINDING_SUCCESS);
    answer.extend((4 + length).to_be_bytes());
    answer.extend(COOKIE);
    answer.extend(id);
    answer.extend(XOR_MAPPED_ADDRESS);
    answer.extend(length.to_be_bytes());
    answer.extend([0, family]);
    let mask = || COOKIE.iter().chain(id);
    answer.extend(peer.port().to_be_bytes().iter().zip(mask()).map(|(byte, mask)| byte ^ mask));
    answer.extend(address.iter().zip(mask()).map(|(byte, mask)| byte ^ mask));
    answer
}

#[cfg(test)]
mod tests {
    use super::KeepAlive;

    /// The transaction id of the samples of RFC 5769.
    const ID: [u8; 12] = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];

    fn request(attributes: &[u8]) -> Vec<u8> {
        let length = (attributes.len() as u16).to_be_bytes();
        [&[0, 1][..], &length, &[0x21, 0x12, 0xa4, 0x42], &ID, attributes].concat()
    }

    fn answer_to(datagram: &[u8], peer: &str) -> Option<Vec<u8>> {
        match KeepAlive::read(datagram, peer.parse().ok()?)? {
            KeepAlive::Ping(answer) => Some(answer),
            KeepAlive::Silent => None,
        }
    }

    #[test]
    fn a_binding_request_is_told_from_where_it_came() {
        let answer = answer_to(&request(&[]), "192.0.2.1:32853").unwrap_or_default();
        let head = [&[1, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42][..], &ID].concat();
        assert_eq!(answer[..20], head);
        // RFC 5769 §2.2 has this very attribute.
        let mapped = [0, 0x20, 0, 8, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43];
        assert_eq!(answer[20..], mapped);
    }

    #[test]
    fn a_binding_request_over_ipv6_is_told_from_where_it_came() {
        let peer = "[2001:db8:1234:5678:11:2233:4455:6677]:32853";
        let answer = answer_to(&request(&[]), peer).unwrap_or_default();
        // RFC 5769 §2.3.
        let mapped = [
            0, 0x20, 0, 20, 0, 2, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc,
            0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9,
        ];
        assert_eq!(answer[20..], mapped);
        assert_eq!(answer[2..4], [0, 24]);
    }

    #[test]
    fn attributes_of_a_request_do_not_matter() {
        let software = [0x80, 0x22, 0, 4, b't', b'e', b's', b't'];
        assert!(answer_to(&request(&software), "192.0.2.1:5060").is_some());
    }

    #[test]
    fn line_ends_are_a_keep_alive_without_an_answer() {
        let peer = "192.0.2.1:5060".parse().ok();
        let read = |bytes: &[u8]| KeepAlive::read(bytes, peer?);
        assert_eq!(read(b"\r\n\r\n"), Some(KeepAlive::Silent));
        assert_eq!(read(b"\0"), Some(KeepAlive::Silent));
        assert_eq!(read(b""), Some(KeepAlive::Silent));
    }

    #[test]
    fn anything_else_is_no_keep_alive() {
        let whole = request(&[]);
        let mut response = whole.clone();
        response[0] = 1;
        let mut without_cookie = whole.clone();
        without_cookie[4] = 0;
        for other in
            [&whole[..19], &[whole.clone(), vec![0; 4]].concat(), &response, &without_cookie]
        {
            assert_eq!(answer_to(other, "192.0.2.1:5060"), None);
        }
        assert_eq!(answer_to(b"OPTIONS sip:us SIP/2.0\r\n\r\n", "192.0.2.1:5060"), None);
    }
}
