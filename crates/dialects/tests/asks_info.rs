//! INFOs as phones send them, in files, and what they ask.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod shared;

use bytes::Bytes;
use dialects::{
    BadAsk, BadInfoRule, InfoAsk, InfoMatcher, InfoRule, InfoVerb, Key, ParkCommand, info_status,
};
use proptest::prelude::*;
use sip_msg::Message;

use shared::{message, sample};

macro_rules! info {
    ($name:literal) => {
        sample!("info", $name)
    };
}

fn read(message: &Message) -> Result<Option<InfoAsk>, BadAsk> {
    InfoAsk::read(message, &[])
}

fn rule(content_type: &str) -> InfoRule {
    InfoRule {
        content_type: content_type.into(),
        package: None,
        pointer: None,
        equals: None,
        regex: None,
        slot: None,
        asks: InfoVerb::Park,
    }
}

/// `{"do":{"what":"park","where":705}}`
fn json_rule() -> InfoRule {
    InfoRule {
        pointer: Some("/do/what".into()),
        equals: Some("park".into()),
        slot: Some("/do/where".into()),
        ..rule("application/vnd.acme.call+json")
    }
}

/// Lines `action=unpark`, `orbit=705`.
fn text_rule() -> InfoRule {
    InfoRule {
        regex: Some(r"^action=unpark$(?s:.)*^orbit=(?<where>\d+)$".into()),
        slot: Some("where".into()),
        asks: InfoVerb::Retrieve,
        ..rule("Text/X-Park")
    }
}

fn checked(rule: &InfoRule) -> InfoMatcher {
    InfoMatcher::new(rule).unwrap()
}

fn matched(rule: usize, asks: InfoVerb, slot: Option<&str>) -> Option<InfoAsk> {
    Some(InfoAsk::Matched { rule, asks, slot: slot.map(str::to_owned) })
}

fn command(message: &Message) -> ParkCommand {
    match read(message).unwrap() {
        Some(InfoAsk::Command(command)) => command,
        other => panic!("no command, but {other:?}"),
    }
}

fn digit(sign: char, duration_ms: u32) -> Result<Option<InfoAsk>, BadAsk> {
    Ok(Some(InfoAsk::Digit { key: Key::from_char(sign).unwrap(), duration_ms }))
}

#[test]
fn a_command_to_park_is_answered_with_its_own_number() {
    let body = command(&info!("park-command")).parked("813");
    assert_eq!(body.content_type, "application/json");
    assert_eq!(body.bytes, include_str!("samples/info/park-succeeded.json"));
    let body = command(&info!("park-command-named")).refused(486, "\"705\" is taken");
    assert_eq!(body.bytes, include_str!("samples/info/park-refused.json"));
    let body = command(&info!("park-command-of-bob")).parked("705");
    assert!(body.bytes.starts_with(b"{\"response\":{\"reqid\":4294967299,"));
}

#[test]
fn a_refusal_never_looks_like_success() {
    let body = command(&info!("park-command")).refused(0, "no");
    assert!(body.bytes.windows(10).any(|text| text == b"\"code\":500"));
}

#[test]
fn other_commands_and_news_are_left_alone() {
    for message in [info!("other-command"), info!("news"), info!("unknown")] {
        assert_eq!(read(&message), Ok(None));
    }
}

#[test]
fn a_bad_command_is_answered_with_400_and_why() {
    let table = [
        (info!("command-without-reqid"), "No Reqid"),
        (info!("command-with-a-list-for-reqid"), "No Reqid"),
        (info!("broken-json"), "Bad JSON"),
    ];
    for (message, why) in table {
        assert_eq!(read(&message), Err(BadAsk { status: 400, why }));
    }
}

#[test]
fn a_key_is_read_in_each_of_the_four_bodies() {
    assert_eq!(read(&info!("dtmf-relay")), digit('#', 160));
    assert_eq!(read(&info!("dtmf-relay-spaced")), digit('5', 250));
    assert_eq!(read(&info!("dtmf-relay-event")), digit('*', 100));
    assert_eq!(read(&info!("dtmf")), digit('5', 100));
    assert_eq!(read(&info!("dtmf-event")), digit('#', 100));
    assert_eq!(read(&info!("dtmf-letter")), digit('B', 100));
    assert_eq!(read(&info!("nortel")), digit('7', 100));
    assert_eq!(read(&info!("hook-flash")), digit('!', 100));
    assert_eq!(read(&info!("in-parts")), digit('*', 90));
}

#[test]
fn a_body_that_is_no_key_is_left_to_the_far_end() {
    let table = [
        info!("dtmf-relay-without-signal"),
        info!("dtmf-relay-of-no-key"),
        info!("empty"),
        info!("empty-of-no-type"),
    ];
    for message in table {
        assert_eq!(read(&message), Ok(None));
    }
}

