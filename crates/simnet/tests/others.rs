//! What is not a call: registrations, messages, subscriptions, unknown methods; and what is wrong.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use simnet::{World, stories};
use sip_msg::{Name, NameAddr};

stories! {
    fn a_registration_shows_the_phone_its_own_contact_and_the_pbx_ours(w) {
        w.phones(["ben"]);
        let own = w.phone("ben").registered_contacts().to_vec();
        assert_eq!(own.len(), 1);
        assert!(own[0].contains("sip:101@10.0.0.101:5060"), "{own:?}");
        assert!(own[0].contains("+sip.instance"), "{own:?}");
        let bindings = w.pbx().bindings(w.now(), "101");
        assert_eq!(bindings.len(), 1);
        assert!(bindings[0].uri.contains("192.0.2.10:5080"), "{bindings:?}");
        assert!(bindings[0].value.contains("+sip.instance"), "{bindings:?}");
    }

    fn a_registration_is_refreshed_and_ended(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.register("ben", 300).settle();
        w.pass(Duration::from_secs(1_000));
        assert_eq!(w.counts().bindings, 1);
        w.talk("anna", "ben");
        w.hang_up("anna").settle();
        w.register("ben", 0).settle();
        assert_eq!(w.counts().bindings, 0);
        assert!(w.pbx().bindings(w.now(), "101").is_empty());
        w.dial("anna", "ben").settle();
        w.refused("anna", 404);
    }

    fn a_binding_that_is_not_refreshed_lapses(w) {
        w.phones(["ben"]);
        w.register("ben", 60).settle();
        w.switch_off("ben").pass(Duration::from_secs(100));
        assert_eq!(w.counts().bindings, 0);
    }

    fn two_phones_of_an_extension_are_two_bindings_and_a_star_ends_both(w) {
        w.phones(["ben"]).second_phone("benny", "ben");
        assert_eq!(w.counts().bindings, 2);
        assert_eq!(w.pbx().bindings(w.now(), "101").len(), 2);
        let seen = w.phone("benny").registered_contacts();
        assert_eq!(seen.len(), 2);
        assert!(seen.iter().all(|contact| contact.contains("10.0.0.10")), "{seen:?}");
        w.unregister_all("ben").settle();
        assert_eq!(w.counts().bindings, 0);
        assert!(w.pbx().bindings(w.now(), "101").is_empty());
    }

    fn a_rebooted_phone_registers_anew_and_is_one_binding(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.reboot("ben").register("ben", 3600).settle();
        assert_eq!(w.counts().bindings, 1);
        w.talk("anna", "ben");
    }

    fn digest_passes_and_the_binding_is_learnt_from_the_answer_to_the_second_register(w) {
        w.pbx_settings(|pbx| pbx.digest = true).phones(["ben"]);
        assert_eq!(w.counts().bindings, 1);
    }

    fn a_wrong_password_is_refused_by_the_pbx_and_no_binding_is_learnt(w) {
        w.pbx_settings(|pbx| pbx.digest = true).new_phones(["ben"]);
        w.account("ben", |account| account.password = "guess".into());
        w.register("ben", 3600).settle();
        assert_eq!(w.phone("ben").registered(), Some(401));
        assert_eq!(w.counts().bindings, 0);
    }

    fn a_message_reaches_a_phone_and_its_answer_comes_back(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.message("ben", "carl", "grüezi").settle();
        w.answered_with("ben", "MESSAGE", 200);
        w.message("anna", "carl", "hello").settle();
        w.answered_with("anna", "MESSAGE", 200);
        let heard: Vec<Vec<u8>> = w.phone("carl").heard().iter().map(|m| m.body().to_vec()).collect();
        assert_eq!(heard, [b"gr\xc3\xbcezi".to_vec(), b"hello".to_vec()]);
    }

    fn a_message_through_a_proxy(w) {
        w.behind_a_proxy().phones(["ben", "carl"]);
        w.message("ben", "carl", "hello").settle();
        w.answered_with("ben", "MESSAGE", 200);
    }

    fn a_subscription_lives_through_the_house_and_ends(w) {
        w.phones(["ben"]);
        w.subscribe("ben", "message-summary", "ben").settle();
        {
            let (event, answer, bodies, over) = w.phone("ben").subscriptions().next().unwrap();
            assert_eq!((event, answer, over), ("message-summary", Some(200), false));
            assert_eq!(bodies, ["all is well\r\n"]);
        }
        assert_eq!(w.pbx().subscribers(), 1);
        w.unsubscribe("ben").settle();
        assert_eq!(w.pbx().subscribers(), 0);
        assert!(w.phone("ben").subscriptions().next().unwrap().3);
    }

    fn a_notify_of_the_pbx_out_of_dialog_reaches_the_phone(w) {
        w.phones(["ben"]);
        let lines = ["Event: message-summary", "Subscription-State: active;expires=60"];
        let body = ("application/simple-message-summary", "Messages-Waiting: yes\r\n");
        w.pbx_asks("NOTIFY", "ben", &lines, Some(body)).settle();
        let notices = w.phone("ben").notices();
        assert_eq!(notices.len(), 1);
        assert_eq!(notices[0].event, "message-summary");
        assert_eq!(notices[0].body, body.1);
        assert_eq!(w.pbx().answers().last().unwrap().status(), 200);
    }

    fn publish_and_options_and_unknown_methods_pass_with_everything_in_them(w) {
        w.phones(["ben"]);
        w.ask("ben", "PUBLISH", "ben", &["Event: presence"], Some(("application/pidf+xml", b"<p/>")));
        w.ask("ben", "FROBNICATE", "ben", &["X-Story: once  upon; a=\"time\""],
            Some(("application/octet-stream", &[0, 1, 2, 255, 13, 10, 13, 10, 254])));
        w.ask("ben", "OPTIONS", "", &[], None).settle();
        w.answered_with("ben", "PUBLISH", 200).answered_with("ben", "OPTIONS", 200);
        w.answered_with("ben", "FROBNICATE", 200);
        let phone = w.phone("ben");
        let answer = phone.latest_errand("FROBNICATE").unwrap();
        assert_eq!(&answer.body()[..], [0, 1, 2, 255, 13, 10, 13, 10, 254]);
        assert_eq!(answer.other("X-Story"), Some("once  upon; a=\"time\""));
        assert_eq!(phone.latest_errand("PUBLISH").unwrap().other("SIP-ETag"), Some("e7"));
    }

    fn the_pbx_looks_after_its_phones_with_options(w) {
        w.phones(["ben"]);
        w.pbx_asks("OPTIONS", "ben", &[], None).settle();
        assert_eq!(w.pbx().answers().last().unwrap().status(), 200);
    }

    fn the_first_pbx_address_is_dead_and_the_next_is_used(w) {
        w.pbx_after_dead_addresses(1).new_phones(["ben"]).callers(["anna"]);
        w.register("ben", 3600).pass(Duration::from_secs(20));
        assert_eq!(w.phone("ben").registered(), Some(200));
        w.talk("ben", "anna");
        w.hang_up("anna").settle();
        w.talk("anna", "ben");
    }

    fn a_phone_that_names_the_house_as_its_server_is_carried_to_the_domain_of_the_pbx(w) {
        w.new_phones(["ben"]).callers(["anna"]);
        w.account("ben", |account| account.domain = "10.0.0.1".into());
        w.register("ben", 3600).settle();
        assert_eq!(w.phone("ben").registered(), Some(200));
        w.talk("ben", "anna");
        w.hang_up("ben").settle();
        w.talk("anna", "ben");
    }

    fn a_dead_pbx_is_told_from_a_busy_one(w) {
        w.phones(["ben"]);
        w.pbx_power(false);
        w.dial("ben", "199").pass(Duration::from_secs(70));
        w.refused_with("ben", &[408, 500, 503, 504]);
        w.pbx_power(true);
    }
}

