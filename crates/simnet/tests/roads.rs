//! The ways of messages: NAT, TCP, several PBX addresses, domains, who may speak where.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use base::{Domain, Transport};
use simnet::{World, stories};
use sip_msg::Name;

/// ben's phone says an address that nobody can reach.
fn behind_nat(w: &mut World) {
    w.new_phones(["ben", "carl"]).callers(["anna"]);
    w.habits("ben", |h| h.says_address = Some(([192, 168, 1, 7], 5062).into()));
    w.register("ben", 3600).register("carl", 3600).settle();
}

stories! {
    fn a_call_whose_invite_is_long_and_so_came_by_tcp_is_parked(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.account("anna", |account| account.display = "long ".repeat(300));
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.transfer_came_to("ben", 200).waits("anna").parked_at(&["701"]);
    }

    fn a_phone_whose_invite_is_long_and_so_goes_by_tcp_retrieves(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.habits("carl", |h| h.extra_lines = vec![format!("Subject: {}", "long ".repeat(300))]);
        w.dial("carl", "701").settle();
        w.talking("anna", "carl").hold("carl").settle();
        w.resume("carl").transfer("carl", "*68").settle();
        w.transfer_came_to("carl", 200).waits("anna").parked_at(&["102"]);
    }

    fn a_phone_behind_nat_is_reached_by_the_way_it_came(w) {
        behind_nat(w);
        w.talk("anna", "ben");
        w.hold("anna").settle();
        w.resume("anna").settle();
        w.talking("anna", "ben").hang_up("anna").settle();
        w.ended("ben").talk("ben", "carl");
        w.hang_up("carl").settle();
        w.ended("ben");
    }

    fn a_phone_behind_nat_parks_is_told_is_recalled_and_retrieves(w) {
        w.lot(|lot| lot.recall.after = Duration::from_secs(60));
        behind_nat(w);
        w.talk("anna", "ben").transfer("ben", "*68").settle();
        w.ended("ben").waits("anna").shows_parked("ben", "anna");
        w.dial("ben", "*88").settle();
        w.talking("anna", "ben").shows_nothing_parked("ben").transfer("ben", "701").settle();
        assert!(w.pass_until(Duration::from_secs(65), |w| w.phone("ben").rings()));
        w.answer("ben").settle();
        w.talking("anna", "ben");
    }

    fn a_phone_behind_nat_behind_a_proxy(w) {
        w.behind_a_proxy();
        behind_nat(w);
        w.talk("carl", "ben");
        w.hold("carl").settle();
        w.resume("carl").settle();
        w.talking("carl", "ben").transfer("ben", "701").settle();
        w.waits("carl").dial("ben", "701").settle();
        w.talking("carl", "ben");
    }

    fn the_second_target_is_used_when_the_first_is_dead(w) {
        w.settings(|s| s.pbx_targets.insert(0, "sip:192.0.2.51:5060".into()));
        w.new_phones(["ben"]).callers(["anna"]);
        w.register("ben", 3600).pass(Duration::from_secs(20));
        assert_eq!(w.phone("ben").registered(), Some(200));
        w.talk("ben", "anna");
        w.transfer("ben", "701").settle();
        w.waits("anna").dial("ben", "701").settle();
        w.talking("anna", "ben");
    }

    fn with_a_domain_to_rewrite_the_pbx_sees_its_own_name_everywhere(w) {
        w.settings(|s| s.rewrite_domain = Some(Domain::from("pbx.example")));
        w.new_phones(["ben"]).callers(["anna"]);
        w.account("ben", |account| account.domain = "10.0.0.1".into());
        w.register("ben", 3600).settle();
        w.talk("ben", "anna").hang_up("anna").settle();
        for request in w.pbx().heard() {
            assert_eq!(request.from().sip_uri().unwrap().host(), "pbx.example");
            assert_eq!(request.to().sip_uri().unwrap().host(), "pbx.example");
        }
        w.talk("anna", "ben").transfer("ben", "*68").settle();
        w.waits("anna").dial("ben", "*88").settle();
        w.talking("anna", "ben");
    }

    fn a_phone_that_rang_up_takes_over_a_call_by_replaces(w) {
        w.phones(["ben", "carl", "dora"]);
        w.talk("ben", "carl");
        let replaces = w.phone("ben").current().unwrap().dialog.replaces_value();
        w.dial_replacing("dora", "carl", &replaces).settle();
        w.ended("ben").talking("dora", "carl");
    }

    fn a_retrieved_call_is_transferred_with_consultation_behind_a_proxy(w) {
        w.behind_a_proxy().phones(["ben", "carl", "dora"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.dial("carl", "701").settle();
        w.talking("anna", "carl").hold("carl").settle();
        w.talk("carl", "dora");
        w.transfer_attended("carl").settle();
        w.transfer_came_to("carl", 200).ended("carl").talking("anna", "dora");
    }

    fn options_for_the_house_are_answered_by_it(w) {
        w.phones(["ben"]);
        let before = w.pbx().heard().len();
        let uri = "OPTIONS sip:10.0.0.1:5060 SIP/2.0\r\n\
            Via: SIP/2.0/UDP 10.0.0.101:5060;branch=z9hG4bKopt\r\nMax-Forwards: 70\r\n\
            From: <sip:101@pbx.example>;tag=o\r\nTo: <sip:10.0.0.1>\r\nCall-ID: opt\r\n\
            CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
        let mark = w.ladder().len();
        w.throw("ben", uri.as_bytes()).settle();
        let said = w.ladder().since(mark);
        let answers: Vec<u16> = said.messages("house", "ben").iter().map(|m| m.status()).collect();
        assert!(answers.iter().all(|status| *status == 200), "{answers:?}");
        assert_eq!(w.pbx().heard().len(), before);
    }
}

#[test]
fn a_tcp_phone_whose_connection_is_lost_registers_again_and_is_reached() {
    let mut w = World::new();
    w.new_phones(["ben"]).callers(["anna"]);
    w.account("ben", |account| account.transport = Transport::Tcp);
    w.register("ben", 3600).settle();
    w.talk("anna", "ben").disconnect("ben");
    w.hang_up("anna").settle();
    w.register("ben", 3600).settle();
    w.talk("anna", "ben").transfer("ben", "*68").settle();
    w.waits("anna").shows_parked("ben", "anna").disconnect("ben");
    w.dial("ben", "*88").settle();
    w.refused("ben", 403).register("ben", 3600).settle();
    w.dial("ben", "*88").settle();
    w.talking("anna", "ben").tidy();
}

#[test]
fn nobody_but_the_pbx_may_speak_on_its_side() {
    let mut w = World::with_phones(["ben"]);
    let mark = w.ladder().len();
    let contact = w.pbx().bindings(w.now(), "101")[0].uri.clone();
    w.intruder_throws(
        format!(
            "INVITE {contact} SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.66:5060;branch=z9hG4bKevil\r\n\
             Max-Forwards: 70\r\nFrom: <sip:eve@evil.example>;tag=e\r\nTo: <sip:101@pbx.example>\r\n\
             Call-ID: evil\r\nCSeq: 1 INVITE\r\nContact: <sip:eve@198.51.100.66>\r\n\
             Content-Length: 0\r\n\r\n"
        )
        .as_bytes(),
    )
    .settle();
    let said = w.ladder().since(mark);
    assert!(said.messages("house", "ben").is_empty(), "{:?}", said.outline());
    w.is_quiet("ben").tidy();
}

#[test]
fn contact_parameters_of_a_registration_survive() {
    let mut w = World::with_phones(["ben"]);
    let bytes = b"REGISTER sip:pbx.example SIP/2.0\r\n\
        Via: SIP/2.0/UDP 10.0.0.101:5060;branch=z9hG4bKreg\r\nMax-Forwards: 70\r\n\
        From: <sip:101@pbx.example>;tag=r\r\nTo: <sip:101@pbx.example>\r\nCall-ID: reg\r\n\
        CSeq: 1 REGISTER\r\n\
        Contact: \"Ben\" <sip:101@10.0.0.101:5070;ob>;q=0.7;expires=600;+sip.instance=\"<urn:x:1>\"\r\n\
        Content-Length: 0\r\n\r\n";
    let mark = w.ladder().len();
    w.throw("ben", bytes).settle();
    let said = w.ladder().since(mark);
    let onward = said.messages("house", "pbx")[0].get(Name::Contact).unwrap().to_owned();
    for kept in ["q=0.7", "expires=600", "+sip.instance=\"<urn:x:1>\"", "192.0.2.10"] {
        assert!(onward.contains(kept), "{onward}");
    }
    let back = said.messages("house", "ben")[0].values(Name::Contact).map(str::to_owned);
    let back: Vec<String> = back.collect();
    assert!(back.iter().any(|contact| contact.contains("sip:101@10.0.0.101:5070;ob")), "{back:?}");
    assert!(back.iter().any(|contact| contact.contains("q=0.7")), "{back:?}");
    w.tidy();
}
