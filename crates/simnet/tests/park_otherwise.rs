//! Parking by attended transfer into a park number, and by dialling it with the call held.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use simnet::stories;

stories! {
    fn an_attended_transfer_into_a_slot_parks(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").hold("ben").settle();
        w.dial("ben", "*68102").pass_until(std::time::Duration::from_millis(800), |w| {
            w.phone("ben").current().is_some_and(|c| c.state == simnet::CallState::Up)
        });
        w.transfer_attended("ben").settle();
        w.ended("ben").waits("anna").parked_at(&["102"]);
        w.dial("carl", "*88").settle();
        w.talking("anna", "carl");
    }

    fn dialling_a_park_code_with_a_call_held_parks_that_call(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").hold("ben").settle();
        w.dial("ben", "*68").settle();
        w.ended("ben").waits("anna").parked_at(&["101"]);
        w.dial("carl", "*88101").settle();
        w.talking("anna", "carl");
    }

    fn dialling_a_park_code_for_another_extension_parks_the_held_call_there(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").hold("ben").settle();
        w.dial("ben", "*68102").settle();
        w.ended("ben").waits("anna").parked_at(&["102"]);
        w.dial("carl", "*88").settle();
        w.talking("anna", "carl");
    }

    fn a_phone_that_hangs_up_everything_after_a_dialled_park_loses_nothing(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").hold("ben").settle();
        w.dial("ben", "*68102").pass_until(std::time::Duration::from_millis(800), |w| {
            w.phone("ben").current().is_some_and(|c| c.state == simnet::CallState::Up)
        });
        w.hang_up("ben").hang_up("ben").settle();
        w.ended("ben").waits("anna").parked_at(&["102"]);
    }

    fn dialling_a_park_code_without_a_call_is_refused(w) {
        w.phones(["ben"]);
        w.dial("ben", "*68").settle();
        w.refused_with("ben", &[403, 404, 480, 481, 486]).nothing_parked();
    }

    fn the_newest_of_two_held_calls_is_the_one_that_is_parked(w) {
        w.phones(["ben"]).callers(["anna", "axel"]);
        w.talk("anna", "ben").hold("ben").settle();
        w.talk("axel", "ben").hold("ben").settle();
        w.dial("ben", "*68").settle();
        w.waits("axel").parked_at(&["101"]).has_calls("ben", 1);
        w.resume("ben").settle();
        w.talking("anna", "ben").waits("axel");
    }

    fn the_other_phone_of_an_extension_does_not_park_what_this_one_holds(w) {
        w.phones(["ben"]).second_phone("benny", "ben").callers(["anna"]);
        w.dial("anna", "ben").rings_soon("ben").answer("ben").settle();
        w.hold("ben").settle();
        w.dial("benny", "*68").settle();
        w.refused_with("benny", &[403, 404, 480, 481, 486]).nothing_parked();
        w.resume("ben").settle();
        w.talking("anna", "ben");
    }

    fn a_group_park_by_dialling(w) {
        w.lot(|lot| {
            lot.groups = vec![park_core::GroupSettings {
                name: "sales".into(),
                members: ["101".into(), "102".into()].to_vec(),
                own: park_core::OwnSettings::default(),
            }];
        });
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "carl").hold("carl").settle();
        w.dial("carl", "*58").settle();
        w.ended("carl").waits("anna").parked_at(&["101"]);
        w.dial("carl", "*88").settle();
        w.talking("anna", "carl");
    }
}
