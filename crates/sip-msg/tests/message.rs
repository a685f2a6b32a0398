//! Reading, editing and composing whole messages.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::Bytes;
use sip_msg::{Compose, Edit, Message, Method, Name};

const INVITE: &str = "INVITE sip:*68105@pbx.example;user=phone SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.0.2.10:5060;rport;branch=z9hG4bK1, SIP/2.0/TCP [2001:db8::1];branch=z9hG4bK2\r\n\
    v: SIP/2.0/UDP c;branch=z9hG4bK3\r\n\
    From: \"James\" <sip:103@pbx.example>;tag=f1\r\n\
    To: <sip:105@pbx.example>\r\n\
    i: abc@192.0.2.10\r\n\
    CSeq: 7 INVITE\r\n\
    m: <sip:103@192.0.2.10:5060>;+sip.instance=\"<urn:uuid:1>\";expires=60\r\n\
    Max-Forwards: 70\r\n\
    X-Odd : as it came  \r\n\
    k: replaces, 100rel\r\n\
    Allow: INVITE, ACK\r\n\
    Subject: folded\r\n  twice\r\n\tover\r\n\
    Content-Type: application/sdp\r\n\
    Content-Length: 3\r\n\r\nv=0";

fn read(text: &str) -> Message {
    Message::read(Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

#[test]
fn everything_asked_of_an_invite_is_there() {
    let m = read(INVITE);
    assert!(m.is_request() && m.is(&Method::Invite));
    assert_eq!(m.uri(), "sip:*68105@pbx.example;user=phone");
    assert_eq!((m.from_tag(), m.to_tag(), m.call_id()), (Some("f1"), None, "abc@192.0.2.10"));
    assert_eq!(m.cseq(), (7, "INVITE"));
    assert_eq!(m.from().display().unwrap(), "James");
    assert_eq!(m.to().uri(), "sip:105@pbx.example");
    let branches: Vec<_> = m.vias().map(|via| via.branch().unwrap().to_owned()).collect();
    assert_eq!(branches, ["z9hG4bK1", "z9hG4bK2", "z9hG4bK3"]);
    assert_eq!(m.via().rport(), Some(None));
    let contact = m.contacts().next().unwrap();
    assert_eq!(contact.param("+sip.instance"), Some("<urn:uuid:1>"));
    assert_eq!(contact.param("expires"), Some("60"));
    assert!(m.has_option(Name::Supported, "100REL") && !m.has_option(Name::Require, "100rel"));
    assert_eq!(m.other("x-odd"), Some("as it came"));
    assert_eq!(m.get(Name::Subject), Some("folded    twice  \tover"));
    assert_eq!(m.max_forwards(), Some(70));
    assert_eq!((&m.body()[..], &m.sdp().unwrap()[..]), (&b"v=0"[..], &b"v=0"[..]));
}

#[test]
fn an_edit_changes_what_it_names_and_nothing_else() {
    let m = read(INVITE);
    let contact = m.contacts().next().unwrap().with_uri("sip:t1@198.51.100.1");
    let draft = Edit::of(&m)
        .request_line("sip:*68105@192.0.2.50")
        .set(Name::Contact, contact)
        .set(Name::MaxForwards, "69")
        .set_all(Name::RecordRoute, vec!["<sip:a;lr>".into(), "<sip:b;lr>".into()])
        .remove(Name::Subject)
        .remove_other("x-odd")
        .append(Name::UserAgent, "evil\r\nX: y")
        .body(None, "v=0\r\n")
        .finish();
    let expected = "INVITE sip:*68105@192.0.2.50 SIP/2.0\r\n\
        Via: SIP/2.0/UDP us;branch=z9hG4bK9\r\n\
        From: \"James\" <sip:103@pbx.example>;tag=f1\r\n\
        To: <sip:105@pbx.example>\r\n\
        i: abc@192.0.2.10\r\n\
        CSeq: 7 INVITE\r\n\
        m: <sip:t1@198.51.100.1>;+sip.instance=\"<urn:uuid:1>\";expires=60\r\n\
        Max-Forwards: 69\r\n\
        k: replaces, 100rel\r\n\
        Allow: INVITE, ACK\r\n\
        Content-Type: application/sdp\r\n\
        Content-Length: 5\r\n\
        Record-Route: <sip:a;lr>\r\nRecord-Route: <sip:b;lr>\r\n\
        User-Agent: evil  X: y\r\n\r\nv=0\r\n";
    let sent = draft.with_vias(&["SIP/2.0/UDP us;branch=z9hG4bK9"]);
    assert_eq!(std::str::from_utf8(&sent).unwrap(), expected);
    assert_eq!((draft.method(), draft.cseq()), (Some(&Method::Invite), Some(7)));
}

#[test]
fn bytes_that_are_not_utf8_are_copied_as_they_are() {
    let text = "OPTIONS sip:a SIP/2.0\nVia: SIP/2.0/UDP c;branch=z9hG4bK3\nFrom: \"Ren?\" <sip:a@b>;tag=1\n\
        To: <sip:a>\nCall-ID: 1\nCSeq: 1 OPTIONS\nX: ?\n\n";
    let bytes: Vec<u8> = text.bytes().map(|b| if b == b'?' { 0xe9 } else { b }).collect();
    let m = Message::read(bytes.clone().into()).unwrap();
    assert_eq!((m.from().display().unwrap(), m.other("X")), ("Ren?".into(), Some("?")));
    let draft = Edit::of(&m).finish();
    let sent = draft.with_vias(&["SIP/2.0/UDP c;branch=z9hG4bK3"]);
    let mut expected = Vec::new();
    for line in bytes.split_inclusive(|&b| b == b'\n') {
        if line == b"\n" {
            expected.extend_from_slice(b"Content-Length: 0\r\n");
        }
        expected.extend_from_slice(&line[..line.len() - 1]);
        expected.extend_from_slice(b"\r\n");
    }
    assert_eq!(sent, expected);
}

#[test]
fn a_response_takes_over_what_names_its_request() {
    let m = read(INVITE);
    let draft = Compose::response_to(&m, 200, None)
        .line(Name::Contact, "<sip:x>")
        .to_tag("t9")
        .other("X-Park", "yes")
        .body("application/sdp", "v=0\r\n")
        .finish();
    let expected = "SIP/2.0 200 OK\r\nVia: a\r\nVia: b\r\n\
        From: \"James\" <sip:103@pbx.example>;tag=f1\r\nTo: <sip:105@pbx.example>;tag=t9\r\n\
        Call-ID: abc@192.0.2.10\r\nCSeq: 7 INVITE\r\nContact: <sip:x>\r\nX-Park: yes\r\n\
        Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n";
    assert_eq!(draft.with_vias(&["a", "b"]), expected);
    assert_eq!(draft.status(), 200);
}

#[test]
fn cancel_and_ack_follow_their_invite() {
    let m = read(INVITE);
    let invite = Edit::of(&m).append(Name::Route, "<sip:r;lr>").finish();
    let cancel = invite.cancel(Some("SIP;cause=200"));
    let expected = "CANCEL sip:*68105@pbx.example;user=phone SIP/2.0\r\nVia: v\r\nMax-Forwards: 70\r\n\
        Route: <sip:r;lr>\r\nFrom: \"James\" <sip:103@pbx.example>;tag=f1\r\nCall-ID: abc@192.0.2.10\r\n\
        CSeq: 7 CANCEL\r\nTo: <sip:105@pbx.example>\r\nReason: SIP;cause=200\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(cancel.with_vias(&["v"]), expected);
    let busy = Compose::response_to(&m, 486, None).to_tag("t2").finish();
    let busy = Message::read(busy.with_vias(&["SIP/2.0/UDP h"])).unwrap();
    let ack = invite.ack(&busy);
    assert_eq!(ack.get(Name::To), Some("<sip:105@pbx.example>;tag=t2"));
    assert_eq!(ack.get(Name::CSeq), Some("7 ACK"));
    assert_eq!(ack.method(), Some(&Method::Ack));
}

#[test]
fn what_is_malformed_is_answered_if_enough_survives() {
    let bad = INVITE.replace("Max-Forwards: 70", "Max-Forwards: 300");
    let malformed = Message::read(bad.into()).unwrap_err();
    assert_eq!((malformed.status, malformed.why), (400, "bad Max-Forwards"));
    let answer = Message::read(malformed.answer().unwrap()).unwrap();
    assert_eq!((answer.status(), answer.reason()), (400, "bad Max-Forwards"));
    assert_eq!(answer.vias().count(), 3);
    assert!(answer.to_tag().is_some());
    assert_eq!(answer.call_id(), "abc@192.0.2.10");
    let answer = malformed.answer_to("203.0.113.1:4000".parse().unwrap()).unwrap();
    let answer = Message::read(answer).unwrap();
    assert_eq!(answer.via().rport(), Some(Some(4000)));
    assert_eq!(answer.via().received().unwrap().to_string(), "203.0.113.1");
}
