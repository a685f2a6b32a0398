//! Phones that ask a park server, outside of the call that they want parked.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use dialects::{ProfileText, Profiles};
use park_core::Anchor;
use simnet::{MUSIC, World, stories};

const SERVER: &str = "sip:park@pbx.example;orbit=705";

/// What the NOTIFYs of somebody's latest REFER out of dialog said.
fn told(w: &World, name: &str) -> Vec<String> {
    let last = w.phone(name).subscriptions().filter(|s| s.0 == "refer").last();
    last.unwrap().2.to_vec()
}

/// The orbits of the park servers that somebody was sent to.
fn sent_to(w: &World, name: &str) -> usize {
    w.phone(name).subscriptions().filter(|s| s.1 == Some(302)).count()
}

/// Phones park in any free slot of a park server that they ask for no orbit.
fn parks_at_once(w: &mut World) {
    let text = ProfileText {
        name: "unknown".into(),
        park_redirect: Some(false),
        ..ProfileText::default()
    };
    w.settings(|s| s.profiles = Profiles::new(&[text]).unwrap());
}

/// A Refer-To that names a call by these ids.
fn naming(ids: &str) -> String {
    let ids = sip_msg::escape_header_value(ids);
    format!("<sip:+33176000001@10.0.0.1?Replaces={ids}>")
}

