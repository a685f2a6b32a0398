//! What belongs to which transaction (RFC 3261 §17.1.3, §17.2.3), and what belongs to none.

use base::{Flow, Side};
use bytes::Bytes;
use sip_msg::Message;

use crate::room::{Asked, Room, answer_text, asked, pbx, tcp, udp, word};

#[test]
fn the_same_branch_from_two_sides_is_two_requests() {
    // A proxying PBX may bring a phone's call back with the phone's own Via still in it.
    let mut room = Room::new();
    let invite = asked("INVITE");
    let one = room.admit(udp(), &invite);
    let other = room.admit(Flow { peer: udp().peer, ..pbx() }, &invite);
    assert_ne!(one, other);
    room.sent();
    assert!(room.respond(other, 486, "x"));
    assert!(room.layer.is_pending(one));
    let ack = Asked { method: "ACK", to_tag: Some("x"), ..invite };
    assert_eq!(word(&room.hear(pbx(), &ack.read())), "-");
    assert!(room.layer.is_pending(one));
}

#[test]
fn the_same_branch_from_another_sender_is_another_request() {
    let mut room = Room::new();
    room.admit(udp(), &asked("OPTIONS"));
    for via in [
        "SIP/2.0/UDP 192.0.2.104:5062;branch=z9hG4bKphone1",
        "SIP/2.0/UDP 192.0.2.103:5063;branch=z9hG4bKphone1",
        "SIP/2.0/UDP 192.0.2.103:5062;branch=z9hG4bKphone2",
    ] {
        room.admit(udp(), &Asked { via: via.into(), ..asked("OPTIONS") });
    }
    assert_eq!(room.layer.len(), 4);
}

#[test]
fn the_host_of_a_via_is_compared_in_any_case() {
    let mut room = Room::new();
    let via = "SIP/2.0/UDP Phone.Example:5062;branch=z9hG4bKphone1";
    let options = Asked { via: via.into(), ..asked("OPTIONS") };
    room.admit(udp(), &options);
    let again = Asked { via: via.replace("Phone.Example", "phone.example"), ..options };
    assert_eq!(word(&room.hear(udp(), &again.read())), "-");
}

#[test]
fn a_client_that_uses_one_branch_for_two_requests_is_understood() {
    let mut room = Room::new();
    room.admit(udp(), &asked("INVITE"));
    room.admit(udp(), &Asked { cseq: 2, ..asked("INVITE") });
    room.admit(udp(), &Asked { cseq: 3, ..asked("BYE") });
    assert_eq!(room.layer.len(), 3);
}

#[test]
fn without_the_magic_cookie_a_request_is_known_by_everything_else() {
    for via in [
        "SIP/2.0/UDP 192.0.2.103:5062",
        "SIP/2.0/UDP 192.0.2.103:5062;branch=1",
        "SIP/2.0/UDP 192.0.2.103:5062;branch=z9hG4bK",
    ] {
        let mut room = Room::new();
        let invite = Asked { via: via.into(), ..asked("INVITE") };
        let server = room.admit(udp(), &invite);
        assert_eq!(word(&room.hear(udp(), &invite.read())), "-");
        let other_tag = Asked { from_tag: "other", ..invite.clone() };
        room.admit(udp(), &other_tag);
        let other_uri = Asked { uri: "sip:106@pbx.example", ..invite.clone() };
        room.admit(udp(), &other_uri);
        room.sent();

        let cancel = Asked { method: "CANCEL", ..invite.clone() };
        assert_eq!(word(&room.hear(udp(), &cancel.read())), "cancel");
        room.respond(server, 487, "x");
        assert_eq!(room.sent_words(), ["200", "487"]);
        let ack = Asked { method: "ACK", to_tag: Some("x"), ..invite.clone() };
        assert_eq!(word(&room.hear(udp(), &ack.read())), "-");
    }
}

#[test]
fn an_answer_finds_its_request_by_branch_method_and_side() {
    let mut room = Room::new();
    room.ask(udp(), "OPTIONS");
    let request = room.sent_one();
    assert_eq!(word(&room.answer(pbx(), &request, 200, "a")), "-");

    let answer = answer_text(&request, 200, "a");
    let text = std::str::from_utf8(answer.bytes()).unwrap();
    let branch = request.via().branch().unwrap();
    for (from, to) in [
        ("41 OPTIONS", "41 INVITE"),
        ("41 OPTIONS", "41 CANCEL"),
        (branch, "z9hG4bK0000000000000000"),
        (branch, "z9hG4bK+000000000000001"),
        (branch, "z9hG4bKé"),
        (branch, "1"),
    ] {
        let stray = Message::read(Bytes::from(text.replace(from, to))).unwrap();
        assert_eq!(word(&room.hear(udp(), &stray)), "-", "{to}");
    }
    let via = request.via().as_str();
    let two = text.replace(via, &format!("{via}, SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK9"));
    assert_eq!(word(&room.hear(udp(), &Message::read(Bytes::from(two)).unwrap())), "-");

    assert_eq!(word(&room.answer(udp(), &request, 200, "a")), "200");
}

#[test]
fn branches_are_all_different() {
    let mut room = Room::new();
    for _ in 0..1_000 {
        room.ask(udp(), "OPTIONS");
    }
    let mut branches: Vec<String> =
        room.sent().iter().map(|(_, request)| request.via().branch().unwrap().to_owned()).collect();
    branches.sort();
    branches.dedup();
    assert_eq!(branches.len(), 1_000);
    assert!(branches.iter().all(|branch| branch.starts_with("z9hG4bK")));
}

#[test]
fn a_stale_key_opens_nothing_even_when_its_place_is_taken() {
    let mut room = Room::new();
    let old = room.ask(tcp(), "INVITE");
    let invite = room.sent_one();
    room.answer(tcp(), &invite, 486, "a");
    room.sent();
    let old_server = room.admit(tcp(), &asked("OPTIONS"));
    room.respond(old_server, 200, "x");
    room.sent();
    room.is_tidy();

    let new = room.ask(tcp(), "INVITE");
    let invite = room.sent_one();
    room.answer(tcp(), &invite, 180, "a");
    let new_server = room.admit(tcp(), &Asked { cseq: 2, ..asked("INVITE") });
    room.sent();
    assert_ne!(old, new);
    assert_ne!(old_server, new_server);

    room.layer.cancel(room.now, old, None);
    room.layer.abandon(room.now, old);
    assert!(!room.layer.heard_anything(old));
    assert_eq!(room.layer.client_owner(old), None);
    room.layer.adopt(old_server, 3);
    room.layer.acked(room.now, old_server);
    assert_eq!(room.layer.owner(old_server), None);
    assert!(!room.layer.is_pending(old_server));
    assert!(room.layer.request_of(old_server).is_none());
    let draft = sip_msg::Compose::response_to(&invite, 200, None).finish();
    assert!(!room.layer.respond(room.now, old_server, 200, &draft));

    assert_eq!(room.sent_words(), [""; 0]);
    assert!(room.layer.heard_anything(new));
    assert_eq!(room.layer.owner(new_server), None);
    assert!(room.layer.is_pending(new_server));
}

#[test]
fn runs_with_the_same_seed_send_the_same_bytes() {
    let run = || {
        let mut room = Room::new();
        room.ask(udp(), "INVITE");
        room.ask(Flow { side: Side::Pbx, ..udp() }, "OPTIONS");
        std::iter::from_fn(|| room.layer.poll()).map(|(_, bytes)| bytes).collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}