#[test]
fn a_long_message_goes_by_tcp_and_comes_whole() {
    let mut w = World::new();
    w.new_phones(["ben"]);
    w.account("ben", |account| account.transport = base::Transport::Tcp);
    w.register("ben", 3600).settle();
    assert_eq!(w.phone("ben").registered(), Some(200));
    let long = vec![b'x'; 60_000];
    w.ask("ben", "FROBNICATE", "", &[], Some(("text/plain", &long))).settle();
    w.answered_with("ben", "FROBNICATE", 200);
    let answer = w.phone("ben").latest_errand("FROBNICATE").unwrap();
    assert_eq!(answer.body().len(), 60_000);
    w.tidy();
}

#[test]
fn a_tcp_phone_calls_and_is_called_by_its_connection() {
    let mut w = World::new();
    w.new_phones(["ben"]).callers(["anna"]);
    w.account("ben", |account| account.transport = base::Transport::Tcp);
    w.register("ben", 3600).settle();
    w.talk("anna", "ben");
    w.hang_up("ben").settle();
    w.talk("ben", "anna");
    w.transfer("ben", "701").settle();
    w.waits("anna").dial("ben", "701").settle();
    w.talking("anna", "ben");
    w.tidy();
}

#[test]
fn what_is_too_large_for_a_datagram_reaches_a_phone_without_tcp_all_the_same() {
    let mut w = World::with_phones(["ben", "carl"]);
    w.takes_no_tcp("carl");
    let long = "x".repeat(2_000);
    w.message("ben", "carl", &long).settle();
    w.answered_with("ben", "MESSAGE", 200);
    assert_eq!(w.phone("carl").heard().last().unwrap().body().len(), 2_000);
    w.tidy();
}

