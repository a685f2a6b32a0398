//! SIP messages by side, way, and what they are: read off their first lines.

use base::Side;
use rustc_hash::FxHashMap;

use crate::admin::tap::Way;

/// The methods that are counted by name (RFC 3261, 3262, 3265, 3311, 3428, 3515, 3903, 6086).
const METHODS: [&str; 14] = [
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "REGISTER",
    "OPTIONS",
    "REFER",
    "NOTIFY",
    "SUBSCRIBE",
    "INFO",
    "UPDATE",
    "PRACK",
    "MESSAGE",
    "PUBLISH",
];

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A request with this method; those that are not known are `other`.
    Request(&'static str),
    /// A response with this status.
    Response(u16),
    /// Keep-alives, and what is no SIP.
    Neither,
}

impl Kind {
    /// What a message is, by its first line.
    fn of(bytes: &[u8]) -> Kind {
        if let Some(rest) = bytes.strip_prefix(b"SIP/2.0 ") {
            let code = rest.get(..3).and_then(|code| std::str::from_utf8(code).ok());
            let code = code.and_then(|code| code.parse().ok()).filter(|code| *code >= 100);
            return code.map_or(Kind::Neither, Kind::Response);
        }
        let Some(end) = bytes.iter().take(32).position(|byte| *byte == b' ') else {
            return Kind::Neither;
        };
        let method = METHODS.iter().find(|method| method.as_bytes() == &bytes[..end]);
        Kind::Request(method.copied().unwrap_or("other"))
    }
}

/// How many there were.
#[derive(Debug, Clone, Default)]
pub(crate) struct SipTally(FxHashMap<(Side, Way, Kind), u64>);

impl SipTally {
    /// A message.
    pub(crate) fn count(&mut self, side: Side, way: Way, bytes: &[u8]) {
        *self.0.entry((side, way, Kind::of(bytes))).or_default() += 1;
    }

    /// How many there were of each.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Side, Way, Kind, u64)> {
        self.0.iter().map(|((side, way, kind), count)| (*side, *way, *kind, *count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_known_by_its_first_line_and_nonsense_makes_no_kinds_of_its_own() {
        assert_eq!(Kind::of(b"INVITE sip:x SIP/2.0\r\n"), Kind::Request("INVITE"));
        assert_eq!(Kind::of(b"SIP/2.0 486 Busy Here\r\n"), Kind::Response(486));
        assert_eq!(Kind::of(b"DANCE sip:x SIP/2.0\r\n"), Kind::Request("other"));
        assert_eq!(Kind::of(b"\r\n\r\n"), Kind::Neither);
        assert_eq!(Kind::of(b"SIP/2.0 abc"), Kind::Neither);
        assert_eq!(Kind::of(b"SIP/2.0 007 x"), Kind::Neither);
        assert_eq!(Kind::of(b""), Kind::Neither);
        let mut tally = SipTally::default();
        for number in 0..10_000 {
            let text = format!("M{number} sip:x SIP/2.0");
            tally.count(Side::Phones, Way::In, text.as_bytes());
        }
        assert_eq!(tally.iter().count(), 1);
    }
}
