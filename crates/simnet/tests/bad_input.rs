//! What is wrong gets a clear answer or none, and the call that was up stays up.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use base::Chance;
use simnet::{MUSIC, World, stories};

/// The status that the latest INVITE of somebody's own making got.
fn answer(w: &World, name: &str, method: &str) -> Option<u16> {
    w.phone(name).latest_errand(method).map(|answer| answer.status())
}

/// Which types of bodies the refusal of somebody's request says would have done.
fn accepts(w: &World, name: &str, method: &str) -> String {
    let answer = w.phone(name).latest_errand(method).unwrap();
    answer.get(sip_msg::Name::Accept).unwrap_or_default().to_owned()
}

/// A REFER of a Cisco phone that says which soft key was pressed.
fn press(w: &mut World, name: &str, body: &[u8]) {
    let kind = "application/x-cisco-remotecc-request+xml";
    w.ask(name, "REFER", "", &["Refer-To: <cid:park1@10.0.0.101>"], Some((kind, body))).settle();
}

/// ben's phone commands a park that cannot be read: 400, and the call goes on.
fn command_is_refused(w: &mut World, body: &[u8]) {
    w.phones(["ben"]).callers(["anna"]);
    w.talk("anna", "ben");
    w.ask_in_call("ben", "INFO", &[], Some(("application/json", body))).settle();
    w.answered_with("ben", "INFO", 400).nothing_parked().talking("anna", "ben");
}

