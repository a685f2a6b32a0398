//! The few questions about characters that every reader here asks (RFC 3261 §25.1).

/// SP or HTAB.
pub(crate) fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// Without blanks at both ends.
pub(crate) fn trim(text: &str) -> &str {
    trim_start(trim_end(text))
}

pub(crate) fn trim_start(text: &str) -> &str {
    let blanks = text.bytes().take_while(|&byte| is_blank(byte)).count();
    &text[blanks..]
}

pub(crate) fn trim_end(text: &str) -> &str {
    let blanks = text.bytes().rev().take_while(|&byte| is_blank(byte)).count();
    &text[..text.len() - blanks]
}

/// The first blank.
pub(crate) fn find_blank(text: &str) -> Option<usize> {
    memchr::memchr2(b' ', b'\t', text.as_bytes())
}

/// `token` of the grammar.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte)
}

/// Whether there is a blank or a control character, which no URI has.
pub(crate) fn has_blank_or_control(text: &str) -> bool {
    // Without an early way out, so that it is done many bytes at a time.
    text.bytes().fold(false, |found, byte| found | (byte <= b' ') | (byte == 0x7f))
}

/// The scheme of an absolute URI, without the colon.
pub(crate) fn scheme_of(uri: &str) -> Option<&str> {
    let scheme = &uri[..memchr::memchr(b':', uri.as_bytes())?];
    let mut bytes = scheme.bytes();
    let starts_well = bytes.next().is_some_and(|b| b.is_ascii_alphabetic());
    let goes_on_well = bytes.all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    (starts_well && goes_on_well).then_some(scheme)
}

/// Where the quoted string that begins at `start` ends: the index after its closing quote.
pub(crate) fn end_of_quoted(text: &str, start: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = start + 1;
    loop {
        let found = at + memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[found] == b'"' {
            return Some(found + 1);
        }
        at = found + 2;
    }
}

/// A number of digits only; what is too big for the type is its greatest value.
pub(crate) fn number(text: &str) -> Option<u32> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(text.bytes().fold(0u32, |n, b| n.saturating_mul(10).saturating_add(u32::from(b - b'0'))))
}
