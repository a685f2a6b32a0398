//! `a=crypto` (RFC 4568 §9): the keys of SRTP, as a description offers or answers them. A line that asks
//! for what nobody here can do is kept with its tag, but without a key.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use smallvec::SmallVec;

/// The longest key with its salt is of 46 bytes.
const LONGEST: usize = 64;

/// One `a=crypto` line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crypto<'a> {
    /// By which an answer names the line of the offer.
    pub tag: u32,
    /// The crypto suite, as written.
    pub suite: &'a str,
    /// Its one key. None if there are several, or if the line asks for anything beyond RFC 3711's
    /// defaults: nothing in the clear, no key derivation rate, no other key for error correction.
    pub key: Option<CryptoKey<'a>>,
}

/// The key of a line (`inline:`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CryptoKey<'a> {
    /// Key and salt, in base64.
    text: &'a str,
    /// For how many packets, at the most, it may be used; none: as many as RFC 3711 allows.
    pub lifetime: Option<u64>,
    /// The number of the master key identifier and how many bytes of each packet it takes.
    pub mki: Option<(u64, u8)>,
}

impl fmt::Debug for CryptoKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CryptoKey { lifetime, mki, .. } = self;
        f.debug_struct("CryptoKey")
            .field("lifetime", lifetime)
            .field("mki", mki)
            .finish_non_exhaustive()
    }
}

impl<'a> Crypto<'a> {
    /// Reads the value of the attribute; none if it has no tag, no suite or no key parameter.
    pub(super) fn read(value: &'a str) -> Option<Crypto<'a>> {
        let mut words = value.split_ascii_whitespace();
        let (tag, suite, keys) = (words.next()?, words.next()?, words.next()?);
        let digits = tag.len() <= 9 && tag.bytes().all(|digit| digit.is_ascii_digit());
        let tag = tag.parse().ok().filter(|_| digits)?;
        let usable = words.all(is_usual);
        Some(Crypto { tag, suite, key: CryptoKey::read(keys).filter(|_| usable) })
    }
}

/// Whether a session parameter (RFC 4568 §6.3) changes nothing that matters here. The window is a hint,
/// and what begins with `-` need not be understood.
fn is_usual(parameter: &str) -> bool {
    let name = parameter.split('=').next().unwrap_or(parameter);
    name.eq_ignore_ascii_case("WSH")
        || name.starts_with('-')
        || parameter.eq_ignore_ascii_case("KDR=0")
}

impl<'a> CryptoKey<'a> {
    fn read(keys: &'a str) -> Option<CryptoKey<'a>> {
        let (method, info) = keys.split_once(':')?;
        // A second key would have to be told apart by its identifier: nobody sends one.
        if !method.eq_ignore_ascii_case("inline") || info.contains(';') {
            return None;
        }
        let mut parts = info.split('|');
        let mut key = CryptoKey { text: parts.next()?, lifetime: None, mki: None };
        for part in parts {
            match part.split_once(':') {
                Some((number, len)) => {
                    let len: u8 = len.parse().ok().filter(|len| (1..=128).contains(len))?;
                    key.mki = Some((number.parse().ok()?, len));
                }
                None => key.lifetime = Some(lifetime(part)?),
            }
        }
        Some(key)
    }

    /// Key and salt; none if it is no base64.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        let text = self.text.trim_end_matches('=');
        // More would be no key of any suite.
        (text.len() <= LONGEST).then(|| STANDARD_NO_PAD.decode(text).ok())?
    }

