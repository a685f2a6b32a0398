//! Percent escapes in URIs (RFC 3261 §19.1.2).

use std::borrow::Cow;

/// Undoes `%41` escapes. What is not an escape, or would not be UTF-8 afterwards, stays as it is.
pub fn unescape(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let Some(first) = memchr::memchr(b'%', bytes) else {
        return Cow::Borrowed(text);
    };
    let mut plain = Vec::with_capacity(bytes.len());
    plain.extend_from_slice(&bytes[..first]);
    let mut at = first;
    while at < bytes.len() {
        let digits = (bytes[at] == b'%').then(|| bytes.get(at + 1..at + 3)).flatten();
        match digits.and_then(hex_pair) {
            Some(byte) => {
                plain.push(byte);
                at += 3;
            }
            None => {
                plain.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(plain).map_or(Cow::Borrowed(text), Cow::Owned)
}

fn hex_pair(digits: &[u8]) -> Option<u8> {
    let value = |digit: u8| char::from(digit).to_digit(16);
    u8::try_from(value(digits[0])? * 16 + value(digits[1])?).ok()
}

/// Escapes what may not stand in the user part of a URI.
pub fn escape_user(text: &str) -> Cow<'_, str> {
    escape(text, b"-_.!~*'()&=+$,;?/")
}

/// Escapes what may not stand in a header value behind `?` in a URI.
pub fn escape_header_value(text: &str) -> Cow<'_, str> {
    escape(text, b"-_.!~*'()[]/?:+$")
}

fn escape<'a>(text: &'a str, allowed: &[u8]) -> Cow<'a, str> {
    let stays = |byte: u8| byte.is_ascii_alphanumeric() || allowed.contains(&byte);
    if text.bytes().all(stays) {
        return Cow::Borrowed(text);
    }
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut escaped = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        if stays(byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push('%');
            escaped.push(char::from(DIGITS[usize::from(byte >> 4)]));
            escaped.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_where_they_are_escapes() {
        assert_eq!(unescape("%2A68%23"), "*68#");
        assert_eq!(unescape("100%"), "100%");
        assert_eq!(unescape("%zz%4"), "%zz%4");
        assert_eq!(unescape("%C3%A9"), "é");
        assert_eq!(unescape("%FF"), "%FF");
        assert_eq!(unescape("é%41"), "éA");
    }

    #[test]
    fn escaped_text_comes_back() {
        let text = "a@b;to-tag=1 é%#\"";
        assert_eq!(unescape(&escape_user(text)), text);
        assert_eq!(unescape(&escape_header_value(text)), text);
        assert_eq!(escape_header_value("a@b;x=1"), "a%40b%3Bx%3D1");
    }
}
