//! What may go without us, and when it comes back.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::net::SocketAddr;
use std::time::Duration;

use base::Moment;
use proptest::prelude::*;
use rig::{
    MUSIC, PARKEE, PARKER, RETRIEVER, Rtp, Source, end, far, ms, music, plan, relay, send, stream,
};
use rtp_flow::{
    Component, Door, FastPath, KeyWatch, MediaNotice, PairId, Passed, PathOrder, PayloadMap, Plan,
    Relay, StreamPlan, Through, Verdict, Why,
};

const RTP: Component = Component::Rtp;

fn door(pair: PairId) -> Door {
    Door { pair, component: RTP }
}

fn path(from: PairId, to: PairId) -> FastPath {
    FastPath { at: door(from), from: far(from), by: door(to), to: far(to), shift: None }
}

fn orders(relay: &mut Relay) -> Vec<PathOrder> {
    std::iter::from_fn(|| relay.path_order()).collect()
}

fn join(relay: &mut Relay, now: Moment, a: PairId, b: PairId) {
    relay.plan(now, Plan::Stream(plan(a, stream(b))));
    relay.plan(now, Plan::Stream(plan(b, stream(a))));
}

/// Parkee and parker talk where paths may be opened; both send until `until`, in milliseconds.
fn talking_until(until: u64) -> (Relay, Source, Source) {
    let mut relay = relay().by_fast_paths();
    join(&mut relay, ms(0), PARKEE, PARKER);
    let (mut parkee, mut parker) = (Source::at(PARKEE, 1, 1), Source::at(PARKER, 900, 77));
    for n in (0..until).step_by(20) {
        parkee.send(&mut relay, ms(n)).unwrap();
        parker.send(&mut relay, ms(n + 7)).unwrap();
    }
    (relay, parkee, parker)
}

/// Both directions have been opened, and the orders taken.
fn open() -> (Relay, Source, Source) {
    let (mut relay, parkee, parker) = talking_until(400);
    assert_eq!(orders(&mut relay).len(), 2);
    assert_eq!(relay.fast_paths(), 2);
    (relay, parkee, parker)
}

fn closed(relay: &mut Relay) -> Vec<FastPath> {
    let is_close = |order| match order {
        PathOrder::Close(path) => path,
        PathOrder::Open(path) => panic!("{path:?} was opened"),
    };
    let mut paths: Vec<_> = orders(relay).into_iter().map(is_close).collect();
    paths.sort();
    paths
}

#[test]
fn a_stream_goes_a_fast_path_once_both_ends_have_been_where_they_are_for_a_while() {
    let (mut relay, mut parkee, mut parker) = talking_until(300);
    assert_eq!(orders(&mut relay), []);
    parkee.send(&mut relay, ms(310)).unwrap();
    parker.send(&mut relay, ms(317)).unwrap();
    let expected = [path(PARKEE, PARKER), path(PARKER, PARKEE)].map(PathOrder::Open);
    assert_eq!(orders(&mut relay), expected);
    parkee.send(&mut relay, ms(330)).unwrap();
    assert_eq!(orders(&mut relay), [], "once is enough");
}

#[test]
fn nothing_goes_a_fast_path_where_nobody_asked_for_it() {
    let mut relay = relay();
    join(&mut relay, ms(0), PARKEE, PARKER);
    for n in 0..100 {
        Source::at(PARKEE, n, 1).send(&mut relay, ms(20 * u64::from(n))).unwrap();
        Source::at(PARKER, n, 1).send(&mut relay, ms(20 * u64::from(n))).unwrap();
    }
    assert_eq!(orders(&mut relay), []);
}

#[test]
fn a_far_side_that_has_never_spoken_is_not_forwarded_to_without_us() {
    let mut relay = relay().by_fast_paths();
    join(&mut relay, ms(0), PARKEE, PARKER);
    let mut parkee = Source::at(PARKEE, 1, 1);
    for n in 0..100 {
        parkee.send(&mut relay, ms(20 * n)).unwrap();
    }
    assert_eq!(orders(&mut relay), []);
}

