//! Races: each contested thing is settled once, and the parkee loses nothing.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use park_core::{Command, Fact, Reply};
use simnet::{CallState, Fault, MUSIC, World, stories};

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// anna is parked at 701 by ben; the recall is due 60 s later.
fn parked(w: &mut World) {
    w.lot(|lot| lot.recall.after = Duration::from_secs(60));
    w.phones(["ben", "carl", "dora"]).callers(["anna"]);
    w.talk("anna", "ben").transfer("ben", "701").settle();
    w.ended("ben").waits("anna");
}

fn until_recall(w: &mut World) {
    assert!(w.pass_until(Duration::from_secs(65), |w| w.phone("ben").rings()));
}

/// Exactly one of these talks with the parkee; the others have nothing.
fn one_of(w: &mut World, names: &[&str], parkee: &str) {
    let up: Vec<&str> = names.iter().copied().filter(|name| w.phone(name).is_up()).collect();
    assert_eq!(up.len(), 1, "{up:?} have it\n{}", w.ladder().text(false));
    w.talking(up[0], parkee).nothing_parked();
    for name in names.iter().filter(|name| **name != up[0]) {
        w.ended(name);
    }
}

/// All hang up, so that every run ends the same, whoever won.
fn end(w: &mut World) {
    w.hang_up("anna").settle();
}