stories! {
    fn a_park_server_parks_the_call_that_it_is_asked_to_take_over(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").ask_park_server("ben", SERVER).settle();
        w.refer_came_to("ben", 200).parked_at(&["705"]).hears("anna", MUSIC).ended("ben");
        w.dial("carl", "705").settle();
        w.talking("anna", "carl");
    }

    fn a_park_server_asked_for_no_orbit_chooses_one_and_the_phone_asks_again(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").ask_park_server("ben", "park").settle();
        w.refer_came_to("ben", 200).parked_at(&["701"]).hears("anna", MUSIC).ended("ben");
        assert_eq!(sent_to(w, "ben"), 1);
        w.dial("carl", "701").settle();
        w.talking("anna", "carl");
    }

    fn a_park_server_of_the_standard_parks_in_any_free_slot(w) {
        parks_at_once(w);
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").ask_park_server("ben", "park").settle();
        w.refer_came_to("ben", 200).parked_at(&["701"]).hears("anna", MUSIC).ended("ben");
        assert_eq!(sent_to(w, "ben"), 0);
        w.dial("carl", "701").settle();
        w.talking("anna", "carl");
    }

    fn the_lots_own_number_is_a_park_server_too(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben").ask_park_server("ben", "700").settle();
        w.refer_came_to("ben", 200).parked_at(&["701"]).ended("ben");
    }

    fn the_last_notice_names_the_parked_call_so_that_it_can_be_taken_back(w) {
        w.phones(["ben"]).callers(["anna", "axel"]);
        w.talk("anna", "ben").ask_park_server("ben", SERVER).settle();
        let last = told(w, "ben").pop().unwrap();
        let of = |name: &str| {
            let line = last.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().to_owned()
        };
        let tag = |line: &str| line.split(";tag=").nth(1).unwrap().to_owned();
        assert!(of("From:").starts_with("<sip:705@pbx.example>"));
        let (to, from) = (tag(&of("From:")), tag(&of("To:")));
        let ids = format!("{};to-tag={to};from-tag={from}", of("Call-ID:"));
        w.talk("axel", "ben").ask_park_server("ben", SERVER).settle();
        w.parked_at(&["705", "705"]).dial_replacing("ben", "705", &ids).settle();
        w.talking("anna", "ben").hears("axel", MUSIC);
    }

    fn a_call_that_the_phone_made_and_holds_goes_to_the_park_server(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("ben", "anna").hold("ben").settle();
        w.ask_park_server("ben", SERVER).settle();
        w.refer_came_to("ben", 200).parked_at(&["705"]).hears("anna", MUSIC).ended("ben");
        w.dial("carl", "705").settle();
        w.talking("anna", "carl");
    }

    fn a_call_between_two_phones_goes_to_the_park_server(w) {
        w.phones(["ben", "carl"]);
        w.talk("carl", "ben").ask_park_server("ben", SERVER).settle();
        w.refer_came_to("ben", 200).parked_at(&["705"]).hears("carl", MUSIC).ended("ben");
    }

    fn a_retrieved_call_goes_to_the_park_server_again(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.dial("carl", "701").settle();
        w.ask_park_server("carl", SERVER).settle();
        w.refer_came_to("carl", 200).parked_at(&["705"]).hears("anna", MUSIC).ended("carl");
    }

    fn a_phone_that_wants_no_notice_has_the_outcome_as_the_answer(w) {
        w.phones(["ben"]).callers(["anna"]).habits("ben", |h| h.no_refer_subscription = true);
        w.talk("anna", "ben").ask_park_server("ben", SERVER).settle();
        w.refer_came_to("ben", 200).parked_at(&["705"]).ended("ben");
        assert!(told(w, "ben").is_empty());
    }

    fn media_that_does_not_come_here_yet_is_fetched_before_the_phone_is_told(w) {
        w.settings(|s| s.anchor = Anchor::Parked);
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").ask_park_server("ben", SERVER).settle();
        w.refer_came_to("ben", 200).parked_at(&["705"]).hears("anna", MUSIC).ended("ben");
    }

    fn an_orbit_that_is_no_slot_is_refused(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben").ask_park_server("ben", "sip:park@pbx.example;orbit=0999").settle();
        w.refer_came_to("ben", 404).nothing_parked().talking("anna", "ben");
    }

    fn an_orbit_that_is_no_number_is_none(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben").ask_park_server("ben", "sip:park@pbx.example;orbit=lobby").settle();
        w.refer_came_to("ben", 200).parked_at(&["701"]);
        assert_eq!(sent_to(w, "ben"), 1);
    }

    fn a_taken_orbit_and_a_full_lot_are_refused(w) {
        w.lot(|lot| { lot.slots = vec![(701, 701, 3)]; lot.max_calls_per_slot = 1; });
        w.phones(["ben"]).callers(["anna", "axel"]);
        w.talk("anna", "ben").ask_park_server("ben", "701").settle();
        w.talk("axel", "ben").ask_park_server("ben", "sip:park@pbx.example;orbit=701").settle();
        w.refer_came_to("ben", 486).talking("axel", "ben");
        w.ask_park_server("ben", "park").settle();
        w.refer_came_to("ben", 486).parked_at(&["701"]).talking("axel", "ben");
    }

    fn a_call_that_does_not_exist_is_not_parked(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben");
        w.refer_outside("ben", SERVER, &naming("nobody;to-tag=a;from-tag=b")).settle();
        w.refer_came_to("ben", 481).nothing_parked().talking("anna", "ben");
    }

    fn anothers_call_is_not_parked(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben");
        let ids = w.phone("ben").current().unwrap().dialog.replaces_value();
        w.refer_outside("carl", SERVER, &naming(&ids)).settle();
        w.refer_came_to("carl", 403).nothing_parked().talking("anna", "ben");
    }

    fn ids_are_taken_whichever_way_round_their_tags_are(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben");
        let ids = w.phone("ben").current().unwrap().dialog.replaces_of_far();
        w.refer_outside("ben", SERVER, &naming(&ids)).settle();
        w.refer_came_to("ben", 200).parked_at(&["705"]).ended("ben");
    }

    fn a_call_that_rings_is_not_parked(w) {
        w.phones(["ben", "carl"]);
        w.dial("ben", "carl").rings_soon("carl").pass(Duration::from_millis(300));
        let ids = w.phone("ben").current().unwrap().dialog.replaces_value();
        w.refer_outside("ben", SERVER, &naming(&ids)).settle();
        w.refer_came_to("ben", 491).nothing_parked().answer("carl").settle();
        w.talking("ben", "carl");
    }

    fn a_refer_out_of_dialog_that_asks_for_no_park_is_the_pbxs(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").ask_park_server("ben", "carl").settle();
        let heard = w.phone("carl").heard().iter().filter(|message| message.cseq().1 == "REFER");
        assert_eq!(heard.count(), 1);
        w.nothing_parked().talking("anna", "ben");
    }

    fn a_refer_out_of_dialog_names_a_retrieved_call_as_the_far_side_knows_it(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.dial("carl", "701").settle();
        let ours = w.phone("carl").current().unwrap().dialog.call_id.clone();
        w.talking("anna", "carl").ask_park_server("carl", "199").settle();
        let passed = w.ladder().messages("house", "pbx").into_iter();
        let passed = passed.rev().find(|m| m.is_request() && m.cseq().1 == "REFER").unwrap();
        let target = passed.get(sip_msg::Name::ReferTo).unwrap();
        let invites = w.ladder().messages("pbx", "house").into_iter();
        let invite = invites.rev().find(|m| m.is_request() && m.cseq().1 == "INVITE").unwrap();
        let theirs = sip_msg::escape_header_value(invite.call_id()).to_string();
        assert!(target.contains(&theirs) && !target.contains(&ours), "{target}");
        w.nothing_parked().talking("anna", "carl");
    }

    fn a_refer_out_of_dialog_without_a_target_is_refused(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben");
        w.ask("ben", "REFER", "park", &[], None).settle();
        w.answered_with("ben", "REFER", 400);
        let two = ["Refer-To: <sip:701@pbx.example>", "Refer-To: <sip:702@pbx.example>"];
        w.ask("ben", "REFER", "park", &two, None).settle();
        w.answered_with("ben", "REFER", 400).nothing_parked().talking("anna", "ben");
    }
}

