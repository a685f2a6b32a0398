//! One unbroken stream towards each far side, whoever feeds it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::time::Duration;

use proptest::prelude::*;
use rig::{
    MUSIC, NOISE, PARKEE, PARKER, RETRIEVER, Rtp, Source, far, ms, music, plan, relay, send,
    stream, talking, us,
};
use rtp_flow::{Codec, Component, Hears, Outgoing, PayloadMap, Plan, StreamKind, Verdict, Why};

fn header(outgoing: &Outgoing) -> Rtp {
    Rtp::read(&outgoing.header)
}

#[test]
fn a_call_that_is_only_relayed_is_passed_bit_for_bit() {
    let mut relay = talking();
    let mut source = Source::at(PARKER, 65_530, u32::MAX - 500);
    for n in 0..20 {
        let sent = source.next;
        assert_eq!(source.send(&mut relay, ms(20 * n)), Ok(sent));
    }
}

#[test]
fn talk_then_music_then_talk_is_one_stream() {
    let mut relay = talking();
    let mut parker = Source::at(PARKER, 65_500, 1_000);
    let mut last = parker.next;
    for n in 0..50 {
        last = parker.send(&mut relay, ms(20 * n)).unwrap();
    }
    relay.plan(ms(985), Plan::Stream(plan(PARKEE, MUSIC)));
    relay.plan(ms(985), Plan::release(PARKER));
    let played = music(&mut relay, ms(2_000));
    let first = header(&played[0].1);
    assert_eq!(played[0].0, ms(1_000), "in step with the packet that would have come");
    assert_eq!((first.ssrc, first.seq), (last.ssrc, last.seq.wrapping_add(1)));
    assert_eq!((first.timestamp, first.marker), (last.timestamp + 160, true));
    let quiet = played.iter().skip(1).all(|(_, p)| !header(p).marker);
    assert!(quiet, "the marker is set only at the switch");

    relay.plan(ms(2_005), Plan::Stream(plan(PARKEE, stream(RETRIEVER))));
    relay.plan(ms(2_005), Plan::Stream(plan(RETRIEVER, stream(PARKEE))));
    let before = header(&played.last().unwrap().1);
    let mut retriever = Source::at(RETRIEVER, 7, 0xffff_ff00);
    let after = retriever.send(&mut relay, ms(2_030)).unwrap();
    assert_eq!((after.ssrc, after.seq), (before.ssrc, before.seq.wrapping_add(1)));
    assert_eq!(after.timestamp, before.timestamp.wrapping_add(30 * 8));
    assert!(after.marker);
    let next = retriever.send(&mut relay, ms(2_050)).unwrap();
    assert_eq!(next.timestamp, after.timestamp.wrapping_add(160));
    assert!(!next.marker);
}

#[test]
fn a_stream_that_begins_with_music_keeps_its_name_when_somebody_speaks() {
    let mut relay = relay();
    relay.plan(ms(0), Plan::Stream(plan(PARKEE, MUSIC)));
    let played = music(&mut relay, ms(100));
    relay.plan(ms(100), Plan::Stream(plan(PARKEE, stream(RETRIEVER))));
    relay.plan(ms(100), Plan::Stream(plan(RETRIEVER, stream(PARKEE))));
    let spoken = Source::at(RETRIEVER, 1, 1).send(&mut relay, ms(120)).unwrap();
    assert_eq!(spoken.ssrc, header(&played[0].1).ssrc);
}

#[test]
fn a_retrieve_that_fails_leaves_the_music_where_it_was() {
    let mut relay = relay();
    relay.plan(ms(0), Plan::Stream(plan(PARKEE, MUSIC)));
    let before = music(&mut relay, ms(100)).pop().unwrap().1;
    relay.plan(ms(100), Plan::Stream(plan(PARKEE, stream(RETRIEVER))));
    relay.plan(ms(110), Plan::Stream(plan(PARKEE, MUSIC)));
    let after = music(&mut relay, ms(140)).remove(0).1;
    let tunes = rig::tunes();
    let tune = tunes.encoded(0, Codec::Pcma).unwrap();
    let position = |p: &Outgoing| tune.position_of(&p.payload, 20).unwrap();
    assert_eq!(position(&after), position(&before) + 2);
}

#[test]
fn the_same_plan_given_twice_changes_nothing() {
    let mut relay = relay();
    relay.plan(ms(0), Plan::Stream(plan(PARKEE, MUSIC)));
    let before = music(&mut relay, ms(90)).pop().unwrap();
    relay.plan(ms(95), Plan::Stream(plan(PARKEE, MUSIC)));
    let after = music(&mut relay, ms(130)).remove(0);
    assert_eq!(after.0.since(before.0), Duration::from_millis(20));
    assert!(!header(&after.1).marker);
}

