//! How phones ask to park or retrieve, and how phones are told.
//!
//! - [`Codes`] reads what was dialled or named in a transfer: park, group park, retrieve, slots.
//! - `asks`: one file per way of asking, each a pure reading of one message ([`Refer`], [`Invite`],
//!   [`InfoAsk`], [`RemoteCc`]). [`Keys`] alone remembers, for whoever owns it: the keys of one call.
//! - `notices`: one file per way of telling, each a pure writing of one body ([`Templates`] for
//!   `Event: park-info` and for `call-info`, [`DialogStyle`] for the lamps of slots and extensions, [`status_line`] and [`park_monitor`] for Cisco's enterprise phones, [`sipfrag`] for
//!   the outcome of a REFER).
//! - `profiles`: which phone understands which of them, by its `User-Agent` ([`Profiles`]).
//!
//! The crate keeps no state and decides nothing: whether the slot is free, who may park and which
//! call is meant is the engine's to say. A new dialect is a new file in `asks` or `notices` and a
//! sample in `tests/samples`; it touches no other room.
#![forbid(unsafe_code)]

mod asks;
mod codes;
mod notices;
mod profiles;

pub use asks::{
    BadAsk, BadInfoRule, CiscoCall, InfoAsk, InfoMatcher, InfoRule, InfoVerb, Invite, Key,
    KeyOutcome, KeySource, Keyed, Keys, OrbitAsk, ParkCommand, Refer, RemoteCc, SoftKey,
    info_status, info_taken, orbit_uri,
};
pub use codes::{Codes, Dialled, Place, is_in_ranges};
pub use notices::{
    BadTemplate, Body, CALL_INFO, CALLPARK_INFO, CiscoSpelling, DIALOG, DialogStyle, LampState,
    NoticeCall, PARK_INFO, ParkEvent, ParkNotice, ParkedDialog, PhoneDialog, REMOTECC_REQUEST,
    StatusText, Template, Templates, WrittenDialogs, dialog_info, dialog_info_version,
    idle_appearances, park_monitor, sipfrag, sipfrag_of, status_line, wants_callpark_info, weave,
};
pub use profiles::{BadProfile, Certainty, NoticeKind, Profile, ProfileText, Profiles, Quirks};
