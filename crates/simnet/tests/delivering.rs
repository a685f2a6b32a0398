//! A parked call is delivered by an operator: an extension is rung to take it. It goes through the same
//! rooms as a recall does, and races with the phones.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod shared;

use park_core::{Anchor, Command, Courtesy, Fact, ParkedState};
use shared::orders::{at, deliver, end, ms, order, parked, seconds, state};
use simnet::{World, stories};

/// anna, parked at 701, is delivered to carl, who answers.
fn parked_and_delivered(w: &mut World) {
    parked(w);
    deliver(w, "701", "carl");
    w.rings_soon("carl").answer("carl").settle();
    w.talking("anna", "carl");
}

/// Exactly one of these talks with anna; the others have nothing.
fn one_of(w: &mut World, names: &[&str]) {
    let up: Vec<&str> = names.iter().copied().filter(|name| w.phone(name).is_up()).collect();
    assert_eq!(up.len(), 1, "{up:?} have it\n{}", w.ladder().text(false));
    w.talking(up[0], "anna").nothing_parked();
    for name in names.iter().filter(|name| **name != up[0]) {
        w.ended(name);
    }
}

stories! {
    fn a_call_is_delivered_to_an_extension_and_shows_who_it_is(w) {
        parked(w);
        deliver(w, "701", "carl");
        assert_eq!(state(w), ParkedState::Delivering);
        w.rings_soon("carl").waits("anna").parked_at(&["701"]);
        let call = w.phone("carl").current().unwrap();
        let from = call.from.clone().unwrap();
        assert!(from.contains("Anna") && !from.contains("Recall"), "{from}");
        assert!(call.alert_info.as_ref().unwrap().contains("recall"));
        w.is_quiet("ben").is_quiet("dora").answer("carl").settle();
        w.talking("anna", "carl").nothing_parked();
        w.was_told(|fact| matches!(fact, Fact::Delivering { to, .. } if to == "102"));
        w.was_told(|fact| matches!(fact, Fact::Retrieved { recall: false, by, .. } if by == "102"));
        w.hang_up("carl").settle();
        w.ended("anna");
    }

    fn all_phones_of_the_extension_ring_and_the_first_answer_has_it(w) {
        w.phones(["ben", "carl"]).second_phone("carla", "carl").callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        deliver(w, "701", "carl");
        w.rings_soon("carl").pass(ms(700));
        w.rings("carla").answer("carla").settle();
        w.talking("anna", "carla").ended("carl").nothing_parked();
    }

    fn a_delivery_that_is_declined_leaves_the_call_and_its_recall_as_they_were(w) {
        parked(w);
        w.pass(seconds(20));
        deliver(w, "701", "carl");
        w.rings_soon("carl").decline("carl", 486).settle();
        w.waits("anna").parked_at(&["701"]).is_quiet("carl");
        assert_eq!(state(w), ParkedState::Parked);
        let left = w.parked_calls()[0].recall_in_s.unwrap();
        assert!((20..40).contains(&left), "{left}");
        assert!(w.pass_until(seconds(45), |w| w.phone("ben").rings()));
        w.answer("ben").settle();
        w.talking("anna", "ben");
    }

    fn a_delivery_that_nobody_answers_ends_with_its_time(w) {
        w.lot(|lot| lot.recall.ring = seconds(10));
        parked(w);
        deliver(w, "701", "carl");
        w.rings_soon("carl");
        assert!(w.pass_until(seconds(12), |w| !w.phone("carl").rings()));
        w.settle().waits("anna").parked_at(&["701"]);
        assert_eq!(state(w), ParkedState::Parked);
        w.dial("dora", "701").settle();
        w.talking("anna", "dora");
    }

    fn anyone_may_retrieve_while_a_call_is_delivered(w) {
        parked(w);
        deliver(w, "701", "carl");
        w.rings_soon("carl").dial("dora", "701").settle();
        w.talking("anna", "dora").ended("carl").nothing_parked();
    }

    fn a_retriever_that_fails_meanwhile_leaves_the_call_waiting(w) {
        parked(w);
        w.habits("dora", |h| h.formats = vec![3]);
        deliver(w, "701", "carl");
        w.rings_soon("carl").dial("dora", "701").settle();
        w.refused("dora", 488).waits("anna").parked_at(&["701"]).ended("carl");
        assert_eq!(state(w), ParkedState::Parked);
        deliver(w, "701", "carl");
        w.rings_soon("carl").answer("carl").settle();
        w.talking("anna", "carl");
    }

    fn a_recall_that_falls_due_while_a_call_is_delivered_begins_when_nobody_has_answered(w) {
        parked(w);
        w.pass(seconds(45));
        deliver(w, "701", "carl");
        w.rings_soon("carl").pass(seconds(20)).is_quiet("ben");
        w.decline("carl", 486);
        assert!(w.pass_until(seconds(3), |w| w.phone("ben").rings()));
        w.answer("ben").settle();
        w.talking("anna", "ben").nothing_parked();
    }

    fn a_delivery_without_a_codec_in_common_leaves_the_call_waiting(w) {
        parked(w);
        w.habits("carl", |h| h.formats = vec![3]);
        deliver(w, "701", "carl");
        w.pass(seconds(3));
        if w.phone("carl").rings() {
            w.answer("carl");
        }
        w.settle().ended("carl").waits("anna").parked_at(&["701"]);
        assert_eq!(state(w), ParkedState::Parked);
        w.dial("dora", "701").settle();
        w.talking("anna", "dora");
    }

    fn the_parkee_hangs_up_while_it_is_delivered(w) {
        parked(w);
        deliver(w, "701", "carl");
        w.rings_soon("carl").hang_up("anna").settle();
        w.ended("anna").ended("carl").nothing_parked();
    }

    fn a_delivery_behind_a_proxy(w) {
        w.behind_a_proxy();
        parked_and_delivered(w);
    }

    fn a_delivery_where_media_goes_direct(w) {
        w.settings(|s| s.anchor = Anchor::Parked);
        parked_and_delivered(w);
    }

    fn a_delivery_has_its_tone_of_courtesy_as_a_retrieve(w) {
        w.lot(|lot| lot.courtesy = Courtesy::Both);
        parked_and_delivered(w);
    }

    // Races.

    fn the_answer_to_a_delivery_and_a_retriever_at_once(w) {
        parked(w);
        deliver(w, "701", "carl");
        w.rings_soon("carl").answer("carl").dial("dora", "701").settle();
        one_of(w, &["carl", "dora"]);
        end(w);
    }

    fn a_retriever_and_then_the_answer_to_a_delivery(w) {
        parked(w);
        deliver(w, "701", "carl");
        w.rings_soon("carl").dial("dora", "701").pass(ms(5)).answer("carl").settle();
        one_of(w, &["carl", "dora"]);
        end(w);
    }

    fn two_phones_answer_a_delivery_at_once(w) {
        w.phones(["ben", "carl"]).second_phone("carla", "carl").callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        deliver(w, "701", "carl");
        w.rings_soon("carl").pass(ms(700));
        for name in ["carl", "carla"] {
            if w.phone(name).rings() {
                w.answer(name);
            }
        }
        w.settle();
        one_of(w, &["carl", "carla"]);
        end(w);
    }

    fn the_parkee_hangs_up_as_a_delivery_is_answered(w) {
        parked(w);
        deliver(w, "701", "carl");
        w.rings_soon("carl").answer("carl").hang_up("anna").settle();
        w.ended("anna").ended("carl").nothing_parked();
    }

    fn a_delivery_is_answered_as_its_time_is_over(w) {
        w.lot(|lot| lot.recall.ring = seconds(5));
        parked(w);
        deliver(w, "701", "carl");
        w.rings_soon("carl").pass(seconds(5) - ms(35));
        if w.phone("carl").rings() {
            w.answer("carl");
        }
        w.settle();
        if w.phone("carl").is_up() {
            w.talking("anna", "carl").nothing_parked();
        } else {
            w.waits("anna").parked_at(&["701"]);
        }
        end(w);
    }

    fn an_operator_hangs_up_as_a_delivery_is_answered(w) {
        parked(w);
        deliver(w, "701", "carl");
        w.rings_soon("carl").answer("carl");
        let park = at(w, "701");
        order(w, Command::HangUp { park });
        w.settle().ended("anna").ended("carl").nothing_parked();
    }

    fn a_phone_reboots_while_a_call_is_delivered_to_it(w) {
        w.lot(|lot| lot.recall.ring = seconds(10));
        parked(w);
        deliver(w, "701", "carl");
        w.rings_soon("carl").reboot("carl").register("carl", 3600).pass(seconds(45));
        w.waits("anna").parked_at(&["701"]).dial("dora", "701").settle();
        w.talking("anna", "dora");
    }
}
