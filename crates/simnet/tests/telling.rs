//! How phones are told: by the first way of their kind that they take, with what has happened; and how
//! those are spared that cannot take a notice.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use dialects::{ProfileText, Profiles};
use park_core::{Fact, RecallThen};
use simnet::{World, stories};

/// One profile for all simulated phones.
fn profile(w: &mut World, text: ProfileText) -> &mut World {
    let text = ProfileText { name: "story".into(), user_agent: "^Simnet".into(), ..text };
    w.settings(|settings| settings.profiles = Profiles::new(&[text]).unwrap())
}

fn told_as_text(w: &mut World) -> &mut World {
    profile(w, ProfileText { template: Some("text".into()), ..ProfileText::default() })
}

/// The events of the notices that somebody took, in order.
fn events<'w>(w: &'w World, name: &str) -> Vec<&'w str> {
    w.phone(name).notices().iter().map(|notice| notice.event.as_str()).collect()
}

/// The line `Event` of each text that somebody was told, in order.
fn happened(w: &World, name: &str) -> Vec<String> {
    let line = |body: &str| {
        let found = body.lines().find_map(|line| line.strip_prefix("Event: "));
        found.unwrap_or("-").to_owned()
    };
    w.phone(name).notices().iter().map(|notice| line(&notice.body)).collect()
}

/// How many NOTIFYs and REFERs out of any dialog somebody has heard.
fn tried(w: &World, name: &str) -> usize {
    let heard = w.phone(name).heard().iter();
    heard.filter(|m| m.to_tag().is_none() && matches!(m.cseq().1, "NOTIFY" | "REFER")).count()
}

fn refuses(w: &mut World, name: &str, events: &'static [&'static str]) {
    w.habits(name, |h| h.notice_statuses = events.iter().map(|event| (*event, 481)).collect());
}

/// A phone of this make, registered.
fn of_make<'w>(w: &'w mut World, name: &str, user_agent: &str) -> &'w mut World {
    w.new_phones([name]).account(name, |account| account.user_agent = user_agent.to_owned());
    w.register(name, 3600).settle()
}

