//! Parked calls as dialogs: documents of our own, and our dialogs woven into the PBX's.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use dialects::{LampState, ParkedDialog, dialog_info, weave};

fn alice() -> ParkedDialog {
    ParkedDialog {
        id: "park-77".into(),
        call_id: "park-77@192.0.2.10".into(),
        local_tag: "A77".into(),
        remote_tag: "B77".into(),
        parkee_uri: "sip:+33176000001@pbx.example".into(),
        parkee_name: Some("Alice".into()),
        local_uri: "sip:701@pbx.example".into(),
        target: "sip:701@pbx.example".into(),
    }
}

/// A sample file, whose lines end in LF; on the wire they end in CRLF.
macro_rules! sample {
    ($name:literal) => {
        include_str!(concat!("samples/dialog-info/", $name)).replace('\n', "\r\n")
    };
}

#[test]
fn a_parked_call_is_a_dialog_of_its_slot() {
    let body = dialog_info("sip:701@pbx.example", 3, LampState::Early, &[alice()]);
    assert_eq!(body.content_type, "application/dialog-info+xml");
    assert_eq!(std::str::from_utf8(&body.bytes).unwrap(), sample!("one-call.xml"));
}

#[test]
fn weaving_nothing_changes_nothing_but_the_version() {
    let body = sample!("one-call.xml");
    let same = weave(body.as_bytes(), None, LampState::Early, &[]).unwrap();
    assert_eq!(same, body);
    let newer = weave(body.as_bytes(), Some(1204), LampState::Early, &[]).unwrap();
    assert_eq!(newer, body.replace("version=\"3\"", "version=\"1204\""));
}
