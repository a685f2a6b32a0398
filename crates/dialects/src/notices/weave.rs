//! Where in somebody else's dialog-info body a dialog of ours can be put.

use std::ops::Range;

use bytes::Bytes;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::notices::dialog_element::Spelling;

/// `body` with its version replaced if one is given, and with what `elements` writes put before the end
/// of its root. None if it is not a whole dialog-info document.
pub(crate) fn weave_in(
    body: &[u8],
    version: Option<u64>,
    elements: impl FnOnce(&Spelling) -> String,
) -> Option<Bytes> {
    let layout = Layout::of(body)?;
    let elements = elements(&layout.spelling);
    let mut woven = Vec::with_capacity(body.len() + elements.len() + 64);
    let mut copied = 0;
    let mut copy_to = |woven: &mut Vec<u8>, end: usize, next: usize| {
        woven.extend_from_slice(body.get(copied..end).unwrap_or_default());
        copied = next;
    };
    if let Some(version) = version {
        match &layout.version {
            Some(at) => {
                copy_to(&mut woven, at.start, at.end);
                woven.extend_from_slice(version.to_string().as_bytes());
            }
            None => {
                copy_to(&mut woven, layout.name_end, layout.name_end);
                woven.extend_from_slice(format!(" version=\"{version}\"").as_bytes());
            }
        }
    }
    if !elements.is_empty() {
        match layout.end {
            RootEnd::Tag(at) => {
                copy_to(&mut woven, at, at);
                woven.extend_from_slice(elements.as_bytes());
            }
            RootEnd::Slash(at) => {
                // `<dialog-info …/>` must be opened to hold anything.
                copy_to(&mut woven, at, at + 2);
                let name = format!("{}dialog-info", layout.spelling.prefix);
                woven.extend_from_slice(format!(">\r\n{elements}</{name}>").as_bytes());
            }
        }
    }
    copy_to(&mut woven, body.len(), body.len());
    Some(Bytes::from(woven))
}

/// The version of a dialog-info document, which rises from one notice to the next (RFC 4235 §4.1.1).
pub fn dialog_info_version(body: &[u8]) -> Option<u64> {
    let at = Layout::of(body)?.version?;
    std::str::from_utf8(body.get(at)?).ok()?.trim().parse().ok()
}

/// Where the root ends.
enum RootEnd {
    /// At its closing tag, which begins here.
    Tag(usize),
    /// At once: the `/>` of its only tag begins here.
    Slash(usize),
}

/// Positions in a body, in bytes.
struct Layout {
    /// The value of the root's version.
    version: Option<Range<usize>>,
    /// After the root's name.
    name_end: usize,
    end: RootEnd,
    spelling: Spelling,
}

/// What is known once the root's first tag has been read.
struct Root {
    version: Option<Range<usize>>,
    name_end: usize,
    prefix: String,
}

impl Layout {
    fn of(body: &[u8]) -> Option<Layout> {
        // Markup is ASCII in every encoding that SIP bodies come in, so whatever is not ASCII may be
        // read as any letter: positions stay the same, and no encoding has to be known.
        let skipped = if body.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
        let ascii: String = body[skipped..]
            .iter()
            .map(|b| if b.is_ascii() { char::from(*b) } else { 'x' })
            .collect();
        let mut reader = Reader::from_str(&ascii);
        let (mut root, mut end, mut depth) = (None, None, 0_usize);
        let mut ascii_is_safer = std::str::from_utf8(body).is_err();
        loop {
            let at = skipped + usize::try_from(reader.buffer_position()).ok()?;
            let event = reader.read_event().ok()?;
            let after = skipped + usize::try_from(reader.buffer_position()).ok()?;
            match event {
                Event::Eof => break,
                Event::Decl(declaration) => {
                    let encoding = declaration.encoding().transpose().ok()?;
                    ascii_is_safer |= encoding.is_some_and(|e| !e.eq_ignore_ascii_case("utf-8"));
                }
                Event::Start(tag) if depth > 0 => {
                    checked(&tag)?;
                    depth += 1;
                }
                Event::Empty(tag) if depth > 0 => checked(&tag)?,
                Event::Start(tag) if root.is_none() => {
                    root = Some(Root::of(&tag, at)?);
                    depth = 1;
                }
                Event::Empty(tag) if root.is_none() => {
                    root = Some(Root::of(&tag, at)?);
                    end = Some(RootEnd::Slash(after.checked_sub(2)?));
                }
                Event::Start(_) | Event::Empty(_) => return None,
                Event::End(_) => {
                    depth = depth.checked_sub(1)?;
                    if depth == 0 {
                        end = Some(RootEnd::Tag(at));
                    }
                }
                Event::Text(text) if depth == 0 => {
                    let blank = |b: u8| b.is_ascii_whitespace() || b == 0;
                    if !text.into_inner().bytes().all(blank) {
                        return None;
                    }
                }
                Event::CData(_) | Event::GeneralRef(_) if depth == 0 => return None,
                Event::Text(_)
                | Event::CData(_)
                | Event::GeneralRef(_)
                | Event::Comment(_)
                | Event::PI(_)
                | Event::DocType(_) => {}
            }
        }
        let (root, end) = (root?, if depth == 0 { end? } else { return None });
        let spelling = Spelling { prefix: root.prefix, ascii: ascii_is_safer };
        Some(Layout { version: root.version, name_end: root.name_end, end, spelling })
    }
}

impl Root {
    /// Reads the root's first tag, which begins at `at`.
    fn of(tag: &BytesStart<'_>, at: usize) -> Option<Root> {
        let name = tag.name();
        let prefix = name.as_ref().strip_suffix("dialog-info")?;
        if !(prefix.is_empty() || prefix.ends_with(':') && prefix.len() > 1) {
            return None;
        }
        let name_end = at + 1 + name.as_ref().len();
        let raw = tag.attributes_raw();
        let mut version = None;
        for attribute in tag.attributes() {
            let attribute = attribute.ok()?;
            if attribute.key.as_ref() == "version" {
                // The value is a slice of the tag, so its place is known from its address.
                let from = (attribute.value.as_ptr() as usize).checked_sub(raw.as_ptr() as usize)?;
                let to = from + attribute.value.len();
                if raw.get(from..to) != Some(&*attribute.value) {
                    return None;
                }
                version = Some(name_end + from..name_end + to);
            }
        }
        Some(Root { version, name_end, prefix: prefix.to_owned() })
    }
}

/// Whether a tag's attributes can be read.
fn checked(tag: &BytesStart<'_>) -> Option<()> {
    tag.attributes().all(|attribute| attribute.is_ok()).then_some(())
}