    /// The master key identifier as it stands in packets; empty: there is none. None if it is longer than
    /// any that is in use.
    pub fn mki_bytes(&self) -> Option<SmallVec<[u8; 8]>> {
        let Some((number, len)) = self.mki else { return Some(SmallVec::new()) };
        let bytes = number.to_be_bytes();
        let len = usize::from(len);
        let first = bytes.len().checked_sub(len)?;
        bytes[..first].iter().all(|byte| *byte == 0).then(|| bytes[first..].into())
    }
}

/// `2^20`, or the number itself.
fn lifetime(text: &str) -> Option<u64> {
    match text.split_once('^') {
        Some(("2", power)) => 1u64.checked_shl(power.parse().ok()?),
        Some(_) => None,
        None => text.parse().ok(),
    }
}

/// The line that gives the far side a key of ours, without its end.
pub fn crypto_line(tag: u32, suite: &str, key_and_salt: &[u8]) -> String {
    format!("a=crypto:{tag} {suite} inline:{}", STANDARD.encode(key_and_salt))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Crypto, crypto_line};

    const KEY: &str = "PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR";

    fn usable(value: &str) -> bool {
        Crypto::read(value).is_some_and(|line| line.key.is_some())
    }

    #[test]
    fn a_line_is_read_with_its_lifetime_and_identifier() {
        let value = format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4 WSH=128");
        let line = Crypto::read(&value).unwrap();
        assert_eq!((line.tag, line.suite), (1, "AES_CM_128_HMAC_SHA1_80"));
        let key = line.key.unwrap();
        assert_eq!((key.lifetime, key.mki), (Some(1 << 20), Some((1, 4))));
        assert_eq!(key.bytes().unwrap().len(), 30);
        assert_eq!(key.bytes().unwrap()[..4], *b"=-n@");
        assert_eq!(key.mki_bytes().unwrap()[..], [0, 0, 0, 1]);
        assert!(!format!("{line:?}").contains(&KEY[..8]));
    }

    #[test]
    fn what_is_not_understood_makes_the_line_unusable() {
        let suite = "AES_CM_128_HMAC_SHA1_80";
        for usual in ["", " WSH=64", " -OURS=1", " KDR=0"] {
            assert!(usable(&format!("7 {suite} inline:{KEY}{usual}")), "{usual}");
        }
        for unusual in [
            "KDR=1",
            "UNENCRYPTED_SRTP",
            "UNENCRYPTED_SRTCP",
            "UNAUTHENTICATED_SRTP",
            "FEC_KEY=inline:x",
            "X",
        ] {
            let value = format!("7 {suite} inline:{KEY} {unusual}");
            assert_eq!(
                Crypto::read(&value).map(|line| (line.tag, line.key)),
                Some((7, None)),
                "{unusual}"
            );
        }
        for keys in [
            format!("inline:{KEY};inline:{KEY}"),
            format!("uri:{KEY}"),
            format!("inline:{KEY}|3^2"),
            format!("inline:{KEY}|1:0"),
        ] {
            assert!(!usable(&format!("7 {suite} {keys}")), "{keys}");
        }
        for no_line in ["", "1", "1 X", "x X inline:a", "-1 X inline:a", "1234567890 X inline:a"] {
            assert_eq!(Crypto::read(no_line), None, "{no_line}");
        }
    }

    #[test]
    fn a_key_may_lack_its_padding_and_must_be_base64() {
        let long = "a".repeat(200);
        for (text, len) in
            [("AAAA", Some(3)), ("AAA=", Some(2)), ("AAA", Some(2)), ("A*", None), (&long, None)]
        {
            let value = format!("1 X inline:{text}");
            let key = Crypto::read(&value).unwrap().key.unwrap();
            assert_eq!(key.bytes().map(|bytes| bytes.len()), len, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(tag in 0u32..1_000_000_000, key in prop::collection::vec(any::<u8>(), 30)) {
            let line = crypto_line(tag, "AES_CM_128_HMAC_SHA1_80", &key);
            let read = Crypto::read(line.strip_prefix("a=crypto:").unwrap()).unwrap();
            prop_assert_eq!(read.tag, tag);
            prop_assert_eq!(&read.key.unwrap().bytes().unwrap()[..], &key[..]);
        }

        #[test]
        fn nothing_makes_it_panic(value in "[ -~]{0,80}") {
            if let Some(key) = Crypto::read(&value).and_then(|line| line.key) {
                let _ = (key.bytes(), key.mki_bytes());
            }
        }
    }
}
