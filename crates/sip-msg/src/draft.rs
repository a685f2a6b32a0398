//! A message of ours, whole but for its Vias: those belong to whoever sends it.

use bytes::Bytes;

use crate::message::Message;
use crate::method::Method;
use crate::name::Name;
use crate::put::{put_length, put_line, put_number, put_request_line, put_value};
use crate::text::trim;

/// A message ready to be sent, without any Via. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Draft {
    bytes: Bytes,
    // Behind the start line.
    vias_at: usize,
    start: DraftStart,
}

#[derive(Debug, Clone)]
pub(crate) enum DraftStart {
    Request(Method),
    Response(u16),
}

impl Draft {
    pub(crate) fn new(bytes: Vec<u8>, vias_at: usize, start: DraftStart) -> Draft {
        Draft { bytes: bytes.into(), vias_at, start }
    }

    /// A request that was written down as [`as_bytes`](Draft::as_bytes) gives it.
    pub fn of_request(bytes: Bytes) -> Option<Draft> {
        let vias_at = memchr::memchr(b'\n', &bytes)? + 1;
        let line = std::str::from_utf8(&bytes[..vias_at]).ok()?;
        let method = Method::of(line.split(' ').next().filter(|word| !word.is_empty())?);
        Some(Draft { bytes, vias_at, start: DraftStart::Request(method) })
    }

    /// The whole message with these Via values, one line each, right behind the start line.
    pub fn with_vias<V: AsRef<str>>(&self, vias: &[V]) -> Bytes {
        let room: usize = vias.iter().map(|via| via.as_ref().len() + "Via: \r\n".len()).sum();
        let mut out = Vec::with_capacity(self.bytes.len() + room);
        out.extend_from_slice(&self.bytes[..self.vias_at]);
        for via in vias {
            out.extend_from_slice(b"Via: ");
            put_value(&mut out, via.as_ref());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(&self.bytes[self.vias_at..]);
        out.into()
    }

    /// The message as it is, without any Via.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The length in bytes, without any Via.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it is a request.
    pub fn is_request(&self) -> bool {
        matches!(self.start, DraftStart::Request(_))
    }

    /// The method of a request.
    pub fn method(&self) -> Option<&Method> {
        match &self.start {
            DraftStart::Request(method) => Some(method),
            DraftStart::Response(_) => None,
        }
    }

    /// The status; 0 for a request.
    pub fn status(&self) -> u16 {
        match self.start {
            DraftStart::Request(_) => 0,
            DraftStart::Response(status) => status,
        }
    }

    /// The Request-URI; empty for a response.
    pub fn uri(&self) -> &str {
        let line = std::str::from_utf8(&self.bytes[..self.vias_at]).unwrap_or("");
        match self.start {
            DraftStart::Request(_) => line.split(' ').nth(1).unwrap_or(""),
            DraftStart::Response(_) => "",
        }
    }

    /// The first line of that name, if it is UTF-8. Looks through the whole head: for the odd
    /// question, not for each message.
    pub fn get(&self, name: Name) -> Option<&str> {
        self.raw(name).find_map(|value| std::str::from_utf8(value).ok())
    }

    /// All lines of that name, in order, as far as they are UTF-8.
    pub fn all(&self, name: Name) -> impl Iterator<Item = &str> {
        self.raw(name).filter_map(|value| std::str::from_utf8(value).ok())
    }

    /// The number of CSeq.
    pub fn cseq(&self) -> Option<u32> {
        self.get(Name::CSeq)?.split([' ', '\t']).next()?.parse().ok()
    }

    fn raw(&self, name: Name) -> impl Iterator<Item = &[u8]> {
        lines(&self.bytes[self.vias_at..])
            .filter(move |(found, _)| Name::of_bytes(found) == name)
            .map(|(_, value)| value.trim_ascii())
    }

    /// The CANCEL for this INVITE (RFC 3261 §9.1); it goes with the INVITE's own top Via. `reason` is
    /// the value of a Reason line (RFC 3326).
    pub fn cancel(&self, reason: Option<&str>) -> Draft {
        let mut out = self.companion(&Method::Cancel);
        self.copy(&mut out.bytes, Name::To);
        if let Some(reason) = reason {
            put_line(&mut out.bytes, Name::Reason.as_str(), reason);
        }
        out.finish(Method::Cancel)
    }

    /// The ACK for a final response to this INVITE that is not a 2xx (RFC 3261 §17.1.1.3); it goes
    /// with the INVITE's own top Via.
    pub fn ack(&self, response: &Message) -> Draft {
        let mut out = self.companion(&Method::Ack);
        let head = response.head();
        if let Some(to) = head.lines.iter().find(|line| line.name == Name::To) {
            put_raw(&mut out.bytes, Name::To, &head.bytes[to.value.range()]);
        }
        out.finish(Method::Ack)
    }

    // What CANCEL and ACK take over from the request that they are about.
    fn companion(&self, method: &Method) -> Companion {
        let mut bytes = Vec::with_capacity(512);
        put_request_line(&mut bytes, method.as_str(), self.uri());
        let vias_at = bytes.len();
        put_line(&mut bytes, Name::MaxForwards.as_str(), "70");
        for name in [Name::Route, Name::From, Name::CallId] {
            self.copy(&mut bytes, name);
        }
        bytes.extend_from_slice(b"CSeq: ");
        put_number(&mut bytes, self.cseq().unwrap_or(0) as usize);
        bytes.push(b' ');
        put_value(&mut bytes, method.as_str());
        bytes.extend_from_slice(b"\r\n");
        Companion { bytes, vias_at }
    }

    fn copy(&self, out: &mut Vec<u8>, name: Name) {
        for value in self.raw(name) {
            put_raw(out, name, value);
        }
    }
}

struct Companion {
    bytes: Vec<u8>,
    vias_at: usize,
}

impl Companion {
    fn finish(mut self, method: Method) -> Draft {
        put_length(&mut self.bytes, 0);
        self.bytes.extend_from_slice(b"\r\n");
        Draft::new(self.bytes, self.vias_at, DraftStart::Request(method))
    }
}

fn put_raw(out: &mut Vec<u8>, name: Name, value: &[u8]) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

// Name and value of each line up to the empty one. Our own drafts have neither folds nor bare ends.
fn lines(head: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = head;
    std::iter::from_fn(move || {
        let end = memchr::memchr(b'\n', rest)?;
        let line = &rest[..end];
        rest = &rest[end + 1..];
        let colon = memchr::memchr(b':', line)?;
        Some((trim_name(&line[..colon]), &line[colon + 1..]))
    })
}

fn trim_name(name: &[u8]) -> &[u8] {
    std::str::from_utf8(name).map_or(name, |text| trim(text).as_bytes())
}
