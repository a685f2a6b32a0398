//! What operators have done with calls: recall, move, hang up, park, end. They go through the same rooms
//! as phones do, and race with them. (`delivering.rs` has what they have delivered.)
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod shared;

use std::time::Duration;

use park_core::{Anchor, Asked, CallView, Command, Fact, OwnSettings, PlaceSettings, Reply};
use shared::orders::{at, deliver, end, ms, order, parked, seconds};
use shared::with_sales;
use simnet::{World, stories};

#[track_caller]
fn refused(w: &mut World, command: Command, wanted: u16) {
    match w.command(command) {
        Reply::Refused { status, why } => {
            assert_eq!(status, wanted, "{why}");
            assert!(!why.is_empty());
        }
        other => panic!("{other:?} and not {wanted}"),
    }
}

fn recall(w: &mut World, slot: &str) {
    let park = at(w, slot);
    order(w, Command::Recall { park });
}

fn to(w: &mut World, from: &str, slot: &str) -> Command {
    Command::Move { park: at(w, from), slot: slot.into() }
}

fn relocate(w: &mut World, from: &str, slot: &str) {
    let command = to(w, from, slot);
    order(w, command);
}

fn calls(w: &mut World) -> Vec<CallView> {
    match w.command(Command::Calls { call: None }) {
        Reply::Calls { calls } => calls,
        other => panic!("{other:?}"),
    }
}

/// The id of the call that somebody's phone is on.
fn call_with(w: &mut World, name: &str) -> String {
    let number = w.number(name);
    let is_on =
        |call: &CallView| call.legs.iter().any(|leg| leg.side == "phones" && leg.party == number);
    calls(w).into_iter().find(is_on).unwrap().id
}

fn park(w: &mut World, name: &str, slot: &str) -> Command {
    Command::Park { id: call_with(w, name), slot: slot.into() }
}

