//! Phones that subscribe to what is parked for an extension, as BroadWorks tells it (`call-info`).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use park_core::Command;
use simnet::{World, stories};
use sip_msg::{Message, Name};

mod shared;

use shared::with_sales;

/// The final answer to somebody's first subscription, and what it was told of in it last.
fn first_subscription(w: &World, name: &str) -> (Option<u16>, String, bool) {
    let (_, answer, bodies, over) = w.phone(name).subscriptions().next().unwrap();
    (answer, bodies.last().cloned().unwrap_or_default(), over)
}

/// How many notices somebody had that it has not asked for.
fn unasked(w: &World, name: &str) -> usize {
    w.phone(name).notices().len()
}

fn latest_notify<'w>(w: &'w World, name: &str) -> &'w Message {
    w.phone(name).heard().iter().rfind(|message| message.cseq().1 == "NOTIFY").unwrap()
}

stories! {
    fn a_line_is_told_that_nothing_is_parked_for_it(w) {
        w.phones(["ben"]);
        w.watch_line("ben", "ben").settle();
        let (answer, body, over) = first_subscription(w, "ben");
        assert_eq!((answer, over), (Some(200), false));
        assert!(body.contains("<callpark/>"), "{body}");
    }

    fn a_line_is_told_of_a_parked_call_and_of_its_end_and_not_twice(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.watch_line("carl", "carl").settle();
        w.talk("anna", "ben").transfer("ben", "*68102").settle();
        w.shows_parked("carl", "anna").screens_equal_lots().lamps_equal_lots();
        w.dial("carl", "*88").settle();
        w.talking("anna", "carl").shows_nothing_parked("carl").lamps_equal_lots();
        assert_eq!(unasked(w, "carl"), 0);
    }

    fn a_phone_that_subscribes_later_is_told_what_waits(w) {
        with_sales(w).phones(["ben", "carl"]).callers(["anna", "axel"]);
        w.talk("anna", "ben").transfer("ben", "*68102").settle();
        w.talk("axel", "ben").transfer("ben", "*58").settle();
        w.watch_line("carl", "carl").settle();
        let (_, body, _) = first_subscription(w, "carl");
        assert_eq!(body.matches("<parked>").count(), 2, "{body}");
        w.screens_equal_lots().lamps_equal_lots();
    }

    fn all_members_of_a_group_are_told_on_their_lines(w) {
        with_sales(w).phones(["ben", "carl", "dora"]).callers(["anna"]);
        for name in ["ben", "carl", "dora"] {
            w.watch_line(name, name).settle();
        }
        w.talk("anna", "dora").transfer("dora", "*58").settle();
        w.shows_parked("carl", "anna").shows_parked("ben", "anna").shows_nothing_parked("dora");
        w.hang_up("anna").settle();
        w.shows_nothing_parked("carl").shows_nothing_parked("ben").lamps_equal_lots();
    }

    fn a_colleagues_line_is_watched_too(w) {
        w.phones(["ben", "carl", "dora"]).callers(["anna"]);
        w.watch_line("dora", "carl").settle();
        w.talk("anna", "ben").transfer("ben", "*68102").settle();
        let (_, body, _) = first_subscription(w, "dora");
        assert!(body.contains(&w.number("anna")), "{body}");
        // The phone's own notices go on: what was subscribed to is another's.
        w.shows_nothing_parked("dora").shows_parked("carl", "anna").lamps_equal_lots();
    }

    fn a_subscription_that_is_ended_gives_way_to_notices_unasked(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.watch_line("carl", "carl").settle();
        w.talk("anna", "ben").transfer("ben", "*68102").settle();
        w.unsubscribe("carl").settle();
        assert!(first_subscription(w, "carl").2);
        w.shows_parked("carl", "anna");
        w.hang_up("anna").settle();
        w.shows_nothing_parked("carl").screens_equal_lots();
        assert_eq!(w.counts().watches, 0);
    }

    fn a_subscription_is_refreshed(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.watch_line("carl", "carl").settle();
        w.pass(Duration::from_secs(400)).subscribe_again("carl").settle();
        w.pass(Duration::from_secs(400));
        w.talk("anna", "ben").transfer("ben", "*68102").settle();
        w.shows_parked("carl", "anna");
        assert!(!first_subscription(w, "carl").2);
    }

    fn a_subscription_that_nobody_refreshes_ends(w) {
        w.phones(["carl"]);
        w.watch_line("carl", "carl").settle();
        w.pass(Duration::from_secs(700));
        assert!(first_subscription(w, "carl").2);
        assert_eq!(w.counts().watches, 0);
    }

    fn a_phone_that_starts_anew_without_its_subscription_is_told_unasked(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.watch_line("carl", "carl").settle();
        w.talk("anna", "ben").transfer("ben", "*68102").settle();
        w.reboot("carl").register("carl", 3600).settle();
        w.shows_parked("carl", "anna");
        assert_eq!(w.counts().watches, 0);
    }

    fn the_appearances_of_a_shared_line_are_the_pbxs(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.subscribe("carl", "call-info", "carl").settle();
        assert_eq!(w.counts().watches, 0);
        w.talk("anna", "ben").transfer("ben", "*68102").settle();
        w.shows_parked("carl", "anna");
        assert_eq!(unasked(w, "carl"), 1);
    }

    fn a_slot_has_no_line(w) {
        w.phones(["ben"]);
        w.watch_line("ben", "701").settle();
        assert_eq!(first_subscription(w, "ben").0, Some(489));
    }

    fn a_stranger_may_not_watch_a_line(w) {
        w.phones(["ben", "carl"]);
        w.unregister_all("ben").settle();
        w.watch_line("ben", "carl").settle();
        assert_eq!(first_subscription(w, "ben").0, Some(403));
    }
}

#[test]
fn a_notice_of_a_line_says_that_no_appearance_is_in_use() {
    let mut w = World::with_phones(["ben", "carl"]);
    w.callers(["anna"]).watch_line("carl", "carl").settle();
    w.talk("anna", "ben").transfer("ben", "*68102").settle();
    let last = latest_notify(&w, "carl");
    assert_eq!(last.get(Name::Event), Some("call-info"));
    let appearances = "<sip:pbx.example>;appearance-index=*;appearance-state=idle";
    assert_eq!(last.get(Name::CallInfo), Some(appearances));
    assert_eq!(last.content_type(), Some("application/x-broadworks-callpark-info+xml"));
    assert!(last.get(Name::SubscriptionState).unwrap().starts_with("active;expires="));
}

#[test]
fn lines_are_told_when_the_house_closes() {
    let mut w = World::with_phones(["ben"]);
    w.watch_line("ben", "ben").settle();
    w.command(Command::EndAll);
    w.settle();
    let state = latest_notify(&w, "ben").get(Name::SubscriptionState);
    assert_eq!(state, Some("terminated;reason=deactivated"));
    assert_eq!(w.counts().watches, 0);
}