stories! {
    fn of_two_retrievers_one_wins_and_the_other_is_told(w) {
        parked(w);
        w.dial("carl", "701").dial("dora", "701").settle();
        one_of(w, &["carl", "dora"], "anna");
        let loser = if w.phone("carl").is_up() { "dora" } else { "carl" };
        w.refused_with(loser, &[404, 410, 480, 481, 486]);
        end(w);
    }

    fn of_three_retrievers_of_two_calls_two_win(w) {
        parked(w);
        w.callers(["axel"]).talk("axel", "ben").transfer("ben", "701").settle();
        w.dial("carl", "701").dial("dora", "701").dial("ben", "701").settle();
        let up = ["ben", "carl", "dora"].iter().filter(|n| w.phone(n).is_up()).count();
        assert_eq!(up, 2);
        w.nothing_parked().hang_up("anna").hang_up("axel").settle();
    }

    fn a_retriever_and_the_answer_to_a_recall_at_once(w) {
        parked(w);
        until_recall(w);
        w.dial("carl", "701").answer("ben").settle();
        one_of(w, &["ben", "carl"], "anna");
        end(w);
    }

    fn the_answer_to_a_recall_and_a_retriever_just_after(w) {
        parked(w);
        until_recall(w);
        w.answer("ben").pass(ms(5)).dial("carl", "701").settle();
        one_of(w, &["ben", "carl"], "anna");
        end(w);
    }

    fn a_retriever_gives_up_as_it_is_answered(w) {
        parked(w);
        w.dial("carl", "701").pass(ms(15)).hang_up("carl").settle();
        // Answered and hung up, or cancelled: never a parkee that hangs in the air.
        w.ended("carl");
        let waits = w.phone("anna").is_up();
        assert!(!waits || w.heard_by("anna") == MUSIC, "{}", w.ladder().text(false));
        if waits {
            end(w);
        }
        w.ended("anna").nothing_parked();
    }

    fn a_retriever_that_must_renegotiate_gives_up_and_the_parkee_is_back_in_its_slot(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.habits("ben", |h| h.formats = vec![8]);
        w.habits("carl", |h| h.formats = vec![0]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.dial("carl", "701").pass(ms(22)).hang_up("carl").settle();
        w.ended("carl");
        if w.phone("anna").is_up() {
            w.waits("anna").parked_at(&["701"]);
            end(w);
        }
    }

    fn the_answer_to_a_recall_crosses_the_cancel(w) {
        w.lot(|lot| lot.recall.attempts = 1);
        parked(w);
        until_recall(w);
        // The recall rings for 30 s from when the house sent it.
        let rung = w.now();
        let over = rung + Duration::from_secs(30);
        w.pass(over.since(rung) - ms(15));
        if w.phone("ben").rings() {
            w.answer("ben");
        }
        w.settle();
        if w.phone("ben").is_up() {
            w.talking("ben", "anna").nothing_parked();
        } else {
            w.waits("anna").parked_at(&["701"]);
        }
        end(w);
    }

    fn the_parkee_hangs_up_while_a_retriever_renegotiates(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.habits("ben", |h| h.formats = vec![8]);
        w.habits("carl", |h| h.formats = vec![0]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.dial("carl", "701").pass(ms(12)).hang_up("anna").settle();
        w.ended("anna").ended("carl").nothing_parked();
    }

    fn two_parks_into_the_last_place_of_a_slot(w) {
        w.lot(|lot| lot.max_calls_per_slot = 1);
        w.phones(["ben", "carl"]).callers(["anna", "axel"]);
        w.talk("anna", "ben").talk("axel", "carl");
        w.transfer("ben", "701").transfer("carl", "701").settle();
        assert_eq!(w.parked_calls().len(), 1);
        if w.phone("ben").is_up() {
            w.talking("anna", "ben").waits("axel").ended("carl");
        } else {
            w.talking("axel", "carl").waits("anna").ended("ben");
        }
        w.hang_up("anna").hang_up("axel").settle();
    }

    fn two_parks_into_the_last_slot_of_a_lot(w) {
        w.lot(|lot| { lot.max_calls_per_slot = 1; lot.slots = vec![(701, 701, 3)]; });
        w.phones(["ben", "carl"]).callers(["anna", "axel"]);
        w.talk("anna", "ben").talk("axel", "carl");
        w.transfer("ben", "700").transfer("carl", "700").settle();
        assert_eq!(w.parked_calls().len(), 1);
        w.hang_up("anna").hang_up("axel").settle();
        w.ended("ben").ended("carl");
    }

    fn the_parker_hangs_up_before_it_was_told(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").hang_up("ben").settle();
        // The REFER came first: the park stands.
        w.ended("ben");
        if w.phone("anna").is_up() {
            w.waits("anna").parked_at(&["701"]);
            end(w);
        }
    }

    fn parker_and_parkee_hold_at_once_and_the_parker_parks(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").hold("anna").hold("ben").pass(Duration::from_secs(8));
        w.resume("anna").settle();
        w.transfer("ben", "701").settle();
        w.waits("anna").dial("carl", "701").settle();
        w.talking("anna", "carl");
    }

    fn the_parker_reboots_right_after_its_refer(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701");
        w.pass_until(Duration::from_secs(5), |w| w.facts().any(|f| matches!(f, Fact::Parked { .. })));
        w.reboot("ben").pass(Duration::from_secs(60));
        w.waits("anna").parked_at(&["701"]).dial("carl", "701").settle();
        w.talking("anna", "carl");
    }

    fn a_retriever_reboots_and_its_call_is_ended_by_whoever_notices(w) {
        parked(w);
        w.dial("carl", "701").settle();
        w.reboot("carl").hang_up("anna").settle();
        w.ended("anna").nothing_parked();
    }

    fn a_phone_reboots_while_its_recall_rings(w) {
        parked(w);
        until_recall(w);
        w.reboot("ben").register("ben", 3600).settle();
        w.waits("anna");
        assert!(w.pass_until(Duration::from_secs(60), |w| w.phone("ben").rings()));
        w.answer("ben").settle();
        w.talking("anna", "ben");
    }

    fn the_pbx_hangs_up_a_parked_call(w) {
        parked(w);
        w.pbx_hangs_up("ben").settle();
        w.ended("anna").nothing_parked();
    }

    fn the_pbx_hangs_up_while_the_recall_rings(w) {
        parked(w);
        until_recall(w);
        w.pbx_hangs_up("ben").settle();
        w.ended("anna").ended("ben").nothing_parked();
    }

    fn both_hang_up_at_once(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben").hang_up("anna").hang_up("ben").settle();
        w.ended("anna").ended("ben");
    }

    fn two_phones_answer_a_recall_at_once(w) {
        w.lot(|lot| lot.recall.after = Duration::from_secs(60));
        w.phones(["ben"]).second_phone("benny", "ben").callers(["anna"]);
        w.dial("anna", "ben").rings_soon("ben").answer("ben").settle();
        w.transfer("ben", "701").settle();
        until_recall(w);
        w.pass(ms(500));
        for name in ["ben", "benny"] {
            if w.phone(name).rings() {
                w.answer(name);
            }
        }
        w.settle();
        one_of(w, &["ben", "benny"], "anna");
        end(w);
    }

    fn a_parked_call_survives_new_settings(w) {
        parked(w);
        w.reload(|s| s.lots[0].slots = vec![(801, 820, 3)]);
        w.settle().waits("anna").dial("carl", "*88").settle();
        w.ended("carl");
        until_recall(w);
        w.answer("ben").settle();
        w.talking("anna", "ben");
    }

    fn while_the_house_drains_new_calls_are_refused_and_parked_ones_are_kept(w) {
        parked(w);
        w.command(Command::Drain);
        w.dial("carl", "dora").settle();
        w.refused("carl", 503).waits("anna").parked_at(&["701"]);
        w.dial("carl", "701").settle();
        let state = w.phone("carl").latest().unwrap().state;
        if state == CallState::Up {
            w.talking("anna", "carl");
        } else {
            w.waits("anna");
        }
        assert!(matches!(w.command(Command::EndAll), Reply::Done));
        w.settle().ended("anna").ended("carl").nothing_parked();
    }

    fn the_caller_gives_up_as_the_phone_answers(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.dial("anna", "ben").rings_soon("ben");
        w.answer("ben").hang_up("anna").settle();
        w.ended("anna").ended("ben");
    }

    fn the_parkee_hangs_up_as_it_is_parked(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").hang_up("anna").settle();
        w.ended("anna").ended("ben").nothing_parked();
    }

    fn the_parkee_hangs_up_as_it_is_retrieved(w) {
        parked(w);
        w.dial("carl", "701").hang_up("anna").settle();
        w.ended("anna").ended("carl").nothing_parked();
    }

    fn the_parkee_holds_as_it_is_parked(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben");
        w.hold("anna").pass(ms(10)).transfer("ben", "701").settle();
        if w.parked_calls().is_empty() {
            w.resume("anna").settle();
            w.talking("anna", "ben");
        } else {
            w.ended("ben").resume("anna").settle();
            w.waits("anna").dial("carl", "701").settle();
            w.talking("anna", "carl");
        }
        end(w);
    }

    fn the_phone_gives_up_as_the_caller_answers(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.dial("ben", "anna").rings_soon("anna");
        w.answer("anna").pass(ms(15)).hang_up("ben").settle();
        w.ended("anna").ended("ben");
    }

    fn two_phones_answer_at_once_behind_a_proxy(w) {
        w.behind_a_proxy().phones(["ben"]).second_phone("benny", "ben").callers(["anna"]);
        w.dial("anna", "ben").rings_soon("ben").rings_soon("benny");
        w.answer("ben").answer("benny").settle();
        let up = ["ben", "benny"].iter().filter(|name| w.phone(name).is_up()).count();
        assert_eq!(up, 1, "{}", w.ladder().text(false));
        w.hang_up("anna").settle();
        w.ended("ben").ended("benny");
    }

    fn two_phones_of_an_extension_answer_at_once(w) {
        w.phones(["ben"]).second_phone("benny", "ben").callers(["anna"]);
        w.dial("anna", "ben").rings_soon("ben").rings_soon("benny");
        w.answer("ben").answer("benny").settle();
        let up = ["ben", "benny"].iter().filter(|name| w.phone(name).is_up()).count();
        assert_eq!(up, 1, "{}", w.ladder().text(false));
        w.hang_up("anna").settle();
        w.ended("ben").ended("benny");
    }
}

#[test]
fn a_phone_that_reboots_while_a_hold_is_brought_to_it_leaves_nothing_behind() {
    let mut w = World::with_phones(["ben"]);
    w.callers(["anna"]).talk("anna", "ben");
    // The hold, our 100, the hold on its way, ben's 100, and this: ben's 200.
    let before = w.datagrams();
    w.spoil(before + 4, Fault::Drop).hold("anna").pass(ms(50)).reboot("ben").settle();
    w.hang_up("anna").tidy();
    let answers = w.ladder().text(false);
    assert!(answers.contains("[Drop]"), "{answers}");
}
