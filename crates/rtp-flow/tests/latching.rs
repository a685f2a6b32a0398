//! Who may speak into a pair, and where its answers go.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::net::SocketAddr;

use base::Moment;
use rig::{MUSIC, PARKEE, PARKER, Source, far, ms, music, plan, relay, stream, talking};
use rtp_flow::{Component, MediaNotice, PairId, Plan, Relay, StreamPlan, Verdict, Why};

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn arrive(relay: &mut Relay, now: Moment, pair: PairId, from: &str) -> Verdict {
    let mut bytes = Source::at(pair, 1, 1).packet().bytes();
    relay.on_packet(now, pair, Component::Rtp, addr(from), &mut bytes)
}

/// Where a packet from the parkee goes.
fn sent_to(relay: &mut Relay, now: Moment) -> SocketAddr {
    let from = far(PARKEE).to_string();
    match arrive(relay, now, PARKEE, &from) {
        Verdict::Forward { to, .. } => to,
        other => panic!("not forwarded: {other:?}"),
    }
}

/// The parker's phone stands behind an address translator: it signals what nobody can reach.
fn translated() -> Relay {
    let mut relay = talking();
    let behind = StreamPlan {
        far: Some(addr("10.0.0.5:4000")),
        guard: [addr("10.0.0.5:0").ip(), addr("203.0.113.7:0").ip()].into_iter().collect(),
        ..plan(PARKER, stream(PARKEE))
    };
    relay.plan(ms(0), Plan::Stream(behind));
    relay
}

#[test]
fn answers_go_to_what_was_signalled_until_the_phone_speaks_and_then_to_where_it_speaks_from() {
    let mut relay = translated();
    assert_eq!(sent_to(&mut relay, ms(0)), addr("10.0.0.5:4000"));
    arrive(&mut relay, ms(1), PARKER, "203.0.113.7:61000");
    assert_eq!(sent_to(&mut relay, ms(2)), addr("203.0.113.7:61000"));
    let notices: Vec<_> = std::iter::from_fn(|| relay.notice()).collect();
    let latched = MediaNotice::Latched { pair: PARKER, from: addr("203.0.113.7:61000") };
    assert!(notices.contains(&latched), "{notices:?}");
}

#[test]
fn a_stranger_is_neither_heard_nor_sent_anything() {
    let mut relay = translated();
    let verdict = arrive(&mut relay, ms(0), PARKER, "198.51.100.66:5000");
    assert_eq!(verdict, Verdict::Drop(Why::Stranger));
    assert_eq!(sent_to(&mut relay, ms(1)), addr("10.0.0.5:4000"));
    assert_eq!(relay.counts().dropped(Why::Stranger), 1);
}

#[test]
fn nobody_takes_a_speaking_phones_place_but_a_silent_one_may_have_moved() {
    let mut relay = translated();
    arrive(&mut relay, ms(0), PARKER, "203.0.113.7:61000");
    let other_port = "203.0.113.7:62000";
    assert_eq!(arrive(&mut relay, ms(100), PARKER, other_port), Verdict::Drop(Why::Stranger));
    assert_eq!(sent_to(&mut relay, ms(101)), addr("203.0.113.7:61000"));
    arrive(&mut relay, ms(400), PARKER, other_port);
    assert_eq!(sent_to(&mut relay, ms(401)), addr(other_port));
}

#[test]
fn a_newly_signalled_address_is_used_at_once() {
    let mut relay = talking();
    arrive(&mut relay, ms(0), PARKER, &far(PARKER).to_string());
    let moved = StreamPlan { far: Some(addr("192.0.2.2:5000")), ..plan(PARKER, stream(PARKEE)) };
    relay.plan(ms(10), Plan::Stream(moved));
    assert_eq!(sent_to(&mut relay, ms(11)), addr("192.0.2.2:5000"));
}

#[test]
fn a_plan_that_says_the_same_address_keeps_what_was_learnt() {
    let mut relay = translated();
    arrive(&mut relay, ms(0), PARKER, "203.0.113.7:61000");
    let again = StreamPlan {
        far: Some(addr("10.0.0.5:4000")),
        guard: [addr("203.0.113.7:0").ip()].into_iter().collect(),
        ..plan(PARKER, stream(PARKEE))
    };
    relay.plan(ms(10), Plan::Stream(again));
    assert_eq!(sent_to(&mut relay, ms(11)), addr("203.0.113.7:61000"));
}

#[test]
fn a_plan_whose_guard_leaves_the_source_out_forgets_it() {
    let mut relay = translated();
    arrive(&mut relay, ms(0), PARKER, "203.0.113.7:61000");
    let elsewhere = StreamPlan {
        far: Some(addr("192.0.2.99:7000")),
        guard: [addr("192.0.2.99:0").ip()].into_iter().collect(),
        ..plan(PARKER, stream(PARKEE))
    };
    relay.plan(ms(10), Plan::Stream(elsewhere));
    let old = arrive(&mut relay, ms(11), PARKER, "203.0.113.7:61000");
    assert_eq!(old, Verdict::Drop(Why::Stranger));
    assert_eq!(sent_to(&mut relay, ms(12)), addr("192.0.2.99:7000"));
}

#[test]
fn an_ipv4_peer_that_reaches_an_ipv6_socket_is_the_same_peer() {
    let mut relay = talking();
    let verdict = arrive(&mut relay, ms(0), PARKER, "[::ffff:192.0.2.2]:4000");
    assert!(matches!(verdict, Verdict::Forward { .. }), "{verdict:?}");
    assert_eq!(sent_to(&mut relay, ms(1)), far(PARKER));
}

#[test]
fn what_is_not_rtp_does_not_latch() {
    let mut relay = translated();
    let mut binding_request = *b"\x00\x01\x00\x00\x21\x12\xa4\x42............";
    let from = addr("203.0.113.7:61000");
    for junk in [&mut binding_request[..], &mut [0x80, 8][..], &mut [][..]] {
        let verdict = relay.on_packet(ms(0), PARKER, Component::Rtp, from, junk);
        assert_eq!(verdict, Verdict::Drop(Why::NotRtp));
    }
    assert_eq!(sent_to(&mut relay, ms(1)), addr("10.0.0.5:4000"));
}

#[test]
fn nothing_is_sent_to_an_address_that_is_none() {
    let mut relay = relay();
    let on_hold = StreamPlan { far: Some(addr("0.0.0.0:4000")), ..plan(PARKEE, MUSIC) };
    relay.plan(ms(0), Plan::Stream(on_hold.clone()));
    assert!(music(&mut relay, ms(500)).is_empty());
    relay.plan(ms(500), Plan::Stream(StreamPlan { far: Some(far(PARKEE)), ..on_hold }));
    let played = music(&mut relay, ms(600));
    assert_eq!(played.len(), 5);
    assert_eq!(played[0].1.to, far(PARKEE));
}

#[test]
fn a_pair_that_nobody_hears_still_learns_where_its_far_side_is() {
    let mut relay = relay();
    relay.plan(ms(0), Plan::Stream(StreamPlan { far: None, ..plan(PARKEE, MUSIC) }));
    assert!(music(&mut relay, ms(50)).is_empty());
    let from = far(PARKEE).to_string();
    assert_eq!(arrive(&mut relay, ms(50), PARKEE, &from), Verdict::Drop(Why::Unheard));
    assert_eq!(music(&mut relay, ms(100))[0].1.to, far(PARKEE));
}
