//! Ways out and ways back: Vias, rport, connections, and requests too large for a datagram.

use base::{ConnId, Flow, Transport};
use sip_core::{ClientKey, Oversize};

use crate::room::{Asked, OWNER, Room, asked, at, outline, pbx, tcp, udp, word};

/// Where and how the answer to a request with this Via goes.
fn answered(flow: Flow, via: &str) -> (Flow, String) {
    let mut room = Room::new();
    let server = room.admit(flow, &Asked { via: via.into(), ..asked("OPTIONS") });
    room.respond(server, 200, "x");
    let (flow, answer) = room.sent().remove(0);
    (flow, answer.via().as_str().to_owned())
}

#[test]
fn an_answer_by_udp_goes_to_the_port_of_the_via_unless_something_is_in_between() {
    // Via, port to which the answer goes, what is noted in the Via.
    let table = [
        ("192.0.2.103:5066;branch=z9hG4bK1", 5066, ""),
        ("192.0.2.103;branch=z9hG4bK1", 5060, ""),
        ("10.0.0.9:5066;branch=z9hG4bK1", 5062, ";received=192.0.2.103"),
        ("phone.example;branch=z9hG4bK1", 5062, ";received=192.0.2.103"),
    ];
    for (via, port, noted) in table {
        let via = format!("SIP/2.0/UDP {via}");
        let (way, top) = answered(udp(), &via);
        assert_eq!((way.peer.ip(), way.peer.port()), (udp().peer.ip(), port), "{via}");
        assert_eq!(top, format!("{via}{noted}"));
    }
}

#[test]
fn rport_is_filled_in_and_obeyed() {
    let (way, top) = answered(udp(), "SIP/2.0/UDP 192.0.2.103:5066;rport;branch=z9hG4bK1");
    assert_eq!(way, udp());
    assert_eq!(top, "SIP/2.0/UDP 192.0.2.103:5066;rport=5062;branch=z9hG4bK1;received=192.0.2.103");
}

#[test]
fn an_answer_by_tcp_goes_back_on_its_connection() {
    let (way, _) = answered(tcp(), "SIP/2.0/TCP 10.0.0.9:5066;branch=z9hG4bK1");
    assert_eq!(way, tcp());
}

#[test]
fn an_answer_whose_connection_is_closed_goes_to_where_the_sender_listens() {
    let mut room = Room::new();
    let via = "SIP/2.0/TCP 192.0.2.103:5066;branch=z9hG4bK1";
    let server = room.admit(tcp(), &Asked { via: via.into(), ..asked("OPTIONS") });
    assert!(room.layer.closed(room.now, ConnId(2)).is_empty());
    assert!(room.layer.closed(room.now, ConnId(1)).is_empty());
    room.respond(server, 200, "x");
    let (way, _) = room.sent().remove(0);
    let peer = "192.0.2.103:5066".parse().unwrap();
    assert_eq!(way, Flow { conn: None, peer, ..tcp() });
}

#[test]
fn a_sender_that_connects_anew_is_answered_on_its_new_connection() {
    let mut room = Room::new();
    let options = asked("OPTIONS");
    let server = room.admit(tcp(), &options);
    room.layer.closed(room.now, ConnId(1));
    let anew = Flow { conn: Some(ConnId(2)), peer: "192.0.2.103:50001".parse().unwrap(), ..tcp() };
    assert_eq!(word(&room.hear(anew, &options.read())), "-");
    room.respond(server, 200, "x");
    assert_eq!(room.sent().remove(0).0, anew);
}

