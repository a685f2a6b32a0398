//! BroadWorks' call-info against golden samples.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::Bytes;
use dialects::{CALLPARK_INFO, NoticeCall, Templates, idle_appearances, wants_callpark_info};
use proptest::prelude::*;
use quick_xml::Reader;
use quick_xml::events::Event;
use sip_msg::Message;

mod shared;

use shared::{notice, parked_call};

fn alice() -> NoticeCall {
    parked_call(Some("Alice"), "+33176000001")
}

/// A sample file, whose lines end in LF; on the wire they end in CRLF.
macro_rules! sample {
    ($name:literal) => {
        include_str!(concat!("samples/call-info/", $name)).replace('\n', "\r\n")
    };
}

#[test]
fn a_call_parked_for_an_extension_is_told_with_its_parkee() {
    let body = Templates::default().callpark_info(&notice(vec![alice()]));
    assert_eq!(body.content_type, CALLPARK_INFO);
    assert_eq!(body.bytes.len(), 288);
    assert_eq!(std::str::from_utf8(&body.bytes).unwrap(), sample!("one-call.xml"));
}

#[test]
fn nothing_parked_is_an_empty_callpark() {
    let body = Templates::default().callpark_info(&notice(Vec::new()));
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
fn a_subscription_is_for_parked_calls_if_it_takes_their_body() {
    let with = |accept: &str| {
        let line = "Accept: application/x-broadworks-callpark-info+xml\r\n";
        let text = sample!("subscribe.sip").replace(line, accept);
        wants_callpark_info(&Message::read(Bytes::from(text)).unwrap())
    };
    assert!(with("Accept: application/x-broadworks-callpark-info+xml\r\n"));
    assert!(with("Accept: text/plain, Application/X-BroadWorks-CallPark-Info+xml;q=1\r\n"));
    assert!(with("Accept: text/plain\r\nAccept: application/x-broadworks-callpark-info+xml\r\n"));
    for other in ["", "Accept: */*\r\n", "Accept: application/x-broadworks-callpark-info\r\n"] {
        assert!(!with(other), "{other}");
    }
}

proptest! {
    #[test]
    fn names_come_back_from_a_reader_as_they_went_in(name in "\\PC+", user in "[a-z<>&\"' ]+") {
        let uri = format!("sip:{user}@pbx.example");
        let call = NoticeCall {
            parkee_name: Some(name.clone()), parkee_uri: uri.clone(), parkee_user: user, ..alice()
        };
        let body = Templates::default().callpark_info(&notice(vec![call]));
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