#[test]
fn what_needs_a_look_or_a_change_stays_here() {
    let keys = KeyWatch { payload_types: [101].into_iter().collect(), mark: 1 };
    let mapped =
        rtp_flow::Hears::Stream { from: PARKEE, payloads: PayloadMap::from_iter([(96, 97)]) };
    for (changed, stays) in [
        (StreamPlan { keys: Some(keys), ..plan(PARKEE, stream(PARKER)) }, PARKEE),
        (plan(PARKER, mapped), PARKEE),
        (StreamPlan { rtcp_mux: true, ..plan(PARKEE, stream(PARKER)) }, PARKEE),
    ] {
        let mut relay = relay().by_fast_paths();
        join(&mut relay, ms(0), PARKEE, PARKER);
        relay.plan(ms(0), Plan::Stream(changed));
        let (mut parkee, mut parker) = (Source::at(PARKEE, 1, 1), Source::at(PARKER, 1, 1));
        for n in 0..50 {
            parkee.send(&mut relay, ms(20 * n)).unwrap();
            parker.send(&mut relay, ms(20 * n)).unwrap();
        }
        let opened = orders(&mut relay);
        assert_eq!(opened.len(), 1, "{opened:?}");
        assert!(matches!(opened[0], PathOrder::Open(path) if path.at.pair != stays));
    }
}

#[test]
fn rtcp_goes_a_path_of_its_own() {
    let mut relay = relay().by_fast_paths();
    join(&mut relay, ms(0), PARKEE, PARKER);
    let rtcp = |pair| SocketAddr::new(far(pair).ip(), 4_001);
    let report = [0x80, 201, 0, 1, 0, 0, 0, 9];
    for n in [0, 5_000] {
        for pair in [PARKEE, PARKER, PARKEE] {
            let verdict =
                relay.on_packet(ms(n), pair, Component::Rtcp, rtcp(pair), &mut report.clone());
            assert!(matches!(verdict, Verdict::Forward { .. }), "{verdict:?}");
        }
    }
    let opened = orders(&mut relay);
    let door = |pair| Door { pair, component: Component::Rtcp };
    let path = |from, to| {
        let (at, by) = (door(from), door(to));
        PathOrder::Open(FastPath { at, from: rtcp(from), by, to: rtcp(to), shift: None })
    };
    assert_eq!(opened, [path(PARKEE, PARKER), path(PARKER, PARKEE)]);
}

#[test]
fn parking_closes_both_directions_before_the_music_begins() {
    let (mut relay, _, _) = open();
    relay.plan(ms(405), Plan::Stream(plan(PARKEE, MUSIC)));
    assert_eq!(closed(&mut relay), [path(PARKEE, PARKER), path(PARKER, PARKEE)]);
    relay.plan(ms(405), Plan::release(PARKER));
    assert_eq!(orders(&mut relay), []);
    assert_eq!(relay.fast_paths(), 0);
}

#[test]
fn a_source_that_takes_over_keeps_its_name_and_is_marked() {
    let (mut relay, _, parker) = open();
    relay.plan(ms(405), Plan::Stream(plan(PARKEE, MUSIC)));
    let played = music(&mut relay, ms(1_000));
    let headers: Vec<Rtp> = played.iter().map(|(_, out)| Rtp::read(&out.header)).collect();
    assert_ne!(headers[0].ssrc, parker.next.ssrc);
    assert!(headers[0].marker && headers.iter().skip(1).all(|header| !header.marker));
    for two in headers.windows(2) {
        assert_eq!(two[1].ssrc, two[0].ssrc);
        assert_eq!(two[1].seq, two[0].seq.wrapping_add(1));
        assert_eq!(two[1].timestamp, two[0].timestamp.wrapping_add(160));
    }
    join(&mut relay, ms(1_005), PARKEE, RETRIEVER);
    let mut retriever = Source::at(RETRIEVER, 4_711, 1_000_000);
    let sent = retriever.next;
    let heard = retriever.send(&mut relay, ms(1_020)).unwrap();
    assert_eq!(heard, Rtp { marker: true, ..sent }, "as it came, but for the marker");
    let sent = retriever.next;
    assert_eq!(retriever.send(&mut relay, ms(1_040)), Ok(sent));
}