#[test]
fn our_via_names_the_flow() {
    let mut room = Room::new();
    let v6 = Flow { local: "[2001:db8::1]:5060".parse().unwrap(), ..udp() };
    for (flow, start, has_rport) in [
        (udp(), "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK", true),
        (pbx(), "SIP/2.0/UDP 192.0.2.1:5080;branch=z9hG4bK", true),
        (tcp(), "SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bK", false),
        (v6, "SIP/2.0/UDP [2001:db8::1]:5060;branch=z9hG4bK", true),
    ] {
        room.ask(flow, "OPTIONS");
        let request = room.sent_one();
        assert!(request.via().as_str().starts_with(start), "{}", request.via().as_str());
        assert_eq!(request.via().rport().is_some(), has_rport);
    }
}

fn tls(flow: Flow) -> Flow {
    Flow { transport: Transport::Tls, conn: Some(ConnId(1)), ..flow }
}

#[test]
fn only_the_pbx_is_told_that_it_may_send_its_requests_by_a_connection_of_ours() {
    let mut room = Room::new();
    for (flow, start, has_alias) in [
        (tls(udp()), "SIP/2.0/TLS 192.0.2.1:5060;branch=z9hG4bK", false),
        (tls(pbx()), "SIP/2.0/TLS 192.0.2.1:5080;branch=z9hG4bK", true),
    ] {
        room.ask(flow, "OPTIONS");
        let request = room.sent_one();
        assert!(request.via().as_str().starts_with(start), "{}", request.via().as_str());
        assert_eq!(request.via().param("alias").is_some(), has_alias);
        assert!(request.via().rport().is_none());
    }
}

#[test]
fn an_answer_that_came_by_tls_goes_by_tls_whatever_else_the_request_comes_by() {
    let mut room = Room::new();
    let via = "SIP/2.0/TLS 192.0.2.103;branch=z9hG4bK1";
    let options = Asked { via: via.into(), ..asked("OPTIONS") };
    let server = room.admit(tls(udp()), &options);
    room.layer.closed(room.now, ConnId(1));
    // Somebody repeats it where anybody can listen.
    let plain = Flow { conn: Some(ConnId(2)), ..tcp() };
    assert_eq!(word(&room.hear(plain, &options.read())), "-");
    room.respond(server, 200, "x");
    let peer = "192.0.2.103:5061".parse().unwrap();
    assert_eq!(room.sent().remove(0).0, Flow { conn: None, peer, ..tls(udp()) });
}

#[test]
fn what_is_large_and_goes_by_tls_stays_there() {
    let mut room = Room::new();
    ask_large(&mut room, tls(pbx()), "MESSAGE", Oversize::TryTcp);
    assert_eq!(room.sent().remove(0).0, tls(pbx()));
}

fn ask_large(room: &mut Room, flow: Flow, method: &str, oversize: Oversize) -> ClientKey {
    let draft = outline(method).body("text/plain", vec![b'x'; 1_300]).finish();
    room.layer.request(room.now, flow, OWNER, &draft, oversize)
}

#[test]
fn a_request_too_large_for_a_datagram_goes_by_tcp_to_the_same_peer() {
    let mut room = Room::new();
    ask_large(&mut room, udp(), "INVITE", Oversize::TryTcp);
    let (way, invite) = room.sent().remove(0);
    assert_eq!(way, Flow { transport: Transport::Tcp, ..udp() });
    assert_eq!(invite.via().transport(), "TCP");
    assert_eq!(room.pass(20_000), []);
    // The connection was made meanwhile.
    let connected = Flow { conn: Some(ConnId(5)), ..way };
    assert_eq!(word(&room.answer(connected, &invite, 486, "a")), "486");
    room.sent();
    room.is_tidy();
}

#[test]
fn it_stays_where_it_is_when_it_shall_or_when_it_is_small() {
    let mut room = Room::new();
    ask_large(&mut room, udp(), "MESSAGE", Oversize::Stay);
    ask_large(&mut room, tcp(), "MESSAGE", Oversize::TryTcp);
    room.layer.request(room.now, udp(), OWNER, &outline("BYE").finish(), Oversize::TryTcp);
    let ways: Vec<Flow> = room.sent().into_iter().map(|(way, _)| way).collect();
    assert_eq!(ways, [udp(), tcp(), udp()]);
}

