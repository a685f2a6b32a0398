//! The numbers of a lot.
#![allow(dead_code, reason = "each test file uses its part")]

use dialects::Codes;
use regex::Regex;

/// A lot with the usual codes, where this pattern says what counts as an extension.
pub(crate) fn office(extensions: &str) -> Codes {
    Codes {
        park: "*68".into(),
        group_park: "*58".into(),
        retrieve: "*88".into(),
        pickup: Some("**".into()),
        any_slot: Some("700".into()),
        slots: vec![(701, 720, 3)],
        extensions: Regex::new(extensions).unwrap(),
    }
}
