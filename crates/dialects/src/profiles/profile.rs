//! What one kind of phone understands.

use std::borrow::Cow;
use std::time::Duration;

use regex::Regex;

use crate::notices::{CiscoSpelling, DialogStyle, LampState};
use crate::profiles::kinds::{Certainty, NoticeKind};

/// One kind of phone.
#[derive(Debug, Clone)]
pub struct Profile {
    /// What it is called: `snom`.
    pub name: String,
    /// Which phones, by their `User-Agent`.
    pub user_agent: Regex,
    /// The notices that such a phone may understand, the best first. One that it refuses gives way to
    /// the next.
    pub notices: Vec<NoticeKind>,
    /// How a call in a slot lights a lamp that watches the slot.
    pub lamp: LampState,
    /// The template for the body of `park-info`, where no configured one fits: `broadworks`, `text`.
    pub template: Cow<'static, str>,
    /// Where such phones differ from others.
    pub quirks: Quirks,
    /// How sure all this is.
    pub certainty: Certainty,
    /// Where it is from, and what of it is a guess.
    pub source: Cow<'static, str>,
}

/// Where phones differ. What is none is left to the settings that hold for every phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quirks {
    /// How long a parker has to hang up by itself after it has been told that the park stands.
    pub bye_grace: Option<Duration>,
    /// What a REFER is answered with: 202 (RFC 3515) or 200 (RFC 7647).
    pub refer_status: u16,
    /// Whether `Refer-Sub: false` is taken at its word (RFC 4488); if not, NOTIFYs are sent all the same.
    pub refer_sub: bool,
    /// Whether a park server that such a phone asks without naming an orbit sends it to a free one by
    /// 302 (the BLISS draft), or parks there at once (RFC 5359 §2.15).
    pub park_redirect: bool,
    /// Whether the phone plays what it hears before its call is answered.
    pub early_media: bool,
    /// How a call parked at an extension lights a lamp that watches the extension.
    pub extension_lamp: LampState,
    /// Whether dialogs of an extension have BroadWorks' `bw:callpark`.
    pub callpark: bool,
    /// Whether a lamp tells who is parked.
    pub names_parkee: bool,
    /// Whether an empty slot is one dialog that has ended, instead of none.
    pub empty_has_ended: bool,
    /// The spelling of Cisco's monitored park.
    pub cisco_spelling: CiscoSpelling,
}

impl Default for Quirks {
    /// None.
    fn default() -> Quirks {
        Quirks {
            bye_grace: None,
            refer_status: 202,
            refer_sub: true,
            park_redirect: true,
            early_media: true,
            extension_lamp: LampState::Confirmed,
            callpark: false,
            names_parkee: true,
            empty_has_ended: false,
            cisco_spelling: CiscoSpelling::Params,
        }
    }
}

impl Profile {
    /// How parked calls are written for a lamp that watches their slot or lot.
    pub fn slot_style(&self) -> DialogStyle {
        DialogStyle {
            lamp: self.lamp,
            callpark: false,
            names_parkee: self.quirks.names_parkee,
            empty_has_ended: self.quirks.empty_has_ended,
        }
    }

    /// How parked calls are written for a lamp that watches the extension that they are parked at.
    pub fn extension_style(&self) -> DialogStyle {
        DialogStyle {
            lamp: self.quirks.extension_lamp,
            callpark: self.quirks.callpark,
            // There the PBX says what else is going on.
            empty_has_ended: false,
            ..self.slot_style()
        }
    }
}