#[test]
fn a_request_that_has_passed_too_many_hops_gets_483() {
    let mut w = World::with_phones(["ben"]);
    let bytes = b"MESSAGE sip:102@pbx.example SIP/2.0\r\n\
        Via: SIP/2.0/UDP 10.0.0.101:5060;branch=z9hG4bKhops\r\nMax-Forwards: 0\r\n\
        From: <sip:101@pbx.example>;tag=h\r\nTo: <sip:102@pbx.example>\r\nCall-ID: hops\r\n\
        CSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n";
    let mark = w.ladder().len();
    w.throw("ben", bytes).settle();
    let said = w.ladder().since(mark);
    let answer = said.messages("house", "ben")[0].clone();
    assert_eq!(answer.status(), 483);
    assert!(said.messages("house", "pbx").is_empty());
    w.tidy();
}

#[test]
fn a_request_for_an_unknown_dialog_gets_481_and_what_cannot_be_read_400() {
    let mut w = World::with_phones(["ben"]);
    let mark = w.ladder().len();
    w.throw(
        "ben",
        b"BYE sip:x@10.0.0.1 SIP/2.0\r\n\
        Via: SIP/2.0/UDP 10.0.0.101:5060;branch=z9hG4bKgone\r\nMax-Forwards: 70\r\n\
        From: <sip:101@pbx.example>;tag=h\r\nTo: <sip:102@pbx.example>;tag=i\r\nCall-ID: gone\r\n\
        CSeq: 9 BYE\r\nContent-Length: 0\r\n\r\n",
    )
    .settle();
    w.throw(
        "ben",
        b"OPTIONS sip:10.0.0.1 SIP/2.0\r\n\
        Via: SIP/2.0/UDP 10.0.0.101:5060;branch=z9hG4bKbad\r\nMax-Forwards: 70\r\n\
        From: <sip:101@pbx.example>;tag=h\r\nTo: <sip:102@pbx.example>\r\nCall-ID: bad\r\n\
        CSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n",
    )
    .settle();
    for junk in [&b"\r\n\r\n"[..], b"\x00\x01\x02", b"SIP/2.0 200\r\n\r\n", b"hello"] {
        w.throw("ben", junk).settle();
    }
    let said = w.ladder().since(mark);
    let statuses: Vec<u16> = said.messages("house", "ben").iter().map(|m| m.status()).collect();
    assert_eq!(statuses, [481, 400]);
    w.tidy();
}

#[test]
fn a_request_that_comes_back_to_us_unchanged_gets_482() {
    let mut w = World::with_phones(["ben"]);
    // The PBX thinks that 199 lives at the house itself.
    let house = "sip:199@192.0.2.10:5080";
    let mark = w.ladder().len();
    w.throw(
        "ben",
        format!(
            "MESSAGE {house} SIP/2.0\r\n\
        Via: SIP/2.0/UDP 10.0.0.101:5060;branch=z9hG4bKloop\r\nMax-Forwards: 70\r\n\
        From: <sip:101@pbx.example>;tag=h\r\nTo: <{house}>\r\nCall-ID: loop\r\n\
        CSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n"
        )
        .as_bytes(),
    )
    .settle();
    let said = w.ladder().since(mark);
    let finals: Vec<u16> =
        said.messages("house", "ben").iter().map(|m| m.status()).filter(|s| *s >= 200).collect();
    assert_eq!(finals.len(), 1);
    assert!((400..500).contains(&finals[0]), "{finals:?}");
    assert!(said.messages("house", "pbx").len() < 10);
    w.tidy();
}

#[test]
fn an_invite_keeps_every_line_that_is_not_ours_in_its_place() {
    let mut w = World::new();
    w.behind_a_proxy().phones(["ben"]).callers(["anna"]);
    w.habits("ben", |h| {
        h.extra_lines = vec![
            "X-Unknown: a;b=\"c,d\" , e".into(),
            "Alert-Info: <http://x/y>;info=alert-internal".into(),
            "Subject: a  B   c".into(),
        ];
    });
    w.talk("ben", "anna");
    let ladder = w.ladder().clone();
    let from_ben = ladder.messages("ben", "house");
    let to_pbx = ladder.messages("house", "pbx");
    let is_invite = |m: &&&sip_msg::Message| m.is_request() && m.cseq().1 == "INVITE";
    let (sent, onward) =
        (from_ben.iter().find(is_invite).unwrap(), to_pbx.iter().find(is_invite).unwrap());
    for name in ["X-Unknown", "Alert-Info", "Subject", "User-Agent", "Allow", "Supported"] {
        assert_eq!(sent.other(name), onward.other(name), "{name}");
    }
    let user =
        |m: &sip_msg::Message| NameAddr::read(m.get(Name::From).unwrap()).unwrap().uri().to_owned();
    assert_eq!(user(sent), user(onward));
    w.tidy();
}
