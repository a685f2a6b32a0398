//! Timers E, F, J and K.

use crate::room::{Room, asked, at, tcp, udp, word};

const EVERY_E: [u64; 10] =
    [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];

#[test]
fn an_unanswered_request_is_repeated_until_timer_f() {
    let mut room = Room::new();
    room.ask(udp(), "OPTIONS");
    assert_eq!(room.sent_words(), ["OPTIONS"]);
    let mut expected = at("OPTIONS", &EVERY_E);
    expected.extend(at("Timeout", &[32_000]));
    assert_eq!(room.pass(100_000), expected);
    room.is_tidy();
}

#[test]
fn over_tcp_it_is_sent_once_and_times_out_all_the_same() {
    let mut room = Room::new();
    room.ask(tcp(), "OPTIONS");
    room.sent();
    assert_eq!(room.pass(100_000), at("Timeout", &[32_000]));
    room.is_tidy();
}

#[test]
fn after_a_provisional_it_is_repeated_every_t2_and_still_times_out() {
    let mut room = Room::new();
    room.ask(udp(), "REGISTER");
    let request = room.sent_one();
    assert_eq!(room.pass(600), at("REGISTER", &[500]));
    assert_eq!(word(&room.answer(udp(), &request, 100, "")), "100");
    assert_eq!(word(&room.answer(udp(), &request, 100, "")), "-");
    let mut expected = at("REGISTER", &[900, 4_900, 8_900, 12_900, 16_900, 20_900, 24_900, 28_900]);
    expected.extend(at("Timeout", &[31_400]));
    assert_eq!(room.pass(100_000), expected);
    room.is_tidy();
}

#[test]
fn an_answer_is_heard_once_and_its_repetitions_are_absorbed_until_timer_k() {
    let mut room = Room::new();
    let key = room.ask(udp(), "BYE");
    let request = room.sent_one();
    assert_eq!(word(&room.answer(udp(), &request, 200, "a")), "200");
    assert_eq!(word(&room.answer(udp(), &request, 200, "a")), "-");
    assert!(room.layer.heard_anything(key));
    room.pass(4_999);
    assert_eq!(room.layer.len(), 1);
    assert_eq!(word(&room.answer(udp(), &request, 481, "a")), "-");
    assert_eq!(room.pass(1), []);
    room.is_tidy();
}

#[test]
fn over_tcp_nothing_is_kept_of_an_answered_request() {
    let mut room = Room::new();
    room.ask(tcp(), "BYE");
    let request = room.sent_one();
    assert_eq!(word(&room.answer(tcp(), &request, 404, "a")), "404");
    room.is_tidy();
}

#[test]
fn an_abandoned_request_runs_to_its_end_unheard() {
    let mut room = Room::new();
    let key = room.ask(udp(), "NOTIFY");
    let request = room.sent_one();
    room.layer.abandon(room.now, key);
    assert_eq!(room.pass(600), at("NOTIFY", &[500]));
    assert_eq!(word(&room.answer(udp(), &request, 200, "a")), "-");
    // Forgotten at leisure: up to a quarter of a second late.
    room.pass(5_250);
    room.is_tidy();
    let key = room.ask(udp(), "NOTIFY");
    room.sent();
    room.layer.abandon(room.now, key);
    assert_eq!(room.pass(100_000), at("NOTIFY", &EVERY_E));
    room.is_tidy();
}

#[test]
fn a_repeated_request_is_absorbed_until_it_is_answered_and_then_answered_again() {
    let mut room = Room::new();
    let options = asked("OPTIONS");
    let server = room.admit(udp(), &options);
    // No 100 for a request that is not an INVITE.
    assert_eq!(room.sent_words(), [""; 0]);
    assert_eq!(word(&room.hear(udp(), &options.read())), "-");
    assert_eq!(room.sent_words(), [""; 0]);
    assert!(room.layer.is_pending(server));
    assert!(room.respond(server, 200, "x"));
    let answer = room.sent_one();
    assert!(!room.layer.is_pending(server));
    assert!(room.layer.request_of(server).is_none());
    assert_eq!(word(&room.hear(udp(), &options.read())), "-");
    assert_eq!(room.sent_one().bytes(), answer.bytes());
    // Timer J.
    room.pass(31_999);
    assert_eq!(room.layer.len(), 1);
    room.pass(1);
    room.is_tidy();
    assert_eq!(word(&room.hear(udp(), &options.read())), "OPTIONS");
}

#[test]
fn a_provisional_is_given_again_too() {
    let mut room = Room::new();
    let refer = asked("REFER");
    let server = room.admit(udp(), &refer);
    assert!(room.respond(server, 100, "x"));
    room.sent();
    room.hear(udp(), &refer.read());
    assert_eq!(room.sent_words(), ["100"]);
    assert!(room.respond(server, 202, "x"));
    assert_eq!(room.sent_words(), ["202"]);
}

#[test]
fn over_tcp_an_answered_request_is_forgotten_at_once() {
    let mut room = Room::new();
    let server = room.admit(tcp(), &asked("OPTIONS"));
    assert!(room.respond(server, 200, "x"));
    assert_eq!(room.sent_words(), ["200"]);
    room.is_tidy();
}

#[test]
fn a_final_answer_after_a_final_answer_is_not_given() {
    let mut room = Room::new();
    let bye = asked("BYE");
    let server = room.admit(udp(), &bye);
    let request = room.layer.request_of(server).unwrap().clone();
    let draft = |status| sip_msg::Compose::response_to(&request, status, None).finish();
    assert!(room.layer.respond(room.now, server, 200, &draft(200)));
    assert!(!room.layer.respond(room.now, server, 481, &draft(481)));
    assert!(!room.layer.respond(room.now, server, 100, &draft(100)));
    assert_eq!(room.sent_words(), ["200"]);
}
