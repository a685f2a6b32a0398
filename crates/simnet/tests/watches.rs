//! Phones that watch slots, lots and extensions: their lamps are true.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use base::{Chance, Transport};
use park_core::{Command, MOST_TOLD, Network};
use simnet::{Fault, MUSIC, World, stories};
use sip_msg::Name;

mod shared;

use shared::replaces;

/// The PBX's call at 103 goes first and then the parked one, and carl's lamp says so.
fn dora_hangs_up_and_carl_retrieves(w: &mut World) {
    w.hang_up("dora").settle();
    w.pbx_tells_of("dora").settle();
    w.lamp_shows("carl", "103", 1, 0);
    w.dial("carl", "*88103").settle();
    w.talking("anna", "carl").lamp_shows("carl", "103", 0, 0).lamps_equal_lots();
}

stories! {
    fn a_slot_that_nobody_uses_may_be_watched(w) {
        w.phones(["ben"]);
        w.subscribe("ben", "dialog", "701").settle();
        assert_eq!(w.phone("ben").subscriptions().next().unwrap().1, Some(200));
        w.lamp_shows("ben", "701", 0, 0);
    }

    fn a_slots_lamp_is_lit_and_put_out(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.subscribe("carl", "dialog", "701").settle();
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.lamp_shows("carl", "701", 1, 0);
        assert!(w.phone("carl").watched("701").unwrap().last().unwrap().contains("+331760000"));
        w.dial("carl", "701").settle();
        w.talking("anna", "carl").lamp_shows("carl", "701", 0, 0).lamps_equal_lots();
    }

    fn a_phone_that_begins_to_watch_is_told_what_waits(w) {
        w.phones(["ben", "carl"]).callers(["anna", "axel"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.talk("axel", "ben").transfer("ben", "702").settle();
        w.subscribe("carl", "dialog", "701").settle();
        w.subscribe("carl", "dialog", "700").settle();
        w.lamp_shows("carl", "701", 1, 0).lamp_shows("carl", "700", 2, 0);
    }

    fn a_lot_is_watched_by_its_number(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.subscribe("carl", "dialog", "700").settle();
        w.talk("anna", "ben").transfer("ben", "705").settle();
        w.lamp_shows("carl", "700", 1, 0);
        w.hang_up("anna").settle();
        w.lamp_shows("carl", "700", 0, 0);
    }

    fn a_lots_lamp_shows_what_its_number_takes_and_no_call_at_an_extension(w) {
        w.phones(["ben", "carl"]).callers(["anna", "axel"]);
        w.subscribe("carl", "dialog", "700").settle();
        w.talk("anna", "ben").transfer("ben", "*68").settle();
        w.lamp_shows("carl", "700", 0, 0);
        w.talk("axel", "ben").transfer("ben", "705").settle();
        w.lamp_shows("carl", "700", 1, 0).dial("carl", "700").settle();
        w.talking("axel", "carl").lamp_shows("carl", "700", 0, 0);
    }

    fn a_lamp_is_pressed_and_the_call_taken_by_its_ids(w) {
        w.phones(["ben", "carl"]).callers(["anna", "axel"]);
        w.subscribe("carl", "dialog", "701").settle();
        w.talk("anna", "ben").transfer("ben", "701").settle();
        let ids = replaces(w, "carl", "701");
        w.talk("axel", "ben").transfer("ben", "701").settle();
        w.dial_replacing("carl", "701", &ids).settle();
        w.talking("anna", "carl").hears("axel", MUSIC).lamp_shows("carl", "701", 1, 0);
    }

    fn a_watch_is_refreshed_and_ended(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.subscribe("carl", "dialog", "701").settle();
        w.unsubscribe("carl").settle();
        assert!(w.phone("carl").subscriptions().next().unwrap().3);
        assert_eq!(w.counts().watches, 0);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.lamp_shows("carl", "701", 0, 0);
    }

    fn a_watch_that_nobody_refreshes_ends(w) {
        w.phones(["ben"]);
        w.subscribe("ben", "dialog", "701").settle();
        w.pass(Duration::from_secs(3_700));
        assert_eq!(w.counts().watches, 0);
        assert!(w.phone("ben").subscriptions().next().unwrap().3);
    }

    fn an_extension_that_is_watched_shows_the_pbxs_calls_and_the_parked_ones(w) {
        w.phones(["ben", "carl", "dora"]).callers(["anna", "axel"]);
        w.subscribe("carl", "dialog", "103").settle();
        w.lamp_shows("carl", "103", 0, 0);
        w.talk("axel", "dora").pbx_tells_of("dora").settle();
        w.lamp_shows("carl", "103", 0, 1);
        w.talk("anna", "ben").transfer("ben", "*68103").settle();
        w.lamp_shows("carl", "103", 1, 1);
        dora_hangs_up_and_carl_retrieves(w);
    }

    fn what_the_pbx_says_of_an_extension_is_not_touched_while_nothing_is_parked_there(w) {
        w.phones(["ben", "carl"]);
        w.subscribe("carl", "dialog", "101").settle();
        let bodies = w.phone("carl").watched("101").unwrap().to_vec();
        assert!(bodies[0].starts_with("<?xml version=\"1.0\"?>\r\n<dialog-info xmlns="));
        assert!(bodies[0].ends_with("entity=\"sip:101@pbx.example\">\r\n</dialog-info>\r\n"));
    }

    fn an_extension_of_which_the_pbx_says_nothing_shows_what_is_parked_there(w) {
        w.phones(["ben", "carl", "dora"]).callers(["anna", "axel"]);
        w.pbx_settings(|pbx| pbx.says_nothing_of_idle = true);
        w.subscribe("carl", "dialog", "103").settle();
        w.talk("anna", "ben").transfer("ben", "*68103").settle();
        w.lamp_shows("carl", "103", 1, 0);
        w.pbx_tells_of("dora").settle();
        w.lamp_shows("carl", "103", 1, 0);
        w.talk("axel", "dora").pbx_tells_of("dora").settle();
        w.lamp_shows("carl", "103", 1, 1);
        dora_hangs_up_and_carl_retrieves(w);
    }

    fn an_extension_of_which_the_pbx_says_nothing_is_watched_while_a_call_waits_there(w) {
        w.phones(["ben", "carl", "dora"]).callers(["anna"]);
        w.pbx_settings(|pbx| pbx.says_nothing_of_idle = true);
        w.talk("anna", "ben").transfer("ben", "*68103").settle();
        w.subscribe("carl", "dialog", "103").settle();
        w.lamp_shows("carl", "103", 1, 0);
        w.hang_up("anna").settle();
        w.lamp_shows("carl", "103", 0, 0).lamps_equal_lots();
    }

    fn a_stranger_may_not_watch(w) {
        w.phones(["ben"]);
        w.unregister_all("ben").settle();
        w.subscribe("ben", "dialog", "701").settle();
        assert_eq!(w.phone("ben").subscriptions().next().unwrap().1, Some(403));
    }

    fn another_event_of_a_slot_is_refused(w) {
        w.phones(["ben"]);
        w.subscribe("ben", "presence", "701").settle();
        assert_eq!(w.phone("ben").subscriptions().next().unwrap().1, Some(489));
    }
}

#[test]
fn a_lot_with_many_calls_and_long_names_is_told_in_one_datagram() {
    let mut w = World::new();
    w.lot(|lot| lot.max_calls_per_slot = 100).phones(["ben", "carl"]);
    let names: Vec<String> = (0..40).map(|n| format!("caller{n}")).collect();
    for name in &names {
        w.callers([name.as_str()]);
        w.account(name, |account| account.display = "&<\u{fc}>".repeat(300));
    }
    w.subscribe("carl", "dialog", "700").settle();
    for name in &names {
        w.talk(name, "ben").transfer("ben", "701").settle();
    }
    let last = w.phone("carl").watched("700").unwrap().last().unwrap();
    assert_eq!(last.matches("<dialog ").count(), MOST_TOLD);
    assert!(last.len() < 60_000, "{}", last.len());
    w.tidy();
}

#[test]
fn versions_rise_one_by_one_whoever_tells() {
    let mut w = World::with_phones(["ben", "carl", "dora"]);
    w.callers(["anna", "axel"]).subscribe("carl", "dialog", "103").settle();
    w.subscribe("carl", "dialog", "701").settle();
    w.talk("anna", "ben").transfer("ben", "*68103").settle();
    w.talk("axel", "dora").pbx_tells_of("dora").settle();
    w.hang_up("anna").settle();
    w.pbx_tells_of("dora").settle();
    w.transfer("dora", "701").settle();
    w.versions_rise("carl", "103").versions_rise("carl", "701").lamps_equal_lots();
}

#[test]
fn versions_rise_one_by_one_where_the_pbx_begins_by_saying_nothing() {
    let mut w = World::with_phones(["ben", "carl", "dora"]);
    w.callers(["anna", "axel"]).pbx_settings(|pbx| pbx.says_nothing_of_idle = true);
    w.subscribe("carl", "dialog", "103").settle();
    w.talk("anna", "ben").transfer("ben", "*68103").settle();
    w.talk("axel", "dora").pbx_tells_of("dora").settle();
    w.hang_up("anna").settle();
    w.hang_up("dora").settle();
    w.pbx_tells_of("dora").settle();
    w.talk("anna", "ben").transfer("ben", "*68103").settle();
    w.pbx_tells_of("dora").settle();
    assert!(w.phone("carl").watched("103").unwrap().len() > 5);
    w.versions_rise("carl", "103").lamps_equal_lots();
}

#[test]
fn our_notices_promise_no_more_than_the_pbxs_last_one() {
    let mut w = World::with_phones(["ben", "carl", "dora"]);
    w.callers(["anna"]).subscribe("carl", "dialog", "103").settle();
    w.pbx_tells_of("dora").settle();
    w.talk("anna", "ben").transfer("ben", "*68103").settle();
    w.lamp_shows("carl", "103", 1, 0);
    let notices = w.phone("carl").heard().iter().filter(|m| m.cseq().1 == "NOTIFY");
    let states: Vec<&str> =
        notices.filter_map(|m| m.get(sip_msg::Name::SubscriptionState)).collect();
    let last = states.last().unwrap().strip_prefix("active;expires=").unwrap();
    assert!(last.parse::<u32>().unwrap() <= 1_800, "{states:?}");
}

#[test]
fn who_watches_is_told_when_the_house_closes() {
    let mut w = World::with_phones(["ben"]);
    w.subscribe("ben", "dialog", "701").settle();
    w.command(Command::EndAll);
    w.settle();
    assert!(w.phone("ben").subscriptions().next().unwrap().3);
    assert_eq!(w.counts().watches, 0);
}

#[test]
fn a_phone_that_has_gone_is_watched_no_more() {
    let mut w = World::with_phones(["ben", "carl"]);
    w.callers(["anna"]).subscribe("carl", "dialog", "701").settle();
    w.switch_off("carl");
    w.talk("anna", "ben").transfer("ben", "701").settle();
    w.pass(Duration::from_secs(40));
    assert_eq!(w.counts().watches, 0);
}

#[test]
fn a_flood_of_subscriptions_is_limited() {
    let mut w = World::with_phones(["ben"]);
    for _ in 0..300 {
        w.subscribe("ben", "dialog", "701");
    }
    w.settle();
    let refused = w.phone("ben").subscriptions().filter(|s| s.1 == Some(503)).count();
    assert_eq!((refused, w.counts().watches), (300 - 256, 256));
}

#[test]
fn lamps_are_true_after_whatever_happens() {
    for seed in 1..=40 {
        let mut chance = Chance::from_seed(seed);
        let mut w = World::with_phones(["ben", "carl", "dora"]);
        w.callers(["anna", "axel"]);
        for user in ["701", "700", "101", "103"] {
            w.subscribe("carl", "dialog", user).settle();
        }
        w.spoil_every(3 + chance.below(9), Fault::ALL[chance.below(4) as usize]);
        for caller in ["anna", "axel"] {
            let place = ["701", "*68", "*68103", "700"][chance.below(4) as usize];
            w.talk(caller, "ben").transfer("ben", place).settle();
        }
        w.dial("dora", ["701", "*88101", "*88"][chance.below(3) as usize]).settle();
        w.spoil_every(0, Fault::Drop).settle();
        w.lamps_equal_lots();
    }
}

#[test]
fn a_phone_that_lost_its_connection_is_told_by_the_new_one() {
    let mut w = World::new();
    w.phones(["ben"]).new_phones(["carl"]).callers(["anna"]);
    w.account("carl", |account| account.transport = Transport::Tcp);
    w.register("carl", 3600).settle();
    w.subscribe("carl", "dialog", "701").settle();
    w.disconnect("carl").settle();
    w.register("carl", 3600).settle();
    w.talk("anna", "ben").transfer("ben", "701").settle();
    w.lamp_shows("carl", "701", 1, 0);
}

#[test]
fn who_asks_for_too_much_is_told_what_there_is_and_when_to_try_again() {
    let mut w = World::with_phones(["ben"]);
    w.ask("ben", "SUBSCRIBE", "701", &["Event: presence", "Expires: 600"], None).settle();
    let refused = w.phone("ben").latest_errand("SUBSCRIBE").unwrap();
    assert_eq!((refused.status(), refused.get(Name::AllowEvents)), (489, Some("dialog")));
    for _ in 0..256 {
        w.subscribe("ben", "dialog", "701");
    }
    w.settle();
    w.ask("ben", "SUBSCRIBE", "701", &["Event: dialog", "Expires: 600"], None).settle();
    let refused = w.phone("ben").latest_errand("SUBSCRIBE").unwrap();
    assert_eq!((refused.status(), refused.get(Name::RetryAfter)), (503, Some("30")));
    w.ask("ben", "SUBSCRIBE", "701", &["Event: dialog", "Expires: 5"], None).settle();
    let refused = w.phone("ben").latest_errand("SUBSCRIBE").unwrap();
    assert_eq!(refused.status(), 503, "a flood is a flood for however short it is");
}

#[test]
fn a_flood_of_a_device_that_need_not_register_is_limited_too() {
    let mut w = World::new();
    let all = Network { address: [10, 0, 0, 0].into(), prefix: 8 };
    w.settings(|settings| settings.phones_trusted = vec![all]).new_phones(["ben"]);
    for _ in 0..300 {
        w.subscribe("ben", "dialog", "701");
    }
    w.settle();
    assert_eq!(w.counts().watches, 256);
}

#[test]
fn a_phone_that_starts_anew_again_and_again_does_not_pile_up_subscriptions() {
    let mut w = World::with_phones(["ben"]);
    for _ in 0..6 {
        w.reboot("ben").register("ben", 3600).settle();
        for slot in 701..=720 {
            w.subscribe("ben", "dialog", &slot.to_string());
            w.watch_line("ben", "ben");
        }
        w.settle();
    }
    assert_eq!(w.counts().watches, 40);
}

#[test]
fn a_phone_that_asks_for_time_is_left_alone_for_so_long() {
    let mut w = World::with_phones(["ben", "carl"]);
    w.callers(["anna", "axel"]).subscribe("carl", "dialog", "700").settle();
    w.habits("carl", |h| (h.watch_status, h.retry_after) = (503, Some(90)));
    w.talk("anna", "ben").transfer("ben", "701").settle();
    let heard = w.phone("carl").heard().len();
    w.habits("carl", |h| h.watch_status = 200).pass(Duration::from_secs(60));
    w.talk("axel", "ben").transfer("ben", "702").settle();
    assert_eq!(w.phone("carl").heard().len(), heard);
    w.pass(Duration::from_secs(30)).lamp_shows("carl", "700", 2, 0);
}

#[test]
fn one_notice_of_a_subscription_is_under_way_at_a_time() {
    let mut w = World::with_phones(["ben", "carl", "dora"]);
    w.callers(["anna", "axel"]).subscribe("carl", "dialog", "700").settle();
    w.talk("anna", "ben").talk("axel", "dora");
    w.plug("carl", false).transfer("ben", "702").settle();
    w.transfer("dora", "701").settle();
    w.plug("carl", true).pass(Duration::from_secs(10));
    let shown = w.phone("carl").watched("700").unwrap().iter();
    let counts: Vec<usize> = shown.map(|body| body.matches("<state>confirmed<").count()).collect();
    assert_eq!(counts, [0, 1, 2]);
    w.versions_rise("carl", "700");
}
