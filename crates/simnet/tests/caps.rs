//! When there is as much as there may be, what is new is refused, and what is there goes on.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use park_core::Fact;
use simnet::{MUSIC, stories};

stories! {
    fn a_further_call_is_refused_while_those_that_are_there_go_on(w) {
        w.settings(|s| s.caps.legs = 2);
        w.phones(["ben", "carl"]).callers(["anna", "emma"]);
        w.talk("anna", "ben").dial("carl", "emma").settle();
        w.refused("carl", 503).talking("anna", "ben");
        w.hold("ben").settle().resume("ben").settle().talking("anna", "ben");
        w.transfer("ben", "701").settle();
        w.hears("anna", MUSIC).dial("carl", "701").settle();
        w.talking("anna", "carl").hang_up("carl").settle();
        w.dial("carl", "emma").rings_soon("emma");
        w.answer("emma").settle();
        w.talking("carl", "emma");
    }

    fn a_further_subscription_is_refused_and_one_that_is_there_is_refreshed(w) {
        w.settings(|s| s.caps.subscriptions = 1);
        w.phones(["ben", "carl"]);
        w.subscribe("ben", "dialog", "701").settle();
        w.subscribe("carl", "dialog", "701").settle();
        w.was_told(|fact| matches!(fact, Fact::Refused { status: 503, .. }));
        w.subscribe_again("ben").settle();
        assert_eq!(w.counts().watches, 1);
    }

    fn a_further_phone_is_refused_and_those_that_are_registered_register_again(w) {
        w.settings(|s| s.caps.bindings = 1);
        w.phones(["ben"]).strangers(["carl"]);
        w.register("carl", 3600).settle();
        assert_eq!(w.counts().bindings, 1);
        w.was_told(|fact| matches!(fact, Fact::Refused { status: 503, .. }));
        w.register("ben", 3600).settle();
        assert_eq!(w.counts().bindings, 1);
    }

    fn an_extensions_further_phone_takes_the_place_of_that_which_ends_first(w) {
        w.settings(|s| s.caps.bindings_per_extension = 1);
        w.phones(["ben"]).second_phone("benny", "ben");
        w.settle();
        assert_eq!(w.counts().bindings, 1);
    }
}
