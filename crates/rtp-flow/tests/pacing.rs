//! Music comes when it is due: evenly, without drift, and the same bytes for all.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::collections::BTreeMap;
use std::time::Duration;

use base::Moment;
use rig::{MUSIC, PARKEE, Rtp, far, ms, music, plan, relay, us};
use rtp_flow::{Codec, Hears, PairId, Plan, StreamPlan};

fn music_in(codec: Codec, ptime: u8) -> Hears {
    Hears::Music { tune: 0, codec, payload_type: 111, ptime }
}

#[test]
fn an_hour_of_music_has_each_packet_at_its_time() {
    let mut relay = relay();
    relay.plan(ms(0), Plan::Stream(plan(PARKEE, MUSIC)));
    let (mut first, mut count) = (None, 0u64);
    let end = Moment::ZERO + Duration::from_secs(3_600);
    while let Some(at) = relay.next().filter(|at| *at < end) {
        while let Some(packet) = relay.due(at) {
            let header = Rtp::read(&packet.header);
            let (start, began) = *first.get_or_insert((at, header));
            assert_eq!(at.since(start), Duration::from_millis(20 * count));
            assert_eq!(header.seq, began.seq.wrapping_add(count as u16));
            assert_eq!(header.timestamp, began.timestamp.wrapping_add(160 * count as u32));
            assert_eq!(header.ssrc, began.ssrc);
            count += 1;
        }
    }
    assert_eq!(count, 3_600 * 50);
}

#[test]
fn a_thousand_parkees_do_not_hear_their_music_in_bursts() {
    let mut relay = relay();
    for n in 0..1_000 {
        let pair = PairId(n);
        relay.plan(ms(0), Plan::Stream(StreamPlan { far: Some(far(PARKEE)), ..plan(pair, MUSIC) }));
    }
    let mut at_once = BTreeMap::new();
    for (at, _) in music(&mut relay, ms(1_000)) {
        *at_once.entry(at).or_insert(0u32) += 1;
    }
    let whole: Vec<u32> = at_once.range(ms(20)..ms(1_000)).map(|(_, n)| *n).collect();
    assert_eq!(whole, vec![50; 980]);
}

/// Plays to so many streams of all packet times, each of which begins at a time of its own, and holds
/// that each packet of each comes exactly when it must, and none too many.
fn each_has_exactly_its_packets(streams: u64, lasting: Duration) {
    const TIMES: [u8; 5] = [10, 20, 30, 40, 60];
    let ptime = |n: u64| TIMES[n as usize % TIMES.len()];
    let mut relay = relay();
    let mut sent = vec![(Moment::ZERO, 0u64); streams as usize];
    let mut began = 0;
    let end = Moment::ZERO + lasting;
    let begins = |n: u64| us(n * 3_370);
    loop {
        let next = relay.next().filter(|at| *at < end);
        if began < streams && next.is_none_or(|at| begins(began) <= at) {
            let hears = music_in(Codec::Pcma, ptime(began));
            let far = Some(far(PARKEE));
            let plan = StreamPlan { far, ..plan(PairId(began as u32), hears) };
            relay.plan(begins(began), Plan::Stream(plan));
            began += 1;
            continue;
        }
        let Some(at) = next else { break };
        while let Some(packet) = relay.due(at) {
            let n = u64::from(packet.pair.0);
            let (first, count) = &mut sent[n as usize];
            if *count == 0 {
                *first = at;
            }
            assert_eq!(at.since(*first), Duration::from_millis(*count * u64::from(ptime(n))));
            *count += 1;
        }
    }
    for (n, (first, count)) in sent.into_iter().enumerate() {
        let n = n as u64;
        let length = Duration::from_millis(ptime(n).into());
        assert!(first.since(begins(n)) <= length, "{n} waited for its first packet");
        let whole = end.since(first).as_micros().div_ceil(length.as_micros());
        assert_eq!(u128::from(count), whole, "{n}, which begins at {first:?}");
    }
}

#[test]
fn after_an_hour_each_has_sent_exactly_its_packets() {
    each_has_exactly_its_packets(50, Duration::from_secs(3_600));
}

#[test]
fn each_of_thousands_has_sent_exactly_its_packets() {
    each_has_exactly_its_packets(5_000, Duration::from_secs(45));
}

