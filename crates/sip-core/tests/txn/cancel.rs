//! CANCEL, ours and theirs, before, between and after.

use sip_core::Heard;
use sip_msg::Name;

use crate::room::{Asked, OWNER, Room, ack_draft, asked, at, tcp, udp, word};

#[test]
fn a_cancel_waits_for_the_first_provisional() {
    let mut room = Room::new();
    let key = room.ask(udp(), "INVITE");
    let invite = room.sent_one();
    room.layer.cancel(room.now, key, None);
    room.layer.cancel(room.now, key, None);
    assert_eq!(room.sent_words(), [""; 0]);
    // The INVITE must arrive before its CANCEL may.
    assert_eq!(room.pass(600), at("INVITE", &[500]));
    assert_eq!(word(&room.answer(udp(), &invite, 100, "")), "100");
    let cancel = room.sent_one();
    assert_eq!(cancel.method().unwrap().as_str(), "CANCEL");
    room.layer.cancel(room.now, key, None);
    assert_eq!(room.sent_words(), [""; 0]);
    assert_eq!(word(&room.answer(udp(), &cancel, 200, "c")), "-");
    assert_eq!(word(&room.answer(udp(), &invite, 487, "a")), "487");
    assert_eq!(room.sent_words(), ["ACK"]);
    assert_eq!(room.pass(100_000), []);
    room.is_tidy();
}

#[test]
fn a_cancel_is_built_from_its_invite() {
    let mut room = Room::new();
    let key = room.ask(udp(), "INVITE");
    let invite = room.sent_one();
    room.answer(udp(), &invite, 180, "a");
    room.layer.cancel(room.now, key, Some("SIP;cause=200;text=\"Call completed elsewhere\""));
    let cancel = room.sent_one();
    assert_eq!(cancel.uri(), invite.uri());
    assert_eq!(cancel.via().as_str(), invite.via().as_str());
    assert_eq!(cancel.cseq(), (41, "CANCEL"));
    for name in [Name::From, Name::To, Name::CallId, Name::Route] {
        assert_eq!(cancel.get(name), invite.get(name));
    }
    assert_eq!(cancel.get(Name::Reason), Some("SIP;cause=200;text=\"Call completed elsewhere\""));
}

#[test]
fn a_cancel_that_crosses_a_200_leaves_a_2xx_to_be_acknowledged() {
    let mut room = Room::new();
    let key = room.ask(udp(), "INVITE");
    let invite = room.sent_one();
    room.answer(udp(), &invite, 180, "a");
    room.layer.cancel(room.now, key, None);
    let cancel = room.sent_one();
    assert_eq!(word(&room.answer(udp(), &invite, 200, "a")), "200");
    room.layer.ack(room.now, key, udp(), &ack_draft("a"));
    assert_eq!(room.sent_words(), ["ACK"]);
    assert_eq!(word(&room.answer(udp(), &cancel, 200, "a")), "-");
    assert_eq!(room.pass(100_000), []);
    room.is_tidy();
}

#[test]
fn a_wanted_cancel_is_forgotten_when_the_final_answer_comes_first() {
    for status in [200, 486] {
        let mut room = Room::new();
        let key = room.ask(udp(), "INVITE");
        let invite = room.sent_one();
        room.layer.cancel(room.now, key, None);
        assert_eq!(word(&room.answer(udp(), &invite, status, "a")), status.to_string());
        assert!(!room.sent_words().contains(&"CANCEL".to_owned()));
        room.layer.cancel(room.now, key, None);
        assert_eq!(room.sent_words(), [""; 0]);
        room.pass(100_000);
        room.is_tidy();
    }
}

#[test]
fn a_cancelled_invite_without_a_final_answer_is_given_up_after_64_t1() {
    let mut room = Room::new();
    let key = room.ask(udp(), "INVITE");
    let invite = room.sent_one();
    room.answer(udp(), &invite, 180, "a");
    room.pass(10_000);
    room.layer.cancel(room.now, key, None);
    assert_eq!(room.sent_words(), ["CANCEL"]);
    let seen = room.pass(100_000);
    let resent = seen.iter().filter(|(_, said)| said == "CANCEL").count();
    assert_eq!(resent, 10, "{seen:?}");
    assert!(seen.contains(&(32_000, "Timeout".to_owned())), "{seen:?}");
    assert_eq!(seen.len(), 11, "the end of the CANCEL itself is nobody's business: {seen:?}");
    room.is_tidy();
}