#[test]
fn a_key_watch_brings_a_stream_back_and_its_end_lets_it_go() {
    let (mut relay, mut parkee, _) = open();
    let keys = KeyWatch { payload_types: [101].into_iter().collect(), mark: 1 };
    let watched = StreamPlan { keys: Some(keys), ..plan(PARKEE, stream(PARKER)) };
    relay.plan(ms(405), Plan::Stream(watched));
    assert!(closed(&mut relay).contains(&path(PARKEE, PARKER)));
    parkee.send(&mut relay, ms(410)).unwrap();
    assert_eq!(orders(&mut relay), []);
    relay.plan(ms(415), Plan::Stream(plan(PARKEE, stream(PARKER))));
    parkee.send(&mut relay, ms(430)).unwrap();
    assert_eq!(orders(&mut relay), [PathOrder::Open(path(PARKEE, PARKER))]);
}

#[test]
fn the_same_plan_again_leaves_the_fast_path_open() {
    let (mut relay, _, _) = open();
    join(&mut relay, ms(405), PARKEE, PARKER);
    assert_eq!(orders(&mut relay), []);
}

#[test]
fn another_address_of_the_guard_brings_a_stream_back_and_takes_over_if_the_first_is_silent() {
    let (mut relay, mut parkee, _) = open();
    let moved: SocketAddr = "192.0.2.1:5000".parse().unwrap();
    let mut packet = parkee.packet().bytes();
    let verdict = relay.on_packet(ms(410), PARKEE, RTP, moved, &mut packet);
    assert_eq!(verdict, Verdict::Drop(Why::Stranger), "the first may be speaking unseen");
    assert_eq!(closed(&mut relay), [path(PARKEE, PARKER)]);
    // It was: then nothing changes, and the path stays closed while there may be two.
    parkee.send(&mut relay, ms(430)).unwrap();
    let verdict = relay.on_packet(ms(440), PARKEE, RTP, moved, &mut packet);
    assert_eq!(verdict, Verdict::Drop(Why::Stranger));
    // It falls silent: the other is latched, and what goes to it goes there.
    let verdict = relay.on_packet(ms(731), PARKEE, RTP, moved, &mut packet);
    assert!(matches!(verdict, Verdict::Forward { .. }), "{verdict:?}");
    assert_eq!(closed(&mut relay), [path(PARKER, PARKEE)]);
    let mut parker = Source::at(PARKER, 1, 1).packet().bytes();
    let verdict = relay.on_packet(ms(740), PARKER, RTP, far(PARKER), &mut parker);
    assert!(matches!(verdict, Verdict::Forward { to, .. } if to == moved), "{verdict:?}");
}

#[test]
fn a_stranger_neither_is_heard_nor_brings_a_stream_back() {
    let (mut relay, mut parkee, _) = open();
    let stranger: SocketAddr = "198.51.100.9:4000".parse().unwrap();
    let mut packet = parkee.packet().bytes();
    let verdict = relay.on_packet(ms(410), PARKEE, RTP, stranger, &mut packet);
    assert_eq!(verdict, Verdict::Drop(Why::Stranger));
    assert_eq!(orders(&mut relay), []);
}

#[test]
fn a_path_on_which_nothing_comes_any_more_is_closed() {
    let (mut relay, _, _) = open();
    let (mut at, mut came) = (ms(400), 0);
    while let Some(look) = relay.next_look().filter(|look| *look < ms(30_000)) {
        at = look;
        // The parkee is heard of at each count, the parker only at the first.
        came += 50;
        let parker = came.min(50);
        if !relay.wants_counts(at) {
            relay.look(at);
            if relay.fast_paths() < 2 {
                break;
            }
            continue;
        }
        for (pair, came) in [(PARKEE, came), (PARKER, parker)] {
            let passed = Passed { came, left: came, bytes: came * 200, last: None };
            assert_eq!(relay.passed(at, door(pair), far(pair), passed), Through::Yes);
        }
        relay.look(at);
        if relay.fast_paths() < 2 {
            break;
        }
    }
    assert!((ms(12_000)..ms(14_000)).contains(&at), "{at:?}");
    assert_eq!(closed(&mut relay), [path(PARKER, PARKEE)]);
}

