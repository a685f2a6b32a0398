//! What a lot decides: which slot a call gets, who may take it, whose phone rings when its time is up.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use park_core::FindSlot;
use simnet::{MUSIC, stories};

stories! {
    fn the_park_number_takes_the_slot_after_the_last_one_where_the_lot_says_next(w) {
        w.lot(|lot| { lot.find_slot = FindSlot::Next; lot.slots = vec![(701, 702, 3)]; });
        w.phones(["ben"]).callers(["anna", "axel", "amy"]);
        w.talk("anna", "ben").transfer("ben", "700").settle();
        w.parked_at(&["701"]).hang_up("anna").settle();
        w.talk("axel", "ben").transfer("ben", "700").settle();
        w.parked_at(&["702"]).hang_up("axel").settle();
        w.talk("amy", "ben").transfer("ben", "700").settle();
        w.parked_at(&["701"]);
    }

    fn the_park_number_takes_the_first_free_slot(w) {
        w.phones(["ben"]).callers(["anna", "axel"]);
        w.talk("anna", "ben").transfer("ben", "700").settle();
        w.parked_at(&["701"]).hang_up("anna").settle();
        w.talk("axel", "ben").transfer("ben", "700").settle();
        w.parked_at(&["701"]);
    }

    fn who_is_not_named_may_not_retrieve(w) {
        w.lot(|lot| lot.retrievers = vec!["102".into()]);
        w.phones(["ben", "carl", "dora"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.dial("dora", "701").settle();
        w.refused("dora", 403).hears("anna", MUSIC).dial("carl", "701").settle();
        w.talking("anna", "carl");
    }

    fn a_recall_rings_the_very_phone_that_parked_where_the_lot_says_so(w) {
        w.lot(|lot| {
            lot.recall.same_phone = true;
            lot.recall.after = Duration::from_secs(20);
        });
        w.phones(["ben"]).second_phone("benny", "ben").callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.pass(Duration::from_secs(22)).rings("ben").is_quiet("benny");
        w.answer("ben").settle();
        w.talking("anna", "ben");
    }
}
