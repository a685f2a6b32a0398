//! What several files of stories do alike: asking otherwise than by a code, and reading a lamp.
#![allow(dead_code, clippy::unwrap_used, reason = "each file of stories takes what it needs")]

pub(crate) mod orders;

use std::time::Duration;

use dialects::{InfoMatcher, InfoRule, InfoVerb};
use park_core::{GroupSettings, OwnSettings};
use simnet::World;

/// The command by which a phone has its call parked.
pub(crate) const COMMAND: &[u8] = br#"{"request":{"reqid":7,"command":"callpark"}}"#;

/// Presses keys one after another, by INFO.
pub(crate) fn press(w: &mut World, name: &str, keys: &str) {
    for key in keys.chars() {
        let body = format!("Signal={key}\r\nDuration=160\r\n");
        let body = Some(("application/dtmf-relay", body.as_bytes()));
        w.ask_in_call(name, "INFO", &[], body).pass(Duration::from_millis(900));
    }
}

/// Presses a soft key of a Cisco phone in somebody's call.
pub(crate) fn soft_key(w: &mut World, name: &str, key: &str) {
    let call = w.phone(name).current().unwrap();
    let (call_id, ours) = (&call.dialog.call_id, &call.dialog.local_tag);
    let theirs = call.dialog.remote_tag.clone().unwrap();
    let body = format!(
        "<?xml version=\"1.0\"?>\r\n<x-cisco-remotecc-request><softkeyeventmsg>\
         <softkeyevent>{key}</softkeyevent><dialogid><callid>{call_id}</callid>\
         <localtag>{ours}</localtag><remotetag>{theirs}</remotetag></dialogid>\
         </softkeyeventmsg></x-cisco-remotecc-request>"
    );
    let kind = "application/x-cisco-remotecc-request+xml";
    let lines = ["Refer-To: <cid:park1@10.0.0.101>"];
    w.ask(name, "REFER", "", &lines, Some((kind, body.as_bytes()))).settle();
}

/// The latest dialog that somebody's lamp shows, as what an INVITE with Replaces needs.
pub(crate) fn replaces(w: &World, name: &str, user: &str) -> String {
    let body = w.phone(name).watched(user).unwrap().last().unwrap();
    let of = |name: &str| {
        let text = body.split(&format!("{name}=\"")).nth(1).unwrap();
        text.split('"').next().unwrap().to_owned()
    };
    format!("{};to-tag={};from-tag={};early-only", of("call-id"), of("local-tag"), of("remote-tag"))
}

/// What somebody's only lamp watches.
pub(crate) fn lamp_of(w: &World, name: &str) -> String {
    w.phone(name).watches().next().unwrap().1.to_owned()
}

/// The group sales: 101, 102 and 103.
pub(crate) fn with_sales(w: &mut World) -> &mut World {
    w.lot(|lot| {
        lot.groups = vec![GroupSettings {
            name: "sales".into(),
            members: ["101".into(), "102".into(), "103".into()].to_vec(),
            own: OwnSettings::default(),
        }];
    })
}

/// INFO bodies such as `park 705` ask for a park, as is configured.
pub(crate) fn with_a_rule(w: &mut World) -> &mut World {
    let rule = InfoRule {
        content_type: "application/x-desk".into(),
        package: None,
        pointer: None,
        equals: None,
        regex: Some("^park ([0-9]+)$".into()),
        slot: Some("1".into()),
        asks: InfoVerb::Park,
    };
    w.settings(|s| s.info_rules = vec![InfoMatcher::new(&rule).unwrap()])
}
