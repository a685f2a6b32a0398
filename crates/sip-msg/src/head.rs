//! The index over a message's head: where each line is, and which name it has.

use bytes::Bytes;
use bytestring::ByteString;
use smallvec::SmallVec;

use crate::name::Name;
use crate::span::Span;
use crate::text::is_blank;
use crate::tidy::{Ending, ending, tidy};

/// No head is longer, in bytes; offsets in it fit 16 bits.
pub const MAX_HEAD: usize = 65_535;

/// One header line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    pub(crate) name: Name,
    /// From the first byte of the name to behind the line end.
    pub(crate) whole: Span,
    /// The value, trimmed.
    pub(crate) value: Span,
}

/// A head as received (but for folds), indexed.
#[derive(Debug)]
pub(crate) struct Head {
    /// The whole message; leading line ends are gone, the head is tidied.
    pub(crate) bytes: Bytes,
    /// The head again, of the same length; what is not UTF-8 is `?` here.
    pub(crate) text: ByteString,
    pub(crate) start: Span,
    pub(crate) lines: SmallVec<[Line; 24]>,
    /// Where the body begins.
    pub(crate) body: usize,
    /// Whether some line ends without carriage return.
    pub(crate) bare_ends: bool,
    /// The first thing that is wrong with the lines as such; the index holds what could be read.
    pub(crate) fault: Option<&'static str>,
}

struct Index {
    start: Span,
    lines: SmallVec<[Line; 24]>,
    body: usize,
    bare_ends: bool,
    fault: Option<&'static str>,
}

// Something in the head has to be straightened first.
struct Untidy;

impl Head {
    pub(crate) fn read(mut bytes: Bytes) -> Head {
        let leading = bytes.iter().take_while(|&&b| b == b'\r' || b == b'\n').count();
        if leading > 0 {
            bytes = bytes.slice(leading..);
        }
        let index = index(&bytes).or_else(|Untidy| {
            bytes = tidy(&bytes).into();
            index(&bytes)
        });
        let index = index.unwrap_or_else(|Untidy| Index::empty("stray carriage return"));
        let head = bytes.slice(..index.body);
        let text = match ByteString::try_from(head) {
            Ok(text) => text,
            Err(_) => same_length_text(&bytes[..index.body]).into(),
        };
        let Index { start, lines, body, bare_ends, fault } = index;
        Head { bytes, text, start, lines, body, bare_ends, fault }
    }

    pub(crate) fn value(&self, line: &Line) -> &str {
        line.value.of_text(&self.text)
    }

    pub(crate) fn name_text(&self, line: &Line) -> &str {
        let text = line.whole.of_text(&self.text);
        let colon = memchr::memchr(b':', text.as_bytes()).unwrap_or(0);
        crate::text::trim_end(&text[..colon])
    }

    pub(crate) fn all(&self, name: Name) -> impl Iterator<Item = &str> {
        self.lines.iter().filter(move |line| line.name == name).map(|line| self.value(line))
    }

    pub(crate) fn get(&self, name: Name) -> Option<&str> {
        self.lines.iter().find(|line| line.name == name).map(|line| self.value(line))
    }
}

impl Index {
    fn empty(fault: &'static str) -> Index {
        Index {
            start: Span::default(),
            lines: SmallVec::new(),
            body: 0,
            bare_ends: false,
            fault: Some(fault),
        }
    }
}

fn index(bytes: &[u8]) -> Result<Index, Untidy> {
    let head = &bytes[..bytes.len().min(MAX_HEAD)];
    let mut found = Index::empty("");
    found.fault = None;
    let mut at = 0;
    loop {
        let (end, next) = match ending(head, at) {
            Ending::Line(line) => (line.end, line.next),
            Ending::Stray(cr) if cr + 1 < head.len() || head.len() == bytes.len() => {
                return Err(Untidy);
            }
            Ending::Stray(_) | Ending::Nothing => {
                let too_long = head.len() < bytes.len();
                found.fault = Some(if too_long { "head too long" } else { "head has no end" });
                found.body = at;
                return Ok(found);
            }
        };
        found.bare_ends |= next - end == 1;
        if end == at {
            found.body = next;
            return Ok(found);
        }
        if head.get(next).copied().is_some_and(is_blank) {
            return Err(Untidy);
        }
        if at == 0 {
            found.start = Span::new(0, end);
        } else {
            match line(head, at, end, next) {
                Some(line) => found.lines.push(line),
                None => found.fault = found.fault.or(Some("header line without a name")),
            }
        }
        at = next;
    }
}

fn line(head: &[u8], at: usize, end: usize, next: usize) -> Option<Line> {
    let colon = memchr::memchr(b':', &head[at..end])?;
    let mut name = &head[at..at + colon];
    while let [shorter @ .., last] = name
        && is_blank(*last)
    {
        name = shorter;
    }
    if name.is_empty() {
        return None;
    }
    let (mut from, mut to) = (at + colon + 1, end);
    while from < to && is_blank(head[from]) {
        from += 1;
    }
    while to > from && is_blank(head[to - 1]) {
        to -= 1;
    }
    Some(Line {
        name: Name::of_bytes(name),
        whole: Span::new(at, next),
        value: Span::new(from, to),
    })
}

// Each byte that belongs to no valid UTF-8 sequence becomes `?`, so that offsets stand.
fn same_length_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(std::iter::repeat_n('?', chunk.invalid().len()));
    }
    text
}
