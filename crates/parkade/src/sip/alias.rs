//! Whether the far end of an encrypted connection wants requests of ours by it (RFC 5923).

use base::Transport;
use bytes::Bytes;
use memchr::memmem;
use sip_msg::Message;

use crate::tls::Facts;

/// The port for which the connection by which this request came shall stand, if the sender asks for
/// that and its certificate is for the host that it says it is (§5, §8.1).
pub(super) fn wanted(shown: &Facts, request: &Bytes) -> Option<u16> {
    // Hardly any message has it, and each would be read twice.
    memmem::find(request, b";alias")?;
    let request = Message::read(request.clone()).ok().filter(Message::is_request)?;
    let via = request.via();
    via.param("alias")?;
    shown.is_for(via.host()).then(|| via.port().unwrap_or(Transport::Tls.default_port()))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn asked(via: &str) -> Option<u16> {
        let shown = Facts {
            names: vec!["pbx.example".to_owned()],
            addresses: vec!["192.0.2.50".parse().unwrap()],
            not_before: SystemTime::UNIX_EPOCH,
            not_after: SystemTime::UNIX_EPOCH,
            fingerprint: [0; 32],
        };
        let request = format!(
            "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TLS {via}\r\nMax-Forwards: 70\r\n\
             From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\
             Content-Length: 0\r\n\r\n"
        );
        wanted(&shown, &Bytes::from(request))
    }

    #[test]
    fn only_who_asks_for_it_and_is_named_by_its_certificate_has_an_alias() {
        assert_eq!(asked("pbx.example:5071;branch=z9hG4bK1;alias"), Some(5071));
        assert_eq!(asked("192.0.2.50;alias;branch=z9hG4bK1"), Some(5061));
        assert_eq!(asked("pbx.example:5071;branch=z9hG4bK1"), None);
        assert_eq!(asked("other.example:5071;branch=z9hG4bK1;alias"), None);
    }
}
