//! The lines of an SDP body, with CRLF, LF or nothing at the end.

use std::ops::Range;

/// One line `k=value`.
#[derive(Debug, Clone)]
pub(crate) struct SdpLine<'a> {
    /// The letter.
    pub(crate) kind: u8,
    /// What is behind `=`, trimmed; empty if it is not UTF-8.
    pub(crate) value: &'a str,
    /// Where the whole line lies, its end included.
    pub(crate) whole: Range<usize>,
}

impl<'a> SdpLine<'a> {
    /// Name and value of an attribute: `a=name:value`, or `a=name`, whose value is empty.
    pub(crate) fn attribute(&self) -> Option<(&'a str, &'a str)> {
        (self.kind == b'a').then(|| match memchr::memchr(b':', self.value.as_bytes()) {
            Some(i) => (&self.value[..i], self.value[i + 1..].trim()),
            None => (self.value, ""),
        })
    }
}

/// All lines; those that are not of the form `k=…` have kind 0.
pub(crate) fn lines(text: &[u8]) -> impl Iterator<Item = SdpLine<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at >= text.len() {
            return None;
        }
        let next = memchr::memchr(b'\n', &text[at..]).map_or(text.len(), |n| at + n + 1);
        let whole = at..next;
        at = next;
        Some(match &text[whole.clone()] {
            [kind, b'=', value @ ..] => {
                let value = std::str::from_utf8(value.trim_ascii()).unwrap_or("");
                SdpLine { kind: *kind, value, whole }
            }
            _ => SdpLine { kind: 0, value: "", whole },
        })
    })
}
