//! INFOs: who reads them, and what they get where nobody does (RFC 6086).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use simnet::{MUSIC, World, stories};
use sip_msg::Name;

const UNKNOWN: Option<(&str, &[u8])> = Some(("application/x-other", b"hello"));

/// Anna waits in a slot, so that nobody but the house is there to read what she says.
fn anna_waits(w: &mut World) {
    w.phones(["ben", "carl"]).callers(["anna"]);
    w.talk("anna", "ben").transfer("ben", "701").settle();
}

stories! {
    fn a_package_passes_between_two_who_talk(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben").ask_in_call("ben", "INFO", &["Info-Package: doors"], UNKNOWN).settle();
        w.answered_with("ben", "INFO", 200);
        let heard = w.phone("anna").heard().iter().find(|m| m.cseq().1 == "INFO").unwrap();
        assert_eq!(heard.get(Name::InfoPackage), Some("doors"));
        w.talking("anna", "ben");
    }

    fn a_package_that_nobody_has_asked_for_is_refused_to_who_is_parked(w) {
        anna_waits(w);
        w.ask_in_call("anna", "INFO", &["Info-Package: doors"], UNKNOWN).settle();
        w.answered_with("anna", "INFO", 469).parked_at(&["701"]).hears("anna", MUSIC);
        let refusals = w.ladder().messages("house", "pbx").into_iter();
        let refusal = refusals.rev().find(|m| !m.is_request() && m.status() == 469).unwrap();
        assert_eq!(refusal.get(Name::RecvInfo), Some(""));
    }

    fn a_body_that_nobody_knows_is_refused_to_who_is_parked(w) {
        anna_waits(w);
        w.ask_in_call("anna", "INFO", &[], UNKNOWN).settle();
        w.answered_with("anna", "INFO", 415).parked_at(&["701"]).hears("anna", MUSIC);
        let refusals = w.ladder().messages("house", "pbx").into_iter();
        let refusal = refusals.rev().find(|m| !m.is_request() && m.status() == 415).unwrap();
        assert!(refusal.get(Name::Accept).unwrap().contains("application/dtmf-relay"));
    }

    fn keys_and_empty_bodies_of_who_is_parked_are_taken(w) {
        anna_waits(w);
        w.ask_in_call("anna", "INFO", &[], Some(("application/dtmf-relay", b"Signal=5"))).settle();
        w.answered_with("anna", "INFO", 200);
        w.ask_in_call("anna", "INFO", &[], None).settle();
        w.answered_with("anna", "INFO", 200).parked_at(&["701"]).hears("anna", MUSIC);
    }
}

#[test]
fn an_info_in_no_call_is_refused() {
    let mut w = World::with_phones(["ben"]);
    w.throw(
        "ben",
        b"INFO sip:nobody@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.101;branch=z9hG4bK-i1\r\n\
          From: <sip:101@pbx.example>;tag=a\r\nTo: <sip:102@pbx.example>;tag=b\r\n\
          Call-ID: nobody\r\nCSeq: 2 INFO\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
    )
    .settle();
    let answers = w.ladder().messages("house", "ben").into_iter();
    let answer = answers.rev().find(|m| !m.is_request() && m.cseq().1 == "INFO").unwrap();
    assert_eq!(answer.status(), 481);
    w.tidy();
}
