//! Messages out of a stream (RFC 3261 §18.3).

use bytes::{Buf, Bytes, BytesMut};

use crate::head::MAX_HEAD;
use crate::name::Name;
use crate::text::is_blank;

/// The longest body, in bytes, that is taken from a stream.
pub const MAX_BODY: usize = 65_536;

// After a message of more bytes the buffer is given back: most connections are idle, and many.
const LARGE: usize = 4096;

/// What a stream gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Framed {
    /// One message, to be given to [`crate::Message::read`].
    Message(Bytes),
    /// A double CRLF between messages, to be answered with a CRLF (RFC 5626 §4.4.1).
    KeepAlive,
    /// Where the next message begins cannot be known any more: the connection is to be closed. If a
    /// head could be seen, it has been given as a message before, so that it can be answered.
    Garbage(&'static str),
}

/// Cuts a stream into messages, however it was cut into reads. Feed it with [`Framer::push`], then
/// take what there is (it is an iterator) until none comes; push again and go on.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: BytesMut,
    // Up to here there is no end of a head.
    scanned: usize,
    // Where the message ends, once its head is known.
    end: Option<usize>,
    state: State,
}

#[derive(Debug, Default, Clone, Copy)]
enum State {
    #[default]
    Open,
    // Garbage is to be told.
    Broken(&'static str),
    Closed,
}

impl Framer {
    /// A framer for a new connection.
    pub fn new() -> Framer {
        Framer::default()
    }

