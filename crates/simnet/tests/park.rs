//! Parking: by blind transfer, by attended transfer, by dialling with the call held.

use simnet::{MUSIC, stories};

stories! {
    fn a_caller_is_parked_and_retrieved(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben");
        w.transfer("ben", "701").settle();
        w.ended("ben").waits("anna").parked_at(&["701"]);
        w.dial("carl", "701").settle();
        w.talking("anna", "carl").nothing_parked();
        w.is_shown("carl", "anna").hears("anna", "carl");
        let _ = MUSIC;
    }
}
