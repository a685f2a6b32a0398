//! Phones that ask otherwise than by a code: orbits, commands, keys.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use simnet::{MUSIC, World, stories};

mod shared;

use shared::{COMMAND, press, soft_key, with_a_rule};

/// The bodies of the INFOs that somebody has heard.
fn infos(w: &World, name: &str) -> Vec<String> {
    let heard = w.phone(name).heard().iter().filter(|message| message.cseq().1 == "INFO");
    heard.map(|message| String::from_utf8_lossy(&message.body()).into_owned()).collect()
}

/// The bodies of what somebody has heard with this method and type.
fn bodies(w: &World, name: &str, method: &str, kind: &str) -> Vec<String> {
    let heard = w.phone(name).heard().iter().filter(|message| {
        message.cseq().1 == method && message.content_type().is_some_and(|k| k.contains(kind))
    });
    heard.map(|message| String::from_utf8_lossy(&message.body()).into_owned()).collect()
}

fn keys_park(w: &mut World) {
    w.lot(|lot| lot.dtmf = true);
}

stories! {
    fn an_orbit_beside_callpark_is_a_place_to_park(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").refer("ben", "<sip:callpark@pbx.example;orbit=703>").settle();
        w.parked_at(&["703"]).hears("anna", MUSIC).transfer_came_to("ben", 200);
        w.dial("carl", "703").settle();
        w.talking("anna", "carl");
    }

    fn a_park_plus_orbit_key_parks_and_is_dialled_to_retrieve(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").refer("ben", "<sip:park+704@pbx.example>").settle();
        w.parked_at(&["704"]).dial("carl", "park+704").settle();
        w.talking("anna", "carl");
    }

    fn an_orbit_that_the_lot_has_not_leaves_the_call_as_it_was(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben").refer("ben", "<sip:callpark@pbx.example;orbit=0999>").settle();
        w.nothing_parked().transfer_came_to("ben", 404).talking("anna", "ben");
    }

    fn a_slot_is_watched_by_its_orbit(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.subscribe("carl", "dialog", "park+704").settle();
        w.talk("anna", "ben").transfer("ben", "704").settle();
        w.lamp_shows("carl", "park+704", 1, 0);
    }

    fn a_command_parks_and_is_answered_by_an_info(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben");
        w.ask_in_call("ben", "INFO", &[], Some(("application/json", COMMAND))).settle();
        w.parked_at(&["701"]).hears("anna", MUSIC).ended("ben");
        let told = infos(w, "ben");
        assert!(told.len() == 1 && told[0].contains("\"code\":0") && told[0].contains("701"));
        w.dial("carl", "701").settle();
        w.talking("anna", "carl");
    }

    fn a_command_that_cannot_be_done_is_answered_and_the_call_goes_on(w) {
        w.lot(|lot| { lot.slots = vec![(701, 701, 3)]; lot.max_calls_per_slot = 1; });
        w.phones(["ben"]).callers(["anna", "axel"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.talk("axel", "ben");
        w.ask_in_call("ben", "INFO", &[], Some(("application/json", COMMAND))).settle();
        w.parked_at(&["701"]).talking("axel", "ben");
        assert!(infos(w, "ben")[0].contains("\"code\":486"));
    }

    fn a_configured_rule_parks_where_the_body_says(w) {
        with_a_rule(w);
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben");
        w.ask_in_call("ben", "INFO", &[], Some(("application/x-desk", b"park 799"))).settle();
        w.answered_with("ben", "INFO", 404).talking("anna", "ben");
        w.ask_in_call("ben", "INFO", &[], Some(("application/x-desk", b"park 705"))).settle();
        w.answered_with("ben", "INFO", 200).parked_at(&["705"]).hears("anna", MUSIC).ended("ben");
    }

    fn an_info_that_asks_nothing_of_us_passes(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben");
        w.ask_in_call("ben", "INFO", &[], Some(("application/x-other", b"hello"))).settle();
        assert_eq!(infos(w, "anna"), ["hello"]);
    }

    fn the_keys_of_a_code_park(w) {
        keys_park(w);
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben");
        press(w, "ben", "*68102");
        w.pass(Duration::from_secs(5));
        w.parked_at(&["102"]).hears("anna", MUSIC).ended("ben");
        assert!(infos(w, "anna").is_empty());
        w.dial("carl", "*88102").settle();
        w.talking("anna", "carl");
    }

    fn keys_that_are_no_code_go_on_in_their_order(w) {
        keys_park(w);
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben");
        press(w, "ben", "*69");
        w.pass(Duration::from_secs(5));
        let keys: String = infos(w, "anna").iter().filter_map(|body| {
            body.split("Signal=").nth(1)?.chars().next()
        }).collect();
        assert_eq!(keys, "*69");
        w.talking("anna", "ben").nothing_parked();
    }

    fn half_a_code_goes_on_after_the_pause(w) {
        keys_park(w);
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben");
        press(w, "ben", "*6");
        assert!(infos(w, "anna").is_empty());
        w.pass(Duration::from_secs(5));
        assert_eq!(infos(w, "anna").len(), 2);
        w.talking("anna", "ben");
    }

    fn keys_pass_at_once_where_no_lot_wants_them(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben");
        press(w, "ben", "*68");
        assert_eq!(infos(w, "anna").len(), 3);
        w.nothing_parked().talking("anna", "ben");
    }

    fn a_park_soft_key_parks_and_the_screen_says_where(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben");
        soft_key(w, "ben", "Park");
        w.answered_with("ben", "REFER", 202).parked_at(&["701"]).hears("anna", MUSIC);
        w.pass(Duration::from_secs(3)).ended("ben");
        let shown = bodies(w, "ben", "REFER", "remotecc-request");
        assert!(shown.len() == 1 && shown[0].contains("701"), "{shown:?}");
        w.dial("carl", "701").settle();
        w.talking("anna", "carl");
    }

    fn a_monitored_park_is_told_from_its_begin_to_its_end(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben");
        soft_key(w, "ben", "ParkMonitor");
        w.parked_at(&["701"]).pass(Duration::from_secs(3)).ended("ben");
        w.dial("carl", "701").settle();
        w.talking("anna", "carl");
        let told = bodies(w, "ben", "NOTIFY", "dialog-info");
        assert!(told.first().unwrap().contains("parked"), "{told:?}");
        assert!(told.last().unwrap().contains("retrieved"), "{told:?}");
    }

    fn a_monitored_park_does_not_say_who_is_parked_where_the_lot_hides_it(w) {
        w.lot(|lot| lot.names_parkee = false);
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben");
        soft_key(w, "ben", "ParkMonitor");
        w.parked_at(&["701"]).pass(Duration::from_secs(3)).dial("carl", "701").settle();
        w.talking("anna", "carl");
        let told = bodies(w, "ben", "NOTIFY", "dialog-info").concat();
        assert!(told.contains("anonymous") && !told.contains("+331760000"), "{told}");
    }

    fn a_monitored_park_is_reminded_of_though_parkers_are_told_nothing_else(w) {
        w.lot(|lot| lot.recall.reminder = Duration::from_secs(30));
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben");
        soft_key(w, "ben", "ParkMonitor");
        w.pass(Duration::from_secs(70)).had_notices("ben", 0);
        let told = bodies(w, "ben", "NOTIFY", "dialog-info");
        assert_eq!(told.iter().filter(|body| body.contains(">reminder<")).count(), 2, "{told:?}");
    }

    fn a_park_soft_key_that_finds_no_room_leaves_the_call_as_it_was(w) {
        w.lot(|lot| { lot.slots = vec![(701, 701, 3)]; lot.max_calls_per_slot = 1; });
        w.phones(["ben"]).callers(["anna", "axel"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.talk("axel", "ben");
        soft_key(w, "ben", "ParkMonitor");
        w.answered_with("ben", "REFER", 486).parked_at(&["701"]).talking("axel", "ben");
    }
}