#[test]
fn where_nothing_leaves_everything_stays_here_from_then_on() {
    let (mut relay, mut parkee, mut parker) = open();
    assert!(relay.next_look().unwrap() <= ms(420), "it is looked at soon");
    let blocked = Passed { came: 5, left: 0, bytes: 1_000, last: None };
    let through = relay.passed(ms(420), door(PARKEE), far(PARKEE), blocked);
    assert_eq!(through, Through::No { others: false });
    assert_eq!(closed(&mut relay), [path(PARKEE, PARKER), path(PARKER, PARKEE)]);
    for n in 0..500 {
        parkee.send(&mut relay, ms(440 + 20 * n)).unwrap();
        parker.send(&mut relay, ms(440 + 20 * n)).unwrap();
    }
    assert_eq!(orders(&mut relay), []);
}

#[test]
fn where_others_are_let_through_only_the_one_that_is_not_stays_here() {
    let (mut relay, mut parkee, mut parker) = open();
    let fine = Passed { came: 5, left: 5, bytes: 1_000, last: None };
    assert_eq!(relay.passed(ms(420), door(PARKER), far(PARKER), fine), Through::Yes);
    let blocked = Passed { came: 5, left: 0, bytes: 1_000, last: None };
    let through = relay.passed(ms(420), door(PARKEE), far(PARKEE), blocked);
    assert_eq!(through, Through::No { others: true });
    assert_eq!(closed(&mut relay), [path(PARKEE, PARKER)]);
    for n in 0..500 {
        parkee.send(&mut relay, ms(440 + 20 * n)).unwrap();
        parker.send(&mut relay, ms(440 + 20 * n)).unwrap();
    }
    assert_eq!(orders(&mut relay), []);
}

#[test]
fn a_path_that_is_refused_is_not_asked_for_again() {
    let (mut relay, mut parkee, _) = open();
    relay.refused(ms(400), &path(PARKEE, PARKER));
    assert_eq!(relay.fast_paths(), 1);
    for n in 0..500 {
        parkee.send(&mut relay, ms(400 + 20 * n)).unwrap();
    }
    assert_eq!(orders(&mut relay), []);
}

#[test]
fn what_went_by_unseen_is_in_the_figures_with_what_was_lost_of_it() {
    let (mut relay, mut parkee, _) = open();
    // Of a hundred packets 97 came, and went a fast path.
    for _ in 0..100 {
        parkee.packet();
    }
    relay.plan(ms(2_405), Plan::Stream(plan(PARKEE, MUSIC)));
    relay.plan(ms(2_405), Plan::release(PARKER));
    for path in closed(&mut relay) {
        relay.closed(&path, Passed { came: 97, left: 97, bytes: 19_400, last: None });
    }
    assert_eq!(relay.counts().fast, 2 * 97);
    assert_eq!(parkee.send(&mut relay, ms(2_410)), Err(Why::Unheard));
    relay.plan(ms(3_000), end(PARKEE));
    let quality = std::iter::from_fn(|| relay.notice()).find_map(|notice| match notice {
        MediaNotice::Quality { pair: PARKEE, quality, .. } => Some(quality),
        _ => None,
    });
    let quality = quality.unwrap();
    assert_eq!((quality.received, quality.unseen, quality.lost), (20 + 97 + 1, 97, 3));
}

#[test]
fn the_figures_of_a_stream_that_ends_on_a_fast_path_wait_for_its_last_count() {
    let (mut relay, _, _) = open();
    while relay.notice().is_some() {}
    relay.plan(ms(2_405), end(PARKEE));
    assert_eq!(relay.notice(), None);
    for path in closed(&mut relay) {
        relay.closed(&path, Passed { came: 100, left: 100, bytes: 20_000, last: None });
    }
    let told = relay.notice().unwrap();
    let MediaNotice::Quality { pair: PARKEE, quality, .. } = told else { panic!("{told:?}") };
    assert_eq!((quality.received, quality.unseen, quality.lost), (120, 100, 0));
}

