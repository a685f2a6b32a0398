//! What is wrong gets a clear answer or none, and the call that was up stays up.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use base::Chance;
use simnet::{MUSIC, World, stories};

/// The status that the latest INVITE of somebody's own making got.
fn answer(w: &World, name: &str, method: &str) -> Option<u16> {
    w.phone(name).latest_errand(method).map(|answer| answer.status())
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
