//! Text from outside, made harmless for a terminal.

use park_core::ParkedView;

use crate::hostile::is_hostile;

/// The text without what a terminal takes as orders, or what changes the direction of reading.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if is_hostile(c) { '?' } else { c }).collect()
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

/// What becomes of a parked call, and by whom: `parked`, `recalling 103`.
pub(super) fn state(call: &ParkedView) -> String {
    match &call.who {
        Some(who) => format!("{} {}", call.state.word(), plain(who)),
        None => call.state.word().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hostile::HOSTILE;

    #[test]
    fn names_from_outside_give_no_orders_and_do_not_turn_the_line_around() {
        assert_eq!(plain("Jane\x1b[2J\r\n\u{202e}x\u{200f}\u{9b}"), "Jane?[2J???x??");
        assert_eq!(plain("Zoë 明 👨‍👩‍👧"), "Zoë 明 👨‍👩‍👧");
        let shown = plain(HOSTILE);
        assert_eq!(shown.chars().count(), HOSTILE.chars().count());
        assert!(!shown.chars().any(is_hostile), "{shown:?}");
        assert_eq!(short("0123456789", 5), "0123…");
        assert_eq!(short("01234", 5), "01234");
    }
}
