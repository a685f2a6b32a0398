//! Keys pressed by a far side that is watched: told once, and passed on as they came.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use base::Moment;
use proptest::prelude::*;
use rig::{PARKEE, PARKER, far, ms, plan, stream, talking};
use rtp_flow::{
    Component, KeyWatch, MediaNotice, PairId, Plan, Relay, StreamKind, StreamPlan, Verdict, Why,
};

/// A packet of a telephone-event.
fn event(payload_type: u8, timestamp: u32, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, payload_type, 0, 9];
    packet.extend(timestamp.to_be_bytes());
    packet.extend([0, 0, 0, 7]);
    packet.extend(payload);
    packet
}

/// Sends it from a pair's far side; the keys that are told of it: (mark, event, timestamp).
fn send(
    relay: &mut Relay,
    now: Moment,
    pair: PairId,
    packet: &[u8],
) -> (Verdict, Vec<(u64, u8, u32)>) {
    let mut bytes = packet.to_vec();
    let verdict = relay.on_packet(now, pair, Component::Rtp, far(pair), &mut bytes);
    let told = std::iter::from_fn(|| relay.notice()).filter_map(|notice| match notice {
        MediaNotice::Key { mark, event, timestamp } => Some((mark, event, timestamp)),
        _ => None,
    });
    (verdict, told.collect())
}

fn watched(payload_types: &[u8]) -> StreamPlan {
    let keys = KeyWatch { payload_types: payload_types.iter().copied().collect(), mark: 42 };
    StreamPlan { keys: Some(keys), ..plan(PARKER, stream(PARKEE)) }
}

#[test]
fn a_key_of_a_watched_far_side_is_told_and_goes_on() {
    let mut relay = talking();
    relay.plan(ms(0), Plan::Stream(watched(&[101])));
    for n in 0..3 {
        let packet = event(101, 1_000, &[11, 0x8a, 0, 160]);
        let (verdict, told) = send(&mut relay, ms(20 * n), PARKER, &packet);
        assert!(matches!(verdict, Verdict::Forward { pair: PARKEE, .. }));
        assert_eq!(told, if n == 0 { vec![(42, 11, 1_000)] } else { vec![] });
    }
}

#[test]
fn what_is_not_watched_is_not_told() {
    let mut relay = talking();
    let key = |payload_type| event(payload_type, 1_000, &[1, 0x8a, 0, 160]);
    assert!(send(&mut relay, ms(0), PARKER, &key(101)).1.is_empty(), "nobody asked");
    relay.plan(ms(1), Plan::Stream(watched(&[101])));
    assert!(send(&mut relay, ms(2), PARKER, &key(96)).1.is_empty(), "another payload type");
    assert!(send(&mut relay, ms(3), PARKEE, &key(101)).1.is_empty(), "the other far side");
    let mut bytes = key(101);
    let stranger = "198.51.100.9:4000".parse().unwrap();
    let verdict = relay.on_packet(ms(4), PARKER, Component::Rtp, stranger, &mut bytes);
    assert_eq!(verdict, Verdict::Drop(Why::Stranger));
    assert!(!matches!(relay.notice(), Some(MediaNotice::Key { .. })));
    relay.plan(ms(5), Plan::Stream(StreamPlan { kind: StreamKind::Opaque, ..watched(&[101]) }));
    assert!(send(&mut relay, ms(6), PARKER, &key(101)).1.is_empty(), "no RTP that we can read");
    relay.plan(ms(7), Plan::Stream(watched(&[101])));
    assert_eq!(send(&mut relay, ms(8), PARKER, &key(101)).1, [(42, 1, 1_000)]);
}

#[test]
fn the_payload_type_may_change_and_there_may_be_two() {
    let mut relay = talking();
    relay.plan(ms(0), Plan::Stream(watched(&[101])));
    let key = |payload_type, stamp| event(payload_type, stamp, &[1, 0, 0, 160]);
    assert_eq!(send(&mut relay, ms(0), PARKER, &key(101, 1_000)).1.len(), 1);
    relay.plan(ms(10), Plan::Stream(watched(&[96, 110])));
    assert_eq!(send(&mut relay, ms(20), PARKER, &key(101, 3_000)).1.len(), 0);
    assert_eq!(send(&mut relay, ms(40), PARKER, &key(96, 5_000)).1.len(), 1);
    assert_eq!(send(&mut relay, ms(60), PARKER, &key(110, 7_000)).1.len(), 1);
}

#[test]
fn the_next_call_on_a_pair_owes_nothing_to_the_keys_of_the_last() {
    let mut relay = talking();
    let packet = event(101, 1_000, &[1, 0, 0, 160]);
    for n in 0..2 {
        relay.plan(ms(10 * n), Plan::Stream(watched(&[101])));
        assert_eq!(send(&mut relay, ms(10 * n + 1), PARKER, &packet).1.len(), 1);
        relay.plan(ms(10 * n + 2), Plan::release(PARKER));
    }
}

proptest! {
    #[test]
    fn whatever_comes_only_keys_are_told(
        packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..24), 0..40),
        is_rtp in any::<bool>(),
    ) {
        let mut relay = talking();
        relay.plan(ms(0), Plan::Stream(watched(&[101])));
        for (n, mut packet) in packets.into_iter().enumerate() {
            if let (true, [version, kind, ..]) = (is_rtp, &mut packet[..]) {
                (*version, *kind) = (0x80 | *version & 0x2f, 101);
            }
            for (mark, event, _) in send(&mut relay, ms(n as u64), PARKER, &packet).1 {
                prop_assert!(mark == 42 && event <= 16);
            }
        }
    }
}