/// What may happen to a call that is on fast paths.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Talk,
    Park,
    Retrieve,
    Speak(u8),
    Move,
    Look,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        Just(Deed::Talk),
        Just(Deed::Park),
        Just(Deed::Retrieve),
        (1u8..60).prop_map(Deed::Speak),
        Just(Deed::Move),
        Just(Deed::Look),
    ]
}

proptest! {
    /// Whoever obeys the orders never forwards between two that are not in one call, and what is open
    /// there is what the relay holds to be open.
    #[test]
    fn paths_are_open_only_between_those_who_hear_each_other(deeds in prop::collection::vec(deed(), 1..40)) {
        let mut relay = relay().by_fast_paths();
        let mut open = std::collections::BTreeSet::new();
        let (mut now, mut joined, mut heard_by) = (0, 0, None);
        let mut sources = [PARKEE, PARKER, RETRIEVER].map(|pair| Source::at(pair, 1, 1));
        for deed in deeds {
            match deed {
                Deed::Talk | Deed::Retrieve => {
                    let other = if matches!(deed, Deed::Talk) { PARKER } else { RETRIEVER };
                    let gone = if other == PARKER { RETRIEVER } else { PARKER };
                    relay.plan(ms(now), Plan::release(gone));
                    join(&mut relay, ms(now), PARKEE, other);
                    if heard_by.is_none() {
                        joined = now;
                    }
                    heard_by = Some(other);
                }
                Deed::Park => {
                    relay.plan(ms(now), Plan::Stream(plan(PARKEE, MUSIC)));
                    relay.plan(ms(now), Plan::release(PARKER));
                    relay.plan(ms(now), Plan::release(RETRIEVER));
                    heard_by = None;
                }
                Deed::Speak(times) => {
                    for _ in 0..times {
                        for source in &mut sources {
                            let unseen = open.iter().any(|path: &FastPath| path.at.pair == source.pair);
                            let packet = source.packet();
                            if !unseen {
                                let _ = send(&mut relay, ms(now), source.pair, packet);
                            }
                        }
                        now += 20;
                    }
                }
                Deed::Move => {
                    let mut packet = sources[0].packet().bytes();
                    let _ = relay.on_packet(ms(now), PARKEE, RTP, "192.0.2.1:9".parse().unwrap(), &mut packet);
                }
                Deed::Look => {
                    let counts = if relay.wants_counts(ms(now)) { Some(&open) } else { None };
                    for path in counts.into_iter().flatten() {
                        let passed = Passed { came: now, left: now, bytes: now, last: None };
                        relay.passed(ms(now), path.at, path.from, passed);
                    }
                    relay.look(ms(now));
                    now += 1_000;
                }
            }
            while let Some(order) = relay.path_order() {
                match order {
                    PathOrder::Open(path) => prop_assert!(open.insert(path)),
                    PathOrder::Close(path) => {
                        prop_assert!(open.remove(&path));
                        relay.closed(&path, Passed::default());
                    }
                }
            }
            prop_assert_eq!(open.len(), relay.fast_paths());
            for path in &open {
                let both = [path.at.pair, path.by.pair];
                prop_assert!(heard_by.is_some_and(|other| both.contains(&other)), "{:?}", path);
                prop_assert!(both.contains(&PARKEE));
            }
            while let Some((at, _)) = music(&mut relay, ms(now)).pop() {
                // Music goes on for a moment, until whoever comes after it has spoken.
                prop_assert!(at <= ms(now) && (heard_by.is_none() || at <= ms(joined + 100)));
            }
            while relay.notice().is_some() {}
        }
    }
}

#[test]
fn a_standstill_is_no_reason_to_be_late() {
    // Looks are rare: a call that is up costs one a second, a house without calls none.
    let (mut relay, _, _) = open();
    relay.passed(
        ms(420),
        door(PARKEE),
        far(PARKEE),
        Passed { came: 9, left: 9, bytes: 9, last: None },
    );
    relay.look(ms(420));
    assert_eq!(relay.next_look(), Some(ms(420) + Duration::from_secs(1)));
    relay.plan(ms(430), Plan::release(PARKEE));
    relay.plan(ms(430), Plan::release(PARKER));
    relay.look(ms(1_420));
    assert_eq!(relay.next_look(), None);
}
