//! Retrieving: by code, by slot, by Replaces; and what a retrieved call can do.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use park_core::{GroupSettings, OwnSettings};
use simnet::{MUSIC, NOTHING, World, stories};

/// anna is parked by ben.
fn parked(w: &mut World, code: &str) {
    w.phones(["ben", "carl", "dora"]).callers(["anna"]);
    w.talk("anna", "ben").transfer("ben", code).settle();
    w.ended("ben").waits("anna");
}

stories! {
    fn the_pickup_code_of_an_extension_is_the_pbxs_while_nothing_is_parked_there(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.dial("carl", "**101").settle();
        w.refused("carl", 404).nothing_parked();
        assert!(w.pbx().heard().iter().any(|m| m.uri().contains("**101")));
        w.talk("anna", "ben").transfer("ben", "*68").settle();
        w.dial("carl", "**101").settle();
        w.talking("anna", "carl");
    }

    fn by_the_slots_number(w) {
        parked(w, "703");
        w.dial("carl", "703").settle();
        w.talking("anna", "carl").is_shown("carl", "anna").nothing_parked();
    }

    fn by_the_own_code_what_is_parked_for_me(w) {
        parked(w, "*68102");
        w.dial("carl", "*88").settle();
        w.talking("anna", "carl").is_shown("carl", "anna");
    }

    fn by_the_code_with_an_extension_what_is_parked_there(w) {
        parked(w, "*68102");
        w.dial("dora", "*88102").settle();
        w.talking("anna", "dora").is_shown("dora", "anna");
    }

    fn by_the_code_with_a_hash(w) {
        parked(w, "*68102");
        w.dial("carl", "*88#").settle();
        w.talking("anna", "carl");
    }

    fn by_the_own_code_what_is_parked_for_my_group(w) {
        w.lot(|lot| {
            lot.groups = vec![GroupSettings {
                name: "sales".into(),
                members: ["101".into(), "102".into(), "103".into()].to_vec(),
                own: OwnSettings::default(),
            }];
        });
        parked(w, "*58");
        w.dial("dora", "*88").settle();
        w.talking("anna", "dora").nothing_parked();
    }

    fn what_is_parked_for_me_comes_before_what_is_parked_for_my_group(w) {
        w.lot(|lot| {
            lot.groups = vec![GroupSettings {
                name: "sales".into(),
                members: ["101".into(), "102".into(), "103".into()].to_vec(),
                own: OwnSettings::default(),
            }];
        });
        parked(w, "*58");
        w.callers(["axel"]).talk("axel", "ben").transfer("ben", "*68103").settle();
        w.dial("dora", "*88").settle();
        w.talking("axel", "dora").waits("anna");
    }

    fn by_replaces_that_very_call(w) {
        w.phones(["ben", "carl"]).callers(["anna", "axel"]);
        w.talk("anna", "ben");
        let replaces = w.phone("ben").current().unwrap().dialog.replaces_of_far();
        w.transfer("ben", "701").settle();
        w.talk("axel", "ben").transfer("ben", "701").settle();
        w.dial_replacing("carl", "701", &replaces).settle();
        w.talking("carl", "anna").waits("axel").parked_at(&["701"]);
    }

    fn from_an_empty_slot_nobody(w) {
        parked(w, "701");
        w.dial("carl", "702").settle();
        w.refused_with("carl", &[404, 480]).waits("anna").dial("carl", "*88").settle();
        w.refused_with("carl", &[404, 480]).parked_at(&["701"]);
    }

    fn the_first_in_is_the_first_out_and_the_other_waits_on(w) {
        parked(w, "701");
        w.callers(["axel"]).talk("axel", "ben").transfer("ben", "701").settle();
        w.dial("carl", "701").settle();
        w.talking("carl", "anna").waits("axel").dial("dora", "701").settle();
        w.talking("dora", "axel").talking("carl", "anna");
    }

    fn a_retrieved_call_is_held_and_resumed(w) {
        parked(w, "701");
        w.dial("carl", "701").settle();
        w.hold("carl").settle();
        w.hears("anna", NOTHING).resume("carl").settle();
        w.talking("anna", "carl").hold("anna").settle();
        w.hears("carl", NOTHING).resume("anna").settle();
        w.talking("anna", "carl");
    }

    fn a_retrieved_call_is_held_and_resumed_for_hours(w) {
        parked(w, "701");
        w.dial("carl", "701").settle();
        for _ in 0..4 {
            w.hold("carl").pass(Duration::from_secs(1_200)).hears("anna", NOTHING);
            w.resume("carl").pass(Duration::from_secs(1_200)).talking("anna", "carl");
        }
    }

    fn a_retrieved_call_is_hung_up_by_the_parkee(w) {
        parked(w, "701");
        w.dial("carl", "701").settle();
        w.hang_up("anna").settle();
        w.ended("carl");
    }

    fn a_retrieved_call_is_parked_again_by_the_retriever(w) {
        parked(w, "701");
        w.dial("carl", "701").settle();
        w.transfer("carl", "*68103").settle();
        w.ended("carl").waits("anna").parked_at(&["103"]).dial("dora", "*88").settle();
        w.talking("anna", "dora").hang_up("dora").settle();
        w.ended("anna");
    }

    fn a_retrieved_call_is_transferred_by_the_pbx(w) {
        parked(w, "701");
        w.dial("carl", "701").settle();
        w.talking("anna", "carl").transfer("carl", "dora").rings_soon("dora");
        w.answer("dora").settle();
        w.ended("carl").talking("anna", "dora");
    }

    fn a_retrieved_call_is_transferred_with_consultation(w) {
        parked(w, "701");
        w.dial("carl", "701").settle();
        w.hold("carl").settle();
        w.talk("carl", "dora");
        w.transfer_attended("carl").settle();
        w.ended("carl").talking("anna", "dora");
    }

    fn a_retrieved_call_carries_messages_both_ways(w) {
        parked(w, "701");
        w.dial("carl", "701").settle();
        let digit: (&str, &[u8]) = ("application/dtmf-relay", b"Signal=5\r\n");
        w.ask_in_call("carl", "INFO", &[], Some(digit));
        w.ask_in_call("anna", "INFO", &[], Some(digit)).settle();
        w.answered_with("carl", "INFO", 200).answered_with("anna", "INFO", 200);
    }

    fn a_retriever_that_offers_late_gets_the_call(w) {
        parked(w, "701");
        w.habits("carl", |h| h.offers_late = true);
        w.dial("carl", "701").settle();
        w.talking("anna", "carl");
    }

    fn a_retriever_with_another_codec_gets_the_call_after_a_renegotiation(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.habits("ben", |h| h.formats = vec![8]);
        w.habits("carl", |h| h.formats = vec![0]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.dial("carl", "701").settle();
        w.talking("anna", "carl");
    }

    fn a_retriever_without_any_common_codec_is_refused_and_the_parkee_waits_on(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.habits("carl", |h| h.formats = vec![3]);
        w.habits("anna", |h| h.formats = vec![8]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.dial("carl", "701").settle();
        w.ended("carl").refused_with("carl", &[415, 488, 606]).waits("anna");
        w.parked_at(&["701"]).dial("ben", "701").settle();
        w.talking("anna", "ben");
    }

    fn a_retrieve_behind_a_proxy(w) {
        w.behind_a_proxy();
        parked(w, "701");
        w.dial("carl", "701").settle();
        w.talking("anna", "carl").hang_up("carl").settle();
        w.ended("anna");
    }

    fn the_parker_takes_the_call_back(w) {
        parked(w, "701");
        w.dial("ben", "701").settle();
        w.talking("anna", "ben").hang_up("ben").settle();
        w.ended("anna");
    }

    fn any_slot_is_for_parking_and_cannot_be_dialled_for_nothing(w) {
        parked(w, "701");
        w.dial("carl", "700").settle();
        // The lot's number takes the call that waits longest, or refuses: it never reaches the PBX.
        assert!(!w.pbx().heard().iter().any(|m| m.uri().contains("sip:700@")));
    }

    fn a_call_waits_for_an_hour_without_a_recall(w) {
        w.lot(|lot| lot.recall.after = Duration::ZERO);
        parked(w, "701");
        w.pass(Duration::from_secs(3_600));
        w.hears("anna", MUSIC).dial("carl", "701").settle();
        w.talking("anna", "carl");
    }

    fn replaces_of_a_call_that_is_gone_gets_481(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.dial_replacing("carl", "701", "gone@x;to-tag=a;from-tag=b").settle();
        w.refused("carl", 481).waits("anna").parked_at(&["701"]);
    }
}
