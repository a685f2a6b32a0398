//! SRTP with keys by SDES: phones and callers really encrypt, and hear nothing that they cannot decipher.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use park_core::{Anchor, SrtpUse};
use rtp_flow::Suite;
use simnet::{Encrypts, MUSIC, World, stories};
use sip_msg::{Message, Name};

/// ben, carl and dora have phones, anna calls from outside; each encrypts as is said.
fn house(w: &mut World, encrypt: &[(&str, Encrypts)]) {
    w.with_real_media().phones(["ben", "carl", "dora"]).callers(["anna"]).speak(true);
    for (name, encrypts) in encrypt {
        w.habits(name, |habits| habits.encrypts = *encrypts);
    }
}

const MUST: Encrypts = Encrypts::Must;
const OFFERS: Encrypts = Encrypts::Offers;

/// Whose audio is encrypted, and that nothing came to them that they could not decipher but what was
/// under way at a switch.
#[track_caller]
fn encrypted(w: &World, names: &[&str]) {
    for name in ["anna", "ben", "carl", "dora"] {
        if !w.phone(name).is_up() {
            continue;
        }
        assert_eq!(w.is_encrypted(name), names.contains(&name), "{name}");
        assert!(w.undeciphered(name) <= 4, "{name}: {}", w.undeciphered(name));
        let breaks = w.breaks(name);
        assert!(breaks.len() <= 1, "{name}: {breaks:?}");
    }
}

/// Parked by ben, taken by carl, held and taken back, parked again and taken by ben.
fn park_and_retrieve(w: &mut World, all: &[&str]) {
    w.talk("anna", "ben");
    w.talking("anna", "ben");
    encrypted(w, all);
    w.transfer("ben", "701").settle();
    w.parked_at(&["701"]).hears("anna", MUSIC);
    encrypted(w, all);
    w.dial("carl", "701").settle();
    w.talking("anna", "carl");
    encrypted(w, all);
    w.hold("carl").settle();
    w.resume("carl").settle();
    w.talking("anna", "carl");
    encrypted(w, all);
    w.transfer("carl", "702").settle();
    w.parked_at(&["702"]).hears("anna", MUSIC);
    w.dial("ben", "702").settle();
    w.talking("anna", "ben");
    encrypted(w, all);
    w.hang_up("anna").settle();
}

stories! {
    fn keys_pass_and_music_and_a_retriever_are_encrypted_too(w) {
        house(w, &[("anna", MUST), ("ben", MUST), ("carl", MUST)]);
        park_and_retrieve(w, &["anna", "ben", "carl"]);
    }

    fn a_plain_phone_retrieves_a_call_with_srtp(w) {
        house(w, &[("anna", MUST), ("ben", MUST)]);
        park_and_retrieve(w, &["anna", "ben"]);
    }

    fn a_phone_with_srtp_retrieves_a_plain_call(w) {
        house(w, &[("carl", MUST)]);
        park_and_retrieve(w, &["carl"]);
    }

    fn keys_that_are_offered_are_taken(w) {
        house(w, &[("anna", OFFERS), ("ben", OFFERS), ("carl", OFFERS)]);
        park_and_retrieve(w, &["anna", "ben", "carl"]);
    }

    fn keys_that_are_offered_and_not_taken_leave_it_plain(w) {
        house(w, &[("anna", OFFERS)]);
        park_and_retrieve(w, &[]);
    }

    fn the_recall_of_an_encrypted_call_is_encrypted(w) {
        w.lot(|lot| lot.recall.after = Duration::from_secs(5));
        house(w, &[("anna", MUST), ("ben", MUST)]);
        w.talk("anna", "ben").transfer("ben", "701");
        assert!(w.pass_until(Duration::from_secs(8), |w| w.phone("ben").rings()));
        w.hears("anna", MUSIC).answer("ben").settle();
        w.talking("anna", "ben");
        encrypted(w, &["anna", "ben"]);
        w.hang_up("ben").settle();
    }

    fn where_both_sides_must_encrypt_each_leg_may_have_keys_of_its_own(w) {
        w.settings(|s| (s.phones_srtp, s.pbx_srtp) = (SrtpUse::Require, SrtpUse::Off));
        house(w, &[("ben", MUST), ("carl", MUST)]);
        park_and_retrieve(w, &["ben", "carl"]);
    }
}

