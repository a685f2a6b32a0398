//! Soft keys of Cisco's enterprise phones, in files, and what they ask.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod shared;

use bytes::Bytes;
use dialects::{BadAsk, CiscoCall, Refer, RemoteCc, SoftKey};
use proptest::prelude::*;
use sip_msg::Message;

use shared::{message, sample};

macro_rules! remotecc {
    ($name:literal) => {
        RemoteCc::read(&sample!("remotecc", $name))
    };
}

fn call() -> CiscoCall {
    CiscoCall {
        call_id: "p1@192.0.2.103".into(),
        local_tag: "p103".into(),
        remote_tag: "sc1".into(),
    }
}

fn pressed(key: SoftKey) -> Result<Option<RemoteCc>, BadAsk> {
    Ok(Some(RemoteCc::SoftKey { key, call: Some(call()) }))
}

#[test]
fn both_park_keys_name_their_call() {
    assert_eq!(remotecc!("park-monitor"), pressed(SoftKey::ParkMonitor));
    assert_eq!(remotecc!("park"), pressed(SoftKey::Park));
}

#[test]
fn the_request_may_be_one_of_several_parts() {
    assert_eq!(remotecc!("in-parts"), pressed(SoftKey::ParkMonitor));
}

#[test]
fn neither_spelling_of_the_namespace_matters() {
    assert_eq!(remotecc!("spelled-params"), pressed(SoftKey::ParkMonitor));
    assert_eq!(remotecc!("spelled-parmams"), pressed(SoftKey::ParkMonitor));
}

#[test]
fn other_keys_are_told_by_their_names() {
    let cancel = RemoteCc::SoftKey { key: SoftKey::Cancel, call: None };
    assert_eq!(remotecc!("cancel"), Ok(Some(cancel)));
    assert_eq!(remotecc!("other-key"), pressed(SoftKey::Other("CallBack".into())));
}

#[test]
fn news_want_only_to_be_heard() {
    for read in [remotecc!("outcome"), remotecc!("alarm"), remotecc!("token")] {
        assert_eq!(read, Ok(Some(RemoteCc::News)));
    }
}

#[test]
fn requests_of_another_kind_are_left_alone() {
    assert_eq!(remotecc!("another-request"), Ok(None));
    let transfer = message(include_str!("samples/refer/attended.sip"));
    assert_eq!(RemoteCc::read(&transfer), Ok(None));
    let sample = include_str!("samples/remotecc/park.sip");
    let publish =
        message(&sample.replace("REFER sip", "PUBLISH sip").replace("0 REFER", "0 PUBLISH"));
    assert_eq!(RemoteCc::read(&publish), Ok(None));
}

#[test]
fn the_target_of_a_soft_key_is_nothing_that_could_be_called() {
    let refer = Refer::read(&message(include_str!("samples/remotecc/park.sip"))).unwrap();
    assert_eq!((refer.user, refer.orbit), (None, None));
}

#[test]
fn a_call_is_found_by_its_tags_in_either_order() {
    let call = call();
    assert!(call.is("p1@192.0.2.103", "p103", "sc1"));
    assert!(call.is("p1@192.0.2.103", "sc1", "p103"));
    assert!(!call.is("p1@192.0.2.103", "p103", "p103"));
    assert!(!call.is("p2@192.0.2.103", "p103", "sc1"));
}

#[test]
fn only_the_characters_that_every_document_knows_are_put_in() {
    let call = CiscoCall { local_tag: "p<103".into(), remote_tag: "sc&1".into(), ..call() };
    let key = SoftKey::Park;
    assert_eq!(remotecc!("escaped"), Ok(Some(RemoteCc::SoftKey { key, call: Some(call) })));
}

#[test]
fn bad_xml_is_answered_with_400_and_why() {
    let table = [
        (remotecc!("entities"), "Document Type Not Allowed"),
        (remotecc!("unknown-entity"), "Unknown Entity"),
        (remotecc!("cut-off"), "Bad XML"),
        (remotecc!("crossed"), "Bad XML"),
        (remotecc!("two-calls"), "Element Repeated"),
        (remotecc!("park-in-no-call"), "No Dialog Named"),
    ];
    for (read, why) in table {
        assert_eq!(read, Err(BadAsk { status: 400, why }));
    }
}

/// A park request with another body.
fn with_body(body: &str) -> Message {
    let head = include_str!("samples/remotecc/park.sip");
    let head = head.split("Content-Length").next().unwrap().replace('\n', "\r\n");
    let length = body.len();
    Message::read(Bytes::from(format!("{head}Content-Length: {length}\r\n\r\n{body}"))).unwrap()
}

#[test]
fn what_is_too_deep_or_too_long_is_not_read() {
    let deep = format!("{}{}", "<a>".repeat(17), "</a>".repeat(17));
    let why = "XML Too Deep";
    assert_eq!(RemoteCc::read(&with_body(&deep)), Err(BadAsk { status: 400, why }));
    let fits = format!("{}{}", "<a>".repeat(16), "</a>".repeat(16));
    assert_eq!(RemoteCc::read(&with_body(&fits)), Ok(None));
    let long = format!("<a>{}</a>", " ".repeat(16 * 1024));
    let why = "Body Too Large";
    assert_eq!(RemoteCc::read(&with_body(&long)), Err(BadAsk { status: 413, why }));
    let why = "Encoding Not Supported";
    let sample = include_str!("samples/remotecc/park.sip");
    let coded = message(&sample.replace("Content-Id", "Content-Encoding: gzip\nContent-Id"));
    assert_eq!(RemoteCc::read(&coded), Err(BadAsk { status: 415, why }));
}

proptest! {
    #[test]
    fn no_body_makes_it_panic(
        text in "(<|>|/|&|;|softkeyeventmsg|softkeyevent|dialogid|callid|<!\\[CDATA\\[|\\]\\]>|<!--|-->|<\\?xml|\\?>|<!DOCTYPE|&#x0;|&#99999999;|&lt;|\"| |a|é){0,40}",
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let _ = RemoteCc::read(&with_body(&text));
        let head = include_str!("samples/remotecc/in-parts.sip");
        let head = head.split("Content-Length").next().unwrap().replace('\n', "\r\n");
        for part in ["", "--uniqueBoundary\r\nContent-Type: application/x-cisco-remotecc-request+xml\r\n\r\n"] {
            let message = [head.as_bytes(), b"\r\n", part.as_bytes(), &bytes].concat();
            if let Ok(message) = Message::read(Bytes::from(message)) {
                let _ = RemoteCc::read(&message);
            }
        }
    }

    #[test]
    fn a_body_cut_anywhere_is_refused_or_left_alone(at in 0usize..700) {
        let sample = include_str!("samples/remotecc/park-monitor.sip");
        let body = sample.split_once("\n\n").unwrap().1;
        let cut = &body[..at.min(body.len() - 30)];
        prop_assert!(!matches!(RemoteCc::read(&with_body(cut)), Ok(Some(_))));
    }
}
