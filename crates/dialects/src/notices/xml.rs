//! Text fit for XML 1.0.

use std::borrow::Cow;

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
