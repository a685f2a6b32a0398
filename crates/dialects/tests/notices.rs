//! Bodies of notices against golden samples.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use dialects::{ParkEvent, ParkNotice, Template, Templates, sipfrag, sipfrag_of};
use proptest::prelude::*;
use regex::Regex;

mod shared;

use shared::{alice_at, notice, parked_call};

fn one_call() -> ParkNotice {
    notice(vec![parked_call(Some("Alice"), "+33176000001")])
}

fn template(user_agent: &str, content_type: &str, template: &str) -> Template {
    Template {
        user_agent: Regex::new(user_agent).unwrap(),
        content_type: content_type.into(),
        template: template.into(),
    }
}

fn rendered(template: Template, notice: &ParkNotice) -> String {
    let body = Templates::new(&[template]).unwrap().render(Some("Phone/1"), "broadworks", notice);
    String::from_utf8(body.bytes.to_vec()).unwrap()
}

/// Compares with a sample file, whose lines end in LF; on the wire they end in CRLF.
fn assert_sample(name: &str, sample: &str, bytes: &[u8]) {
    let got = std::str::from_utf8(bytes).unwrap();
    assert_eq!(got, sample.replace('\n', "\r\n"), "{name}");
}

macro_rules! sample {
    ($name:literal) => {
        include_str!(concat!("samples/", $name))
    };
}

#[test]
fn the_built_in_body_is_the_broadworks_one() {
    let body = Templates::default().render(None, "broadworks", &one_call());
    assert_eq!(body.content_type, "application/x-broadworks-callpark-info+xml");
    assert_eq!(body.bytes.len(), 288);
    assert_sample("one call", sample!("park-info/one-call.xml"), &body.bytes);
}

#[test]
fn an_empty_slot_is_told_by_an_empty_callpark() {
    let body =
        Templates::default().render(Some("Snom/10.1.204"), "broadworks", &notice(Vec::new()));
    assert_sample("no call", sample!("park-info/no-call.xml"), &body.bytes);
}

#[test]
fn several_calls_are_told_in_their_order() {
    let calls = vec![
        parked_call(Some("Alice & \"Bob\" <x>"), "+33176000001"),
        parked_call(None, "anonymous"),
        parked_call(Some("O'Neil/Küche"), "104"),
    ];
    let body = Templates::default().render(None, "broadworks", &notice(calls));
    assert_sample("several", sample!("park-info/several-calls.xml"), &body.bytes);
}

#[test]
fn a_user_parameter_of_the_parkee_stands() {
    let mut notice = one_call();
    notice.calls[0].parkee_uri = "sip:+33176000001@pbx.example;user=phone".into();
    let body = Templates::default().render(None, "broadworks", &notice);
    assert_sample("one call", sample!("park-info/one-call.xml"), &body.bytes);
}

#[test]
fn plain_text_is_to_be_had_by_name() {
    let templates = Templates::new(&[template("", "", "text")]).unwrap();
    let mut notice = one_call();
    notice.group = Some("sales".into());
    notice.event = Some(ParkEvent::Parked);
    notice.by = Some("103".into());
    notice.calls.push(parked_call(None, "104"));
    let body = templates.render(None, "broadworks", &notice);
    assert_eq!(body.content_type, "text/plain");
    assert_sample("text", sample!("park-info/two-calls.txt"), &body.bytes);
}

#[test]
fn plain_text_says_why_a_slot_is_empty() {
    let mut notice = notice(Vec::new());
    notice.event = Some(ParkEvent::Abandoned);
    let body = Templates::default().render(None, "text", &notice);
    assert_sample("abandoned", sample!("park-info/abandoned.txt"), &body.bytes);
}

#[test]
fn the_template_of_the_profile_is_taken_where_no_configured_one_fits() {
    let templates = Templates::new(&[template("^Fanvil", "text/plain", "fanvil")]).unwrap();
    let body = |agent, built_in| templates.render(Some(agent), built_in, &one_call());
    assert_eq!(&body("Fanvil X5U", "broadworks").bytes[..], b"fanvil\r\n");
    assert_eq!(body("snom370/8", "text").content_type, "text/plain");
    assert_eq!(body("snom370/8", "nothing"), templates.callpark_info(&one_call()));
}

#[test]
fn a_template_may_say_what_has_happened_and_by_whom() {
    let source = "{{ event }} {{ by }}{% if event == \"retrieved\" %}!{% endif %}";
    let mut retrieved = notice(Vec::new());
    retrieved.event = Some(ParkEvent::Retrieved);
    retrieved.by = Some("104".into());
    assert_eq!(rendered(template("", "", source), &retrieved), "retrieved 104!\r\n");
}