#[test]
fn it_falls_back_to_udp_when_the_peer_takes_no_tcp() {
    for method in ["INVITE", "MESSAGE"] {
        let mut room = Room::new();
        ask_large(&mut room, udp(), method, Oversize::TryTcp);
        let (way, streamed) = room.sent().remove(0);
        room.pass(3_000);
        assert!(room.layer.unreachable(room.now, &way).is_empty());
        let (way, request) = room.sent().remove(0);
        assert_eq!(way, udp());
        assert_eq!(request.via().transport(), "UDP");
        assert_eq!(request.via().branch(), streamed.via().branch());
        assert_eq!(room.pass(1_500), at(method, &[500, 1_500]));
        assert_eq!(word(&room.answer(udp(), &request, 200, "a")), "200");
        room.pass(100_000);
        room.is_tidy();
    }
}

#[test]
fn a_fall_back_that_fails_too_is_told() {
    let mut room = Room::new();
    let key = ask_large(&mut room, udp(), "INVITE", Oversize::TryTcp);
    let (way, _) = room.sent().remove(0);
    room.layer.cancel(room.now, key, None);
    assert!(room.layer.unreachable(room.now, &way).is_empty());
    room.sent();
    let failed = room.layer.unreachable(room.now, &udp());
    assert_eq!(failed.iter().map(word).collect::<Vec<_>>(), ["Unreachable"]);
    room.is_tidy();
}

#[test]
fn what_waits_for_its_first_answer_fails_when_its_way_is_unreachable() {
    let mut room = Room::new();
    room.ask(udp(), "INVITE");
    room.ask(udp(), "OPTIONS");
    room.ask(udp(), "INVITE");
    let ringing = room.sent().remove(2).1;
    room.answer(udp(), &ringing, 180, "a");
    room.ask(pbx(), "OPTIONS");
    room.sent();
    let failed = room.layer.unreachable(room.now, &udp());
    assert_eq!(failed.iter().map(word).collect::<Vec<_>>(), ["Unreachable", "Unreachable"]);
    assert_eq!(room.layer.len(), 2);
    assert_eq!(word(&room.answer(udp(), &ringing, 200, "a")), "200");
}

#[test]
fn a_closed_connection_fails_only_what_it_carried_and_has_no_answer_yet() {
    let mut room = Room::new();
    let other = Flow { conn: Some(ConnId(2)), ..tcp() };
    room.ask(tcp(), "OPTIONS");
    room.ask(other, "OPTIONS");
    let ringing = room.ask(tcp(), "INVITE");
    let invite = room.sent().remove(2).1;
    room.answer(tcp(), &invite, 180, "a");
    let failed = room.layer.closed(room.now, ConnId(1));
    assert_eq!(failed.iter().map(word).collect::<Vec<_>>(), ["Unreachable"]);
    // What follows the ringing INVITE needs a new connection.
    room.layer.cancel(room.now, ringing, None);
    let (way, _) = room.sent().remove(0);
    assert_eq!(way, Flow { conn: None, ..tcp() });
}

#[test]
fn an_abandoned_request_fails_unheard() {
    let mut room = Room::new();
    let key = room.ask(udp(), "OPTIONS");
    room.layer.abandon(room.now, key);
    assert!(room.layer.unreachable(room.now, &udp()).is_empty());
    room.is_tidy();
}

#[test]
fn a_connection_that_cannot_be_made_does_not_fail_what_went_by_an_open_one() {
    let mut room = Room::new();
    room.ask(tcp(), "OPTIONS");
    room.ask(Flow { conn: None, ..tcp() }, "OPTIONS");
    room.sent();
    let failed = room.layer.unreachable(room.now, &Flow { conn: None, ..tcp() });
    assert_eq!(failed.iter().map(word).collect::<Vec<_>>(), ["Unreachable"]);
    assert_eq!(room.layer.len(), 1);
}
