//! Keys in INFO bodies. No standard says how; these four forms are what two common servers read:
//!
//! - `application/dtmf-relay`: lines `Signal=5`, `Duration=160`;
//! - `application/dtmf`: the key alone;
//! - `application/vnd.nortelnetworks.digits`: a line `d=5`;
//! - `application/hook-flash`: anything.

use crate::asks::key::Key;

/// How long a key counts as pressed if its body does not say (milliseconds).
const USUAL_MS: u32 = 100;

/// The types of bodies that carry keys.
pub(crate) const DTMF_TYPES: [&str; 4] = [
    "application/dtmf-relay",
    "application/dtmf",
    "application/vnd.nortelnetworks.digits",
    "application/hook-flash",
];

/// Whether bodies of this type carry keys.
pub(crate) fn is_dtmf(kind: &str) -> bool {
    DTMF_TYPES.contains(&kind)
}

/// The key in a body of that type and how long it was pressed, in milliseconds; none if there is no
/// one key to be read: then the far end may know better.
pub(crate) fn key_in(kind: &str, body: &[u8]) -> Option<(Key, u32)> {
    let text = std::str::from_utf8(body).ok()?;
    if kind == "application/hook-flash" {
        return Some((Key::FLASH, USUAL_MS));
    }
    let value = |name: &str| {
        text.split(['\r', '\n']).find_map(|line| {
            let (found, value) = line.split_once('=')?;
            found.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    match kind {
        "application/dtmf-relay" => {
            let duration = value("Duration").and_then(|ms| ms.parse().ok()).unwrap_or(USUAL_MS);
            Some((Key::from_text(value("Signal")?)?, duration))
        }
        "application/vnd.nortelnetworks.digits" => Some((Key::from_text(value("d")?)?, USUAL_MS)),
        "application/dtmf" => Some((Key::from_text(text.trim())?, USUAL_MS)),
        _ => None,
    }
}