#[test]
fn another_ssrc_of_the_same_source_goes_on_the_same_stream() {
    let mut relay = talking();
    let mut source = Source::at(PARKER, 100, 0);
    let before = source.send(&mut relay, ms(0)).unwrap();
    let old = source.packet();
    source.next = Rtp { ssrc: 0xabcd, seq: 9_000, timestamp: 77, ..source.next };
    let after = source.send(&mut relay, ms(40)).unwrap();
    assert_eq!((after.ssrc, after.seq, after.marker), (before.ssrc, before.seq + 1, true));
    assert_eq!(after.timestamp, before.timestamp + 320);
    assert_eq!(send(&mut relay, ms(41), PARKER, old), Err(Why::Late), "still under way");
}

#[test]
fn what_is_older_than_the_switch_is_not_sent_again_under_a_used_number() {
    let mut relay = talking();
    let mut parker = Source::at(PARKER, 10, 0);
    parker.send(&mut relay, ms(0)).unwrap();
    relay.plan(ms(10), Plan::Stream(plan(PARKEE, stream(RETRIEVER))));
    relay.plan(ms(10), Plan::Stream(plan(RETRIEVER, stream(PARKEE))));
    let mut retriever = Source::at(RETRIEVER, 500, 0);
    let overtaken = retriever.packet();
    let first = retriever.send(&mut relay, ms(20)).unwrap();
    assert_eq!(send(&mut relay, ms(21), RETRIEVER, overtaken), Err(Why::Late));
    let late = retriever.packet();
    let newest = retriever.send(&mut relay, ms(40)).unwrap();
    let reordered = send(&mut relay, ms(41), RETRIEVER, late).unwrap();
    assert_eq!((reordered.seq, newest.seq), (first.seq + 1, first.seq + 2), "order is kept");
    assert_eq!(relay.counts().dropped(Why::Late), 1);
}

#[test]
fn a_source_that_begins_anew_under_its_old_name_is_not_silenced() {
    let mut relay = talking();
    let mut source = Source::at(PARKER, 40_000, 0);
    let before = source.send(&mut relay, ms(0)).unwrap();
    source.next.seq = 30_000;
    let after = source.send(&mut relay, ms(20)).unwrap();
    assert_eq!((after.seq, after.marker), (before.seq + 1, true));
}

#[test]
fn payload_types_are_changed_as_planned_and_the_marker_stays() {
    let mut relay = talking();
    let payloads = PayloadMap::from_slice(&[(101, 96), (8, 8)]);
    relay.plan(ms(0), Plan::Stream(plan(PARKEE, Hears::Stream { from: PARKER, payloads })));
    let mut source = Source::at(PARKER, 1, 1);
    source.next.payload_type = 101;
    source.next.marker = true;
    let got = source.send(&mut relay, ms(0)).unwrap();
    assert_eq!((got.payload_type, got.marker), (96, true));
}

#[test]
fn silence_is_comfort_noise_in_the_codecs_clock() {
    let mut relay = relay();
    relay.plan(ms(0), Plan::Stream(plan(PARKEE, NOISE)));
    let played = music(&mut relay, ms(1_000));
    assert!(played.iter().all(|(_, p)| header(p).payload_type == 13 && p.payload.len() == 1));
    let step = header(&played[1].1).timestamp.wrapping_sub(header(&played[0].1).timestamp);
    assert_eq!(u64::from(step), (played[1].0 - played[0].0).as_millis() as u64 * 8);
}

#[test]
fn an_opus_source_resumes_in_its_own_clock() {
    let mut relay = talking();
    let mut source = Source::at(PARKER, 1, 0);
    source.next.payload_type = 111;
    let mut last = source.next;
    for n in 0..50u32 {
        source.next.timestamp = n * 960;
        last = source.send(&mut relay, ms(u64::from(n) * 20)).unwrap();
    }
    relay.plan(ms(985), Plan::Stream(plan(PARKEE, stream(RETRIEVER))));
    relay.plan(ms(985), Plan::Stream(plan(RETRIEVER, stream(PARKEE))));
    let mut retriever = Source::at(RETRIEVER, 1, 0);
    retriever.next.payload_type = 111;
    let first = retriever.send(&mut relay, ms(1_030)).unwrap();
    assert_eq!(first.timestamp - last.timestamp, 50 * 48);
}

