//! A received message on its way out again: single lines changed, everything else as it came.

use bytes::Bytes;
use smallvec::{SmallVec, smallvec};

use crate::draft::{Draft, DraftStart};
use crate::head::{Head, Line};
use crate::message::Message;
use crate::name::Name;
use crate::put::{put_length, put_line, put_request_line, put_status_line, put_value};
use crate::sdp::sdp_part;
use crate::start::Start;
use crate::text::number;

/// An edit of a received message. Lines that are not named are copied byte for byte, in their places
/// and spelling; Vias are dropped, Content-Length is made right. (Neither can be set.)
#[derive(Debug)]
pub struct Edit<'m> {
    message: &'m Message,
    start: Option<NewStart>,
    changes: SmallVec<[Change; 6]>,
    appended: SmallVec<[(Key, String); 4]>,
    // The names in `changes`.
    touched: u128,
    body: Option<Bytes>,
}

#[derive(Debug)]
enum NewStart {
    Uri(String),
    Status(u16, String),
}

#[derive(Debug)]
enum Key {
    Known(Name),
    Other(String),
}

#[derive(Debug)]
struct Change {
    key: Key,
    values: SmallVec<[String; 1]>,
    placed: bool,
}

impl<'m> Edit<'m> {
    /// Begins with everything as it came, but for the Vias.
    pub fn of(message: &'m Message) -> Edit<'m> {
        Edit {
            message,
            start: None,
            changes: SmallVec::new(),
            appended: SmallVec::new(),
            touched: Name::Via.bit(),
            body: None,
        }
    }

    /// Another Request-URI, the same method. Nothing for a response.
    #[must_use]
    pub fn request_line(mut self, uri: &str) -> Self {
        if self.message.is_request() {
            self.start = Some(NewStart::Uri(uri.to_owned()));
        }
        self
    }

    /// Another status and reason phrase (none: the usual one). Nothing for a request.
    #[must_use]
    pub fn status_line(mut self, status: u16, reason: Option<&str>) -> Self {
        if !self.message.is_request() {
            let reason = reason.unwrap_or_else(|| crate::reason::reason_phrase(status));
            self.start = Some(NewStart::Status(status, reason.to_owned()));
        }
        self
    }

    /// The first line of that name gets this value in its place, other lines of the name go; it is
    /// appended if there was none.
    #[must_use]
    pub fn set(self, name: Name, value: impl Into<String>) -> Self {
        self.change(Key::Known(name), smallvec![value.into()])
    }

    /// All lines of that name are replaced by these; none removes them.
    #[must_use]
    pub fn set_all(self, name: Name, values: Vec<String>) -> Self {
        self.change(Key::Known(name), values.into())
    }

    /// All lines of that name go.
    #[must_use]
    pub fn remove(self, name: Name) -> Self {
        self.change(Key::Known(name), SmallVec::new())
    }

    /// One more line at the end of the head.
    #[must_use]
    pub fn append(mut self, name: Name, value: impl Into<String>) -> Self {
        if !is_ours(name) {
            self.appended.push((Key::Known(name), value.into()));
        }
        self
    }

    /// As [`Edit::append`], for a name that [`Name`] does not know.
    #[must_use]
    pub fn append_other(mut self, name: &str, value: impl Into<String>) -> Self {
        match Key::of(name) {
            Key::Known(known) => self.append(known, value),
            other => {
                self.appended.push((other, value.into()));
                self
            }
        }
    }

    /// As [`Edit::set`], for a name that [`Name`] does not know.
    #[must_use]
    pub fn set_other(self, name: &str, value: impl Into<String>) -> Self {
        self.change(Key::of(name), smallvec![value.into()])
    }

    /// As [`Edit::remove`], for a name that [`Name`] does not know.
    #[must_use]
    pub fn remove_other(self, name: &str) -> Self {
        self.change(Key::of(name), SmallVec::new())
    }

    /// Another body; without a `content_type` the line stays as it is, but goes if the body is empty.
    #[must_use]
    pub fn body(mut self, content_type: Option<&str>, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        self = match content_type {
            Some(content_type) => self.set(Name::ContentType, content_type),
            None if body.is_empty() => self.remove(Name::ContentType),
            None => self,
        };
        self.body = Some(body);
        self
    }

    /// Another SDP in the place of the one in the body, whether that is the whole body or a part of
    /// it. Nothing if the body has none.
    #[must_use]
    pub fn sdp(mut self, sdp: &[u8]) -> Self {
        let body = self.message.body();
        let part = self.message.content_type().and_then(|kind| sdp_part(kind, &body));
        if let Some(part) = part {
            self.body = Some([&body[..part.start], sdp, &body[part.end..]].concat().into());
        }
        self
    }

    fn change(mut self, key: Key, values: SmallVec<[String; 1]>) -> Self {
        let name = match &key {
            Key::Known(name) if is_ours(*name) => return self,
            Key::Known(name) => *name,
            Key::Other(_) => Name::Other,
        };
        self.touched |= name.bit();
        self.appended.retain(|(appended, _)| !appended.is(&key));
        match self.changes.iter_mut().find(|change| change.key.is(&key)) {
            Some(change) => change.values = values,
            None => self.changes.push(Change { key, values, placed: false }),
        }
        self
    }

    /// The draft.
    pub fn finish(mut self) -> Draft {
        let head = self.message.head();
        let body = self.body.take().unwrap_or_else(|| self.message.body());
        let mut out = Vec::with_capacity(self.room(body.len()));
        let start = self.put_start(&mut out);
        let vias_at = out.len();
        let mut has_length = false;
        // What is copied as it is goes in runs of lines, as long as possible.
        let mut run = head.lines.first().map_or(0, |line| line.whole.start());
        for line in &head.lines {
            let is_length = line.name == Name::ContentLength;
            let as_is = if is_length {
                !has_length && number(head.value(line)) == u32::try_from(body.len()).ok()
            } else {
                self.touched & line.name.bit() == 0
            };
            has_length |= as_is && is_length;
            if as_is && !head.bare_ends {
                continue;
            }
            out.extend_from_slice(&head.bytes[run..line.whole.start()]);
            run = line.whole.end();
            if as_is {
                put_copy(&mut out, head, line);
            } else if is_length {
                if !std::mem::replace(&mut has_length, true) {
                    put_length(&mut out, body.len());
                }
            } else if line.name != Name::Via {
                self.put_changed(&mut out, head, line);
            }
        }
        let end = head.lines.last().map_or(run, |line| line.whole.end());
        out.extend_from_slice(&head.bytes[run..end]);
        self.put_rest(&mut out);
        if !has_length {
            put_length(&mut out, body.len());
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&body);
        Draft::new(out, vias_at, start)
    }

    fn room(&self, body: usize) -> usize {
        let changed = self.changes.iter().flat_map(|change| &change.values).map(|v| v.len() + 32);
        let appended = self.appended.iter().map(|(_, value)| value.len() + 32);
        let start = match &self.start {
            Some(NewStart::Uri(text) | NewStart::Status(_, text)) => text.len() + 32,
            None => 0,
        };
        self.message.head().body + body + changed.chain(appended).sum::<usize>() + start + 32
    }

    fn put_start(&self, out: &mut Vec<u8>) -> DraftStart {
        let head = self.message.head();
        match (&self.start, self.message.start()) {
            (Some(NewStart::Uri(uri)), Start::Request { method, .. }) => {
                put_request_line(out, method.as_str(), uri);
            }
            (Some(NewStart::Status(status, reason)), Start::Response { .. }) => {
                put_status_line(out, *status, reason);
                return DraftStart::Response(*status);
            }
            _ => {
                out.extend_from_slice(&head.bytes[head.start.range()]);
                out.extend_from_slice(b"\r\n");
            }
        }
        match self.message.start() {
            Start::Request { method, .. } => DraftStart::Request(method.clone()),
            Start::Response { status, .. } => DraftStart::Response(*status),
        }
    }

    fn put_changed(&mut self, out: &mut Vec<u8>, head: &Head, line: &Line) {
        let change = self.changes.iter_mut().find(|change| match &change.key {
            Key::Known(name) => *name == line.name,
            Key::Other(name) => {
                line.name == Name::Other && head.name_text(line).eq_ignore_ascii_case(name)
            }
        });
        let Some(change) = change else {
            return put_copy(out, head, line);
        };
        if std::mem::replace(&mut change.placed, true) {
            return;
        }
        let Some((first, more)) = change.values.split_first() else {
            return;
        };
        // The name keeps its spelling: a compact one may be there to save room.
        out.extend_from_slice(&head.bytes[line.whole.start()..line.value.start()]);
        put_value(out, first);
        out.extend_from_slice(b"\r\n");
        for value in more {
            put_line(out, change.key.as_str(), value);
        }
    }

    fn put_rest(&self, out: &mut Vec<u8>) {
        for change in self.changes.iter().filter(|change| !change.placed) {
            for value in &change.values {
                put_line(out, change.key.as_str(), value);
            }
        }
        for (key, value) in &self.appended {
            put_line(out, key.as_str(), value);
        }
    }
}

impl Key {
    fn of(name: &str) -> Key {
        match Name::of(name) {
            Name::Other => Key::Other(name.to_owned()),
            known => Key::Known(known),
        }
    }

    fn is(&self, other: &Key) -> bool {
        match (self, other) {
            (Key::Known(one), Key::Known(two)) => one == two,
            (Key::Other(one), Key::Other(two)) => one.eq_ignore_ascii_case(two),
            _ => false,
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Key::Known(name) => name.as_str(),
            Key::Other(name) => name,
        }
    }
}

// What nobody sets by hand.
fn is_ours(name: Name) -> bool {
    matches!(name, Name::Via | Name::ContentLength)
}

// A line as it came, but with a whole line end.
fn put_copy(out: &mut Vec<u8>, head: &Head, line: &Line) {
    out.extend_from_slice(&head.bytes[line.whole.start()..line.value.end()]);
    out.extend_from_slice(b"\r\n");
}