#[test]
fn new_keys_at_each_hold_and_resume_are_followed() {
    for terminated in [false, true] {
        let mut w = World::new();
        house(&mut w, &[("anna", MUST), ("ben", MUST), ("carl", MUST)]);
        for name in ["anna", "ben", "carl"] {
            w.habits(name, |habits| habits.new_keys = true);
        }
        w.talk("anna", "ben");
        let mut talks = "ben";
        if terminated {
            w.transfer("ben", "701").settle();
            w.hears("anna", MUSIC).dial("carl", "701").settle();
            talks = "carl";
        }
        for _ in 0..3 {
            w.talking("anna", talks).hold(talks).settle();
            w.resume(talks).settle();
            w.talking("anna", talks).hold("anna").settle();
            w.resume("anna").settle();
        }
        w.talking("anna", talks);
        assert!(w.undeciphered("anna") + w.undeciphered(talks) <= 24);
        // Who holds while the call is parked gets music again, under the key that it names now.
        w.transfer(talks, "702").settle();
        w.hears("anna", MUSIC).hold("anna").settle();
        w.resume("anna").settle();
        w.hears("anna", MUSIC);
        w.hang_up("anna").settle().tidy();
    }
}

#[test]
fn who_never_takes_a_second_key_is_parked_retrieved_held_and_resumed_all_the_same() {
    let mut w = World::new();
    house(&mut w, &[("anna", MUST), ("ben", MUST), ("carl", MUST)]);
    for name in ["anna", "ben", "carl"] {
        w.habits(name, |habits| habits.keeps_first_keys = true);
    }
    park_and_retrieve(&mut w, &["anna", "ben", "carl"]);
    w.tidy();
}

#[test]
fn every_suite_is_spoken_and_the_first_that_both_know_is_taken() {
    for suite in Suite::ALL {
        let mut w = World::new();
        house(&mut w, &[("anna", MUST), ("ben", MUST), ("carl", MUST)]);
        for name in ["anna", "ben"] {
            w.habits(name, |habits| habits.suites = vec![suite]);
        }
        w.habits("carl", |habits| habits.suites = Suite::ALL.to_vec());
        park_and_retrieve(&mut w, &["anna", "ben", "carl"]);
        w.tidy();
    }
}

#[test]
fn rollovers_are_found_however_long_the_call_has_passed_or_been_terminated() {
    let mut w = World::new();
    house(&mut w, &[("anna", MUST), ("ben", MUST), ("carl", MUST)]);
    w.talk("anna", "ben").pass(Duration::from_secs(1_500));
    w.talking("anna", "ben").transfer("ben", "701").settle();
    w.hears("anna", MUSIC).dial("carl", "701").settle();
    // anna's packets have run over more than once; here they are looked at for the first time.
    w.talking("anna", "carl");
    encrypted(&w, &["anna", "carl"]);
    w.pass(Duration::from_secs(1_500)).talking("anna", "carl");
    encrypted(&w, &["anna", "carl"]);
    w.restart().pass(Duration::from_secs(1)).talking("anna", "carl");
    w.transfer("carl", "701").settle();
    w.hears("anna", MUSIC).hang_up("anna").settle().tidy();
}

#[test]
fn a_call_whose_media_did_not_come_to_us_is_parked_under_keys_of_ours() {
    let mut w = World::new();
    w.settings(|s| s.anchor = Anchor::Parked);
    house(&mut w, &[("anna", MUST), ("ben", MUST), ("carl", MUST)]);
    park_and_retrieve(&mut w, &["anna", "ben", "carl"]);
    w.tidy();
}

#[test]
fn what_passes_encrypted_goes_past_the_relay_and_what_ends_here_does_not() {
    let mut w = World::new();
    w.with_fast_paths();
    house(&mut w, &[("anna", MUST), ("ben", MUST), ("carl", MUST)]);
    w.talk("anna", "ben").pass(Duration::from_secs(20));
    assert!(w.gone_past() > 500, "{}", w.gone_past());
    w.transfer("ben", "701").settle();
    w.hears("anna", MUSIC).dial("carl", "701").settle();
    w.talking("anna", "carl").pass(Duration::from_secs(10));
    let gone = w.gone_past();
    w.pass(Duration::from_secs(10));
    assert_eq!(w.gone_past(), gone);
    w.hang_up("anna").settle().tidy();
}

#[test]
fn keys_pressed_in_encrypted_sound_are_heard() {
    let mut w = World::new();
    w.lot(|lot| lot.dtmf = true);
    house(&mut w, &[("anna", MUST), ("ben", MUST)]);
    w.talk("anna", "ben");
    w.talking("anna", "ben").press("ben", "*68#").settle();
    w.waits("anna").hears("anna", MUSIC).hang_up("anna").settle().tidy();
}

