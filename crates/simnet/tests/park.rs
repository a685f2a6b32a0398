//! Parking by blind transfer: to a slot, to the own extension, to another one, to the group.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use simnet::{MUSIC, World, stories};

mod shared;

use shared::with_sales;

/// Sales is made up of ben, carl and dora.
fn three_in_sales(w: &mut World) -> &mut World {
    with_sales(w).phones(["ben", "carl", "dora"])
}

fn parked_by(w: &mut World, refer_to: &str, slot: &str) {
    w.phones(["ben", "carl"]).callers(["anna"]);
    w.talk("anna", "ben");
    w.refer("ben", refer_to).settle();
    w.transfer_came_to("ben", 200).ended("ben").waits("anna").parked_at(&[slot]);
}

fn refused_and_still_talking(w: &mut World, refer_to: &str, statuses: &[u16]) {
    w.talk("anna", "ben");
    w.refer("ben", refer_to).settle();
    let outcome = w.phone("ben").latest_transfer().and_then(|t| t.outcome());
    assert!(outcome.is_some_and(|status| statuses.contains(&status)), "{outcome:?}");
    w.talking("anna", "ben").nothing_parked();
}

stories! {
    fn a_caller_is_parked_in_a_slot_and_retrieved(w) {
        parked_by(w, "<sip:701@pbx.example>", "701");
        w.dial("carl", "701").settle();
        w.talking("anna", "carl").nothing_parked().is_shown("carl", "anna");
        w.hang_up("anna").settle();
        w.ended("carl");
    }

    fn a_caller_is_parked_on_the_parkers_own_extension(w) {
        parked_by(w, "<sip:*68@pbx.example>", "101");
        w.dial("ben", "*88").settle();
        w.talking("anna", "ben");
    }

    fn a_caller_is_parked_on_another_extension(w) {
        parked_by(w, "<sip:*68102@pbx.example;user=phone>", "102");
        w.dial("carl", "*88").settle();
        w.talking("anna", "carl");
    }

    fn a_park_code_may_be_escaped_and_bare_and_end_with_a_hash(w) {
        parked_by(w, "sip:%2A68102%23@pbx.example", "102");
        w.dial("ben", "*88102").settle();
        w.talking("anna", "ben");
    }

    fn a_park_code_with_the_address_of_the_house_is_one_too(w) {
        parked_by(w, "\"Park\" <sip:*68%23@10.0.0.1:5060>;x=y", "101");
    }

    fn the_parker_picks_no_slot_and_gets_the_next_free_one(w) {
        w.phones(["ben", "carl"]).callers(["anna", "axel"]);
        w.talk("anna", "ben").transfer("ben", "700").settle();
        w.ended("ben").waits("anna").parked_at(&["701"]);
        w.talk("axel", "carl").transfer("carl", "700").settle();
        w.ended("carl").waits("axel").waits("anna").parked_at(&["701", "702"]);
        w.dial("ben", "702").settle();
        w.talking("ben", "axel").waits("anna");
    }

    fn a_group_park_takes_the_first_free_member(w) {
        three_in_sales(w).callers(["anna", "axel"]);
        w.talk("anna", "dora").transfer("dora", "*58").settle();
        w.ended("dora").waits("anna").parked_at(&["101"]);
        w.talk("axel", "dora").transfer("dora", "*58").settle();
        w.ended("dora").waits("axel").parked_at(&["101", "102"]);
        w.dial("dora", "*88").settle();
        w.talking("dora", "anna").waits("axel");
    }

    fn a_phone_that_is_called_by_a_phone_parks_it(w) {
        w.phones(["ben", "carl", "dora"]);
        w.talk("ben", "carl");
        w.transfer("carl", "701").settle();
        w.ended("carl").waits("ben").parked_at(&["701"]);
        w.dial("dora", "701").settle();
        w.talking("ben", "dora");
    }

    fn a_phone_that_called_a_phone_parks_it_behind_a_proxy(w) {
        w.behind_a_proxy().phones(["ben", "carl", "dora"]);
        w.talk("ben", "carl");
        w.transfer("ben", "*68103").settle();
        w.ended("ben").waits("carl").parked_at(&["103"]);
        w.dial("dora", "*88").settle();
        w.talking("carl", "dora");
        w.hang_up("dora").settle();
        w.ended("carl");
    }

    fn a_call_out_is_parked(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("ben", "anna").transfer("ben", "705").settle();
        w.ended("ben").waits("anna").parked_at(&["705"]);
        w.dial("carl", "705").settle();
        w.talking("anna", "carl").is_shown("carl", "anna");
    }

    fn a_held_call_is_parked_and_the_parkee_gets_music_all_the_same(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben");
        w.hold("ben").settle();
        w.transfer("ben", "701").settle();
        w.ended("ben").waits("anna").parked_at(&["701"]);
        w.dial("carl", "701").settle();
        w.talking("anna", "carl");
    }

    fn a_call_held_as_inactive_is_parked(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.habits("ben", |h| h.holds_inactive = true);
        w.talk("anna", "ben").hold("ben").settle();
        w.transfer("ben", "701").settle();
        w.waits("anna").dial("carl", "701").settle();
        w.talking("anna", "carl");
    }

    fn a_parker_that_wants_no_notify_is_answered_by_the_refer_itself(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.habits("ben", |h| h.no_refer_subscription = true);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.ended("ben").waits("anna").transfer_came_to("ben", 200);
        let transfer = w.phone("ben").latest_transfer().unwrap();
        assert!(transfer.without_subscription && transfer.told.is_empty(), "{transfer:?}");
    }

    fn a_parker_that_does_not_hang_up_is_hung_up_after_a_grace(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.habits("ben", |h| h.byes_after_transfer = false);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.transfer_came_to("ben", 200).ended("ben").waits("anna");
        let transfer = w.phone("ben").latest_transfer().unwrap();
        assert_eq!(transfer.terminations, 1);
    }

    fn a_park_of_a_call_that_is_parked_already_fails_and_changes_nothing(w) {
        w.settings(|s| s.bye_grace = Duration::from_secs(20));
        w.phones(["ben"]).callers(["anna"]);
        w.habits("ben", |h| h.byes_after_transfer = false);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.transfer_came_to("ben", 200).parked_at(&["701"]).transfer("ben", "702").settle();
        w.transfer_came_to("ben", 481).waits("anna").parked_at(&["701"]);
        w.pass(Duration::from_secs(25)).ended("ben").waits("anna");
    }

    fn a_slot_that_is_full_refuses_and_the_call_stays_up(w) {
        w.lot(|lot| lot.max_calls_per_slot = 1);
        w.phones(["ben", "carl"]).callers(["anna", "axel"]);
        w.talk("axel", "carl").transfer("carl", "701").settle();
        w.waits("axel");
        w.talk("anna", "ben").transfer("ben", "701").settle();
        let outcome = w.phone("ben").latest_transfer().unwrap().outcome();
        assert!(outcome.is_some_and(|s| (400..700).contains(&s)), "{outcome:?}");
        w.talking("anna", "ben").waits("axel").parked_at(&["701"]);
    }

    fn a_full_lot_refuses_and_the_call_stays_up(w) {
        w.lot(|lot| { lot.max_calls_per_slot = 1; lot.slots = vec![(701, 701, 3)]; });
        w.phones(["ben", "carl"]).callers(["anna", "axel"]);
        w.talk("axel", "carl").transfer("carl", "700").settle();
        w.talk("anna", "ben").transfer("ben", "700").settle();
        let outcome = w.phone("ben").latest_transfer().unwrap().outcome();
        assert!(outcome.is_some_and(|s| (400..700).contains(&s)), "{outcome:?}");
        w.talking("anna", "ben").waits("axel");
    }

    fn a_held_call_whose_park_is_refused_stays_held_and_can_be_resumed(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben").hold("ben").settle();
        w.transfer("ben", "*58").settle();
        w.nothing_parked().resume("ben").settle();
        w.talking("anna", "ben");
    }

    fn a_group_park_without_a_group_is_refused_and_the_call_stays_up(w) {
        w.phones(["ben"]).callers(["anna"]);
        refused_and_still_talking(w, "<sip:*58@pbx.example>", &[403, 404, 480, 486]);
    }

    fn a_refusal_without_a_subscription_is_the_answer_of_the_refer(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.habits("ben", |h| h.no_refer_subscription = true);
        refused_and_still_talking(w, "<sip:*58@pbx.example>", &[403, 404, 480, 486]);
        let transfer = w.phone("ben").latest_transfer().unwrap();
        assert!(transfer.told.is_empty(), "{transfer:?}");
    }

    fn a_park_code_with_a_wrong_extension_is_refused_and_the_call_stays_up(w) {
        w.phones(["ben"]).callers(["anna"]);
        refused_and_still_talking(w, "<sip:*680@pbx.example>", &[403, 404, 480]);
    }

    fn a_refer_without_a_usable_target_is_refused_and_the_call_stays_up(w) {
        w.phones(["ben"]).callers(["anna"]);
        refused_and_still_talking(w, "<>", &[400, 404]);
    }

    fn several_calls_wait_on_one_extension_and_come_out_in_their_order(w) {
        w.phones(["ben", "carl"]).callers(["anna", "axel", "amy"]);
        for caller in ["anna", "axel", "amy"] {
            w.talk(caller, "ben").transfer("ben", "*68102").settle();
            w.waits(caller);
        }
        w.parked_at(&["102", "102", "102"]);
        for caller in ["anna", "axel", "amy"] {
            w.dial("carl", "*88").settle();
            w.talking("carl", caller).hang_up("carl").settle();
        }
        w.nothing_parked();
    }

    fn a_parkee_hangs_up_and_its_slot_is_free(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.hang_up("anna").settle();
        w.nothing_parked().dial("carl", "701").settle();
        w.refused_with("carl", &[404, 480, 486]);
    }

    fn a_parkee_holds_and_resumes_and_music_goes_on(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.hold("anna").settle();
        w.parked_at(&["701"]).resume("anna").settle();
        w.waits("anna").dial("carl", "701").settle();
        w.talking("anna", "carl");
    }

    fn a_parkee_that_holds_while_parked_is_retrieved_and_resumes(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.hold("anna").settle();
        w.dial("carl", "701").settle();
        w.resume("anna").settle();
        w.talking("anna", "carl");
    }

    fn a_parked_call_keeps_a_session_timer_that_is_ours_to_refresh(w) {
        w.lot(|lot| lot.recall.after = Duration::ZERO);
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.habits("ben", |h| h.session_expires = Some(120));
        w.talk("ben", "anna").transfer("ben", "701").settle();
        w.pass(Duration::from_secs(900));
        w.waits("anna").dial("carl", "701").settle();
        w.talking("anna", "carl").pass(Duration::from_secs(600));
        w.talking("anna", "carl");
    }

    fn the_parkers_phone_is_free_for_the_next_call(w) {
        w.phones(["ben"]).callers(["anna", "axel"]);
        w.talk("anna", "ben").transfer("ben", "*68").settle();
        w.talk("axel", "ben").transfer("ben", "*68").settle();
        w.waits("anna").waits("axel").dial("ben", "*88").settle();
        w.talking("ben", "anna").hears("axel", MUSIC);
    }

    fn a_call_is_parked_and_retrieved_five_times(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben");
        for _ in 0..5 {
            w.transfer("ben", "701").settle();
            w.ended("ben").waits("anna").dial("carl", "701").settle();
            w.talking("anna", "carl").transfer("carl", "*68101").settle();
            w.ended("carl").waits("anna").dial("ben", "*88").settle();
            w.talking("anna", "ben");
        }
    }

    fn a_phone_that_holds_and_refers_in_one_breath_parks(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.habits("ben", |h| h.holds_to_transfer = true);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.ended("ben").waits("anna").parked_at(&["701"]);
        w.dial("carl", "701").settle();
        w.talking("anna", "carl");
    }

    fn a_parked_call_keeps_its_session_timer(w) {
        w.lot(|lot| lot.recall.after = Duration::ZERO);
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.habits("anna", |h| h.session_expires = Some(120));
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.pass(Duration::from_secs(900));
        w.waits("anna").dial("carl", "701").settle();
        w.talking("anna", "carl").pass(Duration::from_secs(600));
        w.talking("anna", "carl");
    }
}

