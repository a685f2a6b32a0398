//! Park codes pressed in the sound, as telephone-events: they go on to the far side and park.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use park_core::Anchor;
use simnet::{MUSIC, World, stories};

/// The lot takes keys.
fn with_keys(w: &mut World) {
    w.with_real_media().lot(|lot| lot.dtmf = true);
}

/// The pause after which a code that could go on is taken as it is.
const PAUSE: Duration = Duration::from_secs(4);

/// The keys that somebody has heard in the sound of the present call.
fn keys_heard(w: &World, name: &str) -> String {
    w.phone(name).current().map(|call| call.media.ear.keys.clone()).unwrap_or_default()
}

/// The same key once more by INFO, as phones do that send both.
fn info(w: &mut World, name: &str, key: char) {
    let body = format!("Signal={key}\r\nDuration=160\r\n");
    w.ask_in_call(name, "INFO", &[], Some(("application/dtmf-relay", body.as_bytes())));
}

/// The keys that somebody has heard by INFO.
fn infos(w: &World, name: &str) -> String {
    let heard = w.phone(name).heard().iter().filter(|message| message.cseq().1 == "INFO");
    let body = |m: &sip_msg::Message| String::from_utf8_lossy(&m.body()).into_owned();
    heard.filter_map(|m| body(m).split("Signal=").nth(1)?.chars().next()).collect()
}

stories! {
    fn a_code_pressed_in_the_sound_parks(w) {
        with_keys(w);
        w.phones(["ben", "carl"]).callers(["anna"]).speak(true);
        w.talk("anna", "ben").press("ben", "*68102#").settle();
        w.parked_at(&["102"]).ended("ben").hears("anna", MUSIC);
        assert_eq!(keys_heard(w, "anna"), "*68102#");
        w.dial("carl", "*88").settle();
        w.talking("anna", "carl");
    }

    fn a_code_that_could_go_on_parks_after_the_pause(w) {
        with_keys(w);
        w.phones(["ben"]).callers(["anna"]).speak(true);
        w.talk("anna", "ben").press("ben", "*68").nothing_parked().pass(PAUSE).settle();
        w.parked_at(&["101"]).ended("ben").hears("anna", MUSIC);
    }

    fn keys_of_the_one_who_was_called_out_park_too(w) {
        with_keys(w);
        w.phones(["ben"]).callers(["anna"]).speak(true);
        w.talk("ben", "anna").press("ben", "*68#").settle();
        w.parked_at(&["101"]).ended("ben").hears("anna", MUSIC);
    }

    fn keys_that_are_no_code_go_on_and_the_call_too(w) {
        with_keys(w);
        w.phones(["ben"]).callers(["anna"]).speak(true);
        w.talk("anna", "ben").press("ben", "1*69A*6").pass(PAUSE).settle();
        w.talking("anna", "ben").nothing_parked();
        assert_eq!(keys_heard(w, "anna"), "1*69A*6");
        assert_eq!(infos(w, "anna"), "");
    }

    fn only_the_phone_parks_by_keys(w) {
        with_keys(w);
        w.phones(["ben", "carl"]).callers(["anna"]).speak(true);
        w.talk("anna", "ben").press("anna", "*68102#").pass(PAUSE).settle();
        w.talking("anna", "ben").nothing_parked();
        assert_eq!(keys_heard(w, "ben"), "*68102#");
    }

    fn no_key_parks_where_no_lot_wants_keys(w) {
        w.with_real_media().phones(["ben", "carl"]).callers(["anna"]).speak(true);
        w.talk("anna", "ben").press("ben", "*68102#").pass(PAUSE).settle();
        w.talking("anna", "ben").nothing_parked();
        assert_eq!(keys_heard(w, "anna"), "*68102#");
    }

    fn a_key_counts_though_the_packets_that_end_it_are_lost(w) {
        with_keys(w);
        w.phones(["ben", "carl"]).callers(["anna"]).speak(true);
        w.talk("anna", "ben").press_badly("ben", "*6810", &[4, 5, 6]);
        w.press_badly("ben", "2", &[0, 1, 2, 3, 4, 6]).press("ben", "#").settle();
        w.parked_at(&["102"]).ended("ben").hears("anna", MUSIC);
    }

    fn a_key_that_comes_in_the_sound_and_by_info_counts_once(w) {
        with_keys(w);
        w.phones(["ben"]).callers(["anna"]).speak(true);
        w.talk("anna", "ben");
        for key in "*6871".chars() {
            w.press("ben", &key.to_string());
            info(w, "ben", key);
            w.pass(Duration::from_millis(900));
        }
        w.nothing_parked().press("ben", "1#").settle();
        w.parked_at(&["711"]).ended("ben").hears("anna", MUSIC);
        assert_eq!(infos(w, "anna"), "");
    }

    fn a_key_that_comes_in_both_ways_and_is_no_code_goes_on_in_both(w) {
        with_keys(w);
        w.phones(["ben"]).callers(["anna"]).speak(true);
        w.talk("anna", "ben");
        for key in "*7".chars() {
            w.press("ben", &key.to_string());
            info(w, "ben", key);
            w.pass(Duration::from_millis(900));
        }
        w.pass(PAUSE).settle();
        w.talking("anna", "ben").nothing_parked();
        assert_eq!((keys_heard(w, "anna"), infos(w, "anna")), ("*7".into(), "*7".into()));
    }

    fn who_has_retrieved_a_call_parks_it_again_by_keys(w) {
        with_keys(w);
        w.phones(["ben", "carl"]).callers(["anna"]).speak(true);
        w.talk("anna", "ben").press("ben", "*68#").settle();
        w.parked_at(&["101"]).dial("carl", "*88101").settle();
        w.talking("anna", "carl").press("carl", "*68703#").settle();
        w.parked_at(&["703"]).ended("carl").hears("anna", MUSIC);
        w.dial("ben", "703").settle();
        w.talking("anna", "ben");
    }

    fn keys_are_heard_after_the_sound_has_moved(w) {
        with_keys(w);
        w.phones(["ben", "carl"]).callers(["anna"]).speak(true);
        w.talk("anna", "ben").hold("ben").settle();
        w.resume("ben").settle();
        w.press("ben", "*68102#").settle();
        w.parked_at(&["102"]).ended("ben").hears("anna", MUSIC);
    }

    fn a_lot_that_takes_keys_has_its_calls_sound_come_here_from_the_start(w) {
        with_keys(w);
        w.settings(|s| s.anchor = Anchor::Parked).phones(["ben", "carl"]).callers(["anna"]).speak(true);
        w.talk("anna", "ben").press("ben", "*68102#").settle();
        w.parked_at(&["102"]).ended("ben").hears("anna", MUSIC);
    }

    fn a_code_for_a_slot_that_is_taken_leaves_the_call_as_it_was(w) {
        with_keys(w);
        w.lot(|lot| lot.max_calls_per_slot = 1);
        w.phones(["ben"]).callers(["anna", "axel"]).speak(true);
        w.talk("anna", "ben").press("ben", "*68701#").settle();
        w.parked_at(&["701"]).talk("axel", "ben").press("ben", "*68701#").settle();
        w.parked_at(&["701"]).talking("axel", "ben");
    }
}
