//! RTP that really flows: tones, music, one unbroken stream towards the parkee.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use park_core::{Anchor, Fact, RecallThen};
use rtp_flow::Dry;
use simnet::{MUSIC, NOTHING, World, stories};

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A frame, and 5 ms that a switch may add to it: nobody waits longer for the next packet.
const ONE_FRAME_MORE: Duration = Duration::from_millis(25);

#[test]
fn both_hear_each_others_tone_through_two_relays() {
    let mut w = World::new();
    w.with_real_media().phones(["ben", "carl"]).callers(["anna"]);
    w.speak(true).talk("ben", "carl");
    w.hang_up("ben").settle();
    w.talk("anna", "ben");
    assert!(w.breaks("anna").is_empty() && w.breaks("ben").is_empty());
    w.speak(false).pass(ms(600)).hears("anna", NOTHING).tidy();
}

#[test]
fn the_parkee_hears_one_unbroken_stream_across_talk_music_and_talk() {
    let mut w = World::new();
    w.with_real_media().phones(["ben", "carl"]).callers(["anna"]);
    w.speak(true).talk("anna", "ben");
    w.transfer("ben", "701").settle();
    w.hears("anna", MUSIC);
    assert_eq!(w.breaks("anna"), Vec::<String>::new());
    assert!(w.longest_gap("anna") <= ONE_FRAME_MORE, "{:?}", w.longest_gap("anna"));
    w.dial("carl", "701").settle();
    w.talking("anna", "carl");
    assert_eq!(w.breaks("anna"), Vec::<String>::new());
    assert!(w.longest_gap("anna") <= ONE_FRAME_MORE, "{:?}", w.longest_gap("anna"));
    assert_eq!(w.breaks("carl"), Vec::<String>::new());
    w.transfer("carl", "*68101").settle();
    w.hears("anna", MUSIC).dial("ben", "*88").settle();
    w.talking("anna", "ben");
    let ear = w.phone("anna").current().unwrap().media.ear.clone();
    assert!(ear.packets > 500 && ear.marks >= 4, "{} packets, {} marks", ear.packets, ear.marks);
    assert_eq!(w.breaks("anna"), Vec::<String>::new());
    assert!(w.longest_gap("anna") <= ONE_FRAME_MORE, "{:?}", w.longest_gap("anna"));
    w.tidy();
}

#[test]
fn of_two_retrievers_the_loser_costs_the_parkee_no_more_than_a_frame() {
    let mut w = World::new();
    w.with_real_media().phones(["ben", "carl", "dora"]).callers(["anna"]);
    w.speak(true).talk("anna", "ben").transfer("ben", "701").settle();
    w.hears("anna", MUSIC);
    w.dial("carl", "701").dial("dora", "701").settle();
    let winner = if w.phone("carl").is_up() { "carl" } else { "dora" };
    w.talking("anna", winner);
    assert!(w.longest_gap("anna") <= ONE_FRAME_MORE, "{:?}", w.longest_gap("anna"));
    assert_eq!(w.breaks("anna"), Vec::<String>::new());
    w.tidy();
}

#[test]
fn a_retriever_that_fails_interrupts_no_music() {
    let mut w = World::new();
    w.with_real_media().phones(["ben", "carl"]).callers(["anna"]);
    w.habits("carl", |h| h.formats = vec![3]);
    w.speak(true).talk("anna", "ben").transfer("ben", "701").settle();
    w.dial("carl", "701").settle();
    w.ended("carl").hears("anna", MUSIC);
    assert_eq!(w.breaks("anna"), Vec::<String>::new());
    w.tidy();
}

#[test]
fn a_held_call_that_is_parked_gets_music_and_then_the_retriever() {
    let mut w = World::new();
    w.with_real_media().phones(["ben", "carl"]).callers(["anna"]);
    w.speak(true).talk("anna", "ben");
    w.hold("ben").settle();
    w.hears("anna", NOTHING).transfer("ben", "701").settle();
    w.hears("anna", MUSIC).dial("carl", "701").settle();
    w.talking("anna", "carl").tidy();
}

