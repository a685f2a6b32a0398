//! Calls through the house, unharmed: with a back-to-back PBX and with a proxy.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use simnet::{CallState, NOTHING, World, play, stories};

fn both_ways(w: &mut World) {
    w.talk("ben", "carl");
    w.hang_up("ben").settle();
    w.ended("ben").ended("carl");
    w.talk("carl", "ben");
    w.hang_up("ben").settle();
    w.ended("ben").ended("carl");
}

stories! {
    fn two_phones_talk_and_either_hangs_up(w) {
        w.phones(["ben", "carl"]);
        both_ways(w);
    }

    fn two_phones_talk_through_a_proxy_so_that_one_call_id_comes_through_twice(w) {
        w.behind_a_proxy().phones(["ben", "carl"]);
        both_ways(w);
    }

    fn a_caller_reaches_a_phone_and_a_phone_a_caller(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben");
        w.is_shown("ben", "anna");
        w.hang_up("anna").settle();
        w.ended("ben");
        w.talk("ben", "anna");
        w.hang_up("ben").settle();
        w.ended("anna");
    }

    fn a_caller_gives_up_while_it_rings(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.dial("anna", "ben").rings_soon("ben");
        w.hang_up("anna").settle();
        w.ended("anna").ended("ben").refused("anna", 487);
    }

    fn a_phone_gives_up_while_it_rings_outside(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.dial("ben", "anna").rings_soon("anna");
        w.hang_up("ben").settle();
        w.ended("anna").ended("ben").refused("ben", 487);
    }

    fn a_refusal_comes_back_as_it_is(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.dial("anna", "ben").rings_soon("ben").decline("ben", 603).settle();
        w.refused("anna", 603);
        w.dial("ben", "carl").rings_soon("carl").decline("carl", 486).settle();
        w.refused("ben", 486).ended("carl");
        w.dial("ben", "199").settle();
        w.refused("ben", 404);
    }

    fn hold_and_resume_by_either_side(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben");
        w.hold("ben").settle();
        w.hears("anna", NOTHING).hears("ben", NOTHING);
        w.resume("ben").settle();
        w.talking("anna", "ben");
        w.hold("anna").settle();
        w.hears("anna", NOTHING).hears("ben", NOTHING);
        w.resume("anna").settle();
        w.talking("anna", "ben");
    }

    fn hold_and_resume_through_a_proxy(w) {
        w.behind_a_proxy().phones(["ben", "carl"]);
        w.talk("ben", "carl");
        w.hold("carl").settle();
        w.hears("ben", NOTHING);
        w.resume("carl").settle();
        w.talking("ben", "carl");
    }

    fn both_hold_at_once_and_both_resume(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben");
        w.hold("anna").hold("ben");
        w.pass(Duration::from_secs(8));
        w.hears("anna", NOTHING).hears("ben", NOTHING);
        w.resume("anna").resume("ben");
        w.pass(Duration::from_secs(8));
        w.talking("anna", "ben");
    }

    fn both_phones_of_an_extension_ring_and_the_first_answer_wins(w) {
        w.phones(["ben"]).second_phone("benny", "ben").callers(["anna"]);
        w.dial("anna", "ben").rings_soon("ben").rings_soon("benny");
        w.answer("benny").settle();
        w.talking("anna", "benny").ended("ben");
        w.hang_up("anna").settle();
        w.ended("benny");
    }

    fn a_proxy_forks_one_call_id_to_both_phones_and_the_first_answer_wins(w) {
        w.behind_a_proxy().phones(["ben"]).second_phone("benny", "ben").callers(["anna"]);
        w.dial("anna", "ben").rings_soon("ben").rings_soon("benny");
        w.answer("ben").settle();
        w.talking("anna", "ben").ended("benny");
    }

    fn a_proxy_forks_a_call_of_our_own_phone_to_two_others(w) {
        w.behind_a_proxy().phones(["ben", "carl"]).second_phone("carla", "carl");
        w.dial("ben", "carl").rings_soon("carl").rings_soon("carla");
        w.answer("carla").settle();
        w.talking("ben", "carla").ended("carl");
        w.hang_up("carla").settle();
        w.ended("ben");
    }

    fn when_all_forks_refuse_the_caller_hears_it(w) {
        w.phones(["ben"]).second_phone("benny", "ben").callers(["anna"]);
        w.dial("anna", "ben").rings_soon("ben").rings_soon("benny");
        w.decline("ben", 486).decline("benny", 486).settle();
        w.refused("anna", 486).ended("ben").ended("benny");
    }

    fn reliable_ringing_is_acknowledged_end_to_end(w) {
        w.behind_a_proxy().phones(["ben", "carl"]);
        w.habits("carl", |h| { h.reliable = true; h.early_media = true; });
        w.dial("ben", "carl").rings_soon("carl").settle();
        w.hears_ringing("ben");
        assert!(w.phone("carl").heard().iter().any(|m| m.cseq().1 == "PRACK"));
        w.answer("carl").settle();
        w.talking("ben", "carl");
    }

    fn an_invite_without_an_offer_gets_its_answer_in_the_ack(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.habits("anna", |h| h.offers_late = true);
        w.talk("anna", "ben");
        w.hang_up("ben").settle();
        w.habits("ben", |h| h.offers_late = true);
        w.talk("ben", "anna");
    }

    fn an_invite_without_an_offer_goes_through_a_proxy(w) {
        w.behind_a_proxy().phones(["ben", "carl"]);
        w.habits("ben", |h| h.offers_late = true);
        w.talk("ben", "carl");
    }

    fn info_and_update_pass_within_a_call(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben");
        let digit: (&str, &[u8]) = ("application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n");
        w.ask_in_call("ben", "INFO", &[], Some(digit)).settle();
        w.answered_with("ben", "INFO", 200);
        let heard = w.phone("anna").heard().iter().rfind(|m| m.cseq().1 == "INFO");
        assert_eq!(&heard.unwrap().body()[..], digit.1);
        w.ask_in_call("ben", "UPDATE", &[], None).settle();
        w.answered_with("ben", "UPDATE", 200).talking("anna", "ben");
    }

    fn session_timers_are_refreshed_through_the_house(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.habits("anna", |h| h.session_expires = Some(120));
        w.talk("anna", "ben");
        w.pass(Duration::from_secs(600));
        w.talking("anna", "ben");
    }

    fn session_timers_are_refreshed_through_a_proxy(w) {
        w.behind_a_proxy().phones(["ben", "carl"]);
        w.habits("ben", |h| h.session_expires = Some(120));
        w.talk("ben", "carl");
        w.pass(Duration::from_secs(400));
        w.talking("ben", "carl");
    }

    fn a_phone_that_is_asked_for_a_password_gives_it_to_the_pbx(w) {
        w.pbx_settings(|pbx| pbx.digest = true).phones(["ben", "carl"]);
        w.talk("ben", "carl");
        w.hang_up("carl").settle();
        w.ended("ben");
    }

    fn a_proxy_that_asks_for_a_password_gets_it(w) {
        w.behind_a_proxy().pbx_settings(|pbx| pbx.digest = true).phones(["ben", "carl"]);
        w.talk("ben", "carl");
    }

    fn everything_works_on_ipv6(w) {
        w.on_ipv6().phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben");
        w.hang_up("ben").settle();
        w.talk("ben", "anna");
        w.transfer("ben", "701").settle();
        w.waits("anna").dial("ben", "701").settle();
        w.talking("anna", "ben");
    }

    fn a_call_stands_for_an_hour(w) {
        w.phones(["ben"]).callers(["anna"]);
        w.talk("anna", "ben");
        w.pass(Duration::from_secs(3_600));
        w.talking("anna", "ben");
    }

    fn several_calls_at_once_do_not_mix(w) {
        w.phones(["ben", "carl", "dora"]).callers(["anna", "axel", "amy"]);
        w.talk("anna", "ben").talk("axel", "carl").talk("dora", "amy");
        w.talking("anna", "ben").talking("axel", "carl").talking("dora", "amy");
        w.hang_up("carl").settle();
        w.ended("axel").talking("anna", "ben").talking("dora", "amy");
    }
}

