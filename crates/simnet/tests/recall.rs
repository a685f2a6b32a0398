//! Recalls: when the time is up the call goes back.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use park_core::{Fact, GroupSettings, OwnSettings, RecallThen, RecallTo};
use simnet::{World, stories};

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// anna is parked at 701 by ben; the recall is due 60 s later.
fn parked(w: &mut World) {
    w.lot(|lot| lot.recall.after = seconds(60));
    w.phones(["ben", "carl", "dora"]).callers(["anna"]);
    w.talk("anna", "ben").transfer("ben", "701").settle();
    w.ended("ben").waits("anna");
}

/// Lets time pass until somebody rings, at most this long.
fn until_rings(w: &mut World, name: &str, most: u64) {
    assert!(w.pass_until(seconds(most), |w| w.phone(name).rings()), "{name} does not ring");
}

stories! {
    fn the_parker_is_recalled_and_answers(w) {
        parked(w);
        until_rings(w, "ben", 65);
        w.pass(seconds(2)).waits("anna").parked_at(&["701"]).answer("ben").settle();
        w.talking("anna", "ben").nothing_parked();
        w.was_told(|fact| matches!(fact, Fact::Retrieved { recall: true, .. }));
        w.hang_up("anna").settle();
        w.ended("ben");
    }

    fn a_recalled_phone_shows_that_it_is_a_recall_and_of_whom(w) {
        parked(w);
        until_rings(w, "ben", 65);
        let call = w.phone("ben").current().unwrap();
        let number = w.number("anna");
        let from = call.from.clone().unwrap();
        assert!(from.contains("Recall") && from.contains(&number), "{from}");
        assert!(call.alert_info.as_ref().unwrap().contains("recall"));
        w.answer("ben").settle();
        w.is_shown("ben", "anna").talking("anna", "ben");
    }

    fn a_recalled_phone_shows_from_which_slot_where_that_is_wanted(w) {
        w.lot(|lot| lot.recall.prefix = "Back from {slot}: ".into());
        parked(w);
        until_rings(w, "ben", 65);
        let from = w.phone("ben").current().unwrap().from.clone().unwrap();
        assert!(from.contains("Back from 701: Anna"), "{from}");
        w.answer("ben").settle();
        w.talking("anna", "ben");
    }

    fn a_recall_that_is_refused_comes_again_after_the_pause(w) {
        parked(w);
        until_rings(w, "ben", 65);
        w.decline("ben", 486).settle();
        w.waits("anna").parked_at(&["701"]).is_quiet("ben");
        until_rings(w, "ben", 15);
        w.answer("ben").settle();
        w.talking("anna", "ben");
    }

    fn a_recall_rings_its_time_and_its_attempts_and_then_the_call_stays(w) {
        parked(w);
        for _ in 0..3 {
            until_rings(w, "ben", 65);
            assert!(w.pass_until(seconds(35), |w| !w.phone("ben").rings()));
        }
        w.pass(seconds(300));
        w.is_quiet("ben").waits("anna").parked_at(&["701"]);
        w.was_told(|fact| matches!(fact, Fact::RecallUnanswered { .. }));
        w.dial("carl", "701").settle();
        w.talking("anna", "carl");
    }

    fn after_the_last_attempt_the_parkee_is_hung_up_if_that_is_wanted(w) {
        w.lot(|lot| { lot.recall.then = RecallThen::Hangup; lot.recall.attempts = 1; });
        parked(w);
        w.pass(seconds(140));
        w.ended("anna").ended("ben").nothing_parked();
    }

    fn after_the_last_attempt_the_pbx_transfers_the_parkee_if_that_is_wanted(w) {
        w.lot(|lot| { lot.recall.then = RecallThen::Transfer("103".into()); lot.recall.attempts = 1; });
        parked(w);
        until_rings(w, "dora", 140);
        w.answer("dora").settle();
        w.talking("anna", "dora").nothing_parked().ended("ben");
    }

    fn a_transfer_that_the_pbx_refuses_leaves_the_call_parked(w) {
        w.lot(|lot| { lot.recall.then = RecallThen::Transfer("199".into()); lot.recall.attempts = 1; });
        parked(w);
        w.pass(seconds(150));
        w.waits("anna").parked_at(&["701"]).dial("carl", "701").settle();
        w.talking("anna", "carl");
    }

    fn the_parker_first_and_then_the_group(w) {
        w.lot(|lot| {
            lot.recall.to = RecallTo::ParkerThenGroup;
            lot.recall.attempts = 1;
            lot.recall.group = vec!["102".into(), "103".into()];
        });
        parked(w);
        until_rings(w, "ben", 65);
        w.is_quiet("carl").is_quiet("dora");
        until_rings(w, "carl", 60);
        w.pass(seconds(1)).rings("dora").is_quiet("ben").answer("dora").settle();
        w.talking("anna", "dora").ended("carl").nothing_parked();
    }

    fn the_group_at_once_and_the_first_answer_wins(w) {
        w.lot(|lot| {
            lot.recall.to = RecallTo::Group;
            lot.recall.group = vec!["102".into(), "103".into()];
        });
        parked(w);
        until_rings(w, "carl", 65);
        w.pass(seconds(1)).rings("dora").is_quiet("ben").answer("carl").settle();
        w.talking("anna", "carl").ended("dora");
    }

    fn a_group_that_the_pbx_knows_is_reached_by_transferring_the_parkee(w) {
        w.lot(|lot| {
            lot.recall.to = RecallTo::Group;
            lot.recall.group = vec!["+33176000002".into()];
        });
        w.lot(|lot| lot.recall.after = seconds(60));
        w.phones(["ben"]).callers(["anna", "axel"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        until_rings(w, "axel", 65);
        w.answer("axel").settle();
        w.talking("anna", "axel").nothing_parked();
    }

    fn a_group_has_a_recall_of_its_own(w) {
        w.lot(|lot| {
            let mut recall = lot.recall.clone();
            recall.after = seconds(20);
            recall.to = RecallTo::Group;
            lot.groups = vec![GroupSettings {
                name: "sales".into(),
                members: ["101".into(), "102".into(), "103".into()].to_vec(),
                own: OwnSettings { recall: Some(recall), ..OwnSettings::default() },
            }];
        });
        w.phones(["ben", "carl", "dora"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "*58").settle();
        until_rings(w, "dora", 25);
        w.pass(seconds(1)).rings("ben").rings("carl").answer("carl").settle();
        w.talking("anna", "carl").ended("ben").ended("dora");
    }

    fn both_phones_of_the_parker_ring_and_the_first_answer_wins(w) {
        w.lot(|lot| lot.recall.after = seconds(60));
        w.phones(["ben"]).second_phone("benny", "ben").callers(["anna"]);
        w.dial("anna", "ben").rings_soon("ben").answer("ben").settle();
        w.transfer("ben", "701").settle();
        until_rings(w, "benny", 65);
        w.pass(seconds(1)).rings("ben").answer("benny").settle();
        w.talking("anna", "benny").ended("ben");
    }

    fn one_phone_of_the_parker_refuses_and_the_other_rings_on(w) {
        w.lot(|lot| lot.recall.after = seconds(60));
        w.phones(["ben"]).second_phone("benny", "ben").callers(["anna"]);
        w.dial("anna", "ben").rings_soon("ben").answer("ben").settle();
        w.transfer("ben", "701").settle();
        until_rings(w, "benny", 65);
        w.pass(seconds(1)).decline("ben", 486).pass(seconds(3));
        w.rings("benny").answer("benny").settle();
        w.talking("anna", "benny");
    }

    fn while_the_recall_rings_anyone_may_retrieve_the_call(w) {
        parked(w);
        until_rings(w, "ben", 65);
        w.dial("carl", "701").settle();
        w.talking("anna", "carl").ended("ben").nothing_parked();
    }

    fn the_parkee_hangs_up_while_the_recall_rings(w) {
        parked(w);
        until_rings(w, "ben", 65);
        w.hang_up("anna").settle();
        w.ended("ben").nothing_parked();
    }

    fn a_parker_that_has_gone_is_reached_by_the_pbx(w) {
        parked(w);
        w.register("ben", 0).settle();
        w.pass(seconds(200));
        // Nobody can be reached: the call is not lost.
        w.waits("anna").parked_at(&["701"]);
    }

    fn a_silent_parker_is_tried_and_the_call_stays(w) {
        parked(w);
        w.switch_off("ben").pass(seconds(300));
        w.waits("anna").parked_at(&["701"]).dial("carl", "701").settle();
        w.talking("anna", "carl");
    }

    fn a_recall_of_zero_never_comes(w) {
        w.lot(|lot| lot.recall.after = Duration::ZERO);
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.pass(seconds(2_000));
        w.waits("anna").is_quiet("ben").parked_at(&["701"]);
    }

    fn a_recalled_call_is_parked_again(w) {
        parked(w);
        until_rings(w, "ben", 65);
        w.answer("ben").settle();
        w.transfer("ben", "702").settle();
        w.waits("anna").parked_at(&["702"]);
        until_rings(w, "ben", 65);
        w.answer("ben").settle();
        w.talking("anna", "ben");
    }

    fn a_retrieve_that_fails_does_not_restart_the_recall_time(w) {
        parked(w);
        w.habits("carl", |h| h.formats = vec![3]);
        w.pass(seconds(40)).dial("carl", "701").settle();
        until_rings(w, "ben", 25);
        w.answer("ben").settle();
        w.talking("anna", "ben");
    }

    fn a_recall_behind_a_proxy(w) {
        w.behind_a_proxy();
        parked(w);
        until_rings(w, "ben", 65);
        w.answer("ben").settle();
        w.talking("anna", "ben");
    }

    fn do_not_disturb_and_forwarding_at_the_pbx_keep_no_recall_away(w) {
        w.pbx_settings(|pbx| { pbx.forwards.insert("101".into(), "103".into()); });
        w.lot(|lot| lot.recall.after = seconds(60));
        w.phones(["ben", "carl", "dora"]).callers(["anna"]);
        w.dial("ben", "anna").rings_soon("anna").answer("anna").settle();
        w.transfer("ben", "701").settle();
        until_rings(w, "ben", 65);
        w.is_quiet("dora").answer("ben").settle();
        w.talking("anna", "ben");
    }

    fn forwarding_counts_where_the_pbx_is_to_bring_the_call_to_the_parker(w) {
        w.pbx_settings(|pbx| { pbx.forwards.insert("101".into(), "103".into()); });
        w.lot(|lot| { lot.recall.ignore_dnd = false; lot.recall.after = seconds(60); });
        w.phones(["ben", "carl", "dora"]).callers(["anna"]);
        w.dial("ben", "anna").rings_soon("anna").answer("anna").settle();
        w.transfer("ben", "701").settle();
        until_rings(w, "dora", 65);
        w.is_quiet("ben").answer("dora").settle();
        w.talking("anna", "dora").nothing_parked();
        w.was_told(|fact| matches!(fact, Fact::Recalling { attempt: 1, .. }));
        w.was_told(|fact| matches!(fact, Fact::HandedOver { .. }));
    }

    fn a_recall_by_the_pbx_that_is_refused_is_an_attempt_like_any_other(w) {
        w.lot(|lot| { lot.recall.ignore_dnd = false; lot.recall.attempts = 2; });
        parked(w);
        until_rings(w, "ben", 65);
        w.decline("ben", 486).settle();
        w.waits("anna").parked_at(&["701"]).is_quiet("ben");
        until_rings(w, "ben", 15);
        w.decline("ben", 486).settle();
        w.was_told(|fact| matches!(fact, Fact::RecallUnanswered { .. }));
        w.waits("anna").dial("carl", "701").settle();
        w.talking("anna", "carl");
    }

    fn a_recall_that_the_pbx_will_not_make_leaves_the_call_parked(w) {
        w.pbx_settings(|pbx| pbx.refuses_refer = Some(501));
        w.lot(|lot| { lot.recall.ignore_dnd = false; lot.recall.attempts = 1; });
        parked(w);
        w.pass(seconds(70)).is_quiet("ben").waits("anna").parked_at(&["701"]);
        w.dial("carl", "701").settle();
        w.talking("anna", "carl");
    }

    fn after_a_recall_by_the_pbx_the_groups_phones_ring_directly(w) {
        w.lot(|lot| {
            lot.recall.ignore_dnd = false;
            lot.recall.to = RecallTo::ParkerThenGroup;
            lot.recall.attempts = 1;
            lot.recall.group = vec!["102".into(), "103".into()];
        });
        parked(w);
        until_rings(w, "ben", 65);
        w.decline("ben", 486).settle();
        until_rings(w, "carl", 15);
        w.pass(seconds(1)).rings("dora").answer("carl").settle();
        w.talking("anna", "carl").nothing_parked();
    }
}
