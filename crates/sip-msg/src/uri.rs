//! `sip:` and `sips:` URIs, raw slices with decoded views (RFC 3261 §19.1).

use std::borrow::Cow;
use std::net::IpAddr;
use std::ops::Range;

use crate::escape::unescape;
use crate::params::Params;
use crate::text::has_blank_or_control;

/// A `sip:` or `sips:` URI, as slices of the text it was read from.
#[derive(Debug, Clone)]
pub struct SipUri<'a> {
    text: &'a str,
    scheme: &'a str,
    userinfo: Option<&'a str>,
    host: &'a str,
    port: Option<u16>,
    // Of host and port, brackets included.
    place: Range<usize>,
    params: Params<'a>,
    headers: &'a str,
}

impl<'a> SipUri<'a> {
    /// Reads a URI without brackets; none for another scheme, or when it is not well formed.
    pub fn read(text: &'a str) -> Option<SipUri<'a>> {
        let colon = memchr::memchr(b':', text.as_bytes())?;
        let (scheme, rest) = (&text[..colon], &text[colon + 1..]);
        let known = scheme.eq_ignore_ascii_case("sip") || scheme.eq_ignore_ascii_case("sips");
        if !known || has_blank_or_control(rest) {
            return None;
        }
        // `;` and `?` may stand in a user part, `@` cannot stand anywhere else.
        let (userinfo, start) = match memchr::memchr(b'@', rest.as_bytes()) {
            Some(0) => return None,
            Some(at) => (Some(&rest[..at]), colon + 1 + at + 1),
            None => (None, colon + 1),
        };
        let tail = &text[start..];
        let end = memchr::memchr2(b';', b'?', tail.as_bytes()).unwrap_or(tail.len());
        let (host, port) = host_port(&tail[..end])?;
        let (params, headers) = match memchr::memchr(b'?', &tail.as_bytes()[end..]) {
            Some(mark) => (&tail[end..end + mark], &tail[end + mark + 1..]),
            None => (&tail[end..], ""),
        };
        let (place, params) = (start..start + end, Params::new(params));
        Some(SipUri { text, scheme, userinfo, host, port, place, params, headers })
    }

    /// `sip` or `sips`, as received.
    pub fn scheme(&self) -> &'a str {
        self.scheme
    }

    /// Whether the scheme is `sips`.
    pub fn is_sips(&self) -> bool {
        self.scheme.len() == 4
    }

    /// The user part as received, without password.
    pub fn user(&self) -> Option<&'a str> {
        self.userinfo.map(|u| memchr::memchr(b':', u.as_bytes()).map_or(u, |i| &u[..i]))
    }

    /// The user part with its escapes undone; empty if there is none.
    pub fn user_decoded(&self) -> Cow<'a, str> {
        unescape(self.user().unwrap_or(""))
    }

    /// The host; an IPv6 address without brackets.
    pub fn host(&self) -> &'a str {
        self.host
    }

    /// The host, if it is an address.
    pub fn host_ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// The port, if one is said.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Host and port as received, brackets included.
    pub fn host_port(&self) -> &'a str {
        &self.text[self.place.clone()]
    }

    /// The URI parameters.
    pub fn params(&self) -> Params<'a> {
        self.params
    }

    /// The value of a URI parameter, its name in any case; a flag's value is empty.
    pub fn param(&self, name: &str) -> Option<&'a str> {
        self.params.get(name)
    }

    /// The headers behind `?`: names as received, values with their escapes undone.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> + use<'a> {
        self.headers.split('&').filter(|header| !header.is_empty()).map(|header| {
            let (name, value) = header.split_once('=').unwrap_or((header, ""));
            (name, unescape(value))
        })
    }

    /// Whether there are headers behind `?`.
    pub fn has_headers(&self) -> bool {
        !self.headers.is_empty()
    }

    /// The decoded value of a header behind `?`, its name in any case.
    pub fn header(&self, name: &str) -> Option<Cow<'a, str>> {
        self.headers().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The URI without headers, and, if `params` is false, without parameters.
    pub fn without_headers(&self, params: bool) -> &'a str {
        let end = self.place.end + if params { self.params.as_str().len() } else { 0 };
        &self.text[..end]
    }

    /// The same URI with another `host[:port]` (an IPv6 host in brackets).
    pub fn with_host_port(&self, host: &str) -> String {
        let (before, after) = (&self.text[..self.place.start], &self.text[self.place.end..]);
        [before, host, after].concat()
    }
}

/// Parts `host[:port]`; an IPv6 host loses its brackets.
pub(crate) fn host_port(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, rest) = if let Some(inner) = text.strip_prefix('[') {
        let close = memchr::memchr(b']', inner.as_bytes())?;
        let host = &inner[..close];
        if !host.bytes().all(|b| b.is_ascii_hexdigit() || b == b':' || b == b'.') {
            return None;
        }
        (host, &inner[close + 1..])
    } else {
        let end = memchr::memchr(b':', text.as_bytes()).unwrap_or(text.len());
        let host = &text[..end];
        // Underscores are no hostname, but in wide use.
        if !host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)) {
            return None;
        }
        (host, &text[end..])
    };
    if host.is_empty() {
        return None;
    }
    match rest.strip_prefix(':') {
        None => rest.is_empty().then_some((host, None)),
        Some(port) if port.bytes().all(|b| b.is_ascii_digit()) => {
            Some((host, Some(port.parse().ok()?)))
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found() {
        let u = SipUri::read(
            "sip:%2A68105:pw@[2001:db8::1]:5070;user=phone;lr?Replaces=a%40b%3Bto-tag%3D1&x=2",
        )
        .unwrap();
        assert_eq!(u.user(), Some("%2A68105"));
        assert_eq!(u.user_decoded(), "*68105");
        assert_eq!((u.host(), u.port()), ("2001:db8::1", Some(5070)));
        assert!(u.host_ip().unwrap().is_ipv6());
        assert_eq!((u.param("USER"), u.param("lr"), u.param("x")), (Some("phone"), Some(""), None));
        assert_eq!(u.header("replaces").unwrap(), "a@b;to-tag=1");
        assert_eq!(u.without_headers(false), "sip:%2A68105:pw@[2001:db8::1]:5070");
        assert_eq!(
            u.with_host_port("pbx"),
            "sip:%2A68105:pw@pbx;user=phone;lr?Replaces=a%40b%3Bto-tag%3D1&x=2"
        );
    }

    #[test]
    fn a_user_part_may_hold_semicolon_and_question_mark() {
        let u = SipUri::read("sip:user;par=u%40example.net?a@example.com").unwrap();
        assert_eq!((u.user(), u.host()), (Some("user;par=u%40example.net?a"), "example.com"));
        assert_eq!(u.params().as_str(), "");
    }

    #[test]
    fn what_is_no_sip_uri_is_refused() {
        for text in [
            "tel:+1",
            "sip:",
            "sip:@h",
            "sip:u@",
            "sip:u@h:port",
            "sip:u@h:99999",
            "sip:u@h; lr",
            "sip:u@[::1",
            "sip:u@[zz]",
            "sip:u@h:5060x",
            "105@h",
            "sip:u@h/x",
            "sip:u@h:",
        ] {
            assert!(SipUri::read(text).is_none(), "{text}");
        }
    }
}