/// The status and the Warning with which the house has refused an INVITE of somebody's.
fn refusal(w: &World, to: &str) -> Option<(u16, String)> {
    let said = w.ladder().since(0);
    let all = said.messages("house", to).into_iter().filter(|m| !m.is_request());
    let refused = |m: &Message| {
        let warning = m.get(Name::Warning).unwrap_or_default().to_owned();
        (m.cseq().1 == "INVITE" && m.status() == 488).then(|| (m.status(), warning))
    };
    all.filter_map(refused).next_back()
}

/// The phones' rule and the PBX's; what ben and anna do; who is encrypted when anna calls ben, or none if
/// the call is refused at the house.
type Case = (SrtpUse, SrtpUse, Encrypts, Encrypts, Option<&'static [&'static str]>);

#[test]
fn each_side_speaks_as_it_is_told_to() {
    use SrtpUse::{Off, Offer, Pass, Require};
    let no = Encrypts::No;
    let cases: &[Case] = &[
        (Pass, Pass, MUST, MUST, Some(&["anna", "ben"])),
        (Pass, Pass, no, no, Some(&[])),
        (Offer, Pass, OFFERS, no, Some(&["ben"])),
        (Offer, Pass, no, no, Some(&[])),
        (Offer, Offer, OFFERS, OFFERS, Some(&["anna", "ben"])),
        (Require, Pass, MUST, no, Some(&["ben"])),
        (Require, Off, MUST, no, Some(&["ben"])),
        (Require, Require, MUST, MUST, Some(&["anna", "ben"])),
        (Require, Require, MUST, no, None),
        (Pass, Require, MUST, OFFERS, None),
        (Off, Pass, no, MUST, Some(&["anna"])),
        (Off, Off, no, OFFERS, Some(&[])),
        (Pass, Off, no, MUST, None),
        (Off, Require, no, MUST, Some(&["anna"])),
    ];
    for (phones, pbx, ben, anna, wanted) in cases {
        let mut w = World::new();
        w.settings(|s| (s.phones_srtp, s.pbx_srtp) = (*phones, *pbx));
        house(&mut w, &[("ben", *ben), ("carl", *ben), ("anna", *anna)]);
        let case = format!("{phones:?} {pbx:?} {ben:?} {anna:?}");
        let Some(wanted) = wanted else {
            let number = w.number("ben");
            w.dial("anna", &number).settle();
            let (status, warning) = refusal(&w, "pbx").unwrap_or_default();
            assert_eq!((status, &warning[..20]), (488, "302 parkade \"SRTP is"), "{case}");
            w.ended("anna").tidy();
            continue;
        };
        w.remark(&case);
        w.talk("anna", "ben");
        w.talking("anna", "ben");
        encrypted(&w, wanted);
        w.transfer("ben", "701").settle();
        w.hears("anna", MUSIC).dial("carl", "701").settle();
        w.talking("anna", "carl");
        w.hang_up("carl").settle().tidy();
        if *pbx == Pass && ben != anna {
            // What ben says goes to anna as it is, and she is another.
            continue;
        }
        // And the other way round.
        let number = w.number("anna");
        w.dial("ben", &number).rings_soon("anna");
        w.answer("anna").settle();
        w.talking("anna", "ben").hang_up("ben").settle().tidy();
    }
}

#[test]
fn a_phone_without_srtp_is_refused_a_retrieve_where_it_is_required() {
    let mut w = World::new();
    w.settings(|s| s.phones_srtp = SrtpUse::Require);
    house(&mut w, &[("ben", MUST)]);
    w.talk("anna", "ben").transfer("ben", "701").settle();
    w.dial("carl", "701").settle();
    w.refused("carl", 488);
    let (_, warning) = refusal(&w, "carl").unwrap();
    assert_eq!(warning, "302 parkade \"SRTP is required here: offer RTP/SAVP\"");
    w.hears("anna", MUSIC).parked_at(&["701"]).dial("ben", "701").settle();
    w.talking("anna", "ben").hang_up("ben").settle().tidy();
}

#[test]
fn a_call_keyed_by_dtls_passes_and_its_park_is_refused_and_it_goes_on() {
    let mut w = World::new();
    w.phones(["ben", "carl"]).callers(["anna"]);
    for name in ["anna", "ben"] {
        w.habits(name, |habits| habits.encrypts = Encrypts::ByDtls);
    }
    w.talk("anna", "ben").transfer("ben", "701").settle();
    w.transfer_came_to("ben", 488).talking("anna", "ben").nothing_parked();
    w.hang_up("ben").settle().tidy();
}
