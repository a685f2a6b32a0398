//! A checked message: an index over the bytes as they came.

use std::sync::Arc;

use bytes::Bytes;

use crate::check::{Checked, check};
use crate::head::Head;
use crate::malformed::Malformed;
use crate::method::Method;
use crate::name::Name;
use crate::name_addr::NameAddr;
use crate::sdp::sdp_part;
use crate::start::Start;
use crate::text::{number, trim};
use crate::values::Values;
use crate::via::Via;

/// A SIP request or response that has passed all checks. Cheap to clone. All text is as received;
/// folds are blanks, and bytes that are not UTF-8 read as `?` (but are copied as they are).
#[derive(Debug, Clone)]
pub struct Message {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    head: Head,
    checked: Checked,
}

impl Message {
    /// Reads one datagram, or one message that [`crate::Framer`] has cut from a stream. Line ends
    /// before it and bytes behind its Content-Length are dropped (RFC 3261 §7.5, §18.3).
    ///
    /// # Errors
    /// What is not fit to be worked on, with the answer to it.
    pub fn read(bytes: Bytes) -> Result<Message, Malformed> {
        let mut head = Head::read(bytes);
        match check(&head) {
            Ok(checked) => {
                head.bytes.truncate(head.body + checked.body);
                Ok(Message { inner: Arc::new(Inner { head, checked }) })
            }
            Err(fault) => Err(Malformed::new(fault, &head)),
        }
    }

    pub(crate) fn head(&self) -> &Head {
        &self.inner.head
    }

    pub(crate) fn start(&self) -> &Start {
        &self.inner.checked.start
    }

    fn text(&self) -> &str {
        &self.inner.head.text
    }

    /// Whether it is a request.
    pub fn is_request(&self) -> bool {
        matches!(self.inner.checked.start, Start::Request { .. })
    }

    /// The method of a request; see [`Message::cseq`] for that of a response.
    pub fn method(&self) -> Option<&Method> {
        match &self.inner.checked.start {
            Start::Request { method, .. } => Some(method),
            Start::Response { .. } => None,
        }
    }

    /// Whether it is a request of this method.
    pub fn is(&self, method: &Method) -> bool {
        self.method() == Some(method)
    }

    /// The Request-URI; empty for a response.
    pub fn uri(&self) -> &str {
        match &self.inner.checked.start {
            Start::Request { uri, .. } => uri.of_text(self.text()),
            Start::Response { .. } => "",
        }
    }

    /// The status; 0 for a request.
    pub fn status(&self) -> u16 {
        match self.inner.checked.start {
            Start::Request { .. } => 0,
            Start::Response { status, .. } => status,
        }
    }

    /// The reason phrase; may be empty, and is for a request.
    pub fn reason(&self) -> &str {
        match &self.inner.checked.start {
            Start::Request { .. } => "",
            Start::Response { reason, .. } => reason.of_text(self.text()),
        }
    }

    /// The first line of that name, trimmed.
    pub fn get(&self, name: Name) -> Option<&str> {
        self.inner.head.get(name)
    }

    /// Whether there is a line of that name.
    pub fn has(&self, name: Name) -> bool {
        self.inner.head.lines.iter().any(|line| line.name == name)
    }

    /// All lines of that name, in order.
    pub fn all(&self, name: Name) -> impl Iterator<Item = &str> {
        self.inner.head.all(name)
    }

    /// All values of that name: its lines parted at their commas (not in quotes or brackets).
    pub fn values(&self, name: Name) -> impl Iterator<Item = &str> {
        self.all(name).flat_map(Values::of).filter(|value| !value.is_empty())
    }

    /// The first line of a name that [`Name`] does not know, in any case.
    pub fn other(&self, name: &str) -> Option<&str> {
        let head = &self.inner.head;
        let known = Name::of(name);
        if known != Name::Other {
            return head.get(known);
        }
        let of_that_name = |line: &&crate::head::Line| {
            line.name == Name::Other && head.name_text(line).eq_ignore_ascii_case(name)
        };
        head.lines.iter().find(of_that_name).map(|line| head.value(line))
    }