#[test]
fn every_key_has_a_sign_an_event_and_a_body() {
    for event in 0..=16 {
        let key = Key::from_event(event).unwrap();
        assert_eq!((key.event(), Key::from_char(key.as_char())), (event, Some(key)));
        let body = key.dtmf_relay(120);
        let text = String::from_utf8(body.bytes.to_vec()).unwrap();
        assert_eq!(text, format!("Signal={key}\r\nDuration=120\r\n"));
        let sample = include_str!("samples/info/dtmf-relay.sip");
        let sample = sample.replace("Signal=#\nDuration=160\n", &text.replace("\r\n", "\n"));
        assert_eq!(read(&message(&sample)), digit(key.as_char(), 120));
    }
    assert_eq!((Key::from_event(17), Key::from_char('E'), Key::from_char('é')), (None, None, None));
}

#[test]
fn a_rule_finds_its_slot_in_json() {
    let rules = [checked(&json_rule())];
    let found = InfoAsk::read(&info!("vendor-json"), &rules);
    assert_eq!(found, Ok(matched(0, InfoVerb::Park, Some("705"))));
    let found = InfoAsk::read(&info!("vendor-json-anywhere"), &rules);
    assert_eq!(found, Ok(matched(0, InfoVerb::Park, None)));
    let found = InfoAsk::read(&info!("vendor-json-of-two"), &rules);
    assert_eq!(found, Err(BadAsk { status: 400, why: "Bad Slot" }));
}

#[test]
fn a_rule_finds_its_slot_in_lines() {
    let rules = [checked(&json_rule()), checked(&text_rule())];
    let found = InfoAsk::read(&info!("vendor-text"), &rules);
    assert_eq!(found, Ok(matched(1, InfoVerb::Retrieve, Some("705"))));
    let by_number = InfoRule { slot: Some("1".into()), ..text_rule() };
    let found = InfoAsk::read(&info!("vendor-text"), &[checked(&by_number)]);
    assert_eq!(found, Ok(matched(0, InfoVerb::Retrieve, Some("705"))));
    let without = InfoRule { slot: None, ..text_rule() };
    let found = InfoAsk::read(&info!("vendor-text"), &[checked(&without)]);
    assert_eq!(found, Ok(matched(0, InfoVerb::Retrieve, None)));
}

#[test]
fn the_first_rule_that_fits_counts_and_rules_come_before_what_is_built_in() {
    let other = InfoRule { equals: Some("unpark".into()), ..json_rule() };
    let rules = [checked(&other), checked(&json_rule()), checked(&json_rule())];
    let found = InfoAsk::read(&info!("vendor-json"), &rules);
    assert_eq!(found, Ok(matched(1, InfoVerb::Park, Some("705"))));
    let own = InfoRule {
        pointer: Some("/request/command".into()),
        equals: Some("callflip".into()),
        slot: Some("/request/target".into()),
        ..rule("application/json")
    };
    let found = InfoAsk::read(&info!("other-command"), &[checked(&own)]);
    assert_eq!(found, Ok(matched(0, InfoVerb::Park, Some("+33176000002"))));
    assert!(matches!(
        InfoAsk::read(&info!("park-command"), &[checked(&own)]),
        Ok(Some(InfoAsk::Command(_)))
    ));
}