#[test]
fn a_digit_that_stands_still_in_time_does_not_hold_the_stream_back() {
    let mut relay = talking();
    let mut source = Source::at(PARKER, 1, 8_000);
    source.send(&mut relay, ms(0)).unwrap();
    let mut event = source.next;
    for n in 1..=10u16 {
        event.seq = 1 + n;
        send(&mut relay, ms(20 * u64::from(n)), PARKER, event).unwrap();
    }
    relay.plan(ms(205), Plan::Stream(plan(PARKEE, MUSIC)));
    let (at, first) = music(&mut relay, ms(300)).remove(0);
    let passed = at.since(ms(20)).as_millis() as u32 * 8;
    assert_eq!(header(&first).timestamp, event.timestamp + passed);
}

#[test]
fn an_opaque_stream_is_passed_as_it_comes() {
    let mut relay = talking();
    for (pair, hears) in [(PARKEE, stream(PARKER)), (PARKER, stream(PARKEE))] {
        let opaque = rtp_flow::StreamPlan { kind: StreamKind::Opaque, ..plan(pair, hears) };
        relay.plan(ms(0), Plan::Stream(opaque));
    }
    let mut udptl = *b"\x00\x01\x05fax";
    let verdict = relay.on_packet(ms(0), PARKER, Component::Rtp, far(PARKER), &mut udptl);
    let expected =
        Verdict::Forward { pair: PARKEE, component: Component::Rtp, to: far(PARKEE), len: 6 };
    assert_eq!((verdict, &udptl), (expected, b"\x00\x01\x05fax"));
}

#[test]
fn nothing_is_left_of_a_call_on_its_pairs() {
    let mut relay = talking();
    Source::at(PARKER, 1, 1).send(&mut relay, ms(0)).unwrap();
    relay.plan(ms(1), Plan::Stream(plan(PARKEE, MUSIC)));
    for pair in [PARKEE, PARKER] {
        relay.plan(ms(2), Plan::release(pair));
    }
    assert!(relay.is_empty());
    assert_eq!(relay.next(), None);
    assert_eq!(Source::at(PARKER, 1, 1).send(&mut relay, ms(3)), Err(Why::Idle));
    relay.plan(ms(4), Plan::Stream(plan(PARKEE, stream(PARKER))));
    relay.plan(ms(4), Plan::Stream(plan(PARKER, stream(PARKEE))));
    let mut next_call = Source::at(PARKER, 4_000, 4_000);
    let sent = next_call.next;
    assert_eq!(next_call.send(&mut relay, ms(5)), Ok(sent), "the next call starts clean");
}

#[test]
fn plans_may_come_in_any_order() {
    let mut relay = relay();
    relay.plan(ms(0), Plan::Stream(plan(PARKER, stream(PARKEE))));
    relay.plan(ms(0), Plan::release(PARKEE));
    relay.plan(ms(0), Plan::Stream(plan(PARKEE, stream(PARKER))));
    assert!(Source::at(PARKEE, 1, 1).send(&mut relay, ms(0)).is_ok());
    assert!(Source::at(PARKER, 1, 1).send(&mut relay, ms(0)).is_ok());
}

/// Who feeds the parkee in one stretch of a random story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Feeder {
    Parker,
    Retriever,
    Music,
    Noise,
    Nobody,
}

fn feeder() -> impl Strategy<Value = Feeder> {
    prop_oneof![
        3 => Just(Feeder::Parker),
        3 => Just(Feeder::Retriever),
        3 => Just(Feeder::Music),
        1 => Just(Feeder::Noise),
        1 => Just(Feeder::Nobody),
    ]
}

/// One packet as the parkee got it.
struct Got {
    stretch: usize,
    at: u64,
    packet: Rtp,
    sent: Option<Rtp>,
}

