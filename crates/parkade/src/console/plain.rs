//! Text from outside, made harmless for a terminal.

/// The text without what a terminal takes as orders, or what changes the direction of reading.
pub(super) fn plain(text: &str) -> String {
    let harmless = |c: char| match c {
        // Marks, embeddings, overrides and isolates of direction (Unicode, UAX #9); line separators.
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '?',
        '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{61c}' => '?',
        c if c.is_control() => '?',
        c => c,
    };
    text.chars().map(harmless).collect()
}

/// The same, cut to so many characters.
pub(super) fn short(text: &str, width: usize) -> String {
    let text = plain(text);
    if text.chars().count() <= width {
        return text;
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    kept + "…"
}

/// `1:05:09`, `5:09`.
pub(super) fn clock(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// `Jane <0301234>`, or the number alone.
pub(super) fn who(name: Option<&str>, number: &str) -> String {
    match name {
        Some(name) if !name.is_empty() => format!("{name} <{number}>"),
        _ => number.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_outside_give_no_orders_and_do_not_turn_the_line_around() {
        assert_eq!(plain("Jane\x1b[2J\r\n\u{202e}x\u{200f}\u{9b}"), "Jane?[2J???x??");
        assert_eq!(plain("Zoë 明"), "Zoë 明");
        assert_eq!(short("0123456789", 5), "0123…");
        assert_eq!(short("01234", 5), "01234");
    }
}