#[test]
fn numbers_and_truth_values_are_compared_as_json_writes_them() {
    let body = |json: &str| {
        let sample = include_str!("samples/info/vendor-json.sip");
        let sample = sample.split("Content-Length").next().unwrap();
        message(&format!("{sample}\n{json}"))
    };
    let fits = |json: &str, wanted: Option<&str>| {
        let wanted = wanted.map(str::to_owned);
        let rule = InfoRule { equals: wanted, slot: None, ..json_rule() };
        InfoAsk::read(&body(json), &[checked(&rule)]).unwrap().is_some()
    };
    assert!(fits(r#"{"do":{"what":7}}"#, Some("7")));
    assert!(fits(r#"{"do":{"what":true}}"#, Some("true")));
    assert!(!fits(r#"{"do":{"what":true}}"#, Some("false")));
    assert!(!fits(r#"{"do":{"what":[7]}}"#, Some("7")));
    assert!(fits(r#"{"do":{"what":[7]}}"#, None));
    assert!(!fits(r#"{"do":{"what":null}}"#, None));
    assert!(!fits(r#"{"do":{}}"#, None));
}

#[test]
fn an_info_of_a_package_is_only_for_the_rule_that_names_it() {
    let plain = InfoRule {
        regex: Some(r"park (\d+)".into()),
        slot: Some("1".into()),
        ..rule("text/plain")
    };
    let of_package = InfoRule { package: Some("Acme-Park".into()), ..plain.clone() };
    let package = info!("package");
    assert_eq!(InfoAsk::read(&package, &[checked(&plain)]), Ok(None));
    let found = InfoAsk::read(&package, &[checked(&plain), checked(&of_package)]);
    assert_eq!(found, Ok(matched(1, InfoVerb::Park, Some("705"))));
    assert_eq!(read(&info!("package-with-json")), Ok(None));
}

#[test]
fn a_body_that_is_too_long_or_coded_is_not_read() {
    let sample = include_str!("samples/info/park-command.sip");
    let long = sample.replace("Content-Length: 46", "Content-Length: 16385");
    let long = message(&long.replace("{\"req", &format!("{}{{\"req", " ".repeat(16 * 1024))));
    assert_eq!(read(&long), Ok(None));
    let coded = sample.replace("Content-Type", "Content-Encoding: gzip\nContent-Type");
    assert_eq!(read(&message(&coded)), Ok(None));
    let other = include_str!("samples/refer/orbit-linksys.sip");
    assert_eq!(read(&message(other)), Ok(None));
}

#[test]
fn a_bad_rule_says_what_is_wrong() {
    let table = [
        (rule("application/json"), BadInfoRule::NotOne),
        (InfoRule { regex: Some("a".into()), ..json_rule() }, BadInfoRule::NotOne),
        (rule("json"), BadInfoRule::ContentType("json".into())),
        (rule("text/"), BadInfoRule::ContentType("text/".into())),
        (InfoRule { equals: Some("a".into()), ..text_rule() }, BadInfoRule::Equals),
        (InfoRule { pointer: Some("do".into()), ..json_rule() }, BadInfoRule::Pointer("do".into())),
        (
            InfoRule { slot: Some("/a~2".into()), ..json_rule() },
            BadInfoRule::Pointer("/a~2".into()),
        ),
        (
            InfoRule { pointer: Some("/a".into()), ..rule("text/plain") },
            BadInfoRule::NotJson("text/plain".into()),
        ),
        (InfoRule { slot: Some("2".into()), ..text_rule() }, BadInfoRule::Group("2".into())),
        (
            InfoRule { slot: Some("whither".into()), ..text_rule() },
            BadInfoRule::Group("whither".into()),
        ),
    ];
    for (rule, bad) in table {
        assert_eq!(InfoMatcher::new(&rule).unwrap_err(), bad, "{rule:?}");
    }
    for regex in ["(", "(?<a>b){9999}{9999}"] {
        let rule = InfoRule { regex: Some(regex.into()), ..text_rule() };
        let bad = InfoMatcher::new(&rule).unwrap_err();
        assert!(bad.to_string().starts_with("`regex`: "), "{bad}");
    }
}

#[test]
fn a_rule_is_read_from_its_configuration() {
    let text = r#"{"content_type":"application/json","pointer":"/a","asks":"retrieve"}"#;
    let rule: InfoRule = serde_json::from_str(text).unwrap();
    assert_eq!((rule.asks, rule.equals), (InfoVerb::Retrieve, None));
    let unknown = r#"{"content_type":"a/b","asks":"park","pionter":"/a"}"#;
    assert!(serde_json::from_str::<InfoRule>(unknown).is_err());
}

#[test]
fn an_info_that_cannot_pass_on_has_an_answer() {
    assert_eq!(info_status(&info!("package")), 469);
    assert_eq!(info_status(&info!("unknown")), 415);
    for message in [info!("empty"), info!("empty-of-no-type"), info!("dtmf"), info!("news")] {
        assert_eq!(info_status(&message), 200);
    }
}

proptest! {
    #[test]
    fn no_body_makes_it_panic(
        kind in prop::sample::select(vec![
            "application/json", "application/dtmf-relay", "application/dtmf", "application/hook-flash",
            "application/vnd.nortelnetworks.digits", "application/vnd.acme.call+json", "text/x-park",
            "multipart/mixed;boundary=cut", "multipart/mixed;boundary=\"", ";;", "/",
        ]),
        body in prop::collection::vec(any::<u8>(), 0..200),
        words in "(Signal|Duration|=|d|\r\n|[0-9*#]|--cut|Content-Type:|application/dtmf|\\{|\\}|\\[|\"request\"|\"command\"|\"callpark\"|\"reqid\"|:|,|action=unpark|orbit=){0,24}",
    ) {
        let rules = [checked(&json_rule()), checked(&text_rule())];
        let head = include_str!("samples/info/dtmf.sip");
        let head = head.split("Content-Type").next().unwrap();
        let head = format!("{head}Content-Type: {kind}\n\n").replace('\n', "\r\n");
        for body in [body.as_slice(), words.as_bytes()] {
            if let Ok(message) = Message::read(Bytes::from([head.as_bytes(), body].concat())) {
                let _ = InfoAsk::read(&message, &rules);
            }
        }
    }

    #[test]
    fn deep_json_does_not_overflow(depth in 1usize..8000) {
        let head = include_str!("samples/info/park-command.sip");
        let head = head.split("Content-Length").next().unwrap();
        let text = format!("{head}\n{}", "[".repeat(depth));
        prop_assert!(read(&message(&text)).is_err());
    }
}
