//! A message of our own, line by line.

use bytes::Bytes;

use crate::draft::{Draft, DraftStart};
use crate::message::Message;
use crate::method::Method;
use crate::name::Name;
use crate::put::{put_length, put_line, put_request_line, put_status_line};
use crate::reason::reason_phrase;

/// A request or response that we say ourselves. Lines stand in the order in which they are said;
/// Content-Type and Content-Length come last, Vias are put in by whoever sends it.
#[derive(Debug)]
pub struct Compose {
    out: Vec<u8>,
    vias_at: usize,
    start: DraftStart,
    // Where a tag may be put behind To.
    to_end: Option<usize>,
    body: Bytes,
}

impl Compose {
    /// Begins a request with its first line only.
    pub fn request(method: &str, uri: &str) -> Compose {
        let mut out = Vec::with_capacity(768);
        put_request_line(&mut out, method, uri);
        let start = DraftStart::Request(Method::of(method));
        Compose { vias_at: out.len(), out, start, to_end: None, body: Bytes::new() }
    }

    /// Begins a response (`reason` none: the usual phrase) with From, To, Call-ID and CSeq as the
    /// request has them (RFC 3261 §8.2.6.2).
    pub fn response_to(request: &Message, status: u16, reason: Option<&str>) -> Compose {
        let mut out = Vec::with_capacity(512);
        put_status_line(&mut out, status, reason.unwrap_or_else(|| reason_phrase(status)));
        let vias_at = out.len();
        let head = request.head();
        let mut to_end = None;
        for name in [Name::From, Name::To, Name::CallId, Name::CSeq] {
            let Some(line) = head.lines.iter().find(|line| line.name == name) else {
                continue;
            };
            out.extend_from_slice(name.as_str().as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(&head.bytes[line.value.range()]);
            if name == Name::To && request.to_tag().is_none() {
                to_end = Some(out.len());
            }
            out.extend_from_slice(b"\r\n");
        }
        let start = DraftStart::Response(status);
        Compose { out, vias_at, start, to_end, body: Bytes::new() }
    }

    /// Adds a line. (Via and Content-Length are not said by hand, and ignored.)
    #[must_use]
    pub fn line(mut self, name: Name, value: impl AsRef<str>) -> Self {
        if !matches!(name, Name::Via | Name::ContentLength | Name::Other) {
            put_line(&mut self.out, name.as_str(), value.as_ref());
        }
        self
    }

    /// Adds a line whose name [`Name`] does not know.
    #[must_use]
    pub fn other(self, name: &str, value: impl AsRef<str>) -> Self {
        match Name::of(name) {
            Name::Other => {
                let mut compose = self;
                put_line(&mut compose.out, name, value.as_ref());
                compose
            }
            known => self.line(known, value),
        }
    }

    /// Adds a line of that name for each line that `message` has, as received. So a response gets the
    /// Record-Routes of its request.
    #[must_use]
    pub fn copy(mut self, message: &Message, name: Name) -> Self {
        let head = message.head();
        for line in head.lines.iter().filter(|line| line.name == name) {
            self.out.extend_from_slice(name.as_str().as_bytes());
            self.out.extend_from_slice(b": ");
            self.out.extend_from_slice(&head.bytes[line.value.range()]);
            self.out.extend_from_slice(b"\r\n");
        }
        self
    }

    /// Puts `;tag=` behind the To of a response, if it has none.
    #[must_use]
    pub fn to_tag(mut self, tag: &str) -> Self {
        if let Some(at) = self.to_end.take() {
            let param = [";tag=", tag].concat();
            self.out.splice(at..at, param.bytes().filter(|&b| b != b'\r' && b != b'\n'));
        }
        self
    }

    /// Adds a body and its Content-Type.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        put_line(&mut self.out, Name::ContentType.as_str(), content_type);
        self
    }

    /// The draft.
    pub fn finish(mut self) -> Draft {
        put_length(&mut self.out, self.body.len());
        self.out.extend_from_slice(b"\r\n");
        self.out.extend_from_slice(&self.body);
        Draft::new(self.out, self.vias_at, self.start)
    }
}
