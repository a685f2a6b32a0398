//! TLS on one side or both, and `sips` URIs.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use base::Transport;
use simnet::{World, stories};
use sip_msg::{Message, Name};

/// ben and carl speak TLS.
fn phones_by_tls(w: &mut World) {
    w.with_tls().new_phones(["ben", "carl"]).callers(["anna"]);
    for name in ["ben", "carl"] {
        w.account(name, |account| account.transport = Transport::Tls);
        w.register(name, 3600);
    }
    w.settle();
}

fn park_and_retrieve(w: &mut World) {
    w.talk("anna", "ben").hold("ben").settle();
    w.resume("ben").transfer("ben", "701").settle();
    w.transfer_came_to("ben", 200).waits("anna").parked_at(&["701"]);
    w.dial("carl", "701").settle();
    w.talking("anna", "carl").transfer("carl", "*68").settle();
    w.waits("anna").parked_at(&["102"]).dial("ben", "*88102").settle();
    w.talking("anna", "ben").hang_up("ben").settle();
    w.ended("anna").talk("ben", "anna");
    w.hang_up("anna").settle();
}

/// What the house says to somebody names only this transport as its own.
fn says_only(w: &World, to: &str, transport: Transport) {
    for message in w.ladder().since(0).messages("house", to) {
        if message.is_request() {
            assert_eq!(message.via().transport(), transport.in_via(), "{message:?}");
        }
        let contact = message.contacts().next().map(|contact| contact.uri().to_owned());
        // In an answer to a REGISTER it is the phone's own.
        if let Some(contact) = contact.filter(|_| message.cseq().1 != "REGISTER") {
            let said = contact.split_once(";transport=").map_or("udp", |(_, said)| said);
            assert_eq!(said, transport.in_uri(), "{contact}");
        }
    }
}

stories! {
    fn phones_by_tls_and_a_pbx_by_udp(w) {
        phones_by_tls(w);
        park_and_retrieve(w);
        says_only(w, "ben", Transport::Tls);
        says_only(w, "pbx", Transport::Udp);
    }

    fn phones_by_udp_and_a_pbx_by_tls(w) {
        w.pbx_by_tls().phones(["ben", "carl"]).callers(["anna"]);
        park_and_retrieve(w);
        says_only(w, "ben", Transport::Udp);
        says_only(w, "pbx", Transport::Tls);
    }

    fn tls_on_both_sides(w) {
        w.pbx_by_tls();
        phones_by_tls(w);
        park_and_retrieve(w);
        says_only(w, "ben", Transport::Tls);
        says_only(w, "pbx", Transport::Tls);
    }

    fn tls_on_both_sides_of_a_house_before_a_proxy(w) {
        w.behind_a_proxy().pbx_by_tls();
        phones_by_tls(w);
        park_and_retrieve(w);
        says_only(w, "pbx", Transport::Tls);
    }
}

#[test]
fn a_park_that_comes_without_tls_to_a_call_with_tls_is_refused_and_the_call_goes_on() {
    let mut w = World::new();
    phones_by_tls(&mut w);
    w.talk("anna", "ben");
    let said = w.ladder().since(0);
    let is = |m: &Message| m.cseq().1 == "INVITE";
    let invite = said.messages("house", "ben").into_iter().find(|m| is(m)).unwrap();
    let answer = said.messages("ben", "house").into_iter().find(|m| is(m) && m.status() == 200);
    let own = invite.contacts().next().unwrap().uri().to_owned();
    let refer = format!(
        "REFER {own} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.101:5060;branch=z9hG4bKforged\r\n\
         Max-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: 900 REFER\r\n\
         Contact: <sip:101@10.0.0.101:5060>\r\nRefer-To: <sip:701@pbx.example>\r\n\
         Content-Length: 0\r\n\r\n",
        answer.unwrap().get(Name::To).unwrap(),
        invite.get(Name::From).unwrap(),
        invite.call_id(),
    );
    let mark = w.ladder().len();
    w.throw("ben", refer.as_bytes()).settle();
    let answers = w.ladder().since(mark);
    let answers: Vec<u16> = answers
        .messages("house", "ben")
        .into_iter()
        .filter(|m| m.cseq().1 == "REFER")
        .map(Message::status)
        .collect();
    assert_eq!(answers, [403]);
    w.talking("anna", "ben").hang_up("ben").settle().tidy();
}

fn refusals(w: &World, to: &str) -> Vec<(u16, Option<String>)> {
    let refused = |m: &Message| (m.status(), m.get(Name::Warning).map(str::to_owned));
    let said = w.ladder().since(0);
    let all = said.messages("house", to).into_iter().filter(|m| !m.is_request());
    all.map(refused).filter(|(status, _)| *status >= 400).collect()
}

#[test]
fn a_sips_call_goes_through_where_every_hop_has_tls_and_stays_sips() {
    let mut w = World::new();
    w.pbx_by_tls().new_phones(["ben"]).callers(["anna"]);
    w.account("ben", |account| {
        (account.transport, account.is_sips) = (Transport::Tls, true);
    });
    w.register("ben", 3600).settle();
    let anna = w.number("anna");
    w.dial("ben", &format!("sips:{anna}@pbx.example")).rings_soon("anna");
    w.answer("anna").settle();
    w.talking("ben", "anna");
    let said = w.ladder().since(0);
    let onward = said.messages("house", "pbx");
    let invite = onward.iter().find(|m| m.is_request() && m.cseq().1 == "INVITE").unwrap();
    assert!(invite.uri().starts_with("sips:"), "{}", invite.uri());
    assert!(invite.get(Name::Contact).unwrap().contains("sips:"), "{invite:?}");
    let back = said.messages("house", "ben");
    let answer = back.iter().find(|m| m.status() == 200 && m.cseq().1 == "INVITE").unwrap();
    assert!(answer.get(Name::Contact).unwrap().contains("<sips:"), "{answer:?}");
    w.hang_up("ben").settle().tidy();
}

#[test]
fn a_sips_call_is_refused_where_the_pbx_has_no_tls() {
    let mut w = World::new();
    phones_by_tls(&mut w);
    let anna = w.number("anna");
    w.dial("ben", &format!("sips:{anna}@pbx.example")).settle();
    w.refused("ben", 480);
    let (status, warning) = refusals(&w, "ben").pop().unwrap();
    assert_eq!((status, warning.as_deref()), (480, Some("380 parkade \"SIPS Not Allowed\"")));
    w.tidy();
}

#[test]
fn a_sips_call_that_comes_without_tls_is_refused() {
    for (has_tls, status) in [(true, 480), (false, 416)] {
        let mut w = World::new();
        if has_tls {
            w.with_tls();
        }
        w.phones(["ben"]).callers(["anna"]);
        let anna = w.number("anna");
        w.dial("ben", &format!("sips:{anna}@pbx.example")).settle();
        w.refused("ben", status).tidy();
    }
}
