//! Long days and bad wires: many calls at once, and loss that does not stop at one datagram.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use simnet::{Fault, World, run_with, stories, sweep};

stories! {
    fn a_busy_hour(w) {
        w.lot(|lot| lot.recall.after = Duration::from_secs(120));
        w.phones(["ben", "carl", "dora"]).callers(["anna", "axel", "amy"]);
        w.talk("anna", "ben").talk("axel", "carl");
        w.transfer("ben", "701").transfer("carl", "*68103").settle();
        w.waits("anna").waits("axel").shows_parked("dora", "axel");
        w.talk("amy", "ben").hold("ben").settle();
        w.dial("dora", "*88").settle();
        w.talking("dora", "axel").resume("ben").settle();
        w.talking("ben", "amy").transfer("ben", "702").settle();
        w.waits("amy").parked_at(&["701", "702"]);
        w.dial("carl", "702").settle();
        w.talking("carl", "amy");
        assert!(w.pass_until(Duration::from_secs(130), |w| w.phone("ben").rings()));
        w.answer("ben").settle();
        w.talking("anna", "ben").talking("carl", "amy").talking("dora", "axel").nothing_parked();
    }
}

fn park_and_retrieve(w: &mut World) {
    w.phones(["ben", "carl"]).callers(["anna"]);
    w.talk("anna", "ben").transfer("ben", "701").settle();
    w.ended("ben").waits("anna").dial("carl", "701").settle();
    w.talking("anna", "carl");
}

#[test]
fn a_sweep_plays_every_fault_of_every_datagram() {
    let mut clean = World::new();
    park_and_retrieve(&mut clean);
    let datagrams = clean.datagrams();
    clean.tidy();
    assert!(datagrams > 20, "{datagrams}");
    assert_eq!(sweep(park_and_retrieve), 1 + 4 * datagrams as usize);
}

#[test]
fn a_run_that_goes_wrong_is_told() {
    let wanted = "nothing like this";
    let told = run_with(park_and_retrieve, 0, Fault::Drop, wanted).unwrap_err();
    assert!(told.contains("ends otherwise"), "{told}");
}

#[test]
fn a_run_replays_exactly() {
    let ladder = || {
        let mut w = World::new();
        park_and_retrieve(&mut w);
        w.ladder().text(true)
    };
    assert_eq!(ladder(), ladder());
}

#[test]
fn every_fifth_datagram_lost_and_still_the_parkee_is_parked_and_retrieved() {
    for first in 3..8 {
        let mut w = World::with_phones(["ben", "carl"]);
        w.callers(["anna"]).talk("anna", "ben");
        w.spoil_every(first, Fault::Drop).transfer("ben", "701").pass(Duration::from_secs(60));
        w.waits("anna").parked_at(&["701"]).dial("carl", "701").pass(Duration::from_secs(60));
        w.talking("anna", "carl").tidy();
    }
}

#[test]
fn two_faults_in_one_story_are_survived_too() {
    let mut clean = World::new();
    park_and_retrieve(&mut clean);
    let (datagrams, wanted) = (clean.datagrams(), clean.standing());
    clean.tidy();
    for k in 0..datagrams {
        for gap in [1, 2, 5] {
            let mut w = World::new();
            w.spoil(k, Fault::Drop).spoil(k + gap, Fault::Duplicate);
            park_and_retrieve(&mut w);
            assert_eq!(w.standing(), wanted, "drop {k}, repeat {}", k + gap);
            w.tidy();
        }
    }
}