    /// All lines in order: name as received, value.
    pub fn lines(&self) -> impl Iterator<Item = (&str, &str)> {
        let head = &self.inner.head;
        head.lines.iter().map(|line| (head.name_text(line), head.value(line)))
    }

    /// From.
    pub fn from(&self) -> NameAddr<'_> {
        self.address(self.inner.checked.from.of_text(self.text()))
    }

    /// To.
    pub fn to(&self) -> NameAddr<'_> {
        self.address(self.inner.checked.to.of_text(self.text()))
    }

    #[expect(clippy::expect_used, reason = "read() has read this very text")]
    fn address<'a>(&'a self, value: &'a str) -> NameAddr<'a> {
        NameAddr::read(value).expect("a checked address")
    }

    /// The tag of From; a client of RFC 2543 may have none.
    pub fn from_tag(&self) -> Option<&str> {
        self.inner.checked.from_tag.map(|tag| tag.of_text(self.text()))
    }

    /// The tag of To.
    pub fn to_tag(&self) -> Option<&str> {
        self.inner.checked.to_tag.map(|tag| tag.of_text(self.text()))
    }

    /// Call-ID.
    pub fn call_id(&self) -> &str {
        self.inner.checked.call_id.of_text(self.text())
    }

    /// The number and the method of CSeq.
    pub fn cseq(&self) -> (u32, &str) {
        (self.inner.checked.cseq, self.inner.checked.cseq_method.of_text(self.text()))
    }

    /// The top Via.
    #[expect(clippy::expect_used, reason = "read() has read this very text")]
    pub fn via(&self) -> Via<'_> {
        Via::read(self.inner.checked.via.of_text(self.text())).expect("a checked Via")
    }

    /// All Vias, the top one first.
    pub fn vias(&self) -> impl Iterator<Item = Via<'_>> {
        self.values(Name::Via).filter_map(Via::read)
    }

    /// The contacts that can be read; `*` is one with that URI.
    pub fn contacts(&self) -> impl Iterator<Item = NameAddr<'_>> {
        self.addresses(Name::Contact)
    }

    /// All values of that name that can be read as addresses: Route, Record-Route, Path …
    pub fn addresses(&self, name: Name) -> impl Iterator<Item = NameAddr<'_>> {
        self.values(name).filter_map(NameAddr::read)
    }

    /// Max-Forwards; at most 255 in a request.
    pub fn max_forwards(&self) -> Option<u32> {
        self.get(Name::MaxForwards).and_then(number)
    }

    /// Expires in seconds; what is too big for 32 bits is the greatest value (RFC 4475 §3.1.2.4).
    pub fn expires(&self) -> Option<u32> {
        self.get(Name::Expires).and_then(number)
    }

    /// Content-Type, with its parameters.
    pub fn content_type(&self) -> Option<&str> {
        self.get(Name::ContentType)
    }

    /// Whether a list such as Supported, Require or Allow has this element, in any case; parameters
    /// of the element are not looked at.
    pub fn has_option(&self, name: Name, option: &str) -> bool {
        self.values(name).any(|value| {
            let end = memchr::memchr(b';', value.as_bytes()).unwrap_or(value.len());
            trim(&value[..end]).eq_ignore_ascii_case(option)
        })
    }

    /// The body; shares the message's memory.
    pub fn body(&self) -> Bytes {
        self.inner.head.bytes.slice(self.inner.head.body..)
    }

    /// The SDP of the body: the whole of it or a part of a multipart body.
    pub fn sdp(&self) -> Option<Bytes> {
        let body = self.body();
        let part = sdp_part(self.content_type()?, &body)?;
        Some(body.slice(part))
    }

    /// The whole message as received, but for folds and what `read` drops.
    pub fn bytes(&self) -> &Bytes {
        &self.inner.head.bytes
    }
}