// A 180 that is lost is not repeated (RFC 3261 §13.3.1): these are not swept.

#[test]
fn early_media_is_heard_before_the_answer() {
    play(|w| {
        w.phones(["ben"]).callers(["anna"]);
        w.habits("anna", |h| h.early_media = true);
        w.dial("ben", "anna").rings_soon("anna").settle();
        w.hears_ringing("ben").hears("ben", "anna");
        w.answer("anna").settle();
        w.talking("ben", "anna");
    });
}

#[test]
fn early_media_is_heard_through_a_proxy() {
    play(|w| {
        w.behind_a_proxy().phones(["ben", "carl"]);
        w.habits("carl", |h| h.early_media = true);
        w.dial("ben", "carl").rings_soon("carl").settle();
        w.hears("ben", "carl").answer("carl").settle();
        w.talking("ben", "carl");
    });
}

#[test]
fn a_phone_that_is_not_answered_hears_ringing_until_it_gives_up() {
    play(|w| {
        w.phones(["ben", "carl"]);
        w.dial("ben", "carl").rings_soon("carl");
        w.pass(Duration::from_secs(100));
        w.hears_ringing("ben").rings("carl");
        w.hang_up("ben").settle();
        w.ended("carl");
    });
}

#[test]
fn a_passed_call_carries_one_call_id_and_the_same_tags_on_both_legs() {
    let mut w = World::with_phones(["ben", "carl"]);
    w.talk("ben", "carl");
    let from_ben = w.ladder().messages("ben", "house");
    let to_pbx = w.ladder().messages("house", "pbx");
    let invite = from_ben.iter().find(|m| m.is_request() && m.cseq().1 == "INVITE").unwrap();
    let onward = to_pbx.iter().find(|m| m.is_request() && m.cseq().1 == "INVITE").unwrap();
    assert_eq!(invite.call_id(), onward.call_id());
    assert_eq!(invite.from_tag(), onward.from_tag());
    assert_ne!(invite.via().branch(), onward.via().branch());
    let call = w.phone("ben").current().unwrap();
    assert_eq!(call.state, CallState::Up);
    w.tidy();
}
