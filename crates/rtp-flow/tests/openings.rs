//! Clips that come first: played once, in one stream with what is heard then.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use rig::{
    MUSIC, NOISE, PARKEE, PARKER, Rtp, Source, far, ms, music, plan, stream, talking, tunes,
};
use rtp_flow::{
    Clip, Codec, Encoded, Hears, MediaNotice, Opening, Outgoing, PairId, Plan, Relay, StreamPlan,
    Tune, Why,
};

/// 240 ms of noise, another for each clip.
fn sound(n: u32) -> Tune {
    let noise = |i: u32| (i.wrapping_mul(2_654_435_761).rotate_left(n) >> 18) as i16 - 8_192;
    let pcm: Vec<i16> = (0..11_520).map(noise).collect();
    let mut tune = Tune::default();
    tune.put(Codec::Pcma, Encoded::once(Codec::Pcma, &pcm).unwrap());
    tune
}

fn seven() -> Clip {
    Clip::of_sign('7').unwrap()
}

/// A relay that has the parked tone and a seven; the two talk.
fn relay() -> Relay {
    let mut relay = talking();
    let mut tunes = tunes();
    tunes.put_clip(Clip::PARKED, sound(1));
    tunes.put_clip(seven(), sound(2));
    relay.retune(tunes);
    relay
}

fn opened(pair: PairId, hears: Hears, clips: &[Clip]) -> StreamPlan {
    let clips = clips.iter().copied().collect();
    let opening = Opening { clips, codec: Codec::Pcma, payload_type: 8, ptime: 20, mark: 42 };
    StreamPlan { opening: Some(Box::new(opening)), ..plan(pair, hears) }
}

/// Which clip, and where in it, each packet is of; none for what is no clip.
fn places(relay_clips: &[(Clip, Tune)], played: &[Outgoing]) -> Vec<Option<(Clip, u64)>> {
    let place = |packet: &Outgoing| {
        relay_clips.iter().find_map(|(clip, tune)| {
            let at = tune.encoded(Codec::Pcma)?.position_of(&packet.payload, 20)?;
            Some((*clip, at))
        })
    };
    played.iter().map(place).collect()
}

fn ends(relay: &mut Relay) -> usize {
    let notices = std::iter::from_fn(|| relay.notice());
    notices.filter(|notice| *notice == MediaNotice::Opened { mark: 42 }).count()
}

#[test]
fn clips_are_played_once_in_order_and_then_the_other_is_heard_in_one_stream() {
    let mut relay = relay();
    let mut parker = Source::at(PARKER, 500, 1_000);
    let mut last = parker.next;
    for n in 0..20 {
        last = parker.send(&mut relay, ms(20 * n)).unwrap();
    }
    let eight = Clip::of_sign('8').unwrap();
    let clips = [Clip::PARKED, eight, seven()];
    relay.plan(ms(395), Plan::Stream(opened(PARKEE, stream(PARKER), &clips)));
    assert_eq!(parker.send(&mut relay, ms(400)), Err(Why::Unheard), "not before the clips");
    let played: Vec<Outgoing> =
        music(&mut relay, ms(2_000)).into_iter().map(|(_, packet)| packet).collect();
    let known = [(Clip::PARKED, sound(1)), (seven(), sound(2))];
    let both = [Clip::PARKED, seven()];
    let wanted: Vec<_> = both
        .into_iter()
        .flat_map(|clip| (0..24).step_by(2).map(move |at| Some((clip, at))))
        .collect();
    assert_eq!(places(&known, &played), wanted, "what is not there is left out");
    for packet in &played {
        let header = Rtp::read(&packet.header);
        assert_eq!((header.ssrc, header.seq), (last.ssrc, last.seq.wrapping_add(1)));
        assert_eq!(header.timestamp, last.timestamp.wrapping_add(160));
        last = header;
    }
    assert_eq!(ends(&mut relay), 1);
    let after = parker.send(&mut relay, ms(2_000)).unwrap();
    assert_eq!((after.ssrc, after.seq), (last.ssrc, last.seq.wrapping_add(1)));
    assert!(after.marker && after.timestamp.wrapping_sub(last.timestamp) >= 160);
}

#[test]
fn music_or_comfort_noise_follows_without_a_pause() {
    for (hears, step) in [(MUSIC, 20), (NOISE, 120)] {
        let mut relay = relay();
        relay.plan(ms(0), Plan::Stream(opened(PARKEE, hears, &[seven()])));
        let played = music(&mut relay, ms(1_000));
        let times: Vec<_> = played.windows(2).map(|two| two[1].0.since(two[0].0)).collect();
        assert!(times.iter().all(|time| time.as_millis() <= step), "{times:?}");
        let seqs: Vec<u16> = played.iter().map(|(_, p)| Rtp::read(&p.header).seq).collect();
        assert!(seqs.windows(2).all(|two| two[1] == two[0].wrapping_add(1)), "{seqs:?}");
        assert!(played.len() > 12 + 5, "{}", played.len());
    }
}

#[test]
fn the_plan_that_follows_lets_an_opening_end_unless_something_else_is_to_be_heard() {
    let mut relay = relay();
    relay.plan(ms(0), Plan::Stream(opened(PARKEE, stream(PARKER), &[seven()])));
    assert_eq!(music(&mut relay, ms(100)).len(), 5);
    relay.plan(ms(101), Plan::Stream(plan(PARKEE, stream(PARKER))));
    assert_eq!(music(&mut relay, ms(2_000)).len(), 7, "it goes on to its end");
    relay.plan(ms(2_001), Plan::Stream(opened(PARKEE, stream(PARKER), &[seven()])));
    assert_eq!(music(&mut relay, ms(2_041)).len(), 2, "and is played again if it is planned again");
    relay.plan(ms(2_042), Plan::Stream(plan(PARKEE, Hears::Nothing)));
    assert!(music(&mut relay, ms(3_000)).is_empty());
    relay.plan(ms(3_001), Plan::Stream(plan(PARKEE, stream(PARKER))));
    assert!(music(&mut relay, ms(4_000)).is_empty());
}

#[test]
fn an_opening_of_which_nothing_is_there_is_over_at_once() {
    let mut relay = relay();
    relay.plan(ms(0), Plan::Stream(opened(PARKEE, stream(PARKER), &[Clip::COURTESY])));
    assert!(music(&mut relay, ms(100)).is_empty());
    assert_eq!(ends(&mut relay), 1);
    let mut parker = Source::at(PARKER, 500, 1_000);
    assert!(parker.send(&mut relay, ms(100)).is_ok());
}

#[test]
fn an_opening_ends_also_where_nobody_can_be_reached() {
    let mut relay = relay();
    let nowhere = StreamPlan { far: None, ..opened(PARKEE, stream(PARKER), &[seven()]) };
    relay.plan(ms(0), Plan::Stream(nowhere));
    assert!(music(&mut relay, ms(500)).is_empty());
    assert_eq!(ends(&mut relay), 1);
}

#[test]
fn a_pair_that_is_released_forgets_its_opening() {
    let mut relay = relay();
    relay.plan(ms(0), Plan::Stream(opened(PARKEE, MUSIC, &[seven()])));
    relay.plan(ms(50), Plan::release(PARKEE));
    assert_eq!(relay.next(), None);
    relay.plan(ms(60), Plan::Stream(plan(PARKEE, stream(PARKER))));
    let mut parker = Source::at(PARKER, 500, 1_000);
    assert!(parker.send(&mut relay, ms(100)).is_ok());
    assert_eq!(ends(&mut relay), 0);
    assert_ne!(far(PARKEE), far(PARKER));
}