stories! {
    fn a_call_is_recalled_at_once(w) {
        parked(w);
        recall(w, "701");
        w.rings_soon("ben").pass(seconds(1)).waits("anna").answer("ben").settle();
        w.talking("anna", "ben").nothing_parked();
        w.was_told(|fact| matches!(fact, Fact::Recalling { attempt: 1, .. }));
        w.was_told(|fact| matches!(fact, Fact::Retrieved { recall: true, .. }));
    }

    fn the_list_says_who_is_rung_for_a_call_and_only_while_they_ring(w) {
        parked(w);
        assert_eq!(w.parked_calls()[0].who, None);
        recall(w, "701");
        w.rings_soon("ben");
        assert_eq!(w.parked_calls()[0].who.as_deref(), Some("101"));
        w.decline("ben", 486).settle();
        assert_eq!(w.parked_calls()[0].who, None);
        deliver(w, "701", "carl");
        w.rings_soon("carl");
        assert_eq!(w.parked_calls()[0].who.as_deref(), Some("102"));
        w.answer("carl").settle();
        w.talking("anna", "carl").nothing_parked();
    }

    fn a_call_that_is_never_recalled_is_recalled_when_an_operator_wants_it(w) {
        w.lot(|lot| lot.recall.after = Duration::ZERO);
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.pass(seconds(400)).is_quiet("ben");
        recall(w, "701");
        w.rings_soon("ben").answer("ben").settle();
        w.talking("anna", "ben").nothing_parked();
    }

    fn a_recall_between_two_attempts_comes_sooner_and_counts(w) {
        w.lot(|lot| { lot.recall.pause = seconds(30); lot.recall.attempts = 2; });
        parked(w);
        assert!(w.pass_until(seconds(65), |w| w.phone("ben").rings()));
        w.decline("ben", 486).settle();
        recall(w, "701");
        w.rings_soon("ben").decline("ben", 486).settle();
        w.was_told(|fact| matches!(fact, Fact::RecallUnanswered { .. }));
        // Over; once more from the beginning.
        recall(w, "701");
        w.rings_soon("ben").answer("ben").settle();
        w.talking("anna", "ben");
    }

    fn a_call_is_moved_to_another_slot(w) {
        parked(w);
        w.pass(seconds(10));
        let before = w.parked_calls().remove(0);
        relocate(w, "701", "702");
        w.settle().parked_at(&["702"]).waits("anna");
        let after = w.parked_calls().remove(0);
        assert_eq!((&after.at.park, after.since_us), (&before.at.park, before.since_us));
        assert_eq!(after.parked.retrieve, "702");
        assert!(after.recall_in_s.unwrap() <= before.recall_in_s.unwrap());
        w.dial("carl", "701").settle();
        w.refused("carl", 404).dial("carl", "702").settle();
        w.talking("anna", "carl").nothing_parked();
    }

    fn a_moved_call_is_told_to_who_sees_its_new_place_and_no_more_to_the_old(w) {
        with_sales(w);
        w.phones(["ben", "carl", "dora"]).callers(["anna"]);
        w.subscribe("dora", "dialog", "701").subscribe("dora", "dialog", "702");
        w.subscribe("dora", "dialog", "700").settle();
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.lamp_shows("dora", "701", 1, 0).lamp_shows("dora", "702", 0, 0);
        relocate(w, "701", "702");
        w.settle().lamp_shows("dora", "701", 0, 0).lamp_shows("dora", "702", 1, 0);
        w.lamp_shows("dora", "700", 1, 0);
        relocate(w, "702", "102");
        w.settle().lamp_shows("dora", "702", 0, 0).lamp_shows("dora", "700", 0, 0);
        w.shows_parked("carl", "anna").shows_nothing_parked("dora");
        let to_group = to(w, "102", "*58");
        w.dial("carl", "*88").settle();
        w.talking("anna", "carl");
        refused(w, to_group, 404);
    }

    fn a_moved_call_waits_behind_those_that_are_there(w) {
        parked(w);
        w.callers(["axel"]).talk("axel", "ben").transfer("ben", "702").settle();
        relocate(w, "701", "702");
        w.dial("carl", "702").settle();
        w.talking("axel", "carl").dial("dora", "702").settle();
        w.talking("anna", "dora").nothing_parked();
    }

    fn a_moved_call_takes_the_policy_of_its_new_place(w) {
        let own = OwnSettings { retrievers: Some(vec!["103".into()]), tune: Some(1), ..Default::default() };
        w.lot(|lot| lot.places = vec![PlaceSettings { numbers: vec![(705, 705, 3)], own }]);
        parked(w);
        w.hears_tune("anna", 0);
        relocate(w, "701", "705");
        w.settle().hears_tune("anna", 1).dial("carl", "705").settle();
        w.refused("carl", 403).dial("dora", "705").settle();
        w.talking("anna", "dora");
    }

    fn a_call_that_is_moved_to_where_there_is_no_recall_is_not_recalled_until_it_is_back(w) {
        let none = park_core::RecallSettings { after: Duration::ZERO, ..Default::default() };
        let own = OwnSettings { recall: Some(none), ..Default::default() };
        w.lot(|lot| lot.places = vec![PlaceSettings { numbers: vec![(705, 705, 3)], own }]);
        parked(w);
        relocate(w, "701", "705");
        w.pass(seconds(100)).is_quiet("ben").waits("anna");
        relocate(w, "705", "701");
        assert!(w.pass_until(seconds(65), |w| w.phone("ben").rings()));
        w.answer("ben").settle();
        w.talking("anna", "ben");
    }

    fn a_parked_call_is_hung_up(w) {
        parked(w);
        let park = at(w, "701");
        order(w, Command::HangUp { park });
        w.settle().ended("anna").nothing_parked();
        w.was_told(|fact| matches!(fact, Fact::HungUp { why, .. } if why.contains("operator")));
    }

    fn a_parked_call_is_hung_up_while_it_is_recalled(w) {
        parked(w);
        recall(w, "701");
        w.rings_soon("ben");
        let park = at(w, "701");
        order(w, Command::HangUp { park });
        w.settle().ended("anna").ended("ben").nothing_parked();
    }

    fn a_talking_call_is_parked_by_an_operator(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben");
        let command = park(w, "ben", "701");
        order(w, command);
        w.settle().ended("ben").waits("anna").parked_at(&["701"]);
        assert_eq!(w.parked_calls()[0].parked.parker, w.number("ben"));
        w.dial("carl", "701").settle();
        w.talking("anna", "carl");
        let command = park(w, "carl", "*68101");
        order(w, command);
        w.settle().ended("carl").parked_at(&["101"]).shows_parked("ben", "anna");
        w.dial("ben", "*88").settle();
        w.talking("anna", "ben");
    }

    fn of_a_call_between_two_phones_that_one_is_parked_which_the_other_was_on_with(w) {
        w.phones(["ben", "carl", "dora"]);
        w.talk("ben", "carl");
        assert_eq!(calls(w).len(), 2);
        let command = park(w, "ben", "701");
        order(w, command);
        w.settle().ended("ben").waits("carl").parked_at(&["701"]);
        w.dial("dora", "701").settle();
        w.talking("dora", "carl");
    }

    fn a_call_behind_a_proxy_is_parked_by_an_operator(w) {
        w.behind_a_proxy();
        w.phones(["ben", "carl", "dora"]);
        w.talk("ben", "carl");
        let command = park(w, "carl", "700");
        order(w, command);
        w.settle().ended("carl").waits("ben").parked_at(&["701"]);
        w.dial("dora", "701").settle();
        w.talking("dora", "ben");
    }

    fn a_call_whose_media_goes_direct_is_parked_by_an_operator(w) {
        w.settings(|s| s.anchor = Anchor::Parked);
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben");
        let command = park(w, "ben", "701");
        order(w, command);
        w.settle().ended("ben").waits("anna").parked_at(&["701"]).dial("carl", "701").settle();
        w.talking("anna", "carl");
    }

    fn a_held_call_is_parked_by_an_operator(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").hold("ben").settle();
        let command = park(w, "ben", "101");
        order(w, command);
        w.settle().ended("ben").waits("anna").parked_at(&["101"]).dial("carl", "*88101").settle();
        w.talking("anna", "carl");
    }

    fn a_talking_call_is_ended(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben");
        let id = call_with(w, "ben");
        order(w, Command::End { id });
        w.settle().ended("anna").ended("ben");
    }

    fn a_call_that_rings_is_ended(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.dial("anna", "ben").rings_soon("ben");
        let id = call_with(w, "ben");
        order(w, Command::End { id });
        w.settle().ended("anna").ended("ben");
    }

    fn a_parked_call_is_ended_by_its_id_too(w) {
        parked(w);
        let id = calls(w).remove(0).id;
        order(w, Command::End { id });
        w.settle().ended("anna").nothing_parked();
    }

    // Races.

    fn a_retriever_dials_the_old_slot_as_the_call_is_moved(w) {
        parked(w);
        w.dial("carl", "701").pass(ms(5));
        relocate(w, "701", "702");
        w.settle();
        w.refused("carl", 404).waits("anna").parked_at(&["702"]);
        end(w);
    }

    fn a_call_that_is_being_taken_is_not_moved(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.habits("ben", |h| h.formats = vec![8]);
        w.habits("carl", |h| h.formats = vec![0]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.dial("carl", "701");
        // The PBX is asked for another codec: until it answers the call is claimed.
        w.pass_until(seconds(5), |w| w.facts().any(|fact| matches!(fact, Fact::Claimed { .. })));
        let command = to(w, "701", "702");
        refused(w, command, 409);
        w.settle().talking("anna", "carl");
    }

    fn an_operator_parks_as_the_phone_parks(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben");
        let command = park(w, "ben", "702");
        w.transfer("ben", "701");
        order(w, command);
        w.settle().ended("ben").waits("anna").parked_at(&["702"]);
        end(w);
    }

    fn an_operator_parks_as_the_phone_hangs_up(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben");
        let command = park(w, "ben", "701");
        w.hang_up("ben");
        order(w, command);
        w.settle().ended("ben").waits("anna").parked_at(&["701"]);
        end(w);
    }

    fn an_operator_parks_as_the_caller_hangs_up(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben");
        let command = park(w, "ben", "701");
        w.hang_up("anna");
        order(w, command);
        w.settle().ended("ben").ended("anna").nothing_parked();
    }

    fn an_operator_parks_while_the_phone_holds(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").hold("ben").pass(ms(15));
        let command = park(w, "ben", "701");
        order(w, command);
        w.settle();
        w.ended("ben").waits("anna").parked_at(&["701"]).dial("carl", "701").settle();
        w.talking("anna", "carl");
    }

    fn an_operator_ends_a_call_as_it_is_answered(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.dial("anna", "ben").rings_soon("ben");
        let id = call_with(w, "ben");
        w.answer("ben");
        order(w, Command::End { id });
        w.settle().ended("anna").ended("ben");
    }

    fn an_operator_recalls_as_somebody_retrieves(w) {
        parked(w);
        w.dial("carl", "701").pass(ms(5));
        recall(w, "701");
        w.settle();
        if w.phone("ben").rings() {
            w.decline("ben", 486).settle();
        }
        w.talking("anna", "carl").ended("ben").nothing_parked();
    }
}

#[test]
fn what_cannot_be_done_is_refused_and_says_why() {
    let mut w = World::new();
    let w = &mut w;
    parked(w);
    let gone = || "nonesuch".to_owned();
    let carl = w.number("carl");
    refused(w, Command::Retrieve { park: gone(), to: carl.clone() }, 404);
    refused(w, Command::Recall { park: gone() }, 404);
    refused(w, Command::HangUp { park: gone() }, 404);
    refused(w, Command::Move { park: gone(), slot: "702".into() }, 404);
    refused(w, Command::Park { id: gone(), slot: "702".into() }, 404);
    refused(w, Command::End { id: gone() }, 404);
    let park = at(w, "701");
    refused(w, Command::Retrieve { park: park.clone(), to: "199".into() }, 480);
    for nowhere in ["", "9999999", "*88", "*99", "sip:702@pbx.example", "\u{202e}702\n"] {
        refused(w, Command::Move { park: park.clone(), slot: nowhere.into() }, 404);
    }
    refused(w, Command::Move { park: park.clone(), slot: "701".into() }, 409);
    refused(w, Command::Move { park: park.clone(), slot: "199".into() }, 404);
    // A parked call is not on any phone.
    let id = calls(w).remove(0).id;
    refused(w, Command::Park { id, slot: "702".into() }, 409);
    // While it is delivered, and while it is recalled.
    order(w, Command::Retrieve { park: park.clone(), to: carl.clone() });
    for command in [
        Command::Retrieve { park: park.clone(), to: carl.clone() },
        Command::Recall { park: park.clone() },
        Command::Move { park: park.clone(), slot: "702".into() },
    ] {
        refused(w, command, 409);
    }
    w.rings_soon("carl");
    // The leg that rings is no call of its own: it is the parked one that can be ended.
    let target = w.phone("carl").current().unwrap().dialog.target.clone();
    let id = target.split([':', '@']).nth(1).unwrap().to_owned();
    refused(w, Command::End { id }, 409);
    w.decline("carl", 486).settle();
    order(w, Command::Recall { park: park.clone() });
    for command in [
        Command::Retrieve { park: park.clone(), to: carl },
        Command::Recall { park: park.clone() },
        Command::Move { park: park.clone(), slot: "702".into() },
    ] {
        refused(w, command, 409);
    }
    w.rings_soon("ben").answer("ben").settle();
    w.talking("anna", "ben");
    refused(w, Command::Recall { park }, 404);
    w.tidy();
}

#[test]
fn a_full_slot_takes_no_moved_call_and_a_call_that_rings_is_not_parked() {
    let mut w = World::new();
    w.lot(|lot| lot.max_calls_per_slot = 1);
    parked(&mut w);
    w.callers(["axel"]).talk("axel", "ben").transfer("ben", "702").settle();
    let command = to(&mut w, "701", "702");
    refused(&mut w, command, 486);
    w.parked_at(&["701", "702"]).waits("anna");
    w.dial("axel", "carl");
    w.hang_up("anna").hang_up("axel").settle();
    w.callers(["amy"]).dial("amy", "carl").rings_soon("carl");
    let command = park(&mut w, "carl", "701");
    refused(&mut w, command, 491);
    w.answer("carl").settle();
    for nowhere in ["", "*88", "9999999", "104"] {
        let command = park(&mut w, "carl", nowhere);
        refused(&mut w, command, 404);
    }
    w.talking("amy", "carl").tidy();
}

#[test]
fn of_a_park_that_the_far_end_does_not_agree_to_it_is_told_that_it_was_refused() {
    let mut w = World::new();
    w.settings(|s| s.anchor = Anchor::Parked).behind_a_proxy();
    w.phones(["ben", "carl"]);
    // There is no music in their codec, and they know no other.
    for name in ["ben", "carl"] {
        w.habits(name, |h| h.formats = vec![3]);
    }
    w.talk("ben", "carl");
    let command = park(&mut w, "ben", "701");
    order(&mut w, command);
    w.settle().talking("ben", "carl").nothing_parked();
    w.was_told(|fact| matches!(fact, Fact::Refused { asked: Asked::Park, status: 488, .. }));
    w.tidy();
}
