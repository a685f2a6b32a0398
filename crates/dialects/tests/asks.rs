//! Requests as phones send them, in files, and what they ask.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod shared;

use bytes::Bytes;
use dialects::{BadAsk, Invite, Refer};
use proptest::prelude::*;
use sip_msg::{Message, ReplacesId};

use shared::{invite, refer};

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn a_blind_transfer_to_a_code_names_it() {
    let refer = refer!("blind-to-code").unwrap();
    assert_eq!(
        refer,
        Refer {
            target: "sip:*68105@pbx.example;user=phone".into(),
            user: some("*68105"),
            host: some("pbx.example"),
            replaces: None,
            calls: true,
            referred_by: some("sip:103@pbx.example"),
            wants_no_subscription: false,
            server: None,
            orbit: None,
        }
    );
}

#[test]
fn every_way_to_write_a_target_is_read() {
    assert_eq!(refer!("blind-escaped").unwrap().user, some("%2A68105%23"));
    let bare = refer!("blind-bare").unwrap();
    // Behind a bare URI a parameter is the header's (RFC 8217).
    assert_eq!(bare.target, "sip:*68105@pbx.example");
    let named = refer!("blind-display-name").unwrap();
    assert_eq!((named.user, named.host), (some("701"), some("192.0.2.10")));
    assert_eq!(named.referred_by, some("sip:103@pbx.example"));
    let compact = refer!("compact").unwrap();
    assert_eq!((compact.user, compact.referred_by), (some("*68"), some("sip:103@pbx.example")));
    assert_eq!(refer!("tel").unwrap().user, some("*68105;phone-context=pbx.example"));
}

#[test]
fn a_consultation_is_named_in_the_target() {
    let refer = refer!("attended").unwrap();
    let named = ReplacesId {
        call_id: "q1@192.0.2.103".into(),
        to_tag: "sq1".into(),
        from_tag: "q103".into(),
        early_only: false,
    };
    assert_eq!(refer.replaces, Some(named));
    assert_eq!(refer.user, some("*68105"));
}

#[test]
fn a_phone_may_want_no_subscription() {
    assert!(refer!("no-subscription").unwrap().wants_no_subscription);
    assert!(!refer!("attended").unwrap().wants_no_subscription);
}

#[test]
fn not_every_refer_calls_a_number() {
    assert!(!refer!("other-method").unwrap().calls);
    let content = refer!("content-id").unwrap();
    assert_eq!((content.user, content.host), (None, None));
}

#[test]
fn a_bad_refer_is_answered_with_400_and_why() {
    let table = [
        (refer!("without-target"), "No Refer-To"),
        (refer!("two-targets-in-a-line"), "More Than One Refer-To"),
        (refer!("two-targets-in-lines"), "More Than One Refer-To"),
        (refer!("unreadable-target"), "Bad Refer-To"),
        (refer!("empty-target"), "Bad Refer-To"),
        (refer!("unreadable-replaces"), "Bad Replaces"),
        (refer!("two-replaces"), "More Than One Replaces"),
    ];
    for (read, why) in table {
        assert_eq!(read, Err(BadAsk { status: 400, why }));
    }
}

#[test]
fn an_invite_says_what_was_dialled() {
    let dialled = invite!("retrieve").unwrap();
    let user = some("%2A88105");
    assert_eq!(dialled, Invite { user, replaces: None, referred_by: None, orbit: None });
    assert_eq!(invite!("referred").unwrap().referred_by, some("sip:103@pbx.example"));
    assert_eq!(invite!("tel").unwrap().user, some("701"));
    assert_eq!(invite!("without-user").unwrap().user, None);
}

#[test]
fn a_code_is_dialled_with_the_call_held_or_to_be_transferred_into() {
    // A park key that dials, and the consultation of an attended transfer.
    for (read, user) in [(invite!("park-code"), "*68103"), (invite!("consultation"), "*68105")] {
        let read = read.unwrap();
        assert_eq!((read.user.as_deref(), read.replaces, read.orbit), (Some(user), None, None));
    }
    assert_eq!(invite!("pickup-code").unwrap().user, some("**701"));
}

#[test]
fn an_invite_may_name_the_call_that_it_takes() {
    let named = invite!("replaces").unwrap().replaces.unwrap();
    assert_eq!((&*named.call_id, named.early_only), ("park-77@192.0.2.10", true));
}

#[test]
fn a_bad_replaces_is_answered_with_400() {
    for (read, why) in [
        (invite!("two-replaces"), "More Than One Replaces"),
        (invite!("two-replaces-in-a-line"), "More Than One Replaces"),
        (invite!("unreadable-replaces"), "Bad Replaces"),
    ] {
        assert_eq!(read, Err(BadAsk { status: 400, why }));
    }
}

proptest! {
    #[test]
    fn no_target_makes_it_panic(target in "[ -~]{0,60}", replaces in "[ -~]{0,40}") {
        let sample = include_str!("samples/refer/blind-to-code.sip")
            .replace("<sip:*68105@pbx.example;user=phone>", &target)
            .replace("Max-Forwards: 70", &format!("Max-Forwards: 70\nReplaces: {replaces}"));
        if let Ok(message) = Message::read(Bytes::from(sample.replace('\n', "\r\n"))) {
            let _ = Refer::read(&message);
            let _ = Invite::read(&message);
        }
    }

    #[test]
    fn no_header_of_a_target_makes_it_panic(headers in "(Replaces|=|%3B|%|&|;|to-tag|from-tag|a){0,20}") {
        let sample = include_str!("samples/refer/blind-to-code.sip")
            .replace("user=phone", &format!("user=phone?{headers}"));
        if let Ok(message) = Message::read(Bytes::from(sample.replace('\n', "\r\n"))) {
            let _ = Refer::read(&message);
        }
    }
}
