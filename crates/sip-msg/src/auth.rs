//! The one thing that we look at in credentials: whose they are (RFC 3261 §20.7, RFC 7616 §3.4).

use std::borrow::Cow;

use crate::text::{end_of_quoted, trim, trim_start};

/// The `username` in the value of an Authorization or Proxy-Authorization line of scheme Digest.
pub fn digest_username(value: &str) -> Option<Cow<'_, str>> {
    let value = trim(value);
    let (scheme, mut rest) = value.split_once([' ', '\t'])?;
    if !scheme.eq_ignore_ascii_case("Digest") {
        return None;
    }
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let equals = memchr::memchr(b'=', rest.as_bytes())?;
        let name = trim(&rest[..equals]);
        rest = trim_start(&rest[equals + 1..]);
        let quoted = rest.starts_with('"');
        let end = if quoted {
            end_of_quoted(rest, 0)?
        } else {
            memchr::memchr(b',', rest.as_bytes()).unwrap_or(rest.len())
        };
        if name.eq_ignore_ascii_case("username") {
            return Some(if quoted {
                unquoted(&rest[1..end - 1])
            } else {
                trim(&rest[..end]).into()
            });
        }
        rest = &rest[end..];
    }
}

fn unquoted(inner: &str) -> Cow<'_, str> {
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut plain = String::with_capacity(inner.len());
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        plain.extend(if letter == '\\' { letters.next() } else { Some(letter) });
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_username_is_found_wherever_it_stands() {
        for (value, name) in [
            (r#"Digest username="105",realm="x""#, "105"),
            (r#"digest realm="a, username=\"no\"", username = "b\"c" , x=1"#, "b\"c"),
            ("Digest qop=auth, username=105, nc=1", "105"),
        ] {
            assert_eq!(digest_username(value).unwrap(), name);
        }
    }

    #[test]
    fn other_schemes_and_broken_values_have_none() {
        for value in [
            "",
            "Digest",
            "Basic username=\"a\"",
            "Digest realm=\"x\"",
            "Digest username=\"a",
            "Digest a=\"b\"c",
        ] {
            assert!(digest_username(value).is_none(), "{value}");
        }
    }
}
