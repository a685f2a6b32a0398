//! What is parked at extension 105, as notices tell it.
#![allow(dead_code, reason = "each test file uses its part")]

use dialects::{NoticeCall, ParkNotice, ParkedDialog};

/// A call that James has parked.
pub(crate) fn parked_call(name: Option<&str>, number: &str) -> NoticeCall {
    NoticeCall {
        parkee_name: name.map(str::to_owned),
        parkee_uri: format!("sip:{number}@pbx.example"),
        parkee_user: number.to_owned(),
        parker_name: Some("James".into()),
        parker_uri: "sip:103@pbx.example".into(),
        parker_user: "103".into(),
        parked_for_s: 12,
    }
}

/// These calls are parked there.
pub(crate) fn notice(calls: Vec<NoticeCall>) -> ParkNotice {
    ParkNotice {
        slot: "105".into(),
        lot: "office".into(),
        retrieve: "*88105".into(),
        domain: "pbx.example".into(),
        group: None,
        event: None,
        by: None,
        calls,
    }
}

/// Alice in a slot, as a dialog.
pub(crate) fn alice_at(slot: &str) -> ParkedDialog {
    ParkedDialog {
        id: "park-77".into(),
        call_id: "park-77@192.0.2.10".into(),
        local_tag: "A77".into(),
        remote_tag: "B77".into(),
        parkee_uri: "sip:+33176000001@pbx.example".into(),
        parkee_name: Some("Alice".into()),
        local_uri: format!("sip:{slot}@pbx.example"),
        target: format!("sip:{slot}@pbx.example"),
    }
}
