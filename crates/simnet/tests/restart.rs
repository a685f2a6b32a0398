//! The house is killed and opened again: nobody who talked or was parked is lost.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use base::{Chance, Moment};
use park_core::{Engine, Fact, Output, RecordKey, RecordKind, Settings};
use simnet::{MUSIC, World, stories};

mod shared;

use shared::with_sales;

fn restored(w: &World) -> Option<(usize, usize, usize, usize)> {
    w.facts().rev().find_map(|fact| match fact {
        Fact::Restored { parked, legs, bindings, subscriptions, unreadable: 0 } => {
            Some((*parked, *legs, *bindings, *subscriptions))
        }
        _ => None,
    })
}

stories! {
    fn who_was_parked_hears_music_again_at_once_and_is_retrieved(w) {
        w.with_real_media().phones(["ben", "carl"]).callers(["anna"]).speak(true);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.ended("ben").parked_at(&["701"]);
        w.restart();
        assert_eq!(restored(w), Some((1, 1, 2, 0)));
        w.pass(Duration::from_secs(1));
        w.parked_at(&["701"]).waits("anna");
        w.dial("carl", "701").settle();
        w.talking("anna", "carl").nothing_parked().is_shown("carl", "anna");
    }

    fn whose_ports_were_taken_meanwhile_is_told_others(w) {
        w.is_not_restarted();
        w.with_real_media().phones(["ben", "carl", "dora"]).callers(["anna", "emil"]).speak(true);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.talk("emil", "dora");
        w.ports_are_taken().restart();
        w.settle();
        w.pass(Duration::from_secs(1));
        w.parked_at(&["701"]).waits("anna").talking("emil", "dora");
        w.dial("carl", "701").settle();
        w.talking("anna", "carl").nothing_parked();
    }

    fn what_is_gathered_is_written_in_time(w) {
        w.is_not_restarted();
        w.settings(|settings| settings.journal = Some(Duration::from_millis(40)));
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.pass(Duration::from_millis(41)).restart();
        assert_eq!(restored(w), Some((1, 1, 2, 0)));
        w.parked_at(&["701"]).waits("anna").hang_up("anna").settle();
        w.pass(Duration::from_millis(41)).restart();
        assert_eq!(restored(w), Some((0, 0, 2, 0)));
    }

    fn who_talked_talks_on_and_can_hold_and_park(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben");
        w.restart();
        assert_eq!(restored(w), Some((0, 2, 2, 0)));
        w.talking("anna", "ben");
        w.hold("ben").settle();
        w.resume("ben").settle();
        w.talking("anna", "ben");
        w.transfer("ben", "701").settle();
        w.ended("ben").waits("anna").parked_at(&["701"]);
    }

    fn a_retrieved_call_goes_on(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.dial("carl", "701").settle();
        w.restart();
        w.talking("anna", "carl");
        w.hold("carl").settle();
        w.resume("carl").settle();
        w.talking("anna", "carl").hang_up("anna").settle();
        w.ended("carl");
    }

    fn the_recall_comes_at_the_time_it_would_have_come(w) {
        w.lot(|lot| lot.recall.after = Duration::from_secs(60));
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.pass(Duration::from_secs(40)).restart();
        w.pass(Duration::from_secs(15));
        w.is_quiet("ben");
        w.pass(Duration::from_secs(10));
        w.rings("ben").answer("ben").settle();
        w.talking("anna", "ben");
    }

    fn a_recall_that_fell_due_meanwhile_comes_at_once(w) {
        w.lot(|lot| lot.recall.after = Duration::from_secs(60));
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.kill().pass(Duration::from_secs(90)).open_again().settle();
        w.rings("ben").answer("ben").settle();
        w.talking("anna", "ben");
    }

    fn who_hung_up_meanwhile_is_known_to_have_gone_within_a_minute(w) {
        w.phones(["ben", "carl"]).callers(["anna", "axel"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.talk("axel", "carl");
        w.kill().hang_up("anna").hang_up("axel").pass(Duration::from_secs(40)).open_again();
        w.pass(Duration::from_secs(60));
        w.nothing_parked().ended("carl");
        assert!(w.facts().any(|fact| matches!(fact, Fact::HungUp { .. })));
    }

    fn a_phone_that_rings_rings_on_and_is_answered(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.dial("anna", "101").settle().rings("ben");
        w.restart().settle();
        w.rings("ben").answer("ben").settle();
        w.talking("anna", "ben");
    }

    fn a_phone_that_was_answered_meanwhile_is_heard(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.dial("anna", "101").settle().rings("ben");
        w.kill().answer("ben").pass(Duration::from_secs(3)).open_again().pass(Duration::from_secs(6));
        w.talking("anna", "ben");
    }

    fn a_caller_who_has_given_up_meanwhile_lets_the_phone_be(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.dial("anna", "101").settle().rings("ben");
        w.kill().hang_up("anna").pass(Duration::from_secs(3)).open_again().pass(Duration::from_secs(6));
        w.is_quiet("ben").ended("anna").ended("ben");
    }

    fn a_phone_that_is_called_outside_hears_it_ring_and_the_answer(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.dial("ben", "+33176000001").settle().rings("anna");
        w.restart().settle();
        w.rings("anna").answer("anna").settle();
        w.talking("anna", "ben");
    }

    fn a_recall_that_rings_rings_on_for_its_time(w) {
        w.lot(|lot| lot.recall.after = Duration::from_secs(20));
        w.lot(|lot| lot.recall.ring = Duration::from_secs(30));
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.pass(Duration::from_secs(30)).rings("ben").has_calls("ben", 1);
        w.restart().pass(Duration::from_secs(10)).rings("ben").has_calls("ben", 1);
        w.answer("ben").settle().talking("anna", "ben");
    }

    fn a_recall_that_nobody_answers_ends_when_it_would_have_ended(w) {
        w.lot(|lot| lot.recall.after = Duration::from_secs(20));
        w.lot(|lot| lot.recall.ring = Duration::from_secs(30));
        w.lot(|lot| lot.recall.attempts = 1);
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.pass(Duration::from_secs(30)).rings("ben");
        w.restart().pass(Duration::from_secs(15)).rings("ben");
        w.pass(Duration::from_secs(15)).is_quiet("ben").parked_at(&["701"]).waits("anna");
    }

    fn lamps_are_true_after_a_restart(w) {
        with_sales(w).phones(["ben", "carl", "dora"]).callers(["anna", "axel"]);
        w.subscribe("carl", "dialog", "701").settle();
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.talk("axel", "dora").transfer("dora", "*58").settle();
        w.restart().settle();
        w.parked_at(&["101", "701"]).screens_equal_lots().lamps_equal_lots();
        w.dial("ben", "701").settle();
        w.talking("anna", "ben").screens_equal_lots().lamps_equal_lots();
    }
}

#[test]
fn the_music_begins_within_a_second_on_the_same_port() {
    let mut world = World::new();
    world.with_real_media().phones(["ben"]).callers(["anna"]).speak(true);
    world.talk("anna", "ben").transfer("ben", "701").settle();
    world.restart();
    world.pass(Duration::from_secs(1));
    world.hears("anna", MUSIC);
    world.tidy();
}

#[test]
fn a_record_that_cannot_be_read_is_told_of_and_the_rest_is_taken() {
    let mut world = World::with_phones(["ben", "carl"]);
    world.callers(["anna"]).talk("anna", "ben").transfer("ben", "701").settle();
    world.damage_a_record();
    world.restart().settle();
    let unreadable = world.facts().find_map(|fact| match fact {
        Fact::Restored { unreadable, .. } => Some(*unreadable),
        _ => None,
    });
    assert_eq!(unreadable, Some(1));
    world.parked_at(&["701"]).waits("anna");
}

#[test]
fn whoever_asks_again_for_what_an_earlier_run_has_taken_up_is_not_taken_twice() {
    let mut world = World::with_phones(["ben"]);
    world.callers(["anna"]).dial("anna", "101").settle().rings("ben");
    world.restart().settle();
    let calls = |world: &World| world.phone("ben").calls().len();
    assert_eq!(calls(&world), 1);
    world.restart().settle();
    assert_eq!(calls(&world), 1);
    world.rings("ben").answer("ben").settle().talking("anna", "ben");
    world.tidy();
}

/// A call that is parked, one that was retrieved, one that talks, a lamp that is lit.
fn a_full_house(world: &mut World) {
    with_sales(world).phones(["ben", "carl", "dora"]).callers(["anna", "axel", "amy"]);
    world.subscribe("dora", "dialog", "701").settle();
    world.talk("anna", "ben").transfer("ben", "701").settle();
    world.talk("axel", "ben").transfer("ben", "702").settle();
    world.dial("carl", "702").settle();
    world.talk("amy", "ben").settle();
}

/// Reads what [`World::journal`] gives.
fn read(journal: &str) -> Vec<(RecordKey, Vec<u8>)> {
    let line = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let kind = RecordKind::of(words[0].parse().unwrap()).unwrap();
        let key = RecordKey { kind, number: words[1].parse().unwrap() };
        let byte = |at| u8::from_str_radix(&words[2][at..at + 2], 16).unwrap();
        (key, (0..words[2].len()).step_by(2).map(byte).collect())
    };
    journal.lines().map(line).collect()
}

/// In `journals/1.txt` is what the first version that had a journal has written of [`a_full_house`]. It must be
/// readable for good; `WRITE_JOURNAL=FILE` writes what this version makes of it.
#[test]
fn what_an_earlier_version_has_written_is_read() {
    let mut world = World::new();
    a_full_house(&mut world);
    if let Some(file) = std::env::var_os("WRITE_JOURNAL") {
        std::fs::write(file, world.journal()).unwrap();
    }
    for journal in [include_str!("journals/1.txt"), &world.journal()] {
        let settings =
            Settings { pbx_targets: vec!["sip:192.0.2.50".into()], ..Settings::default() };
        let at = Moment::ZERO + Duration::from_secs(30);
        let mut engine = Engine::restore(settings, Chance::from_seed(7), at, read(journal));
        let (mut restored, mut parked) = (None, Vec::new());
        loop {
            match engine.poll() {
                Output::Told(told) => match told.fact {
                    Fact::Restored { parked, legs, bindings, subscriptions, unreadable } => {
                        restored = Some([parked, legs, bindings, subscriptions, unreadable]);
                    }
                    Fact::StillParked { of, parked: who, .. } => parked.push((of.slot, who.parkee)),
                    _ => {}
                },
                Output::Idle { .. } => break,
                _ => {}
            }
        }
        assert_eq!(restored, Some([1, 5, 3, 1, 0]));
        assert_eq!(parked, [("701".to_owned(), "+33176000001".to_owned())]);
    }
}
