//! Notices: who is told that a call is parked, and when the notice is cleared.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use simnet::{World, stories};

mod shared;

use shared::with_sales;

stories! {
    fn the_phone_of_the_slots_owner_shows_the_call_until_it_is_retrieved(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "*68102").settle();
        w.shows_parked("carl", "anna").shows_nothing_parked("ben");
        w.dial("carl", "*88").settle();
        w.shows_nothing_parked("carl");
    }

    fn both_phones_of_the_owner_show_it(w) {
        w.phones(["ben", "carl"]).second_phone("carla", "carl").callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "*68102").settle();
        w.shows_parked("carl", "anna").shows_parked("carla", "anna");
        w.dial("carla", "*88").settle();
        w.shows_nothing_parked("carl").shows_nothing_parked("carla");
    }

    fn the_notice_goes_when_the_parkee_hangs_up(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "*68102").settle();
        w.hang_up("anna").settle();
        w.shows_nothing_parked("carl");
    }

    fn the_notice_goes_when_the_recall_is_answered(w) {
        w.lot(|lot| lot.recall.after = Duration::from_secs(30));
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "*68102").settle();
        assert!(w.pass_until(Duration::from_secs(40), |w| w.phone("ben").rings()));
        w.answer("ben").settle();
        w.talking("anna", "ben").shows_nothing_parked("carl");
    }

    fn all_members_of_the_group_are_told_but_the_parker(w) {
        with_sales(w).phones(["ben", "carl", "dora"]).callers(["anna"]);
        w.talk("anna", "dora").transfer("dora", "*58").settle();
        w.shows_parked("carl", "anna").shows_parked("ben", "anna").shows_nothing_parked("dora");
        w.dial("carl", "*88").settle();
        w.shows_nothing_parked("carl").shows_nothing_parked("ben");
    }

    fn the_parker_is_told_too_if_the_lot_wants_it(w) {
        with_sales(w).lot(|lot| lot.notify_parker = true);
        w.phones(["ben", "carl", "dora"]).callers(["anna"]);
        w.talk("anna", "dora").transfer("dora", "*58").settle();
        w.shows_parked("carl", "anna").shows_parked("dora", "anna");
        w.hang_up("anna").settle();
        w.shows_nothing_parked("carl").shows_nothing_parked("dora");
    }

    fn a_phone_that_comes_later_is_told_at_once(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "*68102").settle();
        w.reboot("carl").shows_nothing_parked("carl").register("carl", 3600).settle();
        w.shows_parked("carl", "anna").dial("carl", "*88").settle();
        w.talking("anna", "carl").shows_nothing_parked("carl");
    }

    fn a_second_call_on_the_same_extension_is_shown_beside_the_first(w) {
        w.phones(["ben", "carl"]).callers(["anna", "axel"]);
        w.talk("anna", "ben").transfer("ben", "*68102").settle();
        w.talk("axel", "ben").transfer("ben", "*68102").settle();
        w.shows_parked("carl", "anna").shows_parked("carl", "axel");
        w.dial("carl", "*88").settle();
        w.talking("carl", "anna").shows_parked("carl", "axel");
        let body = w.phone("carl").parked_shown().unwrap().to_owned();
        assert!(!body.contains(&w.number("anna")), "{body}");
    }

    fn a_phone_that_knows_no_such_event_is_no_trouble(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.habits("carl", |h| h.notice_status = 489);
        w.talk("anna", "ben").transfer("ben", "*68102").settle();
        w.dial("carl", "*88").settle();
        w.talking("anna", "carl");
    }

    fn a_phone_that_is_gone_is_no_trouble(w) {
        w.phones(["ben", "carl", "dora"]).callers(["anna"]);
        w.switch_off("carl");
        w.talk("anna", "ben").transfer("ben", "*68102").pass(Duration::from_secs(60));
        w.dial("dora", "*88102").settle();
        w.talking("anna", "dora");
    }

    fn a_park_that_is_refused_tells_nobody(w) {
        w.lot(|lot| lot.max_calls_per_slot = 1);
        w.phones(["ben", "carl"]).callers(["anna", "axel"]);
        w.talk("anna", "ben").transfer("ben", "*68102").settle();
        w.had_notices("carl", 1);
        w.talk("axel", "ben").transfer("ben", "*68102").settle();
        w.talking("axel", "ben").had_notices("carl", 1);
    }
}

#[test]
fn a_notice_says_who_is_parked_as_the_callpark_xml() {
    let mut w = World::with_phones(["ben", "carl"]);
    w.callers(["anna"]).talk("anna", "ben").transfer("ben", "*68102").settle();
    let notice = w.phone("carl").notices().last().unwrap().clone();
    assert_eq!(notice.event, "park-info");
    assert_eq!(notice.content_type, "application/x-broadworks-callpark-info+xml");
    assert!(notice.body.contains("display=\"Anna\""), "{}", notice.body);
    assert!(notice.body.contains("sip:+33176000001@"), "{}", notice.body);
    w.dial("carl", "*88").settle();
    let cleared = w.phone("carl").notices().last().unwrap();
    assert!(cleared.body.contains("<callpark/>"), "{}", cleared.body);
    w.tidy();
}
