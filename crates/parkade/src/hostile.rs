//! Text from outside: what of it must never stand raw in a line of the log or in a terminal.

use std::fmt::Write;

/// Whether a character does something instead of being seen: controls (C0, C1), separators of lines, marks that turn the
/// direction of text around (UAX #9), invisible marks and tags, private use. The joiners that words and pictures need do not.
pub(crate) fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{e000}'..='\u{f8ff}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}' | '\u{f0000}'..)
}

/// JSON that means the same and holds none of them; ends of lines, which are between its values, stay.
pub(crate) fn harmless_json(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && is_hostile(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string does not fail.
                let _ = write!(text, "\\u{unit:04x}");
            }
        } else {
            text.push(c);
        }
    }
    text
}

/// One of each kind, with something to be seen around them.
#[cfg(test)]
pub(crate) const HOSTILE: &str = "<b>Jane</b>\x1b[2J\x07\r\nINFO forged\t\u{85}\u{9b}31m\u{200f}\u{202e}gnp\u{2066}\u{2028}\u{ad}\u{feff}\u{e0041}\"x\\";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmless_json_is_read_as_what_it_was() {
        let said = serde_json::json!({ "name": HOSTILE, "list": [1, "Zoë 明"] });
        let text = harmless_json(&serde_json::to_string_pretty(&said).unwrap());
        assert!(!text.chars().any(|c| c != '\n' && is_hostile(c)), "{text:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), said);
    }
}