#[test]
fn over_tcp_a_cancel_outlives_its_invite_without_harm() {
    let mut room = Room::new();
    let key = room.ask(tcp(), "INVITE");
    let invite = room.sent_one();
    room.answer(tcp(), &invite, 180, "a");
    room.layer.cancel(room.now, key, None);
    let cancel = room.sent_one();
    assert_eq!(word(&room.answer(tcp(), &invite, 487, "a")), "487");
    assert_eq!(room.layer.len(), 1);
    assert_eq!(word(&room.answer(tcp(), &cancel, 200, "a")), "-");
    room.is_tidy();
}

#[test]
fn an_abandoned_invite_is_cancelled_and_only_a_2xx_is_still_heard() {
    let mut room = Room::new();
    let key = room.ask(udp(), "INVITE");
    let invite = room.sent_one();
    room.layer.abandon(room.now, key);
    assert_eq!(word(&room.answer(udp(), &invite, 100, "")), "-");
    assert_eq!(room.sent_words(), ["CANCEL"]);
    assert_eq!(word(&room.answer(udp(), &invite, 183, "a")), "-");
    match room.answer(udp(), &invite, 200, "a") {
        Heard::Response { client, owner, .. } => assert_eq!((client, owner), (key, OWNER)),
        other => panic!("{other:?}"),
    }
    room.layer.ack(room.now, key, udp(), &ack_draft("a"));
    room.sent();
    room.pass(100_000);
    room.is_tidy();

    let key = room.ask(udp(), "INVITE");
    let invite = room.sent_one();
    room.answer(udp(), &invite, 180, "a");
    room.layer.abandon(room.now, key);
    assert_eq!(word(&room.answer(udp(), &invite, 487, "a")), "-");
    assert_eq!(room.sent_words(), ["CANCEL", "ACK"]);
    room.pass(100_000);
    room.is_tidy();
}

fn cancel_of(invite: &Asked) -> Asked {
    Asked { method: "CANCEL", ..invite.clone() }
}

#[test]
fn their_cancel_of_a_ringing_invite_is_answered_200_and_told() {
    let mut room = Room::new();
    let invite = asked("INVITE");
    let server = room.admit(udp(), &invite);
    room.layer.adopt(server, OWNER);
    room.respond(server, 180, "x");
    room.sent();
    let cancel = Asked { extra: "Reason: Q.850;cause=16\r\n", ..cancel_of(&invite) };
    match room.hear(udp(), &cancel.read()) {
        Heard::Cancel { invite, owner, request } => {
            assert_eq!((invite, owner), (server, Some(OWNER)));
            assert_eq!(request.get(Name::Reason), Some("Q.850;cause=16"));
        }
        other => panic!("{other:?}"),
    }
    let answer = room.sent_one();
    assert_eq!((answer.status(), answer.cseq()), (200, (1, "CANCEL")));
    // §9.2: the same To-tag as the answers to the INVITE.
    assert_eq!(answer.to_tag(), Some("x"));
    assert_eq!(word(&room.hear(udp(), &cancel.read())), "-");
    assert_eq!(room.sent_one().bytes(), answer.bytes());
    assert!(room.respond(server, 487, "x"));
    room.sent();
    room.pass(100_000);
    room.is_tidy();
}

#[test]
fn their_cancel_before_any_answer_of_ours_gets_a_tag_of_its_own() {
    let mut room = Room::new();
    let invite = asked("INVITE");
    room.admit(udp(), &invite);
    room.sent();
    assert_eq!(word(&room.hear(udp(), &cancel_of(&invite).read())), "cancel");
    assert!(room.sent_one().to_tag().is_some());
}

#[test]
fn their_cancel_after_the_final_answer_is_answered_200_and_changes_nothing() {
    for status in [200, 486] {
        let mut room = Room::new();
        let invite = asked("INVITE");
        let server = room.admit(udp(), &invite);
        room.respond(server, status, "x");
        room.sent();
        assert_eq!(word(&room.hear(udp(), &cancel_of(&invite).read())), "-");
        assert_eq!(room.sent_words(), ["200"]);
    }
}

#[test]
fn a_cancel_of_nothing_is_answered_481() {
    let mut room = Room::new();
    assert_eq!(word(&room.hear(udp(), &cancel_of(&asked("INVITE")).read())), "-");
    assert_eq!(room.sent_words(), ["481"]);
    room.pass(32_000);
    room.is_tidy();
    // One of another request, too: only an INVITE can be cancelled.
    let options = asked("OPTIONS");
    room.admit(udp(), &options);
    assert_eq!(word(&room.hear(udp(), &cancel_of(&options).read())), "-");
    assert_eq!(room.sent_words(), ["481"]);
}
