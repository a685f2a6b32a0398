//! One key of a telephone's pad.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::notices::Body;

/// A DTMF key, known by its event number (RFC 4733 §3.2): 0 to 9, `*`, `#`, A to D, and the hook flash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key(u8);

const SIGNS: &[u8; 17] = b"0123456789*#ABCD!";

impl Key {
    /// The flash of the hook; in text it is `!`.
    pub const FLASH: Key = Key(16);

    /// The key of an RFC 4733 event.
    pub fn from_event(event: u8) -> Option<Key> {
        (usize::from(event) < SIGNS.len()).then_some(Key(event))
    }

    /// The key that a sign stands for, letters in any case.
    pub fn from_char(sign: char) -> Option<Key> {
        let sign = u8::try_from(sign.to_ascii_uppercase()).ok()?;
        SIGNS.iter().position(|&known| known == sign).and_then(|at| Key::from_event(at as u8))
    }

    /// A key as INFO bodies write it: its sign, or its event number. Two common servers read both.
    pub(crate) fn from_text(text: &str) -> Option<Key> {
        let mut signs = text.chars();
        match (signs.next(), signs.next()) {
            (Some(sign), None) => Key::from_char(sign),
            _ if text.len() <= 3 && text.bytes().all(|b| b.is_ascii_digit()) => {
                text.parse().ok().and_then(Key::from_event)
            }
            _ => None,
        }
    }

    /// Its RFC 4733 event.
    pub fn event(self) -> u8 {
        self.0
    }

    /// Its sign.
    pub fn as_char(self) -> char {
        char::from(SIGNS[usize::from(self.0)])
    }

    /// The key as the body of an INFO, for one that was held back and turned out not to be ours.
    pub fn dtmf_relay(self, duration_ms: u32) -> Body {
        Body {
            content_type: "application/dtmf-relay".into(),
            bytes: Bytes::from(format!("Signal={self}\r\nDuration={duration_ms}\r\n")),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_char())
    }
}
