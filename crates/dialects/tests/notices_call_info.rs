//! BroadWorks' call-info against golden samples.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use dialects::{CALLPARK_INFO, NoticeCall, ParkNotice, Templates, callpark_info, idle_appearances};
use proptest::prelude::*;
use quick_xml::Reader;
use quick_xml::events::Event;

fn alice() -> NoticeCall {
    NoticeCall {
        parkee_name: Some("Alice".into()),
        parkee_uri: "sip:+33176000001@pbx.example".into(),
        parkee_user: "+33176000001".into(),
        parker_name: Some("James".into()),
        parker_uri: "sip:103@pbx.example".into(),
        parker_user: "103".into(),
        parked_for_s: 0,
    }
}

fn bob() -> NoticeCall {
    NoticeCall {
        parkee_name: None,
        parkee_uri: "sip:bob@pbx.example".into(),
        parkee_user: "bob".into(),
        ..alice()
    }
}

/// A sample file, whose lines end in LF; on the wire they end in CRLF.
macro_rules! sample {
    ($name:literal) => {
        include_str!(concat!("samples/call-info/", $name)).replace('\n', "\r\n")
    };
}

#[test]
fn a_call_parked_for_an_extension_is_told_with_its_parkee() {
    let body = callpark_info(&[alice()]);
    assert_eq!(body.content_type, CALLPARK_INFO);
    assert_eq!(body.bytes.len(), 288);
    assert_eq!(std::str::from_utf8(&body.bytes).unwrap(), sample!("one-call.xml"));
}

#[test]
fn nothing_parked_is_an_empty_callpark() {
    let body = callpark_info(&[]);
    assert_eq!(std::str::from_utf8(&body.bytes).unwrap(), sample!("no-call.xml"));
}

#[test]
fn no_appearance_is_in_use() {
    assert_eq!(
        idle_appearances("pbx.example"),
        "<sip:pbx.example>;appearance-index=*;appearance-state=idle"
    );
}

#[test]
fn the_body_is_that_of_the_unasked_notice() {
    for calls in [vec![], vec![alice()], vec![bob(), alice()]] {
        let notice = ParkNotice {
            slot: "105".into(),
            lot: "office".into(),
            retrieve: "*88105".into(),
            domain: "pbx.example".into(),
            group: None,
            calls: calls.clone(),
        };
        assert_eq!(callpark_info(&calls), Templates::default().render(None, &notice));
    }
}

proptest! {
    #[test]
    fn names_come_back_from_a_reader_as_they_went_in(name in "\\PC+", user in "[a-z<>&\"' ]+") {
        let uri = format!("sip:{user}@pbx.example");
        let call = NoticeCall {
            parkee_name: Some(name.clone()), parkee_uri: uri.clone(), parkee_user: user, ..bob()
        };
        let body = callpark_info(&[call]);
        let text = std::str::from_utf8(&body.bytes).unwrap();
        let mut reader = Reader::from_str(text);
        let mut displays = Vec::new();
        loop {
            match reader.read_event().unwrap() {
                Event::Eof => break,
                Event::Start(tag) if tag.name().as_ref() == "identity" => {
                    let display = tag.try_get_attribute("display").unwrap().unwrap();
                    displays.push(quick_xml::escape::unescape(&display.value).unwrap().into_owned());
                    let inside = reader.read_text(tag.name()).unwrap().into_inner();
                    prop_assert_eq!(quick_xml::escape::unescape(&inside).unwrap(), uri.as_str());
                }
                _ => {}
            }
        }
        prop_assert_eq!(displays, [name]);
    }
}
