//! The first line (RFC 3261 §7.1, §7.2).

use crate::method::Method;
use crate::span::Span;
use crate::text::{has_blank_or_control, is_token, scheme_of};
use crate::uri::SipUri;

/// A start line, read.
#[derive(Debug)]
pub(crate) enum Start {
    Request { method: Method, uri: Span },
    Response { status: u16, reason: Span },
}

/// What is wrong with a start line, and the status that says so.
pub(crate) type Fault = (&'static str, u16);

impl Start {
    pub(crate) fn read(text: &str) -> Result<Start, Fault> {
        if is_response(text) { response(text) } else { request(text) }
    }
}

/// Whether the line looks like a status line, of whatever version.
pub(crate) fn is_response(text: &str) -> bool {
    text.as_bytes().get(..4).is_some_and(|begin| begin.eq_ignore_ascii_case(b"SIP/"))
}

/// The first word of a request line.
pub(crate) fn method_word(text: &str) -> &str {
    text.split(' ').next().unwrap_or("")
}

fn response(text: &str) -> Result<Start, Fault> {
    let (version, rest) = text.split_once(' ').unwrap_or((text, ""));
    check_version(version)?;
    let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    let digits = code.len() == 3 && code.bytes().all(|b| b.is_ascii_digit());
    match code.parse() {
        Ok(status @ 100..=699) if digits => {
            Ok(Start::Response { status, reason: Span::of(text, reason) })
        }
        _ => Err(("bad status code", 400)),
    }
}

fn request(text: &str) -> Result<Start, Fault> {
    let bad = ("bad request line", 400);
    let (first, last) =
        (memchr::memchr(b' ', text.as_bytes()), memchr::memrchr(b' ', text.as_bytes()));
    let (Some(first), Some(last)) = (first, last) else {
        return Err(bad);
    };
    if first == last {
        return Err(bad);
    }
    let (method, uri, version) = (&text[..first], &text[first + 1..last], &text[last + 1..]);
    if !is_token(method) {
        return Err(("bad method", 400));
    }
    // An element could strip superfluous blanks; but what passes them on takes part in the mistake
    // (RFC 4475 §3.1.2.8, §3.1.2.9).
    if uri.is_empty() || version.is_empty() || uri.starts_with(' ') || uri.ends_with(' ') {
        return Err(bad);
    }
    check_version(version)?;
    check_uri(uri)?;
    Ok(Start::Request { method: Method::of(method), uri: Span::of(text, uri) })
}

fn check_version(version: &str) -> Result<(), Fault> {
    if version.eq_ignore_ascii_case("SIP/2.0") {
        return Ok(());
    }
    match version.as_bytes() {
        [s, i, p, b'/', major, ..]
            if [*s, *i, *p].eq_ignore_ascii_case(b"SIP") && major.is_ascii_digit() =>
        {
            Err(("unsupported SIP version", 505))
        }
        _ => Err(("not SIP", 400)),
    }
}

fn check_uri(uri: &str) -> Result<(), Fault> {
    let scheme = scheme_of(uri).ok_or(("bad Request-URI", 400))?;
    let ours = scheme.eq_ignore_ascii_case("sip") || scheme.eq_ignore_ascii_case("sips");
    // Headers in a Request-URI must not be passed on (RFC 4475 §3.1.2.11). Any other scheme is for
    // somebody further on to know or to refuse (416).
    let good = if ours {
        SipUri::read(uri).is_some_and(|uri| !uri.has_headers())
    } else {
        !has_blank_or_control(uri)
    };
    if good { Ok(()) } else { Err(("bad Request-URI", 400)) }
}