#[test]
fn the_first_template_that_fits_the_phone_is_taken() {
    let templates = Templates::new(&[
        template("^Fanvil", "text/plain", "fanvil {{ slot }}"),
        template("(?i)snom|fanvil", "application/json", "{\"at\": {{ slot }}}"),
    ])
    .unwrap();
    let bytes = |agent| templates.render(agent, "broadworks", &one_call());
    assert_eq!(&bytes(Some("Fanvil X5U 2.4.13")).bytes[..], b"fanvil 105\r\n");
    assert_eq!(&bytes(Some("SNOM/10")).bytes[..], b"{\"at\": \"105\"}\r\n");
    assert_eq!(bytes(Some("SNOM/10")).content_type, "application/json");
    assert_eq!(bytes(Some("Yealink")).content_type, "application/x-broadworks-callpark-info+xml");
    assert_eq!(bytes(None).content_type, "application/x-broadworks-callpark-info+xml");
}

#[test]
fn hostile_names_are_escaped_as_the_type_demands() {
    let mut hostile = one_call();
    hostile.calls[0].parkee_name = Some("</x>\r\nEvil: 1\u{0}\"\\".into());
    let source = "{% for call in calls %}{{ call.parkee_name }}{% endfor %}";
    assert_eq!(
        rendered(template("", "application/foo+xml; charset=utf-8", source), &hostile),
        "&lt;/x&gt;  Evil: 1 &quot;\\\r\n"
    );
    assert_eq!(rendered(template("", "text/plain", source), &hostile), "</x>  Evil: 1 \"\\\r\n");
    let json = rendered(template("", "application/json", source), &hostile);
    assert!(json.contains("\\r\\n") && json.contains("\\u0000"), "{json}");
}

#[test]
fn every_bad_template_is_reported_with_its_line() {
    let bad = Templates::check(&[
        template("", "text/plain", "fine"),
        template("", "text/plain", "one\n{% for %}"),
        template("", "text/plain", "one\ntwo\n{{ parkee }}"),
        template("", "text/plain", "{% for c in calls %}{{ c.parkee_nmae }}{% endfor %}"),
        template(
            "",
            "text/plain",
            "{% for a in range(9000) %}{% for b in range(9000) %}.{% endfor %}{% endfor %}",
        ),
        template("", "text/plain", "{% include 'nowhere' %}"),
    ])
    .unwrap_err();
    let at: Vec<_> = bad.iter().map(|b| (b.index, b.line)).collect();
    assert_eq!(at, [(1, Some(2)), (2, Some(3)), (3, Some(1)), (4, Some(1)), (5, Some(1))]);
    assert_eq!(bad[3].why, "runs too long");
}

#[test]
fn a_template_that_fails_on_a_notice_gives_way_to_the_built_in_one() {
    let source = "{% if calls|length > 3 %}{{ nothing }}{% endif %}few";
    let templates = Templates::new(&[template("", "text/plain", source)]).unwrap();
    let few = templates.render(None, "broadworks", &one_call());
    assert_eq!(&few.bytes[..], b"few\r\n");
    let many = templates.render(None, "broadworks", &notice(vec![parked_call(None, "104"); 4]));
    assert_eq!(many.content_type, "application/x-broadworks-callpark-info+xml");
    assert!(many.bytes.starts_with(b"<?xml"));
}

#[test]
fn the_outcome_of_a_refer_is_a_status_line() {
    let body = sipfrag(200, "OK");
    assert_eq!(body.content_type, "message/sipfrag;version=2.0");
    assert_eq!(&body.bytes[..], b"SIP/2.0 200 OK\r\n");
    assert_eq!(body.bytes.len(), 16);
    assert_eq!(sipfrag(100, "Trying").bytes.len(), 20);
}

#[test]
fn the_outcome_of_a_refer_apart_from_its_call_names_the_parked_dialog() {
    let body = sipfrag_of(200, "OK", &alice_at("705"));
    assert_eq!(body.content_type, "message/sipfrag;version=2.0");
    let sample = include_str!("samples/refer/parked.sipfrag").replace('\n', "\r\n");
    assert_eq!(body.bytes, sample);
}

proptest! {
    #[test]
    fn any_name_makes_a_body_that_xml_readers_accept(name in any::<String>(), user in any::<String>()) {
        let mut notice = one_call();
        notice.calls[0].parkee_name = Some(name);
        notice.calls[0].parkee_user = user.clone();
        notice.calls[0].parkee_uri = format!("sip:{user}@pbx.example");
        let body = Templates::default().render(None, "broadworks", &notice);
        let text = std::str::from_utf8(&body.bytes).unwrap();
        let mut reader = quick_xml::Reader::from_str(text);
        let mut identities = 0;
        loop {
            match reader.read_event().unwrap() {
                quick_xml::events::Event::Eof => break,
                quick_xml::events::Event::Start(tag) => {
                    for attribute in tag.attributes() {
                        prop_assert!(attribute.is_ok());
                    }
                    identities += usize::from(tag.name().as_ref() == "identity");
                }
                _ => {}
            }
        }
        prop_assert_eq!(identities, 1);
    }
}
