//! Transfers that are not about parking: they belong to the PBX or the far phone.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use simnet::stories;

stories! {
    fn a_call_to_a_retriever_is_the_target_of_a_consultation_behind_a_proxy(w) {
        w.behind_a_proxy().phones(["ben", "carl", "dora"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.talk("carl", "dora").hold("carl").settle();
        w.dial("carl", "701").settle();
        w.talking("anna", "carl");
        // dora gets anna, whose dialog is not the one that carl knows.
        w.transfer_attended("carl").settle();
        w.ended("carl").talking("anna", "dora");
    }

    fn a_retrieved_call_is_the_target_of_a_consultation(w) {
        w.phones(["ben", "carl"]).callers(["anna", "axel"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.talk("axel", "carl").hold("carl").settle();
        w.dial("carl", "701").settle();
        w.talking("anna", "carl").transfer_attended("carl").settle();
        w.ended("carl").talking("anna", "axel").nothing_parked();
    }

    fn a_blind_transfer_goes_to_the_pbx(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben");
        w.transfer("ben", "carl").rings_soon("carl");
        w.answer("carl").settle();
        w.transfer_came_to("ben", 200).ended("ben").talking("anna", "carl");
        w.hang_up("carl").settle();
        w.ended("anna");
    }

    fn a_blind_transfer_to_nobody_leaves_the_call_as_it_was(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben");
        w.transfer("ben", "199").settle();
        w.transfer_came_to("ben", 404).talking("anna", "ben");
    }

    fn an_attended_transfer_goes_to_the_pbx_with_its_replaces_intact(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben");
        w.hold("ben").settle();
        w.talk("ben", "carl");
        w.transfer_attended("ben").settle();
        w.transfer_came_to("ben", 200).ended("ben").talking("anna", "carl");
    }

    fn an_attended_transfer_to_another_caller(w) {
        w.phones(["ben"]).callers(["anna", "axel"]);
        w.talk("anna", "ben");
        w.hold("ben").settle();
        w.talk("ben", "axel");
        w.transfer_attended("ben").settle();
        w.ended("ben").talking("anna", "axel");
    }

    fn a_blind_transfer_reaches_the_far_phone_through_a_proxy(w) {
        w.behind_a_proxy().phones(["ben", "carl", "dora"]);
        w.talk("ben", "carl");
        w.transfer("carl", "dora").rings_soon("dora");
        w.answer("dora").settle();
        w.transfer_came_to("carl", 200).ended("carl").talking("ben", "dora");
    }

    fn an_attended_transfer_replaces_a_dialog_through_a_proxy(w) {
        w.behind_a_proxy().phones(["ben", "carl", "dora"]);
        w.talk("ben", "carl");
        w.hold("carl").settle();
        w.talk("carl", "dora");
        w.transfer_attended("carl").settle();
        w.transfer_came_to("carl", 200).ended("carl").talking("ben", "dora");
    }

    fn a_pbx_that_hangs_up_after_a_transfer_is_let(w) {
        w.pbx_settings(|pbx| pbx.byes_after_transfer = true);
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben");
        w.habits("ben", |h| h.byes_after_transfer = false);
        w.transfer("ben", "carl").rings_soon("carl");
        w.answer("carl").settle();
        w.ended("ben").talking("anna", "carl");
    }
}