/// What far sides see of music when the worker has much else to do: a turn takes as long as its
/// packets do, and music that fell due meanwhile waits for the next. Tells the worst jitter (RFC 3550
/// §6.4.1), in microseconds, and the share of time in which the worker was busy.
fn jitter_beside_relaying(streams: u32, relayed_each_ms: u32) -> (f64, f64) {
    const EACH: u64 = 8;
    const MOST: u64 = 128;
    let mut chance = base::Chance::from_seed(7);
    let mut relay = relay();
    for n in 0..streams {
        let plan = plan(PairId(n), MUSIC);
        relay.plan(ms(0), Plan::Stream(StreamPlan { far: Some(far(PARKEE)), ..plan }));
    }
    // Of each stream: when its last packet left, and its jitter.
    let mut seen = vec![(0u64, 0f64); streams as usize];
    let (mut now, mut busy, mut came, mut waiting) = (0u64, 0u64, 0u64, 0u64);
    let end = 10_000_000;
    while now < end {
        let music = relay.next().map_or(u64::MAX, |at| at.as_micros());
        if waiting == 0 {
            now = now.max(music.min(came));
        }
        // Packets to be relayed come in heaps, half a millisecond's at a time.
        while came <= now {
            waiting += u64::from(chance.u32() % (relayed_each_ms + 1));
            came += 500;
        }
        let relayed = waiting.min(MOST);
        waiting -= relayed;
        let turn = |chance: &mut base::Chance| EACH / 2 + chance.u64() % (EACH + 1);
        let mut at = now + (0..relayed).map(|_| turn(&mut chance)).sum::<u64>();
        while let Some(packet) = relay.due(us(now)) {
            at += turn(&mut chance);
            let (before, jitter) = &mut seen[packet.pair.0 as usize];
            if *before != 0 {
                let late = (at - *before).abs_diff(20_000) as f64;
                *jitter += (late - *jitter) / 16.0;
            }
            *before = at;
        }
        busy += at - now;
        now = at;
    }
    let worst = seen.iter().map(|(_, jitter)| *jitter).fold(0.0, f64::max);
    (worst, busy as f64 / now as f64)
}

#[test]
fn jitter_stays_under_two_milliseconds_at_eighty_percent_load() {
    for (streams, relayed) in [(2_000, 0), (1_000, 50), (100, 95)] {
        let (jitter, load) = jitter_beside_relaying(streams, relayed);
        assert!((0.75..0.85).contains(&load), "{streams} streams: load {load:.2}");
        assert!(jitter < 2_000.0, "{streams} streams: {jitter:.0} µs");
    }
}

#[test]
fn every_packet_time_has_its_length_and_its_pace() {
    for (ptime, codec, length, ticks) in [
        (10, Codec::Pcma, 10, 80),
        (20, Codec::Pcmu, 20, 160),
        (30, Codec::Pcma, 30, 240),
        (40, Codec::Pcma, 40, 320),
        (60, Codec::Pcma, 60, 480),
        (0, Codec::Pcma, 20, 160),
        (25, Codec::Pcma, 20, 160),
        (20, Codec::Opus, 20, 960),
        (60, Codec::Opus, 20, 960),
    ] {
        let mut relay = relay();
        relay.plan(ms(0), Plan::Stream(plan(PARKEE, music_in(codec, ptime))));
        let played = music(&mut relay, ms(3_000));
        for two in played.windows(2) {
            let (before, after) = (Rtp::read(&two[0].1.header), Rtp::read(&two[1].1.header));
            assert_eq!(two[1].0.since(two[0].0), Duration::from_millis(length));
            assert_eq!(after.timestamp.wrapping_sub(before.timestamp), ticks, "{codec:?} {ptime}");
            assert_eq!(after.payload_type, 111);
        }
        let fits = |len: usize| codec == Codec::Opus || len == 8 * length as usize;
        assert!(played.iter().all(|(_, p)| fits(p.payload.len())), "{codec:?} {ptime}");
    }
}

#[test]
fn all_who_hear_a_packet_of_a_tune_share_its_bytes() {
    let mut relay = relay();
    for n in 0..20 {
        relay.plan(ms(0), Plan::Stream(plan(PairId(n), MUSIC)));
    }
    let played = music(&mut relay, ms(20));
    let first = &played[0].1.payload;
    assert_eq!(played.len(), 20);
    assert!(played.iter().all(|(_, p)| p.payload.as_ptr() == first.as_ptr()));
}

#[test]
fn the_tune_is_played_in_a_loop_without_a_gap() {
    let mut relay = relay();
    relay.plan(ms(0), Plan::Stream(plan(PARKEE, MUSIC)));
    let tunes = rig::tunes();
    let tune = tunes.encoded(0, Codec::Pcma).unwrap();
    for (n, (_, packet)) in music(&mut relay, ms(4_000)).iter().enumerate() {
        assert_eq!(tune.position_of(&packet.payload, 20), Some(2 * n as u64 % tune.len()));
    }
}

#[test]
fn a_worker_that_was_held_up_goes_on_in_time_without_a_flood() {
    let mut relay = relay();
    relay.plan(ms(0), Plan::Stream(plan(PARKEE, MUSIC)));
    let before = music(&mut relay, ms(100)).pop().unwrap();
    let caught_up: Vec<_> = std::iter::from_fn(|| relay.due(ms(5_000))).collect();
    assert!(caught_up.len() <= 6, "{}", caught_up.len());
    let (at, after) = music(&mut relay, ms(5_020)).pop().unwrap();
    let (before_rtp, after_rtp) = (Rtp::read(&before.1.header), Rtp::read(&after.header));
    let passed = at.since(before.0).as_millis() as u32 * 8;
    assert_eq!(after_rtp.timestamp.wrapping_sub(before_rtp.timestamp), passed);
}
