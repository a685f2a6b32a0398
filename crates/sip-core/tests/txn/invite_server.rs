//! The 100, timers G, H, I and L, and the repetition of the 2xx.

use sip_core::Heard;
use sip_msg::Name;

use crate::room::{Asked, OWNER, Room, asked, at, tcp, udp, word};

const EVERY_G: [u64; 10] =
    [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];

fn ack_of(invite: &Asked, to_tag: &'static str) -> Asked {
    Asked { method: "ACK", to_tag: Some(to_tag), ..invite.clone() }
}

#[test]
fn a_new_invite_is_answered_100_at_once_and_its_repetition_likewise() {
    let mut room = Room::new();
    let invite = Asked { extra: "Timestamp: 54\r\n", ..asked("INVITE") };
    room.admit(udp(), &invite);
    let trying = room.sent_one();
    assert_eq!((trying.status(), trying.to_tag()), (100, None));
    assert_eq!(trying.other("Timestamp"), Some("54"));
    assert_eq!(trying.cseq(), (1, "INVITE"));
    assert_eq!(word(&room.hear(udp(), &invite.read())), "-");
    assert_eq!(room.sent_words(), ["100"]);
    assert_eq!(room.pass(600_000), []);
}

#[test]
fn a_repeated_invite_is_answered_with_the_last_provisional() {
    let mut room = Room::new();
    let invite = asked("INVITE");
    let server = room.admit(udp(), &invite);
    assert!(room.respond(server, 180, "x"));
    assert!(room.respond(server, 183, "x"));
    assert_eq!(room.sent_words(), ["100", "180", "183"]);
    room.hear(udp(), &invite.read());
    assert_eq!(room.sent_words(), ["183"]);
}

#[test]
fn a_refusal_is_repeated_until_timer_h_when_no_ack_comes() {
    let mut room = Room::new();
    let invite = asked("INVITE");
    let server = room.admit(udp(), &invite);
    assert!(room.respond(server, 486, "x"));
    assert_eq!(room.sent_words(), ["100", "486"]);
    assert!(!room.layer.is_pending(server));
    assert_eq!(room.pass(100_000), at("486", &EVERY_G));
    room.is_tidy();
}

#[test]
fn the_ack_of_a_refusal_is_absorbed_and_its_repetitions_until_timer_i() {
    let mut room = Room::new();
    let invite = asked("INVITE");
    let server = room.admit(udp(), &invite);
    room.respond(server, 486, "x");
    room.sent();
    room.hear(udp(), &invite.read());
    assert_eq!(room.sent_words(), ["486"]);
    for _ in 0..2 {
        assert_eq!(word(&room.hear(udp(), &ack_of(&invite, "x").read())), "-");
    }
    assert_eq!(word(&room.hear(udp(), &invite.read())), "-");
    assert_eq!(room.pass(4_999), []);
    assert_eq!(room.layer.len(), 1);
    assert_eq!(room.pass(1), []);
    room.is_tidy();
}

#[test]
fn over_tcp_a_refusal_is_given_once_and_forgotten_with_its_ack() {
    let mut room = Room::new();
    let invite = asked("INVITE");
    let server = room.admit(tcp(), &invite);
    room.respond(server, 486, "x");
    room.sent();
    assert_eq!(room.pass(10_000), []);
    assert_eq!(word(&room.hear(tcp(), &ack_of(&invite, "x").read())), "-");
    room.is_tidy();

    let server = room.admit(tcp(), &invite);
    room.respond(server, 486, "x");
    room.sent();
    assert_eq!(room.pass(32_000), []);
    room.is_tidy();
}

#[test]
fn a_2xx_is_repeated_over_any_transport_and_its_missing_ack_is_told() {
    for flow in [udp(), tcp()] {
        let mut room = Room::new();
        let server = room.admit(flow, &asked("INVITE"));
        room.layer.adopt(server, OWNER);
        room.respond(server, 200, "x");
        assert_eq!(room.sent_words(), ["100", "200"]);
        let mut expected = at("200", &EVERY_G);
        expected.extend(at("Unacknowledged", &[32_000]));
        assert_eq!(room.pass(100_000), expected);
        room.is_tidy();
    }
}

#[test]
fn who_adopted_an_invite_is_told_that_its_2xx_was_not_acknowledged() {
    let mut room = Room::new();
    let server = room.admit(udp(), &asked("INVITE"));
    assert_eq!(room.layer.owner(server), None);
    room.layer.adopt(server, 9);
    assert_eq!(room.layer.owner(server), Some(9));
    room.respond(server, 200, "x");
    let late = room.now + std::time::Duration::from_secs(33);
    match room.layer.wake(late) {
        Some(Heard::Unacknowledged { server: gone, owner }) => {
            assert_eq!((gone, owner), (server, Some(9)));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_acknowledged_2xx_is_silent_and_absorbs_the_invite_until_timer_l() {
    let mut room = Room::new();
    let invite = asked("INVITE");
    let server = room.admit(udp(), &invite);
    room.respond(server, 200, "x");
    room.sent();
    let other_branch = Asked {
        via: "SIP/2.0/UDP 192.0.2.103:5062;branch=z9hG4bKphone2".into(),
        ..ack_of(&invite, "x")
    };
    assert_eq!(word(&room.hear(udp(), &other_branch.read())), "ack");
    room.layer.acked(room.now, server);
    assert_eq!(word(&room.hear(udp(), &invite.read())), "-");
    assert_eq!(room.pass(31_999), []);
    assert_eq!(room.layer.len(), 1);
    assert_eq!(room.pass(1), []);
    room.is_tidy();
}

#[test]
fn the_ack_of_a_phone_that_reuses_the_branch_of_its_invite_is_heard() {
    let mut room = Room::new();
    let invite = asked("INVITE");
    let server = room.admit(udp(), &invite);
    room.respond(server, 200, "x");
    room.sent();
    assert_eq!(word(&room.hear(udp(), &ack_of(&invite, "x").read())), "ack");
    room.layer.acked(room.now, server);
    assert_eq!(word(&room.hear(udp(), &ack_of(&invite, "x").read())), "ack");
    assert_eq!(room.pass(32_000), []);
    room.is_tidy();
}

#[test]
fn an_ack_out_of_nowhere_is_heard_and_leaves_nothing() {
    let mut room = Room::new();
    let ack = ack_of(&asked("INVITE"), "x");
    assert_eq!(word(&room.hear(udp(), &ack.read())), "ack");
    room.is_tidy();
}

#[test]
fn all_vias_of_the_request_come_back_in_their_order() {
    let mut room = Room::new();
    let invite = Asked {
        via: "SIP/2.0/UDP edge.example;branch=z9hG4bK1, SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK2\r\n\
              v: SIP/2.0/TCP 10.0.0.3;branch=z9hG4bK3"
            .into(),
        ..asked("INVITE")
    };
    let server = room.admit(udp(), &invite);
    room.respond(server, 200, "x");
    for (_, answer) in room.sent() {
        let vias: Vec<&str> = answer.values(Name::Via).collect();
        assert_eq!(
            vias,
            [
                "SIP/2.0/UDP edge.example;branch=z9hG4bK1;received=192.0.2.103",
                "SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK2",
                "SIP/2.0/TCP 10.0.0.3;branch=z9hG4bK3",
            ]
        );
    }
}
