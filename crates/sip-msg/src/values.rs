//! Several values in one line, parted by commas (RFC 3261 §7.3.1).

use crate::text::{end_of_quoted, trim};

/// The values of one line; commas in quotes and in brackets part nothing. Empty ones are given too.
pub(crate) struct Values<'a> {
    rest: Option<&'a str>,
}

impl<'a> Values<'a> {
    pub(crate) fn of(line: &'a str) -> Values<'a> {
        Values { rest: Some(line) }
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.rest?;
        match find_comma(text) {
            Some(i) => {
                self.rest = Some(&text[i + 1..]);
                Some(trim(&text[..i]))
            }
            None => {
                self.rest = None;
                Some(trim(text))
            }
        }
    }
}

fn find_comma(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        let found = at + memchr::memchr3(b',', b'"', b'<', bytes.get(at..)?)?;
        at = match bytes[found] {
            b',' => return Some(found),
            b'"' => end_of_quoted(text, found)?,
            _ => found + memchr::memchr(b'>', &bytes[found..])? + 1,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_quotes_and_brackets_part_nothing() {
        let line = r#" "A, B" <sip:a,b@c>;x="1,2" , <sip:d>,, sip:e"#;
        let values: Vec<_> = Values::of(line).collect();
        assert_eq!(values, [r#""A, B" <sip:a,b@c>;x="1,2""#, "<sip:d>", "", "sip:e"]);
    }
}