    /// Adds what was read. Nothing is kept once the stream has turned out to be garbage.
    pub fn push(&mut self, bytes: &[u8]) {
        if matches!(self.state, State::Open) {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// How many bytes wait for the rest of their message.
    pub fn waiting(&self) -> usize {
        self.buffer.len()
    }

    fn fail(&mut self, why: &'static str) -> Option<Framed> {
        self.state = State::Closed;
        self.buffer = BytesMut::new();
        Some(Framed::Garbage(why))
    }

    fn take(&mut self, length: usize) -> Option<Framed> {
        // A copy, so that a message that is kept does not keep the whole buffer.
        let message = Bytes::copy_from_slice(&self.buffer[..length]);
        self.buffer.advance(length);
        (self.scanned, self.end) = (0, None);
        if self.buffer.is_empty() && length > LARGE {
            self.buffer = BytesMut::new();
        }
        Some(Framed::Message(message))
    }

    // Line ends between messages. None: there may be more of them, wait.
    fn skip_line_ends(&mut self) -> Option<Option<Framed>> {
        loop {
            match self.buffer[..] {
                [b'\r', b'\n', b'\r', b'\n', ..] => {
                    self.buffer.advance(4);
                    return Some(Some(Framed::KeepAlive));
                }
                [] | [b'\r'] | [b'\r', b'\n'] | [b'\r', b'\n', b'\r'] => return None,
                [b'\r', b'\n', ..] => self.buffer.advance(2),
                [b'\r' | b'\n', ..] => self.buffer.advance(1),
                _ => return Some(None),
            }
        }
    }

    // Where the head ends, if it is all there.
    fn head_end(&mut self) -> Option<usize> {
        loop {
            let at = self.scanned + memchr::memchr(b'\n', &self.buffer[self.scanned..])?;
            match self.buffer[at + 1..] {
                [b'\n', ..] => return Some(at + 2),
                [b'\r', b'\n', ..] => return Some(at + 3),
                [] | [b'\r'] => {
                    self.scanned = at;
                    return None;
                }
                _ => self.scanned = at + 1,
            }
        }
    }
}

impl Iterator for Framer {
    type Item = Framed;

    fn next(&mut self) -> Option<Framed> {
        match self.state {
            State::Open => {}
            State::Broken(why) => return self.fail(why),
            State::Closed => return None,
        }
        if self.scanned == 0
            && self.end.is_none()
            && let Some(keep_alive) = self.skip_line_ends()?
        {
            return Some(keep_alive);
        }
        let end = match self.end {
            Some(end) => end,
            None => match self.head_end() {
                None if self.buffer.len() > MAX_HEAD => return self.fail("head too long"),
                None => return None,
                Some(head) if head > MAX_HEAD => return self.fail("head too long"),
                Some(head) => match content_length(&self.buffer[..head]) {
                    Ok(length) if length <= MAX_BODY => *self.end.insert(head + length),
                    Ok(_) => {
                        self.state = State::Broken("body too long");
                        return self.take(head);
                    }
                    Err(why) => {
                        self.state = State::Broken(why);
                        return self.take(head);
                    }
                },
            },
        };
        if self.buffer.len() < end { None } else { self.take(end) }
    }
}

// Without a Content-Length there is no body.
fn content_length(head: &[u8]) -> Result<usize, &'static str> {
    let mut found = None;
    let mut at = 0;
    while let Some(end) = memchr::memchr(b'\n', &head[at..]).map(|n| at + n + 1) {
        // Only these two letters begin `Content-Length` and `l`.
        if matches!(head[at], b'c' | b'C' | b'l' | b'L')
            && let Some(colon) = memchr::memchr(b':', &head[at..end])
            && Name::of_bytes(head[at..at + colon].trim_ascii_end()) == Name::ContentLength
        {
            let value = unfolded(&head[at + colon + 1..]);
            let length = digits(value).ok_or("bad Content-Length")?;
            if found.is_some_and(|found| found != length) {
                return Err("more than one Content-Length");
            }
            found = Some(length);
        }
        at = end;
    }
    Ok(found.unwrap_or(0))
}

// The value that begins here, with the lines that continue it.
fn unfolded(rest: &[u8]) -> &[u8] {
    let mut end = 0;
    loop {
        end = match memchr::memchr(b'\n', &rest[end..]) {
            Some(n) => end + n + 1,
            None => break rest,
        };
        if !rest.get(end).copied().is_some_and(is_blank) {
            break &rest[..end];
        }
    }
    .trim_ascii()
}

fn digits(value: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(value).ok()?;
    crate::text::number(text).map(|n| n as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(chunks: &[&[u8]]) -> Vec<Framed> {
        let mut framer = Framer::new();
        let mut all = Vec::new();
        for chunk in chunks {
            framer.push(chunk);
            all.extend(framer.by_ref());
        }
        all
    }

    #[test]
    fn messages_are_cut_by_their_content_length() {
        let one: &[u8] = b"A a SIP/2.0\r\nL : 3\r\n\r\nabc";
        let two: &[u8] = b"B b SIP/2.0\r\ncontent-length:\r\n 0\r\n\r\n";
        let three: &[u8] = b"C c SIP/2.0\nX: y\n\n";
        let whole = [b"\r\n", one, b"\r\n\r\n", two, three, b"\r\n"].concat();
        let expected = vec![
            Framed::Message(Bytes::from_static(one)),
            Framed::KeepAlive,
            Framed::Message(Bytes::from_static(two)),
            Framed::Message(Bytes::from_static(three)),
        ];
        assert_eq!(framed(&[&whole]), expected);
        let single: Vec<&[u8]> = whole.chunks(1).collect();
        assert_eq!(framed(&single), expected);
    }

    #[test]
    fn a_message_whose_length_cannot_be_known_is_the_last() {
        for length in ["x", "-1", "5\r\nl: 6", "70000", "99999999999999999999"] {
            let head = format!("A a SIP/2.0\r\nl: {length}\r\n\r\n");
            let all = framed(&[head.as_bytes(), b"B b SIP/2.0\r\n\r\n"]);
            assert_eq!(all.len(), 2, "{all:?}");
            assert_eq!(all[0], Framed::Message(Bytes::from(head)));
            assert!(matches!(all[1], Framed::Garbage(_)));
        }
    }

    #[test]
    fn a_head_without_end_is_garbage_in_the_end() {
        let mut framer = Framer::new();
        for _ in 0..70 {
            framer.push(&[b'x'; 1000]);
            if let Some(framed) = framer.next() {
                assert_eq!(framed, Framed::Garbage("head too long"));
                assert_eq!(framer.waiting(), 0);
                return;
            }
        }
        panic!("no end");
    }
}