#[test]
fn music_goes_on_while_the_recall_rings_and_stops_when_it_is_answered() {
    let mut w = World::new();
    w.with_real_media().lot(|lot| lot.recall.after = Duration::from_secs(5));
    w.phones(["ben"]).callers(["anna"]);
    w.speak(true).talk("anna", "ben").transfer("ben", "701");
    assert!(w.pass_until(Duration::from_secs(8), |w| w.phone("ben").rings()));
    w.hears("anna", MUSIC).answer("ben").settle();
    w.talking("anna", "ben");
    assert_eq!(w.breaks("anna"), Vec::<String>::new());
    w.tidy();
}

#[test]
fn the_last_leg_gone_nothing_is_heard_any_more() {
    let mut w = World::new();
    w.with_real_media().lot(|lot| {
        lot.recall.after = Duration::from_secs(3);
        lot.recall.ring = Duration::from_secs(3);
        lot.recall.attempts = 1;
        lot.recall.then = RecallThen::Hangup;
    });
    w.phones(["ben"]).callers(["anna"]);
    w.speak(true).talk("anna", "ben").transfer("ben", "701").settle();
    w.pass(Duration::from_secs(12));
    w.ended("anna").ended("ben").hears("anna", NOTHING).tidy();
}

#[test]
fn without_a_free_port_pair_a_call_is_refused_with_503_and_the_others_go_on() {
    let mut w = World::new();
    w.with_port_pairs(1).phones(["ben", "carl"]).callers(["anna", "axel"]);
    w.talk("anna", "ben");
    w.dial("axel", "carl").settle();
    w.refused_with("axel", &[480, 500, 503]).ended("carl").talking("anna", "ben");
    w.was_told(|fact| matches!(fact, Fact::NoPorts { why: Dry::UsedUp }));
    w.hang_up("anna").settle();
    w.pass(Duration::from_secs(5)).talk("axel", "carl").tidy();
}

stories! {
    fn with_media_anchored_only_while_parked_descriptions_pass_untouched(w) {
        w.settings(|s| s.anchor = Anchor::Parked).phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben");
        let ben = w.phone("ben").current().unwrap().media.local;
        assert_eq!(w.phone("anna").current().unwrap().media.far, Some(ben));
        w.hold("ben").settle();
        w.hears("anna", NOTHING).resume("ben").settle();
        w.talking("anna", "ben");
    }

    fn with_media_anchored_only_while_parked_a_park_fetches_it_and_a_retrieve_connects(w) {
        w.settings(|s| s.anchor = Anchor::Parked).phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.ended("ben").waits("anna").dial("carl", "701").settle();
        w.talking("anna", "carl").hang_up("carl").settle();
        w.ended("anna");
    }

    fn with_media_anchored_only_while_parked_a_recall_connects(w) {
        w.settings(|s| s.anchor = Anchor::Parked);
        w.lot(|lot| lot.recall.after = Duration::from_secs(30));
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.waits("anna");
        assert!(w.pass_until(Duration::from_secs(40), |w| w.phone("ben").rings()));
        w.answer("ben").settle();
        w.talking("anna", "ben").hold("anna").settle();
        w.hears("ben", NOTHING).resume("anna").settle();
        w.talking("anna", "ben");
    }

    fn a_parkee_without_a_codec_that_has_music_is_renegotiated_once(w) {
        w.settings(|s| s.music_codecs = vec![rtp_flow::Codec::Pcmu]);
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.habits("ben", |h| h.formats = vec![8]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.waits("anna").dial("carl", "701").settle();
        w.talking("anna", "carl");
    }

    fn a_parkee_for_whose_codec_there_is_no_music_at_all_waits_in_silence(w) {
        w.settings(|s| s.music_codecs = vec![rtp_flow::Codec::Opus]);
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.habits("ben", |h| h.formats = vec![8]);
        w.habits("anna", |h| h.formats = vec![8]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        assert!(w.phone("anna").is_up());
        w.parked_at(&["701"]).dial("carl", "701").settle();
        w.talking("anna", "carl");
    }
}