stories! {
    fn a_phone_that_refuses_park_info_is_told_by_call_info(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        refuses(w, "carl", &["park-info"]);
        w.talk("anna", "ben").transfer("ben", "*68102").settle();
        w.shows_parked("carl", "anna").screens_equal_lots();
        w.dial("carl", "*88").settle();
        w.talking("anna", "carl").shows_nothing_parked("carl");
        assert_eq!(events(w, "carl"), ["call-info", "call-info"]);
    }

    fn a_phone_that_takes_nothing_else_is_told_of_dialogs_of_its_extension(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        refuses(w, "carl", &["park-info", "call-info"]);
        w.talk("anna", "ben").transfer("ben", "*68102").settle();
        w.shows_parked("carl", "anna");
        let body = w.phone("carl").parked_shown().unwrap().to_owned();
        assert!(body.contains("entity=\"sip:102@pbx.example\""), "{body}");
        w.hang_up("anna").settle();
        w.shows_nothing_parked("carl").screens_equal_lots();
        let last = w.phone("carl").notices().last().unwrap();
        assert!(last.body.contains("<state>terminated</state>"), "{}", last.body);
        assert_eq!(events(w, "carl"), ["dialog", "dialog"]);
    }

    fn a_phone_that_refuses_all_is_left_in_peace(w) {
        w.is_not_restarted();
        w.phones(["ben", "carl"]).callers(["anna", "axel"]);
        w.habits("carl", |h| h.notice_status = 481);
        w.talk("anna", "ben").transfer("ben", "*68102").settle();
        w.talk("axel", "ben").transfer("ben", "*68102").settle();
        assert_eq!(tried(w, "carl"), 3);
        assert_eq!(w.counts().notices_refused, 3);
        for kind in ["park-info", "call-info", "dialog-info"] {
            let told = w.facts().filter(|fact| matches!(
                fact, Fact::NoticeRefused { notice, status: 481, .. } if *notice == kind));
            assert_eq!(told.count(), 1, "{kind}");
        }
    }

    fn a_phone_that_starts_anew_may_have_learnt_what_it_refused(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.habits("carl", |h| h.notice_status = 489);
        w.talk("anna", "ben").transfer("ben", "*68102").settle();
        w.shows_nothing_parked("carl");
        w.habits("carl", |h| h.notice_status = 200);
        w.reboot("carl").register("carl", 3600).settle();
        w.shows_parked("carl", "anna");
        assert_eq!(events(w, "carl"), ["park-info"]);
    }

    fn the_profile_says_which_notice_comes_first(w) {
        let notices = Some(vec!["dialog-info".into(), "park-info".into()]);
        profile(w, ProfileText { notices, ..ProfileText::default() });
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "*68102").settle();
        w.shows_parked("carl", "anna");
        assert_eq!(events(w, "carl"), ["dialog"]);
    }

    fn a_profile_without_notices_spares_its_phones(w) {
        profile(w, ProfileText { notices: Some(Vec::new()), ..ProfileText::default() });
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "*68102").settle();
        assert_eq!(tried(w, "carl"), 0);
        w.watch_line("carl", "carl").settle();
        w.shows_parked("carl", "anna");
    }

    fn the_status_line_of_a_cisco_shows_where_a_call_waits(w) {
        w.phones(["ben"]).callers(["anna"]);
        of_make(w, "carl", "Cisco-CP8811/14.2");
        w.habits("carl", |h| h.has_status_line = true);
        w.talk("anna", "ben").transfer("ben", "*68102").settle();
        let shown = w.phone("carl").parked_shown().unwrap().to_owned();
        assert!(shown.contains("<statustext>\u{FFFD}! 102</statustext>"), "{shown}");
        w.answered_with("carl", "REFER", 202);
        w.dial("carl", "*88").settle();
        w.talking("anna", "carl").shows_nothing_parked("carl").screens_equal_lots();
    }

    fn a_cisco_without_a_status_line_is_told_of_dialogs(w) {
        w.phones(["ben"]).callers(["anna"]);
        of_make(w, "carl", "Cisco-CP8811/14.2");
        w.talk("anna", "ben").transfer("ben", "*68102").settle();
        w.shows_parked("carl", "anna");
        assert_eq!(events(w, "carl"), ["dialog"]);
        w.was_told(|fact| matches!(
            fact, Fact::NoticeRefused { notice: "cisco-remotecc", status: 405, .. }));
    }

    fn the_template_of_the_profile_is_what_park_info_says(w) {
        told_as_text(w).phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "*68102").settle();
        w.shows_parked("carl", "anna");
        assert_eq!(w.phone("carl").notices()[0].content_type, "text/plain");
    }

    fn a_notice_says_who_parked_and_who_took_it(w) {
        told_as_text(w).phones(["ben", "carl", "dora"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "*68102").settle();
        w.dial("dora", "*88102").settle();
        w.talking("anna", "dora");
        assert_eq!(happened(w, "carl"), ["parked by 101", "retrieved by 103"]);
    }

    fn a_notice_says_that_the_parkee_has_hung_up(w) {
        told_as_text(w).phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "*68102").settle();
        w.hang_up("anna").settle();
        assert_eq!(happened(w, "carl"), ["parked by 101", "abandoned"]);
    }

    fn a_notice_says_that_a_recall_was_answered(w) {
        told_as_text(w).lot(|lot| lot.recall.after = Duration::from_secs(30));
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "*68102").settle();
        assert!(w.pass_until(Duration::from_secs(40), |w| w.phone("ben").rings()));
        w.answer("ben").settle();
        w.talking("anna", "ben");
        assert_eq!(happened(w, "carl"), ["parked by 101", "recalled by 101"]);
    }

    fn a_notice_says_where_a_call_went_that_nobody_took(w) {
        told_as_text(w).lot(|lot| {
            lot.recall.after = Duration::from_secs(10);
            lot.recall.ring = Duration::from_secs(5);
            lot.recall.attempts = 1;
            lot.recall.then = RecallThen::Transfer("103".into());
        });
        w.phones(["ben", "carl", "dora"]).callers(["anna"]);
        w.habits("dora", |h| h.answers_after = Some(Duration::from_secs(1)));
        w.talk("anna", "ben").transfer("ben", "*68102").settle();
        w.pass(Duration::from_secs(30)).settle();
        w.talking("anna", "dora");
        assert_eq!(happened(w, "carl"), ["parked by 101", "forwarded by 103"]);
    }

    fn the_parker_is_told_of_the_end_too_if_the_lot_wants_it(w) {
        told_as_text(w).lot(|lot| lot.notify_parker = true);
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.shows_parked("ben", "anna");
        w.dial("carl", "701").settle();
        w.talking("anna", "carl").screens_equal_lots();
        assert_eq!(happened(w, "ben"), ["parked by 101", "retrieved by 102"]);
    }

    fn a_phone_that_comes_later_is_told_how_things_stand(w) {
        told_as_text(w).phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "*68102").settle();
        w.reboot("carl").register("carl", 3600).settle();
        w.shows_parked("carl", "anna");
        assert_eq!(happened(w, "carl"), ["-"]);
    }

    fn the_parker_is_reminded_while_the_call_waits(w) {
        told_as_text(w).lot(|lot| lot.recall.reminder = Duration::from_secs(30));
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "*68").settle();
        w.pass(Duration::from_secs(70)).dial("carl", "*88101").settle();
        w.talking("anna", "carl").pass(Duration::from_secs(70));
        let wanted = ["parked by 101", "reminder", "reminder", "retrieved by 102"];
        assert_eq!(happened(w, "ben"), wanted);
        w.was_told(|fact| matches!(fact, Fact::Reminded { of, .. } if of.slot == "101"));
    }

    fn a_call_that_is_parked_already_is_reminded_of_by_new_settings(w) {
        told_as_text(w).phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "*68").settle();
        w.reload(|settings| settings.lots[0].recall.reminder = Duration::from_secs(30));
        w.pass(Duration::from_secs(40));
        assert_eq!(happened(w, "ben"), ["parked by 101", "reminder"]);
        w.reload(|settings| settings.lots[0].recall.reminder = Duration::ZERO);
        w.pass(Duration::from_secs(40));
        assert_eq!(happened(w, "ben").len(), 2);
    }

    fn a_parker_that_is_not_told_of_the_call_is_not_reminded(w) {
        w.lot(|lot| lot.recall.reminder = Duration::from_secs(30));
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "*68102").settle();
        w.pass(Duration::from_secs(70));
        w.had_notices("ben", 0).had_notices("carl", 1);
    }

    fn a_parker_that_has_subscribed_is_reminded_there(w) {
        w.lot(|lot| lot.recall.reminder = Duration::from_secs(30));
        w.phones(["ben"]).callers(["anna"]);
        w.watch_line("ben", "ben").settle();
        w.talk("anna", "ben").transfer("ben", "*68").settle();
        let before = w.phone("ben").subscriptions().next().unwrap().2.len();
        w.pass(Duration::from_secs(40));
        assert_eq!(w.phone("ben").subscriptions().next().unwrap().2.len(), before + 1);
        w.shows_parked("ben", "anna").had_notices("ben", 0);
    }

    fn a_phone_that_was_out_of_reach_is_told_when_it_registers_again(w) {
        // A notice that is repeated from the beginning after it comes a little later.
        w.is_not_restarted();
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.plug("carl", false);
        w.talk("anna", "ben").transfer("ben", "*68102").pass(Duration::from_secs(60));
        w.plug("carl", true).shows_nothing_parked("carl");
        w.register("carl", 3600).settle();
        w.shows_parked("carl", "anna").screens_equal_lots();
    }

    fn a_phone_that_asks_for_time_is_told_when_it_is_over(w) {
        told_as_text(w).phones(["ben", "carl"]).callers(["anna", "axel"]);
        w.habits("carl", |h| (h.notice_status, h.retry_after) = (503, Some(90)));
        w.talk("anna", "ben").transfer("ben", "*68102").settle();
        w.habits("carl", |h| h.notice_status = 200);
        w.pass(Duration::from_secs(60));
        w.talk("axel", "ben").transfer("ben", "*68102").settle();
        assert_eq!(tried(w, "carl"), 1);
        w.pass(Duration::from_secs(60));
        w.shows_parked("carl", "anna").shows_parked("carl", "axel").screens_equal_lots();
        assert_eq!(tried(w, "carl"), 2);
    }
}