#[test]
fn a_slot_that_was_offered_is_kept_for_a_while_and_no_longer() {
    let mut w = World::new();
    w.lot(|lot| {
        lot.slots = vec![(701, 702, 3)];
        lot.max_calls_per_slot = 1;
    });
    w.phones(["ben", "carl"]).callers(["anna", "axel"]);
    w.talk("anna", "ben").talk("axel", "carl");
    // Ben is sent to 701, and does not ask again.
    let ids = w.phone("ben").current().unwrap().dialog.replaces_value();
    let ids = sip_msg::escape_header_value(&ids);
    let lines = [format!("Refer-To: <sip:x@10.0.0.1?Replaces={ids}>")];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    for _ in 0..2 {
        w.ask("ben", "REFER", "park", &lines, None).pass(Duration::from_secs(1));
        let answer = w.phone("ben").latest_errand("REFER").unwrap();
        assert_eq!(answer.status(), 302);
        let contact = answer.get(sip_msg::Name::Contact).unwrap();
        assert_eq!(contact, "<sip:park@pbx.example;orbit=701>");
    }
    w.transfer("carl", "701").pass(Duration::from_secs(1)).transfer_came_to("carl", 486);
    w.talking("axel", "carl").transfer("carl", "700").settle();
    w.parked_at(&["702"]);
    // It has been free again for long.
    w.pass(Duration::from_secs(20)).dial("carl", "702").settle();
    w.transfer("carl", "701").settle();
    w.parked_at(&["701"]).talking("anna", "ben").tidy();
}

#[test]
fn two_phones_that_ask_at_once_are_sent_to_different_slots() {
    let mut w = World::with_phones(["ben", "carl"]);
    w.callers(["anna", "axel"]).talk("anna", "ben").talk("axel", "carl");
    w.ask_park_server("ben", "park").ask_park_server("carl", "park").settle();
    w.parked_at(&["701", "702"]).refer_came_to("ben", 200).refer_came_to("carl", 200).tidy();
}
