//! Who may park, retrieve and be recalled.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use base::{Domain, LotName};
use park_core::{Fact, LotSettings, Network};
use simnet::{World, stories};

fn forbidden(w: &mut World) {
    w.was_told(|fact| matches!(fact, Fact::Refused { status: 403, .. }));
}

stories! {
    fn a_stranger_cannot_retrieve(w) {
        w.phones(["ben"]).strangers(["eve"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.dial("eve", "701").settle();
        w.refused("eve", 403).waits("anna").parked_at(&["701"]);
        forbidden(w);
    }

    fn a_stranger_cannot_retrieve_by_code(w) {
        w.phones(["ben"]).strangers(["eve"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "*68").settle();
        w.dial("eve", "*88101").settle();
        w.refused("eve", 403).waits("anna");
    }

    fn a_stranger_that_uses_the_name_of_a_phone_cannot_retrieve(w) {
        w.phones(["ben"]).strangers(["eve"]).callers(["anna"]);
        w.account("eve", |account| account.user = "101".into());
        w.talk("anna", "ben").transfer("ben", "*68").settle();
        w.dial("eve", "*88").settle();
        w.refused("eve", 403).waits("anna");
        forbidden(w);
    }

    fn a_phone_whose_binding_has_ended_cannot_retrieve(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.register("carl", 0).settle();
        w.dial("carl", "701").settle();
        w.refused("carl", 403).waits("anna");
        w.register("carl", 3600).settle();
        w.dial("carl", "701").settle();
        w.talking("anna", "carl");
    }

    fn a_stranger_cannot_park_and_its_call_stays_up(w) {
        w.phones(["ben"]).strangers(["eve"]).callers(["anna"]);
        w.talk("eve", "anna");
        w.transfer("eve", "701").settle();
        w.nothing_parked().talking("eve", "anna");
        let outcome = w.phone("eve").latest_transfer().unwrap().outcome();
        assert_eq!(outcome, Some(403));
        forbidden(w);
    }

    fn a_trusted_device_needs_no_binding(w) {
        w.settings(|s| s.phones_trusted = vec![Network { address: [10, 0, 0, 102].into(), prefix: 32 }]);
        w.phones(["ben"]).strangers(["door"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.dial("door", "701").settle();
        w.talking("anna", "door").transfer("door", "702").settle();
        w.ended("door").waits("anna").parked_at(&["702"]);
    }

    fn a_caller_from_outside_cannot_dial_into_a_slot(w) {
        w.phones(["ben"]).callers(["anna", "mallory"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.dial("mallory", "701").settle();
        w.refused_with("mallory", &[403, 404]).waits("anna").parked_at(&["701"]);
    }

    fn a_lot_of_another_domain_is_another_lot(w) {
        w.settings(|s| {
            let other = LotSettings {
                name: LotName::from("elsewhere"),
                domains: vec![Domain::from("other.example")],
                ..LotSettings::default()
            };
            s.lots[0].domains = vec![Domain::from("pbx.example")];
            s.lots.push(other);
        });
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.account("carl", |account| account.domain = "other.example".into());
        w.register("carl", 3600).settle();
        w.dial("carl", "701").settle();
        w.refused_with("carl", &[403, 404, 480]).waits("anna");
        w.dial("ben", "701").settle();
        w.talking("anna", "ben");
    }

    fn a_phone_of_a_domain_without_a_lot_dials_the_pbx(w) {
        w.settings(|s| s.lots[0].domains = vec![Domain::from("other.example")]);
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.transfer_came_to("ben", 404).talking("anna", "ben").nothing_parked();
    }
}
