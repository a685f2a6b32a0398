//! The body of one media type: all of a message's body, or a part of a multipart one
//! (RFC 2046 §5.1, RFC 5621).

use sip_msg::{Message, Name, Params};

/// The type and subtype of a Content-Type, in lower case, and its parameters.
pub(crate) fn media_type(content_type: &str) -> (String, Params<'_>) {
    let end = content_type.find(';').unwrap_or(content_type.len());
    (content_type[..end].trim().to_ascii_lowercase(), Params::new(&content_type[end..]))
}

/// Whether the body is coded in a way that is not read here (`Content-Encoding: gzip`).
pub(crate) fn is_encoded(message: &Message) -> bool {
    let encoding = message.get(Name::ContentEncoding).unwrap_or_default();
    !encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity")
}

/// The first part of `body` whose type is wanted, with that type.
pub(crate) fn part<'b>(
    content_type: &str,
    body: &'b [u8],
    wanted: impl Fn(&str) -> bool,
) -> Option<(String, &'b [u8])> {
    let (kind, params) = media_type(content_type);
    if wanted(&kind) {
        return Some((kind, body));
    }
    let boundary = params.get("boundary").filter(|boundary| !boundary.is_empty())?;
    if !kind.starts_with("multipart/") {
        return None;
    }
    let delimiter = [b"--", boundary.as_bytes()].concat();
    let (mut begin, mut at) = (None, 0);
    for line in body.split_inclusive(|&byte| byte == b'\n') {
        if line.starts_with(&delimiter) {
            let found = begin.and_then(|begin| content(&body[begin..at], &wanted));
            if found.is_some() {
                return found;
            }
            begin = Some(at + line.len());
        }
        at += line.len();
    }
    // The closing delimiter may have been lost.
    begin.and_then(|begin| content(&body[begin..], &wanted))
}

/// The content of one part if its type is wanted: lines, an empty line, and what follows.
fn content(part: &[u8], wanted: impl Fn(&str) -> bool) -> Option<(String, &[u8])> {
    let (mut kind, mut at) = (None, 0);
    for line in part.split_inclusive(|&byte| byte == b'\n') {
        at += line.len();
        let line = line.trim_ascii();
        if line.is_empty() {
            return kind.map(|kind| (kind, part[at..].trim_ascii_end()));
        }
        if let Ok(line) = std::str::from_utf8(line)
            && let Some((name, value)) = line.split_once(':')
            && name.trim_end().eq_ignore_ascii_case("Content-Type")
        {
            kind = Some(media_type(value).0).filter(|kind| wanted(kind));
        }
    }
    None
}
