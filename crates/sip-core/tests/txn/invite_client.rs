//! Timers A, B, D and M; refusals; 2xx, repeated and forked.

use sip_core::Oversize;
use sip_msg::Name;

use crate::room::{OWNER, Room, ack_draft, at, draft, tcp, udp, word};

#[test]
fn an_unanswered_invite_is_repeated_ever_slower_until_timer_b() {
    let mut room = Room::new();
    room.ask(udp(), "INVITE");
    assert_eq!(room.sent_words(), ["INVITE"]);
    let mut expected = at("INVITE", &[500, 1_500, 3_500, 7_500, 15_500, 31_500]);
    expected.extend(at("Timeout", &[32_000]));
    assert_eq!(room.pass(100_000), expected);
    room.is_tidy();
}

#[test]
fn over_tcp_an_invite_is_sent_once_and_times_out_all_the_same() {
    let mut room = Room::new();
    room.ask(tcp(), "INVITE");
    assert_eq!(room.sent_words(), ["INVITE"]);
    assert_eq!(room.pass(100_000), at("Timeout", &[32_000]));
    room.is_tidy();
}

#[test]
fn a_provisional_stops_the_repetition_and_then_it_rings_for_as_long_as_it_likes() {
    let mut room = Room::new();
    let key = room.ask(udp(), "INVITE");
    let invite = room.sent_one();
    assert!(!room.layer.heard_anything(key));
    assert_eq!(word(&room.answer(udp(), &invite, 100, "")), "100");
    assert!(room.layer.heard_anything(key));
    assert_eq!(room.pass(600_000), []);
    assert_eq!(word(&room.answer(udp(), &invite, 180, "a")), "180");
    assert_eq!(word(&room.answer(udp(), &invite, 180, "a")), "180");
    assert_eq!(word(&room.answer(udp(), &invite, 100, "")), "-");
    assert_eq!(room.layer.client_owner(key), Some(OWNER));
}

#[test]
fn a_refusal_is_acknowledged_with_the_branch_of_the_invite_and_heard_once() {
    let mut room = Room::new();
    room.ask(udp(), "INVITE");
    let invite = room.sent_one();
    assert_eq!(word(&room.answer(udp(), &invite, 486, "busy")), "486");
    let ack = room.sent_one();
    assert_eq!(ack.method().unwrap().as_str(), "ACK");
    assert_eq!(ack.uri(), invite.uri());
    assert_eq!(ack.via().as_str(), invite.via().as_str());
    assert_eq!(ack.values(Name::Via).count(), 1);
    assert_eq!(ack.cseq(), (41, "ACK"));
    assert_eq!(ack.to_tag(), Some("busy"));
    for name in [Name::From, Name::CallId, Name::Route] {
        assert_eq!(ack.get(name), invite.get(name));
    }
    // Timer D: each repetition gets its ACK, and nobody hears of it.
    room.pass(31_000);
    assert_eq!(word(&room.answer(udp(), &invite, 486, "busy")), "-");
    assert_eq!(room.sent_one().bytes(), ack.bytes());
    assert_eq!(word(&room.answer(udp(), &invite, 180, "busy")), "-");
    assert_eq!(room.pass(1_000), []);
    room.is_tidy();
    assert_eq!(word(&room.answer(udp(), &invite, 486, "busy")), "-");
    assert_eq!(room.sent_words(), [""; 0]);
}

#[test]
fn over_tcp_nothing_is_kept_of_a_refused_invite() {
    let mut room = Room::new();
    room.ask(tcp(), "INVITE");
    let invite = room.sent_one();
    room.answer(tcp(), &invite, 100, "");
    assert_eq!(word(&room.answer(tcp(), &invite, 603, "no")), "603");
    assert_eq!(room.sent_words(), ["ACK"]);
    room.is_tidy();
}

#[test]
fn a_repeated_2xx_is_answered_with_the_same_ack_and_absorbed() {
    let mut room = Room::new();
    let key = room.ask(udp(), "INVITE");
    let invite = room.sent_one();
    assert_eq!(word(&room.answer(udp(), &invite, 200, "a")), "200");
    // The owner has not given its ACK yet.
    assert_eq!(word(&room.answer(udp(), &invite, 200, "a")), "-");
    assert_eq!(room.sent_words(), [""; 0]);
    room.layer.ack(room.now, key, udp(), &ack_draft("a"));
    let ack = room.sent_one();
    assert_ne!(ack.via().branch(), invite.via().branch());
    room.pass(31_999);
    assert_eq!(word(&room.answer(udp(), &invite, 200, "a")), "-");
    assert_eq!(room.sent_one().bytes(), ack.bytes());
    // Timer M.
    assert_eq!(room.layer.len(), 1);
    assert_eq!(room.pass(1), []);
    room.is_tidy();
}

#[test]
fn each_branch_of_a_forked_call_that_answers_is_heard_once_and_has_its_own_ack() {
    let mut room = Room::new();
    let key = room.ask(udp(), "INVITE");
    let invite = room.sent_one();
    assert_eq!(word(&room.answer(udp(), &invite, 200, "a")), "200");
    room.layer.ack(room.now, key, udp(), &ack_draft("a"));
    assert_eq!(word(&room.answer(udp(), &invite, 200, "b")), "200");
    room.layer.ack(room.now, key, udp(), &ack_draft("b"));
    assert_eq!(room.sent_words(), ["ACK", "ACK"]);
    for tag in ["a", "b"] {
        assert_eq!(word(&room.answer(udp(), &invite, 200, tag)), "-");
        assert_eq!(room.sent_one().to_tag(), Some(tag));
    }
    // What other branches say does not matter any more.
    assert_eq!(word(&room.answer(udp(), &invite, 180, "c")), "-");
    assert_eq!(word(&room.answer(udp(), &invite, 487, "c")), "-");
    room.pass(32_000);
    room.is_tidy();
}

#[test]
fn over_tcp_a_2xx_is_waited_for_as_long() {
    let mut room = Room::new();
    let key = room.ask(tcp(), "INVITE");
    let invite = room.sent_one();
    room.answer(tcp(), &invite, 200, "a");
    room.layer.ack(room.now, key, tcp(), &ack_draft("a"));
    room.sent();
    room.pass(31_999);
    assert_eq!(room.layer.len(), 1);
    room.pass(1);
    room.is_tidy();
}

#[test]
fn an_ack_for_a_transaction_that_is_gone_is_sent_nevertheless() {
    let mut room = Room::new();
    let key = room.ask(udp(), "INVITE");
    let invite = room.sent_one();
    room.answer(udp(), &invite, 200, "a");
    room.pass(32_000);
    room.layer.ack(room.now, key, udp(), &ack_draft("a"));
    assert_eq!(room.sent_words(), ["ACK"]);
    room.is_tidy();
}

#[test]
fn loss_of_the_first_invites_costs_only_time() {
    let mut room = Room::new();
    room.layer.request(room.now, udp(), OWNER, &draft("INVITE"), Oversize::TryTcp);
    room.sent();
    assert_eq!(room.pass(3_000), at("INVITE", &[500, 1_500]));
    let resent = room.pass(500);
    assert_eq!(resent, at("INVITE", &[500]));
    assert_eq!(room.layer.len(), 1);
}
