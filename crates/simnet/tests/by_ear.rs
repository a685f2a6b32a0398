//! What is told by ear: a tone and the slot's number to who has dialled a park, and a tone of courtesy
//! when a call is retrieved.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use park_core::Courtesy;
use simnet::{CallState, MUSIC, SILENCE, Source, World, stories};

const SECONDS_3: Duration = Duration::from_secs(3);

fn clips(signs: &str) -> Vec<Source> {
    signs.chars().map(Source::Clip).collect()
}

/// Of what was heard, what is no quiet.
fn sounds(heard: Vec<Source>) -> Vec<Source> {
    heard.into_iter().filter(|s| ![Source::Nothing, SILENCE].contains(s)).collect()
}

fn is_answered(w: &World, name: &str) -> bool {
    w.phone(name).current().is_some_and(|call| call.state == CallState::Up)
}

/// A call of anna's is on hold at ben's, and all is audible.
fn ben_holds_anna(w: &mut World) {
    w.with_real_media().phones(["ben", "carl"]).callers(["anna"]).speak(true);
    w.talk("anna", "ben").hold("ben").settle();
}

stories! {
    fn who_parks_by_dialling_hears_a_tone_and_the_slot_and_is_hung_up(w) {
        ben_holds_anna(w);
        w.dial("ben", "700");
        assert_eq!(sounds(w.hears_in_turn("ben", SECONDS_3)), clips("+701"));
        w.settle();
        w.ended("ben").waits("anna").parked_at(&["701"]);
        w.dial("carl", "701").settle();
        w.talking("anna", "carl");
    }

    fn who_parks_on_an_extension_hears_that(w) {
        ben_holds_anna(w);
        w.dial("ben", "*68102");
        assert_eq!(sounds(w.hears_in_turn("ben", SECONDS_3)), clips("+102"));
        w.settle();
        w.ended("ben").waits("anna").parked_at(&["102"]);
    }

    fn who_dials_a_slot_to_transfer_into_it_hears_its_number_and_then_music(w) {
        ben_holds_anna(w);
        w.dial("ben", "705");
        let mut wanted = clips("+705");
        wanted.push(MUSIC);
        assert_eq!(sounds(w.hears_in_turn("ben", SECONDS_3)), wanted);
        assert!(is_answered(w, "ben"));
        w.nothing_parked().transfer_attended("ben").settle();
        w.ended("ben").waits("anna").parked_at(&["705"]);
    }

    fn the_call_may_be_transferred_while_the_number_is_said(w) {
        ben_holds_anna(w);
        w.dial("ben", "*68").pass_until(SECONDS_3, |w| is_answered(w, "ben"));
        w.transfer_attended("ben").settle();
        w.ended("ben").waits("anna").parked_at(&["101"]);
    }

    fn who_hangs_up_while_the_number_is_said_loses_nothing(w) {
        ben_holds_anna(w);
        w.dial("ben", "700").pass_until(SECONDS_3, |w| is_answered(w, "ben"));
        w.pass(Duration::from_millis(300)).hang_up("ben").settle();
        w.ended("ben").waits("anna").parked_at(&["701"]);
    }

    fn who_offers_late_hears_it_too(w) {
        ben_holds_anna(w);
        w.habits("ben", |h| h.offers_late = true);
        w.dial("ben", "700");
        assert_eq!(sounds(w.hears_in_turn("ben", SECONDS_3)), clips("+701"));
        w.settle();
        w.ended("ben").waits("anna").parked_at(&["701"]);
    }

    fn both_hear_a_tone_of_courtesy_and_then_each_other(w) {
        w.with_real_media().lot(|lot| lot.courtesy = Courtesy::Both);
        w.phones(["ben", "carl"]).callers(["anna"]).speak(true);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.hears("anna", MUSIC).dial("carl", "701");
        let wanted = vec![MUSIC, Source::Clip('~'), Source::from("carl")];
        assert_eq!(w.hears_in_turn("anna", SECONDS_3), wanted);
        w.settle();
        w.talking("anna", "carl");
        assert_eq!(w.breaks("carl"), Vec::<String>::new());
    }

    fn only_the_chosen_one_hears_the_tone(w) {
        w.with_real_media().lot(|lot| lot.courtesy = Courtesy::Retriever);
        w.phones(["ben", "carl"]).callers(["anna"]).speak(true);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.hears("anna", MUSIC).dial("carl", "701");
        let wanted = vec![Source::Clip('~'), Source::from("anna")];
        assert_eq!(sounds(w.hears_in_turn("carl", SECONDS_3)), wanted);
        w.settle();
        w.talking("anna", "carl");
    }
}

#[test]
fn the_parkee_hears_music_the_tone_and_the_retriever_in_one_unbroken_stream() {
    let mut w = World::new();
    w.with_real_media().lot(|lot| lot.courtesy = Courtesy::Parkee);
    w.phones(["ben", "carl"]).callers(["anna"]).speak(true);
    w.talk("anna", "ben").transfer("ben", "701").settle();
    w.hears("anna", MUSIC).dial("carl", "701");
    let wanted = vec![MUSIC, Source::Clip('~'), Source::from("carl")];
    assert_eq!(w.hears_in_turn("anna", SECONDS_3), wanted);
    assert_eq!(w.breaks("anna"), Vec::<String>::new());
    assert!(w.longest_gap("anna") <= Duration::from_millis(41), "{:?}", w.longest_gap("anna"));
    w.talking("anna", "carl").tidy();
}

#[test]
fn the_answer_to_a_recall_has_no_tone() {
    let mut w = World::new();
    w.with_real_media().lot(|lot| {
        lot.courtesy = Courtesy::Both;
        lot.recall.after = Duration::from_secs(5);
    });
    w.phones(["ben"]).callers(["anna"]).speak(true);
    w.talk("anna", "ben").transfer("ben", "701");
    assert!(w.pass_until(Duration::from_secs(8), |w| w.phone("ben").rings()));
    w.answer("ben");
    assert_eq!(sounds(w.hears_in_turn("ben", SECONDS_3)), vec![Source::from("anna")]);
    w.tidy();
}
