//! Where the SDP is in a body: all of it, or a part of a multipart one (RFC 2046 §5.1, RFC 5621).

use std::ops::Range;

use crate::params::Params;

/// Where the SDP lies in a body of that Content-Type, so that it can be replaced in place.
pub fn sdp_part(content_type: &str, body: &[u8]) -> Option<Range<usize>> {
    let (kind, params) = split(content_type);
    if body.is_empty() {
        return None;
    }
    if is_sdp(kind) {
        return Some(0..body.len());
    }
    let multipart = kind.get(..10).is_some_and(|begin| begin.eq_ignore_ascii_case("multipart/"));
    let boundary = params.get("boundary").filter(|b| multipart && !b.is_empty())?;
    let delimiter = [b"--", boundary.as_bytes()].concat();
    let mut part = None;
    let mut at = 0;
    while at < body.len() {
        let next = memchr::memchr(b'\n', &body[at..]).map_or(body.len(), |n| at + n + 1);
        if body[at..next].starts_with(&delimiter) {
            if let Some(start) = part
                && let Some(found) = sdp_in(body, start, at)
            {
                return Some(found);
            }
            part = Some(next);
        }
        at = next;
    }
    // The closing delimiter may have been lost.
    part.and_then(|start| sdp_in(body, start, body.len()))
}

fn split(content_type: &str) -> (&str, Params<'_>) {
    let end = memchr::memchr(b';', content_type.as_bytes()).unwrap_or(content_type.len());
    (content_type[..end].trim(), Params::new(&content_type[end..]))
}

fn is_sdp(kind: &str) -> bool {
    kind.eq_ignore_ascii_case("application/sdp")
}

// One part: lines, an empty line, the content; the line end before the delimiter belongs to that.
fn sdp_in(body: &[u8], start: usize, delimiter: usize) -> Option<Range<usize>> {
    let mut at = start;
    let mut sdp = false;
    while at < delimiter {
        let next = memchr::memchr(b'\n', &body[at..delimiter]).map_or(delimiter, |n| at + n + 1);
        let line = body[at..next].trim_ascii();
        at = next;
        if line.is_empty() {
            let content = &body[at..delimiter];
            let content = content.strip_suffix(b"\n").unwrap_or(content);
            let content = content.strip_suffix(b"\r").unwrap_or(content);
            return (sdp && !content.is_empty()).then_some(at..at + content.len());
        }
        let colon = memchr::memchr(b':', line)?;
        if line[..colon].trim_ascii().eq_ignore_ascii_case(b"Content-Type") {
            let value = std::str::from_utf8(&line[colon + 1..]).unwrap_or("");
            sdp = is_sdp(split(value).0);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_is_found_among_others() {
        let body = b"preamble\r\n--b 1\r\nContent-Type: text/plain\r\n\r\nv=0\r\n--b 1\r\n\
            content-type : Application/SDP;x=y\r\nContent-ID: <a>\r\n\r\nv=0\r\no=-\r\n\r\n--b 1--\r\n";
        let range = sdp_part("multipart/mixed; boundary=\"b 1\"", body).unwrap();
        assert_eq!(&body[range], b"v=0\r\no=-\r\n");
    }

    #[test]
    fn a_whole_body_is_sdp_or_not() {
        assert_eq!(sdp_part("application/SDP ; a=b", b"v=0"), Some(0..3));
        assert_eq!(sdp_part("application/sdp", b""), None);
        assert_eq!(sdp_part("text/plain", b"v=0"), None);
        assert_eq!(sdp_part("multipart/mixed", b"v=0"), None);
    }
}