stories! {
    fn a_description_that_cannot_be_read_is_refused_and_the_call_stays_up(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben");
        w.ask_in_call("ben", "INVITE", &[], Some(("application/sdp", b"m=audio\r\nno"))).settle();
        assert!(matches!(answer(w, "ben", "INVITE"), Some(400 | 415 | 488)));
        w.talking("anna", "ben");
    }

    fn a_description_that_cannot_be_read_disturbs_no_parked_call(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.ask_in_call("anna", "INVITE", &[], Some(("application/sdp", b"v=1\r\n"))).settle();
        w.parked_at(&["701"]).hears("anna", MUSIC).dial("carl", "701").settle();
        w.talking("anna", "carl");
    }

    fn a_call_of_garbage_is_refused(w) {
        w.phones(["ben", "carl"]);
        w.ask("ben", "INVITE", "carl", &[], Some(("application/sdp", b"\x00\x01"))).settle();
        assert!(answer(w, "ben", "INVITE").is_some_and(|status| (400..500).contains(&status)));
        w.ended("carl");
    }

    fn a_body_that_is_no_description_retrieves_nothing(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.ask("carl", "INVITE", "701", &[], Some(("text/plain", b"hello"))).settle();
        w.answered_with("carl", "INVITE", 415);
        assert_eq!(accepts(w, "carl", "INVITE"), "application/sdp");
        w.parked_at(&["701"]).hears("anna", MUSIC);
    }

    fn a_body_that_is_no_description_changes_no_parked_call(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.ask_in_call("anna", "UPDATE", &[], Some(("text/plain", b"hello"))).settle();
        w.answered_with("anna", "UPDATE", 415).parked_at(&["701"]).hears("anna", MUSIC);
    }

    fn broken_json_parks_nothing_and_the_call_goes_on(w) {
        command_is_refused(w, b"{\"request\":{\"command\":\"callpark\"");
    }

    fn a_command_without_a_number_cannot_be_answered_and_parks_nothing(w) {
        command_is_refused(w, b"{\"request\":{\"command\":\"callpark\"}}");
    }

    fn broken_xml_parks_nothing_and_the_call_goes_on(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben");
        let body = b"<x-cisco-remotecc-request><softkeyeventmsg><softkeyevent>Park</softkey>";
        press(w, "ben", body);
        w.answered_with("ben", "REFER", 400).nothing_parked().talking("anna", "ben");
    }

    fn a_soft_key_in_no_call_is_refused(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben");
        let body = b"<x-cisco-remotecc-request><softkeyeventmsg><softkeyevent>Park</softkeyevent>\
                     </softkeyeventmsg></x-cisco-remotecc-request>";
        press(w, "ben", body);
        w.answered_with("ben", "REFER", 400).nothing_parked().talking("anna", "ben");
    }

    fn a_soft_key_in_a_call_that_does_not_exist_parks_nothing(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben");
        let body = b"<x-cisco-remotecc-request><softkeyeventmsg><softkeyevent>Park</softkeyevent>\
                     <dialogid><callid>x</callid><localtag>y</localtag><remotetag>z</remotetag>\
                     </dialogid></softkeyeventmsg></x-cisco-remotecc-request>";
        press(w, "ben", body);
        // It may be a call of the PBX's: that says what it is.
        assert!(answer(w, "ben", "REFER").is_some_and(|status| status >= 400));
        w.nothing_parked().talking("anna", "ben");
    }

    fn a_refer_with_no_target_or_several_leaves_the_call_as_it_was(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben").ask_in_call("ben", "REFER", &[], None).settle();
        w.answered_with("ben", "REFER", 400);
        let two = ["Refer-To: <sip:701@pbx.example>", "Refer-To: <sip:702@pbx.example>"];
        w.ask_in_call("ben", "REFER", &two, None).settle();
        w.answered_with("ben", "REFER", 400);
        let listed = ["Refer-To: <sip:701@pbx.example>, <sip:702@pbx.example>"];
        w.ask_in_call("ben", "REFER", &listed, None).settle();
        w.answered_with("ben", "REFER", 400).nothing_parked().talking("anna", "ben");
    }

    fn an_orbit_that_nobody_has_is_neither_parked_at_nor_retrieved_from(w) {
        w.phones(["ben", "carl"]).callers(["anna", "axel"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.talk("axel", "ben");
        for uri in ["sip:callpark@pbx.example;orbit=99999999999", "sip:park+0@pbx.example"] {
            w.refer("ben", &format!("<{uri}>")).settle();
            w.transfer_came_to("ben", 404).talking("axel", "ben");
        }
        w.dial("carl", "sip:pickup@pbx.example;orbit=99999999999").settle();
        w.refused("carl", 404).parked_at(&["701"]);
    }

    fn a_call_to_replace_that_does_not_exist_is_not_there(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.dial_replacing("carl", "701", "nobody;to-tag=a;from-tag=b").settle();
        w.refused("carl", 481).parked_at(&["701"]).hears("anna", MUSIC);
        w.dial_replacing("carl", "701", "nobody;to-tag=a").settle();
        w.refused("carl", 400).parked_at(&["701"]);
    }

    fn an_unknown_method_within_a_call_passes(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben");
        w.ask_in_call("ben", "FROBNICATE", &["X-Story: 1"], Some(("a/b", b"\x00\xff"))).settle();
        assert_eq!(answer(w, "ben", "FROBNICATE"), Some(405));
        w.talking("anna", "ben");
    }
}

/// Every message of a story, each with one byte changed, cut short or repeated, thrown in from the
/// phone's own address while a call is up and another is parked.
#[test]
fn damaged_copies_of_real_messages_harm_nobody() {
    for seed in 1..=20 {
        throw_damaged_copies(seed);
    }
}

fn throw_damaged_copies(seed: u64) {
    let mut w = World::with_phones(["ben", "carl"]);
    w.callers(["anna", "axel"]).talk("anna", "ben").transfer("ben", "701").settle();
    w.talk("axel", "ben").hold("ben").settle();
    w.resume("ben").settle();
    let ladder = w.ladder().clone();
    let mut chance = Chance::from_seed(seed);
    for (name, side) in [("ben", 0), ("pbx", 1)] {
        for message in ladder.messages(name, "house") {
            for _ in 0..12 {
                let mut bytes = message.bytes().to_vec();
                damage(&mut bytes, &mut chance);
                match side {
                    0 => w.throw("ben", &bytes),
                    _ => w.pbx_throws(&bytes),
                };
                w.pass(std::time::Duration::from_millis(3));
            }
        }
    }
    w.settle();
    assert_eq!(w.counts().bugs, 0);
    assert!(w.counts().dropped > 0);
    w.tidy();
}

fn damage(bytes: &mut Vec<u8>, chance: &mut Chance) {
    let at = |chance: &mut Chance, len: usize| chance.below(len as u64) as usize;
    for _ in 0..1 + chance.below(3) {
        let place = at(chance, bytes.len());
        match chance.below(4) {
            0 => bytes[place] = chance.u32() as u8,
            1 => bytes.truncate(place.max(1)),
            2 => {
                let end = (place + 20).min(bytes.len());
                let copy = bytes[place..end].to_vec();
                bytes.splice(place..place, copy);
            }
            _ => {
                let end = (place + 8).min(bytes.len());
                bytes.drain(place..end);
            }
        }
        if bytes.is_empty() {
            bytes.push(b'x');
        }
    }
}
