//! `;name=value` parameters behind a value (RFC 3261 §7.3.1).

use crate::text::{end_of_quoted, trim};

/// The parameters of one value, as received: `;tag=1;lr`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Params<'a>(&'a str);

impl<'a> Params<'a> {
    /// Reads parameters lazily from `text`, which is empty or begins with `;`.
    pub fn new(text: &'a str) -> Params<'a> {
        Params(text)
    }

    /// The text itself.
    pub fn as_str(&self) -> &'a str {
        self.0
    }

    /// Names and values in order. A flag has no value; quotes around a value are taken off
    /// (its escapes stay).
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + use<'a> {
        self.iter_raw().map(|(name, value)| (name, value.map(unquote)))
    }

    /// Names and values in order, values as received.
    pub fn iter_raw(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + use<'a> {
        Pieces { rest: self.0 }.filter(|piece| !piece.is_empty()).map(|piece| match memchr::memchr(
            b'=',
            piece.as_bytes(),
        ) {
            None => (piece, None),
            Some(i) => (trim(&piece[..i]), Some(trim(&piece[i + 1..]))),
        })
    }

    /// The value of a parameter, its name in any case; a flag's value is empty.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.unwrap_or(""))
    }

    /// Whether the parameter is there, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    // Whether each `;` is followed by a name (the last one need not be), and every quote is closed.
    pub(crate) fn are_well_formed(&self) -> bool {
        (self.0.is_empty() || self.0.starts_with(';'))
            && Pieces { rest: self.0.strip_suffix(';').unwrap_or(self.0) }
                .all(|piece| !piece.is_empty())
            && quotes_close(self.0)
    }
}

fn unquote(value: &str) -> &str {
    value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value)
}

fn quotes_close(text: &str) -> bool {
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'"', &text.as_bytes()[at..]) {
        match end_of_quoted(text, at + found) {
            Some(end) => at = end,
            None => return false,
        }
    }
    true
}

// What is between semicolons, quotes respected; an open quote takes all that follows.
struct Pieces<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let body = match self.rest.strip_prefix(';') {
            Some(body) => body,
            None if self.rest.is_empty() => return None,
            None => self.rest,
        };
        let end = find_unquoted(body, b';').unwrap_or(body.len());
        self.rest = &body[end..];
        Some(trim(&body[..end]))
    }
}

/// The first `wanted` that is not in a quoted string; an open quote hides all that follows.
pub(crate) fn find_unquoted(text: &str, wanted: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        let found = at + memchr::memchr2(wanted, b'"', bytes.get(at..)?)?;
        if bytes[found] == wanted {
            return Some(found);
        }
        at = end_of_quoted(text, found)?;
    }
}
