//! What a stream was like: lost, out of order, repeated, jitter, and what the far side says.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::time::Duration;

use base::Moment;
use proptest::prelude::*;
use rig::{PARKEE, PARKER, Rtp, Source, end, far, ms, plan, relay, send, stream, talking, us};
use rtp_flow::{Component, MediaNotice, Plan, Quality, Relay, SilenceWatch, StreamPlan};

/// What is told when it is asked for.
fn asked(relay: &mut Relay) -> Quality {
    relay.plan(ms(0), Plan::Measure(PARKER));
    let told = std::iter::from_fn(|| relay.notice()).find_map(|notice| match notice {
        MediaNotice::Quality { pair: PARKER, quality, .. } => Some(quality),
        _ => None,
    });
    told.unwrap()
}

/// The parker sends these sequence numbers, one each 20 ms; what is told of it.
fn sent(numbers: impl IntoIterator<Item = u16>) -> Quality {
    let mut relay = talking();
    for (n, seq) in numbers.into_iter().enumerate() {
        let timestamp = u32::from(seq).wrapping_mul(160);
        let packet = Rtp { marker: false, payload_type: 8, seq, timestamp, ssrc: 7 };
        let _ = send(&mut relay, ms(20 * n as u64), PARKER, packet);
    }
    asked(&mut relay)
}

#[test]
fn what_does_not_come_is_lost_and_what_comes_late_is_not() {
    let quality = sent([1, 2, 3, 5, 6, 4, 7, 10]);
    assert_eq!((quality.received, quality.lost), (8, 2));
    assert_eq!((quality.reordered, quality.repeated, quality.sources), (1, 0, 1));
}

#[test]
fn what_comes_twice_counts_once() {
    let quality = sent([1, 2, 2, 3, 1, 4]);
    assert_eq!((quality.received, quality.lost, quality.repeated), (4, 0, 2));
}

#[test]
fn numbers_that_run_over_are_no_loss() {
    let quality = sent([65_534, 65_535, 0, 1]);
    assert_eq!((quality.received, quality.lost), (4, 0));
}

#[test]
fn a_source_that_begins_anew_has_lost_nothing() {
    let quality = sent((1..20).chain(30_000..30_020));
    assert_eq!((quality.received, quality.lost), (39, 0));
}

#[test]
fn a_source_under_another_name_is_counted() {
    let mut relay = talking();
    for (n, ssrc) in [7, 7, 9, 9].into_iter().enumerate() {
        let seq = n as u16 + 100 * (ssrc as u16);
        let packet = Rtp { marker: false, payload_type: 8, seq, timestamp: 0, ssrc };
        let _ = send(&mut relay, ms(20 * n as u64), PARKER, packet);
    }
    let quality = asked(&mut relay);
    assert_eq!((quality.received, quality.lost, quality.sources), (4, 0, 2));
}

#[test]
fn jitter_is_what_rfc_3550_says() {
    let mut relay = talking();
    let mut source = Source::at(PARKER, 1, 1);
    // Alternately 2 ms early and 2 ms late: each comes 4 ms off the one before.
    for n in 0..500u64 {
        let off = if n % 2 == 0 { 0 } else { 4_000 };
        source.send(&mut relay, us(20_000 * n + off)).unwrap();
    }
    let quality = asked(&mut relay);
    let near = |told: Duration| (3_500..4_100).contains(&told.as_micros());
    assert!(near(quality.jitter) && near(quality.worst_jitter), "{quality:?}");
}

#[test]
fn packets_in_step_have_no_jitter_in_any_clock() {
    for (payload_type, step) in [(8, 160), (96, 960), (97, 320)] {
        let mut relay = talking();
        for n in 0..200u32 {
            let packet =
                Rtp { marker: false, payload_type, seq: n as u16, timestamp: n * step, ssrc: 7 };
            send(&mut relay, ms(20 * u64::from(n)), PARKER, packet).unwrap();
        }
        let quality = asked(&mut relay);
        assert!(quality.worst_jitter < Duration::from_micros(200), "{quality:?}");
    }
}

#[test]
fn a_pressed_key_is_no_jitter() {
    let mut relay = talking();
    for n in 0..300u32 {
        // Fifteen packets of one event, all with the timestamp at which it began.
        let event = (100..115).contains(&n);
        let timestamp = if event { 100 } else { n } * 160;
        let payload_type = if event { 101 } else { 8 };
        let packet = Rtp { marker: n == 100, payload_type, seq: n as u16, timestamp, ssrc: 7 };
        send(&mut relay, ms(20 * u64::from(n)), PARKER, packet).unwrap();
    }
    assert!(asked(&mut relay).worst_jitter < Duration::from_millis(1));
}