fn play(stretches: &[(Feeder, u64)], jitter: &[u64], lost: &[bool]) -> Vec<Got> {
    let mut relay = relay();
    let mut sources = [Source::at(PARKER, 65_000, 5), Source::at(RETRIEVER, 200, 0xffff_0000)];
    for source in &sources {
        relay.plan(ms(0), Plan::Stream(plan(source.pair, stream(PARKEE))));
    }
    let mut got = Vec::new();
    let (mut now, mut sent) = (1_000_000u64, 0usize);
    for (stretch, (feeder, length)) in stretches.iter().enumerate() {
        let hears = match feeder {
            Feeder::Parker => stream(PARKER),
            Feeder::Retriever => stream(RETRIEVER),
            Feeder::Music => MUSIC,
            Feeder::Noise => NOISE,
            Feeder::Nobody => Hears::Nothing,
        };
        relay.plan(us(now), Plan::Stream(plan(PARKEE, hears)));
        let end = now + length * 1_000;
        while now < end {
            for (source, who) in sources.iter_mut().zip([Feeder::Parker, Feeder::Retriever]) {
                let at = now + jitter[sent % jitter.len()];
                let packet = source.packet();
                sent += 1;
                if lost[sent % lost.len()] {
                    continue;
                }
                let passed = send(&mut relay, us(at), source.pair, packet);
                assert_eq!(passed.is_ok(), who == *feeder, "{passed:?}");
                if let Ok(packet_out) = passed {
                    got.push(Got { stretch, at, packet: packet_out, sent: Some(packet) });
                }
            }
            now += 20_000;
            for (at, outgoing) in music(&mut relay, us(now)) {
                let packet = header(&outgoing);
                // Music goes on until whoever comes after it has spoken.
                let ours =
                    |(feeder, _): &(Feeder, u64)| matches!(feeder, Feeder::Music | Feeder::Noise);
                let stretch = stretches[..=stretch].iter().rposition(ours).unwrap();
                got.push(Got { stretch, at: at.as_micros(), packet, sent: None });
            }
        }
    }
    got
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whoever_feeds_it_the_parkee_gets_one_stream(
        stretches in prop::collection::vec((feeder(), 20u64..700), 1..12),
        jitter in prop::collection::vec(0u64..9_000, 1..50),
        lost in prop::collection::vec(prop::bool::weighted(0.1), 1..50),
    ) {
        let got = play(&stretches, &jitter, &lost);
        for pair in got.windows(2) {
            let (a, b) = (&pair[0], &pair[1]);
            prop_assert_eq!(a.packet.ssrc, b.packet.ssrc);
            let seq_step = b.packet.seq.wrapping_sub(a.packet.seq);
            let time_step = b.packet.timestamp.wrapping_sub(a.packet.timestamp);
            let same_feed = a.stretch == b.stretch
                || stretches[a.stretch..=b.stretch].iter().all(|s| s.0 == stretches[a.stretch].0);
            if !same_feed {
                prop_assert_eq!(seq_step, 1, "no gap at a switch");
                prop_assert!(b.packet.marker);
                let passed = u32::try_from((b.at - a.at) * 8 / 1_000).unwrap();
                prop_assert!(time_step >= passed.max(160) && time_step <= passed.max(960) + 8,
                    "{} for {}", time_step, passed);
                continue;
            }
            prop_assert!(!b.packet.marker);
            match (a.sent, b.sent) {
                (Some(before), Some(after)) => {
                    prop_assert_eq!(seq_step, after.seq.wrapping_sub(before.seq));
                    prop_assert_eq!(time_step, after.timestamp.wrapping_sub(before.timestamp));
                }
                _ => {
                    prop_assert_eq!(seq_step, 1);
                    prop_assert_eq!(u64::from(time_step), (b.at - a.at) * 8 / 1_000);
                }
            }
        }
    }

    #[test]
    fn no_packet_whatever_is_in_it_upsets_the_relay(
        packets in prop::collection::vec(
            (prop::collection::vec(any::<u8>(), 0..80), any::<bool>(), any::<bool>(), 190u8..215),
            1..60),
    ) {
        let mut relay = talking();
        Source::at(PARKER, 1, 1).send(&mut relay, ms(0)).unwrap();
        relay.plan(ms(1), Plan::Stream(plan(PARKEE, MUSIC)));
        music(&mut relay, ms(50));
        relay.plan(ms(51), Plan::Stream(plan(PARKEE, stream(PARKER))));
        for (n, (mut bytes, rtcp, like_rtcp, kind)) in packets.into_iter().enumerate() {
            if like_rtcp && bytes.len() >= 4 {
                (bytes[0], bytes[1]) = (0x80 | bytes[0] & 0x1f, kind);
                let words = (bytes.len() / 4 - 1) as u16;
                bytes[2..4].copy_from_slice(&words.to_be_bytes());
            }
            let component = if rtcp { Component::Rtcp } else { Component::Rtp };
            let pair = if n % 2 == 0 { PARKER } else { PARKEE };
            let before = bytes.len();
            let now = ms(60 + n as u64);
            if let Verdict::Forward { len, .. } =
                relay.on_packet(now, pair, component, far(pair), &mut bytes)
            {
                prop_assert!(len <= before);
            }
        }
    }
}