#[test]
fn no_word_of_a_park_or_retrieve_reaches_the_pbx_when_nothing_need_change() {
    let mut w = World::with_phones(["ben", "carl"]);
    w.callers(["anna"]).talk("anna", "ben");
    let mark = w.ladder().len();
    w.transfer("ben", "701").settle();
    w.dial("carl", "701").settle();
    w.talking("anna", "carl");
    let said = w.ladder().since(mark);
    let to_pbx = said.messages("house", "pbx");
    assert!(to_pbx.is_empty(), "{:?}", said.outline());
    w.tidy();
}

#[test]
fn a_park_tells_its_parker_202_then_100_then_200_and_nothing_after() {
    let mut w = World::with_phones(["ben"]);
    w.callers(["anna"]).talk("anna", "ben");
    w.habits("ben", |h| h.byes_after_transfer = false);
    let mark = w.ladder().len();
    w.transfer("ben", "701").settle();
    let said: Vec<String> = w.ladder().since(mark).outline();
    let of_house: Vec<&str> =
        said.iter().filter(|l| l.starts_with("house → ben")).map(|l| &l[14..]).collect();
    // ben's own notice lamp aside.
    let of_house: Vec<&&str> = of_house.iter().filter(|l| !l.contains("park-info")).collect();
    let wanted = ["202 REFER", "NOTIFY SIP/2.0 100 Trying", "NOTIFY SIP/2.0 200 OK", "BYE"];
    let words: Vec<String> = of_house.iter().map(|l| l.trim_start().to_string()).collect();
    assert_eq!(words, wanted);
    w.tidy();
}

#[test]
fn an_unanswered_call_cannot_be_parked() {
    let mut w = World::with_phones(["ben", "carl"]);
    w.dial("ben", "carl").rings_soon("carl").settle();
    let no = w.phone("ben").current().unwrap().no;
    let target = "<sip:701@pbx.example>";
    w.refer_in("ben", no, target).settle();
    w.nothing_parked().rings("carl").hears_ringing("ben");
    let outcome = w.phone("ben").latest_transfer().unwrap().outcome();
    assert!(outcome.is_some_and(|status| status >= 400), "{outcome:?}");
    w.answer("carl").settle();
    w.talking("ben", "carl").tidy();
}