#[test]
fn what_the_far_side_reports_of_what_it_hears_is_told() {
    let mut relay = talking();
    Source::at(PARKEE, 1, 1).send(&mut relay, ms(0)).unwrap();
    Source::at(PARKER, 1, 1).send(&mut relay, ms(0)).unwrap();
    let mut report = vec![0x81, 201, 0, 7, 0, 0, 0, 99];
    report.extend(0x1000u32.to_be_bytes()); // what the parkee sends
    report.extend([64, 0xff, 0xff, 0xfe]); // a quarter lost lately, two too many in all
    report.extend([0, 0, 0, 1, 0, 0, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0]);
    let mut from = far(PARKER);
    from.set_port(4_001);
    relay.on_packet(ms(100), PARKER, Component::Rtcp, from, &mut report);
    let reported = asked(&mut relay).reported.unwrap();
    assert_eq!((reported.fraction_lost, reported.lost), (64, -2));
    assert_eq!(reported.jitter, Duration::from_millis(10));
}

#[test]
fn what_a_stream_was_like_is_told_once_when_it_ends() {
    let mut relay = talking();
    Source::at(PARKER, 1, 1).send(&mut relay, ms(0)).unwrap();
    while relay.notice().is_some() {}
    relay.plan(ms(100), end(PARKER));
    relay.plan(ms(100), end(PARKER));
    let told: Vec<_> = std::iter::from_fn(|| relay.notice()).collect();
    let [MediaNotice::Quality { pair: PARKER, ref label, quality }] = told[..] else {
        panic!("{told:?}")
    };
    assert_eq!((quality.received, quality.sources), (1, 1));
    assert_eq!(label.as_ref().map(|label| &*label.call), Some("call"));
}

#[test]
fn of_a_pair_at_which_nothing_came_nothing_is_told() {
    let mut relay = talking();
    relay.plan(ms(100), end(PARKER));
    assert_eq!(relay.notice(), None);
}

fn watched(relay: &mut Relay, now: Moment) {
    let silence = Some(SilenceWatch { after: Duration::from_secs(5), mark: 42 });
    relay.plan(now, Plan::Stream(StreamPlan { silence, ..plan(PARKER, stream(PARKEE)) }));
    relay.plan(now, Plan::Stream(plan(PARKEE, stream(PARKER))));
}

/// Looks whenever that is due; when silence, or its end, was told.
fn silences(relay: &mut Relay, until: Moment) -> Vec<(Moment, bool)> {
    let mut told = Vec::new();
    while let Some(at) = relay.next_look().filter(|at| *at <= until) {
        relay.look(at);
        while let Some(notice) = relay.notice() {
            if let MediaNotice::Silence { mark: 42, silent } = notice {
                told.push((at, silent));
            }
        }
    }
    told
}

#[test]
fn silence_is_told_once_and_its_end_too() {
    let mut relay = relay();
    watched(&mut relay, ms(0));
    let mut source = Source::at(PARKER, 1, 1);
    for n in 0..50 {
        source.send(&mut relay, ms(20 * n)).unwrap();
    }
    assert_eq!(silences(&mut relay, ms(30_000)), [(ms(6_000), true)]);
    source.send(&mut relay, ms(30_010)).unwrap();
    assert_eq!(silences(&mut relay, ms(32_000)), [(ms(31_000), false)]);
}

#[test]
fn who_never_spoke_is_silent_since_he_was_expected_to_speak() {
    let mut relay = relay();
    watched(&mut relay, ms(100_000));
    assert_eq!(silences(&mut relay, ms(130_000)), [(ms(105_000), true)]);
}

#[test]
fn who_is_no_longer_expected_to_speak_is_not_told_of() {
    let mut relay = relay();
    watched(&mut relay, ms(0));
    relay.plan(ms(3_000), Plan::Stream(plan(PARKER, stream(PARKEE))));
    assert_eq!(silences(&mut relay, ms(30_000)), []);
    assert_eq!(relay.next_look(), None);
}

proptest! {
    #[test]
    fn what_was_received_and_what_was_lost_is_what_was_sent(
        kept in prop::collection::vec(prop::bool::weighted(0.9), 2..400), first in any::<u16>()
    ) {
        // The ends are what a measure is between.
        let ends = [0, kept.len() - 1];
        let came = |n: &usize| kept[*n] || ends.contains(n);
        let numbers: Vec<u16> =
            (0..kept.len()).filter(came).map(|n| first.wrapping_add(n as u16)).collect();
        let quality = sent(numbers.iter().copied());
        prop_assert_eq!(quality.received, numbers.len() as u64);
        prop_assert_eq!(quality.received + quality.lost, kept.len() as u64);
    }
}
