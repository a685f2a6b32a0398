//! What leaves the house in a trace: never credentials or keys, and if it is asked, no names.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::bytes::{Captures, Regex};
use sha2::{Digest, Sha256};

/// The values of credentials, the keys of SDES and of MIKEY.
static SECRETS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?im)^((?:proxy-)?authorization[ \t]*:[ \t]*\S+)[^\r\n]*(?:\r?\n[ \t]+[^\r\n]*)*|(inline:)[A-Za-z0-9+/=]+|^(a=key-mgmt:mikey )[^\r\n]*",
    )
});
/// The users of URIs.
static USERS: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)\b(sips?:)([^\s@;<>,]+)@|\b(tel:)([^\s;<>,]+)"));
/// Display names.
static SHOWN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?im)^((?:from|f|to|t|contact|m|p-asserted-identity|p-preferred-identity|remote-party-id|diversion|history-info|referred-by|b|reply-to)[ \t]*:[ \t]*)(?:"(?:[^"\\]|\\.)*"|[^<"\r\n:;]*?)[ \t]*<"#,
    )
});
/// The user of a challenge's answer.
static DIGEST: LazyLock<Regex> = LazyLock::new(|| pattern(r#"(?i)(username=")([^"]*)(")"#));

#[expect(clippy::expect_used, reason = "the patterns are ours, and a test reads each")]
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern")
}

/// Takes out of messages what is nobody's business.
#[derive(Debug)]
pub(crate) struct Redactor {
    names: bool,
    /// Makes the same name look alike, and only in this run of the program.
    salt: [u8; 16],
}

impl Redactor {
    /// One that leaves names in.
    pub(crate) fn new(salt: [u8; 16]) -> Redactor {
        Redactor { names: false, salt }
    }

    /// Whether users and display names are taken out from now on.
    pub(crate) fn set_names(&mut self, names: bool) {
        self.names = names;
    }

    /// The message as it may be shown.
    pub(crate) fn redact<'m>(&self, message: &'m [u8]) -> Cow<'m, [u8]> {
        let message = SECRETS.replace_all(message, |found: &Captures<'_>| {
            let kept = found.get(1).or(found.get(2)).or(found.get(3));
            let mut text = kept.map(|kept| kept.as_bytes().to_vec()).unwrap_or_default();
            text.extend_from_slice(if found.get(1).is_some() {
                b" (redacted)"
            } else {
                b"redacted"
            });
            text
        });
        if !self.names {
            return message;
        }
        let message = message.into_owned();
        let message = SHOWN.replace_all(&message, &b"${1}<"[..]);
        let message = DIGEST.replace_all(&message, |found: &Captures<'_>| {
            self.alias(&found[1], &found[2], &found[3])
        });
        let message = USERS.replace_all(&message, |found: &Captures<'_>| {
            match (found.get(1), found.get(2)) {
                (Some(scheme), Some(user)) => self.alias(scheme.as_bytes(), user.as_bytes(), b"@"),
                _ => self.alias(&found[3], &found[4], b""),
            }
        });
        Cow::Owned(message.into_owned())
    }

    /// The same name is always the same alias, and none tells the name.
    fn alias(&self, before: &[u8], name: &[u8], after: &[u8]) -> Vec<u8> {
        let hash = Sha256::new().chain_update(self.salt).chain_update(name).finalize();
        let hex: String = hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        [before, b"user-", hex.as_bytes(), after].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(names: bool, text: &str) -> String {
        let mut redactor = Redactor::new([7; 16]);
        redactor.set_names(names);
        String::from_utf8(redactor.redact(text.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn credentials_and_keys_are_taken_out_wherever_they_stand() {
        let text = "REGISTER sip:x SIP/2.0\r\nauthorization: Digest username=\"103\",\r\n \
                    response=\"5ec4e7\"\r\nProxy-Authorization:Basic 5ec4e7\r\nTo: <sip:103@x>\r\n\
                    \r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:5ec4e7+/=|2^31\r\n";
        let shown = redacted(false, text);
        assert!(!shown.contains("5ec4e7"), "{shown}");
        assert!(shown.contains("authorization: Digest (redacted)\r\nProxy-Auth"), "{shown}");
        assert!(shown.contains("To: <sip:103@x>"), "{shown}");
        assert!(shown.contains("inline:redacted|2^31"), "{shown}");
    }

    #[test]
    fn names_are_taken_out_if_asked_and_the_same_one_looks_alike() {
        let text = "INVITE sip:105@pbx SIP/2.0\r\nFrom: \"James \\\"J\\\"\" <sip:103@pbx>;tag=1\r\n\
                    To: Alice Smith <sip:105@pbx>\r\nt: <tel:+4930123;x=1>\r\n\
                    Contact: <sip:105@192.0.2.7:5060;ob>\r\n\r\n";
        let shown = redacted(true, text);
        for name in ["James", "Alice", "103", "105@", "+4930123"] {
            assert!(!shown.contains(name), "{name}: {shown}");
        }
        let alias = shown.split("INVITE sip:").nth(1).unwrap().split('@').next().unwrap();
        assert_eq!(shown.matches(alias).count(), 3, "{shown}");
        assert!(shown.contains("@192.0.2.7:5060;ob>"), "{shown}");
        assert!(redacted(false, text).contains("James"));
    }

    #[test]
    fn a_message_with_nothing_to_hide_stays_as_it_is() {
        let text = "OPTIONS sip:pbx.example SIP/2.0\r\nCall-ID: a@b\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(redacted(true, text), text);
        assert!(matches!(Redactor::new([0; 16]).redact(text.as_bytes()), Cow::Borrowed(_)));
    }
}
