//! Switches between talk and music as the far side hears them: no pause longer than a frame and a
//! little, however the two clocks stand to each other.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use base::Moment;
use proptest::prelude::*;
use rig::{MUSIC, PARKEE, PARKER, RETRIEVER, Rtp, Source, music, plan, relay, stream, talking, us};
use rtp_flow::{Plan, Relay};

/// The longest pause at a switch: a frame, and 5 ms.
const PAUSE: u64 = 25_000;

/// The moments at which the parkee gets something.
#[derive(Debug, Default)]
struct Ear(Vec<(Moment, Rtp)>);

impl Ear {
    fn play(&mut self, relay: &mut Relay, until: Moment) {
        let played = music(relay, until).into_iter();
        self.0.extend(played.map(|(at, out)| (at, Rtp::read(&out.header))));
    }

    /// Somebody speaks each 20 ms from one moment to another, music between.
    fn hear(&mut self, relay: &mut Relay, source: &mut Source, from: u64, until: u64) {
        for at in (from..until).step_by(20_000) {
            self.play(relay, us(at));
            if let Ok(heard) = source.send(relay, us(at)) {
                self.0.push((us(at), heard));
            }
        }
        self.play(relay, us(until));
    }

    fn longest(&self) -> u128 {
        let gaps = self.0.windows(2).map(|two| two[1].0.since(two[0].0).as_micros());
        gaps.max().unwrap_or_default()
    }
}

/// Talk, music, talk with another who speaks `delay` after he is to be heard.
fn across(mut relay: Relay, park: u64, retrieve: u64, delay: u64) -> Ear {
    let (mut parker, mut retriever) = (Source::at(PARKER, 1, 1), Source::at(RETRIEVER, 9, 5));
    let mut ear = Ear::default();
    ear.hear(&mut relay, &mut parker, 0, park);
    relay.plan(us(park), Plan::Stream(plan(PARKEE, MUSIC)));
    relay.plan(us(park), Plan::release(PARKER));
    ear.play(&mut relay, us(retrieve));
    relay.plan(us(retrieve), Plan::Stream(plan(PARKEE, stream(RETRIEVER))));
    relay.plan(us(retrieve), Plan::Stream(plan(RETRIEVER, stream(PARKEE))));
    ear.hear(&mut relay, &mut retriever, retrieve + delay, retrieve + 1_000_000);
    ear
}

proptest! {
    #[test]
    fn nobody_hears_a_pause_at_a_switch(
        park in 500_000u64..600_000, retrieve in 700_000u64..900_000, delay in 0u64..90_000
    ) {
        let kept = across(talking(), park, retrieve, delay);
        prop_assert!(kept.longest() <= u128::from(PAUSE), "{} µs", kept.longest());
        for two in kept.0.windows(2) {
            prop_assert_eq!(two[1].1.seq, two[0].1.seq.wrapping_add(1));
            prop_assert_eq!(two[1].1.ssrc, two[0].1.ssrc);
            let ahead = two[1].1.timestamp.wrapping_sub(two[0].1.timestamp);
            prop_assert!((160..400).contains(&ahead), "{}", ahead);
        }
        let mut changing = relay().by_fast_paths();
        changing.plan(us(0), Plan::Stream(plan(PARKEE, stream(PARKER))));
        changing.plan(us(0), Plan::Stream(plan(PARKER, stream(PARKEE))));
        let changed = across(changing, park, retrieve, delay);
        prop_assert!(changed.longest() <= u128::from(PAUSE), "{} µs", changed.longest());
        let names: Vec<u32> = changed.0.iter().map(|(_, heard)| heard.ssrc).collect();
        prop_assert_eq!(names.windows(2).filter(|two| two[0] != two[1]).count(), 2);
    }
}

#[test]
fn music_does_not_go_on_for_ever_where_nobody_speaks() {
    let ear = across(talking(), 500_000, 800_000, 1_000_000);
    let last = ear.0.last().unwrap().0;
    assert!((us(860_000)..=us(900_000)).contains(&last), "{last:?}");
}

#[test]
fn music_that_was_to_end_and_is_wanted_again_goes_on_without_a_seam() {
    let mut relay = relay();
    relay.plan(us(0), Plan::Stream(plan(PARKEE, MUSIC)));
    let mut ear = Ear::default();
    ear.play(&mut relay, us(501_000));
    relay.plan(us(501_000), Plan::Stream(plan(PARKEE, stream(RETRIEVER))));
    ear.play(&mut relay, us(545_000));
    relay.plan(us(545_000), Plan::Stream(plan(PARKEE, MUSIC)));
    ear.play(&mut relay, us(1_000_000));
    assert!(ear.longest() <= u128::from(PAUSE), "{} µs", ear.longest());
    assert!(ear.0.windows(2).all(|two| two[1].1.seq == two[0].1.seq.wrapping_add(1)));
}