#[test]
fn a_phone_that_cannot_take_notices_is_tried_less_and_less_often() {
    let mut w = World::new();
    w.lot(|lot| lot.recall.after = Duration::ZERO).phones(["ben", "carl"]).callers(["anna"]);
    w.habits("carl", |h| h.notice_status = 480);
    w.talk("anna", "ben").transfer("ben", "*68102").settle();
    // After 30, 60, 120, 240 and 480 seconds, then every 600.
    for (passed, wanted) in [(40, 2), (60, 3), (120, 4), (240, 5), (480, 6), (600, 7)] {
        w.pass(Duration::from_secs(passed));
        assert_eq!(tried(&w, "carl"), wanted, "{passed}");
    }
    w.habits("carl", |h| h.notice_status = 200).pass(Duration::from_secs(600));
    w.shows_parked("carl", "anna");
}

#[test]
fn versions_of_the_dialogs_that_nobody_asked_for_rise_one_by_one_also_over_a_restart() {
    let versions = |first_version: u32| {
        let mut w = World::new();
        w.settings(|settings| settings.first_version = first_version);
        w.phones(["ben", "carl"]).callers(["anna"]);
        refuses(&mut w, "carl", &["park-info", "call-info"]);
        w.talk("anna", "ben").transfer("ben", "*68102").settle();
        w.hang_up("anna").settle();
        let version = |body: &str| -> u32 {
            let root = body.split("<dialog-info").nth(1).unwrap();
            let behind = root.split(" version=\"").nth(1).unwrap();
            behind.split('"').next().unwrap().parse().unwrap()
        };
        let notices = w.phone("carl").notices();
        notices.iter().map(|notice| version(&notice.body)).collect::<Vec<_>>()
    };
    assert_eq!(versions(100), [100, 101]);
    assert_eq!(versions(4711), [4711, 4712]);
}
