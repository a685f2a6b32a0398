//! What Cisco's enterprise phones are told, against golden samples.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use dialects::{CiscoSpelling, ParkEvent, PhoneDialog, StatusText, park_monitor, status_line};

const SLOT: &str = "sip:701@pbx.example";
const ALICE: &str = "sip:+33176000001@pbx.example";

fn of_james() -> PhoneDialog<'static> {
    PhoneDialog { call_id: "p1@192.0.2.103", local_tag: "p103", remote_tag: "sc1" }
}

/// A sample file, whose lines end in LF; on the wire they end in CRLF.
macro_rules! sample {
    ($name:literal) => {
        crlf(include_bytes!(concat!("samples/cisco/", $name)))
    };
}

fn crlf(sample: &[u8]) -> Vec<u8> {
    let crlf = |b: &u8| if *b == b'\n' { b"\r\n".to_vec() } else { vec![*b] };
    sample.iter().flat_map(crlf).collect()
}

#[test]
fn the_status_line_says_where_the_call_is_parked() {
    let body = status_line(of_james(), StatusText::ParkedAt("701"), 5);
    assert_eq!(body.content_type, "application/x-cisco-remotecc-request+xml");
    assert_eq!(&body.bytes[..], sample!("parked-at.xml"));
}

#[test]
fn the_status_line_can_be_cleared() {
    let body = status_line(of_james(), StatusText::Cleared, 0);
    let needle = b"<statustext>\x80^</statustext>";
    assert!(body.bytes.windows(needle.len()).any(|window| window == needle));
}

#[test]
fn a_status_line_is_shown_for_a_minute_at_most() {
    let body = status_line(of_james(), StatusText::ParkedAt("701"), 255);
    let text = String::from_utf8_lossy(&body.bytes);
    assert!(text.contains("<displaytimeout>60</displaytimeout>"), "{text}");
}

#[test]
fn nothing_but_the_phrase_is_outside_of_ascii() {
    let dialog = PhoneDialog { call_id: "ü<", ..of_james() };
    let body = status_line(dialog, StatusText::ParkedAt("Küche&"), 5);
    assert_eq!(body.bytes.iter().filter(|b| !b.is_ascii()).count(), 1);
    let text = String::from_utf8_lossy(&body.bytes);
    assert!(text.contains("K&#252;che&amp;</statustext>"), "{text}");
    assert!(text.contains("<callid>&#252;&lt;</callid>"), "{text}");
}

#[test]
fn a_monitored_park_is_a_confirmed_dialog() {
    let body = park_monitor(CiscoSpelling::Params, 1, ParkEvent::Parked, SLOT, ALICE);
    assert_eq!(body.content_type, "application/dialog-info+xml");
    assert_eq!(&body.bytes[..], sample!("parked-params.xml"));
    assert_eq!(body.bytes.len(), 506);
}

#[test]
fn the_other_spelling_has_no_scheme_in_its_entity() {
    let body = park_monitor(CiscoSpelling::Parmams, 2, ParkEvent::Retrieved, SLOT, ALICE);
    assert_eq!(&body.bytes[..], sample!("retrieved-parmams.xml"));
}

#[test]
fn a_reminder_leaves_the_dialog_confirmed_and_every_ending_terminates_it() {
    for (event, word, state) in [
        (ParkEvent::Parked, "parked", "confirmed"),
        (ParkEvent::Reminder, "reminder", "confirmed"),
        (ParkEvent::Retrieved, "retrieved", "terminated"),
        (ParkEvent::Forwarded, "forwarded", "terminated"),
        (ParkEvent::Abandoned, "abandoned", "terminated"),
        (ParkEvent::Error, "error", "terminated"),
    ] {
        let body = park_monitor(CiscoSpelling::Params, 3, event, SLOT, ALICE);
        let text = std::str::from_utf8(&body.bytes).unwrap();
        assert!(text.contains(&format!("<event>{word}</event>")), "{text}");
        assert!(text.contains(&format!("<state>{state}</state>")), "{text}");
    }
}

#[test]
fn hostile_uris_stay_text() {
    let evil = "sip:\"><dialog id='x'/>@evil.example";
    let body = park_monitor(CiscoSpelling::Params, 1, ParkEvent::Parked, evil, evil);
    let text = std::str::from_utf8(&body.bytes).unwrap();
    assert_eq!(text.matches("<dialog ").count(), 1, "{text}");
}
