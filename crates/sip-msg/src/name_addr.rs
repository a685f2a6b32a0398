//! `name-addr` and `addr-spec` with parameters: From, To, Contact, Route, Refer-To … (RFC 3261 §20.10).

use std::borrow::Cow;
use std::ops::Range;

use crate::params::Params;
use crate::text::{end_of_quoted, has_blank_or_control, scheme_of, trim, trim_end, trim_start};
use crate::uri::SipUri;

/// A display name, a URI of any scheme, and parameters, as slices of the value they were read from.
/// `Contact: *` reads as the URI `*`.
#[derive(Debug, Clone)]
pub struct NameAddr<'a> {
    text: &'a str,
    display: &'a str,
    uri: &'a str,
    // Of the URI, with its brackets if it has some.
    place: Range<usize>,
    params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Reads one value. Without brackets, parameters belong to the header, not to the URI. Blanks
    /// next to the brackets and unquoted display names of any characters are forgiven.
    pub fn read(text: &'a str) -> Option<NameAddr<'a>> {
        let text = trim(text);
        if text == "*" {
            return Some(NameAddr {
                text,
                display: "",
                uri: text,
                place: 0..1,
                params: Params::default(),
            });
        }
        let open = if text.starts_with('"') {
            let after = end_of_quoted(text, 0)?;
            let open = text.len() - trim_start(&text[after..]).len();
            if text.as_bytes().get(open) != Some(&b'<') {
                return None;
            }
            open
        } else {
            match memchr::memchr2(b'<', b';', text.as_bytes()) {
                Some(i) if text.as_bytes()[i] == b'<' => i,
                _ => return NameAddr::bare(text),
            }
        };
        let close = open + memchr::memchr(b'>', &text.as_bytes()[open..])?;
        let uri = trim(&text[open + 1..close]);
        let params = NameAddr::params_of(&text[close + 1..])?;
        let place = open..close + 1;
        NameAddr { text, display: trim_end(&text[..open]), uri, place, params }.checked()
    }

    fn bare(text: &'a str) -> Option<NameAddr<'a>> {
        let end = memchr::memchr(b';', text.as_bytes()).unwrap_or(text.len());
        let uri = trim_end(&text[..end]);
        let params = NameAddr::params_of(&text[end..])?;
        NameAddr { text, display: "", uri, place: 0..uri.len(), params }.checked()
    }

    fn params_of(rest: &'a str) -> Option<Params<'a>> {
        let rest = trim(rest);
        (rest.is_empty() || rest.starts_with(';')).then(|| Params::new(rest))
    }

    fn checked(self) -> Option<NameAddr<'a>> {
        let good = scheme_of(self.uri).is_some()
            && !has_blank_or_control(self.uri)
            && memchr::memchr3(b'<', b'>', b'"', self.uri.as_bytes()).is_none();
        good.then_some(self)
    }

    /// The display name, unquoted and unescaped; none if it is empty.
    pub fn display(&self) -> Option<Cow<'a, str>> {
        let Some(inner) = self.display.strip_prefix('"').and_then(|d| d.strip_suffix('"')) else {
            return (!self.display.is_empty()).then_some(Cow::Borrowed(self.display));
        };
        if inner.is_empty() {
            return None;
        }
        if !inner.contains('\\') {
            return Some(Cow::Borrowed(inner));
        }
        let mut plain = String::with_capacity(inner.len());
        let mut letters = inner.chars();
        while let Some(letter) = letters.next() {
            plain.extend(if letter == '\\' { letters.next() } else { Some(letter) });
        }
        Some(Cow::Owned(plain))
    }

    /// The display name as received, with its quotes; may be empty.
    pub fn display_raw(&self) -> &'a str {
        self.display
    }

    /// The URI, without brackets.
    pub fn uri(&self) -> &'a str {
        self.uri
    }

    /// The URI, if it is `sip:` or `sips:` and well formed.
    pub fn sip_uri(&self) -> Option<SipUri<'a>> {
        SipUri::read(self.uri)
    }

    /// Where the URI, with its brackets if it has some, lies in the (trimmed) text.
    pub fn uri_range(&self) -> Range<usize> {
        self.place.clone()
    }

    /// Whether this is `Contact: *`.
    pub fn is_star(&self) -> bool {
        self.uri == "*"
    }

    /// The parameters behind the URI.
    pub fn params(&self) -> Params<'a> {
        self.params
    }

    /// The value of a parameter, its name in any case; a flag's value is empty. Quotes are taken off.
    pub fn param(&self, name: &str) -> Option<&'a str> {
        self.params.get(name)
    }

    /// Whether the parameter is there.
    pub fn has_param(&self, name: &str) -> bool {
        self.params.has(name)
    }

    /// The `tag`; an empty one counts as none.
    pub fn tag(&self) -> Option<&'a str> {
        self.param("tag").filter(|tag| !tag.is_empty())
    }

    /// The same value with another URI, always bracketed: display name and parameters stay as they came.
    pub fn with_uri(&self, new_uri: &str) -> String {
        let (before, after) = (&self.text[..self.place.start], &self.text[self.place.end..]);
        let mut value = String::with_capacity(before.len() + new_uri.len() + after.len() + 2);
        value.push_str(before);
        value.push('<');
        value.push_str(new_uri);
        value.push('>');
        value.push_str(after);
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_part_uri_parameters_from_header_parameters() {
        let a = NameAddr::read(r#""Park \"A\"" <sip:105@pbx;user=phone?x=1>;tag=7;lr"#).unwrap();
        assert_eq!(a.display().unwrap(), r#"Park "A""#);
        assert_eq!(a.uri(), "sip:105@pbx;user=phone?x=1");
        assert_eq!(a.tag(), Some("7"));
        assert_eq!(a.param("LR"), Some(""));
        assert_eq!(a.with_uri("sip:x"), r#""Park \"A\"" <sip:x>;tag=7;lr"#);
    }

    #[test]
    fn a_bare_uri_leaves_its_parameters_to_the_header() {
        let a = NameAddr::read("sip:105@pbx;tag=7").unwrap();
        assert_eq!((a.uri(), a.tag(), a.display()), ("sip:105@pbx", Some("7"), None));
        assert_eq!(a.with_uri("sip:x"), "<sip:x>;tag=7");
    }

    #[test]
    fn forgiven_forms_are_read() {
        for (text, uri) in [
            ("Bell, Alexander <sip:a.g.bell@example.com>;tag=43", "sip:a.g.bell@example.com"),
            ("\"Watson\" < sip:t@example.org >", "sip:t@example.org"),
            ("<tel:+1555>", "tel:+1555"),
            ("urn:service:sos", "urn:service:sos"),
            ("\"<sip:no@no>\"<sip:a@b>", "sip:a@b"),
            ("<sip:[2001:db8::1]:5060>;x=\"a;b>\"", "sip:[2001:db8::1]:5060"),
            ("*", "*"),
        ] {
            assert_eq!(NameAddr::read(text).unwrap().uri(), uri, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "<>",
            "\"Mr. J. User <sip:j@example.com>",
            "<sip:a@b",
            "sip:a b@c",
            "105",
            "<sip:a@b> x",
            "<sip:a\x07@b>",
        ] {
            assert!(NameAddr::read(text).is_none(), "{text}");
        }
    }
}
