//! Text fit for XML 1.0.

use std::borrow::Cow;
use std::fmt::Write;

use quick_xml::escape::escape;

/// `text` with the five special characters escaped, and without what XML 1.0 §2.2 forbids outright.
pub(crate) fn xml_text(text: &str) -> String {
    let allowed =
        |c: char| matches!(c, '\t' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..);
    let clean: Cow<'_, str> = if text.chars().all(allowed) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.chars().map(|c| if allowed(c) { c } else { ' ' }).collect())
    };
    escape(clean).into_owned()
}

/// Text that has been made fit for XML, with every letter beyond ASCII as a character reference: it
/// reads the same in whatever encoding the document around it is.
pub(crate) fn ascii_only(text: &str) -> String {
    let mut ascii = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            ascii.push(c);
        } else {
            // Writing to a String cannot fail.
            let _ = write!(ascii, "&#{};", u32::from(c));
        }
    }
    ascii
}
