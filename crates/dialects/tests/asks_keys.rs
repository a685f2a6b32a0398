//! Keys pressed in a call: which are a park code, and which are given back.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod shared;

use std::time::Duration;

use base::Moment;
use dialects::{Codes, Dialled, Key, KeyOutcome, KeySource, Keyed, Keys};
use proptest::prelude::*;
use regex::Regex;

const PATIENCE: Duration = Duration::from_secs(3);

fn office() -> Codes {
    shared::office("^1[0-9]{2}$")
}

/// A lot with one code, behind which nothing is expected.
fn hash_code() -> Codes {
    Codes {
        park: "#72".into(),
        group_park: String::new(),
        any_slot: None,
        slots: Vec::new(),
        extensions: Regex::new("^x$").unwrap(),
        ..office()
    }
}

fn ms(ms: u64) -> Moment {
    Moment::from_micros(ms * 1000)
}

fn key(sign: char) -> Key {
    Key::from_char(sign).unwrap()
}

fn keys(signs: &str) -> Vec<Key> {
    signs.chars().map(key).collect()
}

fn ours(code: &str) -> KeyOutcome {
    KeyOutcome::Ours(code.into())
}

fn not_ours(signs: &str) -> KeyOutcome {
    KeyOutcome::NotOurs(keys(signs))
}

/// Presses all keys, 200 ms apart from `from` on, and gives the last outcome.
fn press_all(collector: &mut Keys, from: u64, signs: &str, codes: &[&Codes]) -> KeyOutcome {
    let mut last = KeyOutcome::Repeated;
    for (n, sign) in signs.chars().enumerate() {
        last = collector.press(ms(from + 200 * n as u64), key(sign), KeySource::Info, codes);
    }
    last
}

#[test]
fn what_keys_are_is_told_as_they_come() {
    let table = [
        ("", Keyed::Begun),
        ("*", Keyed::Begun),
        ("*6", Keyed::Begun),
        ("*68", Keyed::Open),
        ("*68#", Keyed::Whole),
        ("*681", Keyed::Begun),
        ("*6810", Keyed::Begun),
        ("*68105", Keyed::Whole),
        ("*681055", Keyed::Nothing),
        ("*680", Keyed::Nothing),
        ("*687", Keyed::Begun),
        ("*6872", Keyed::Begun),
        ("*68720", Keyed::Whole),
        ("*68700", Keyed::Whole),
        ("*68730", Keyed::Nothing),
        ("*68*", Keyed::Nothing),
        ("*58", Keyed::Whole),
        ("*581", Keyed::Nothing),
        ("*8", Keyed::Nothing),
        ("*88", Keyed::Nothing),
        ("701", Keyed::Nothing),
        ("105", Keyed::Nothing),
        ("*6!", Keyed::Nothing),
    ];
    let codes = office();
    for (pressed, expected) in table {
        assert_eq!(codes.keyed(pressed), expected, "{pressed}");
    }
}

#[test]
fn extensions_of_any_form_may_follow() {
    let with = |extensions: &str| Codes {
        extensions: Regex::new(extensions).unwrap(),
        any_slot: None,
        slots: Vec::new(),
        ..office()
    };
    let open = with("^[1-9][0-9]*$");
    assert_eq!((open.keyed("*681"), open.keyed("*681055")), (Keyed::Open, Keyed::Open));
    let unanchored = with("[0-9]");
    assert_eq!(unanchored.keyed("*68105"), Keyed::Open);
    assert_eq!(unanchored.keyed("*68105#"), Keyed::Whole);
    let two_lengths = with("^(?:1[0-9]|2[0-9]{3})$");
    assert_eq!(two_lengths.keyed("*6812"), Keyed::Whole);
    assert_eq!(two_lengths.keyed("*6822"), Keyed::Begun);
    assert_eq!(two_lengths.keyed("*682222"), Keyed::Whole);
    let none = hash_code();
    assert_eq!((none.keyed("#7"), none.keyed("#72")), (Keyed::Begun, Keyed::Whole));
}

#[test]
fn slots_with_a_star_may_follow_a_code() {
    let codes = Codes { any_slot: Some("*5900".into()), slots: vec![(5901, 5999, 4)], ..office() };
    for (pressed, expected) in [
        ("*68*", Keyed::Begun),
        ("*68*5", Keyed::Begun),
        ("*68*5901", Keyed::Whole),
        ("*68*5900", Keyed::Whole),
        ("*685901", Keyed::Whole),
        ("*68**", Keyed::Nothing),
    ] {
        assert_eq!(codes.keyed(pressed), expected, "{pressed}");
    }
}

#[test]
fn a_code_to_which_nothing_can_be_added_is_ours_at_once() {
    let codes = hash_code();
    let mut collector = Keys::new(PATIENCE);
    assert_eq!(press_all(&mut collector, 0, "#7", &[&codes]), KeyOutcome::Collecting);
    assert_eq!(collector.wake_at(), Some(ms(3200)));
    assert_eq!(press_all(&mut collector, 400, "2", &[&codes]), ours("#72"));
    assert_eq!(collector.wake_at(), None);
}

#[test]
fn a_code_that_may_become_longer_waits_for_the_pause_or_the_hash() {
    let codes = office();
    let mut collector = Keys::new(PATIENCE);
    assert_eq!(press_all(&mut collector, 0, "*68", &[&codes]), KeyOutcome::Collecting);
    assert_eq!(collector.expire(ms(3399), &[&codes]), None);
    assert_eq!(collector.expire(ms(3400), &[&codes]), Some(ours("*68")));
    assert_eq!(collector.expire(ms(9000), &[&codes]), None);
    assert_eq!(press_all(&mut collector, 10_000, "*68#", &[&codes]), ours("*68#"));
    assert_eq!(codes.dialled("*68#"), codes.dialled("*68"));
    assert_eq!(press_all(&mut collector, 20_000, "*68105", &[&codes]), ours("*68105"));
}

#[test]
fn keys_that_are_no_code_are_given_back_at_once() {
    let codes = office();
    let mut collector = Keys::new(PATIENCE);
    assert_eq!(press_all(&mut collector, 0, "1", &[&codes]), not_ours("1"));
    assert_eq!(press_all(&mut collector, 1000, "*7", &[&codes]), not_ours("*7"));
    assert_eq!(press_all(&mut collector, 2000, "*680", &[&codes]), not_ours("*680"));
    assert_eq!(press_all(&mut collector, 3000, "!", &[&codes]), not_ours("!"));
    assert!(collector.held().is_empty());
}

#[test]
fn keys_that_stay_without_an_end_are_given_back_after_the_pause() {
    let codes = office();
    let mut collector = Keys::new(PATIENCE);
    assert_eq!(press_all(&mut collector, 0, "*6", &[&codes]), KeyOutcome::Collecting);
    assert_eq!(collector.held(), keys("*6"));
    assert_eq!(collector.expire(ms(3200), &[&codes]), Some(not_ours("*6")));
}

#[test]
fn the_beginning_of_a_code_may_lie_behind_other_keys() {
    let codes = office();
    let mut collector = Keys::new(PATIENCE);
    assert_eq!(press_all(&mut collector, 0, "**", &[&codes]), not_ours("*"));
    assert_eq!(press_all(&mut collector, 400, "6*", &[&codes]), not_ours("*6"));
    assert_eq!(press_all(&mut collector, 800, "58", &[&codes]), ours("*58"));
}

#[test]
fn a_code_that_ends_what_was_no_code_is_told_next() {
    let long = Codes { park: "*#12".into(), ..hash_code() };
    let short = Codes { park: "#13".into(), ..hash_code() };
    let lots = [&long, &short];
    let mut collector = Keys::new(PATIENCE);
    assert_eq!(press_all(&mut collector, 0, "*#13", &lots), not_ours("*"));
    assert_eq!(collector.wake_at(), Some(ms(600)));
    assert_eq!(collector.expire(ms(600), &lots), Some(ours("#13")));
}

#[test]
fn a_key_that_comes_after_the_pause_begins_anew() {
    let codes = office();
    let mut collector = Keys::new(PATIENCE);
    press_all(&mut collector, 0, "*68", &[&codes]);
    let late =
        |collector: &mut Keys| collector.press(ms(9000), key('1'), KeySource::Info, &[&codes]);
    assert_eq!(late(&mut collector), ours("*68"));
    assert_eq!(collector.expire(ms(12_000), &[&codes]), Some(not_ours("1")));
    let mut collector = Keys::new(PATIENCE);
    press_all(&mut collector, 0, "*6", &[&codes]);
    assert_eq!(late(&mut collector), not_ours("*61"));
}

#[test]
fn several_lots_are_asked() {
    let (one, other) = (office(), hash_code());
    let lots = [&one, &other];
    let mut collector = Keys::new(PATIENCE);
    assert_eq!(press_all(&mut collector, 0, "#72", &lots), ours("#72"));
    assert_eq!(press_all(&mut collector, 1000, "*58", &lots), ours("*58"));
    assert_eq!(press_all(&mut collector, 2000, "1", &[]), not_ours("1"));
}

#[test]
fn a_key_heard_in_both_ways_counts_once() {
    let codes = hash_code();
    let mut collector = Keys::new(PATIENCE);
    let mut outcomes = Vec::new();
    for (n, sign) in "#772".chars().enumerate() {
        let (at, timestamp) = (150 * n as u64, 1000 * n as u32);
        outcomes.push(collector.press(ms(at), key(sign), KeySource::Rtp { timestamp }, &[&codes]));
        outcomes.push(collector.press(ms(at + 30), key(sign), KeySource::Info, &[&codes]));
    }
    let again = KeyOutcome::Repeated;
    let expected = [
        KeyOutcome::Collecting,
        again.clone(),
        KeyOutcome::Collecting,
        again,
        // The last 7 has gone on in RTP, and goes on by INFO too when that has come.
        not_ours("#7"),
        not_ours("7"),
        not_ours(""),
        not_ours("2"),
    ];
    assert_eq!(outcomes, expected);
}

#[test]
fn keys_that_came_in_rtp_alone_are_not_given_back() {
    let codes = hash_code();
    let mut collector = Keys::new(PATIENCE);
    let rtp = |timestamp| KeySource::Rtp { timestamp };
    assert_eq!(collector.press(ms(0), key('#'), rtp(1), &[&codes]), KeyOutcome::Collecting);
    assert_eq!(collector.press(ms(99), key('7'), rtp(2), &[&codes]), KeyOutcome::Collecting);
    assert_eq!(collector.expire(ms(3099), &[&codes]), Some(not_ours("")));
    assert_eq!(collector.press(ms(4000), key('#'), rtp(3), &[&codes]), KeyOutcome::Collecting);
    let by_info = collector.press(ms(4099), key('7'), KeySource::Info, &[&codes]);
    assert_eq!(by_info, KeyOutcome::Collecting);
    assert_eq!(collector.press(ms(4199), key('5'), rtp(4), &[&codes]), not_ours("7"));
}

#[test]
fn infos_that_lag_behind_several_keys_are_still_the_same_presses() {
    let codes = Codes { park: "*77".into(), ..hash_code() };
    let mut collector = Keys::new(PATIENCE);
    let rtp = |timestamp| KeySource::Rtp { timestamp };
    let press = |collector: &mut Keys, at, sign, source| {
        collector.press(ms(at), key(sign), source, &[&codes])
    };
    assert_eq!(press(&mut collector, 0, '*', rtp(1)), KeyOutcome::Collecting);
    assert_eq!(press(&mut collector, 100, '7', rtp(2)), KeyOutcome::Collecting);
    assert_eq!(press(&mut collector, 500, '*', KeySource::Info), KeyOutcome::Repeated);
    assert_eq!(press(&mut collector, 600, '7', rtp(3)), ours("*77"));
    assert_eq!(press(&mut collector, 650, '7', KeySource::Info), KeyOutcome::Repeated);
    assert_eq!(press(&mut collector, 700, '7', KeySource::Info), KeyOutcome::Repeated);
    assert_eq!(press(&mut collector, 750, '7', KeySource::Info), not_ours("7"));
}

#[test]
fn the_packets_of_one_event_are_one_press_however_long_it_is_held() {
    let codes = hash_code();
    let mut collector = Keys::new(PATIENCE);
    let rtp = KeySource::Rtp { timestamp: 7 };
    assert_eq!(collector.press(ms(0), key('#'), rtp, &[&codes]), KeyOutcome::Collecting);
    for n in 1..100 {
        let at = ms(20 * n);
        assert_eq!(collector.press(at, key('#'), rtp, &[&codes]), KeyOutcome::Repeated);
    }
    assert_eq!(
        collector.press(ms(2000), key('#'), KeySource::Info, &[&codes]),
        KeyOutcome::Repeated
    );
    let next = KeySource::Rtp { timestamp: 8 };
    assert_eq!(collector.press(ms(2100), key('7'), next, &[&codes]), KeyOutcome::Collecting);
    assert_eq!(collector.press(ms(2200), key('2'), KeySource::Info, &[&codes]), ours("#72"));
}

#[test]
fn a_phone_that_sends_one_way_may_press_a_key_as_often_as_it_likes() {
    let codes = Codes { park: "##".into(), ..hash_code() };
    let mut collector = Keys::new(PATIENCE);
    assert_eq!(press_all(&mut collector, 0, "##", &[&codes]), ours("##"));
    let rtp = |timestamp| KeySource::Rtp { timestamp };
    let mut collector = Keys::new(PATIENCE);
    assert_eq!(collector.press(ms(0), key('#'), rtp(1), &[&codes]), KeyOutcome::Collecting);
    assert_eq!(collector.press(ms(99), key('#'), rtp(2), &[&codes]), ours("##"));
}

fn any_codes() -> impl Strategy<Value = Codes> {
    let code = "[*#]{1,2}[0-9]{0,2}";
    let extensions = prop::sample::select(vec![
        "^1[0-9]{2}$",
        "^[1-9][0-9]{1,5}$",
        "^(?:1[0-9]|2[0-9]{3})$",
        "[0-9]",
        "^[0-9]+$",
        "^x$",
    ]);
    let any_slot = prop::option::of(prop::sample::select(vec!["700", "*700", "#700"]));
    (code, code, code, extensions, any_slot, any::<bool>()).prop_map(
        |(park, group_park, retrieve, extensions, any_slot, slots)| Codes {
            park,
            group_park,
            retrieve,
            pickup: None,
            any_slot: any_slot.map(str::to_owned),
            slots: if slots { vec![(701, 720, 3)] } else { Vec::new() },
            extensions: Regex::new(extensions).unwrap(),
        },
    )
}

/// Keys of which many are parts of codes.
fn any_keys() -> impl Strategy<Value = String> {
    "([*#]|[0-9]|\\*68|#72|\\*58|10|7|!|A){0,14}"
}

fn signs(keys: &[Key]) -> String {
    keys.iter().map(|key| key.as_char()).collect()
}

proptest! {
    #[test]
    fn every_key_comes_out_once_and_in_order_and_every_code_parks(
        codes in prop::collection::vec(any_codes(), 0..3),
        pressed in any_keys(),
        pauses in prop::collection::vec(0u64..4000, 60),
        is_woken in any::<bool>(),
    ) {
        let lots: Vec<&Codes> = codes.iter().collect();
        let mut collector = Keys::new(PATIENCE);
        let (mut now, mut out) = (0, String::new());
        let mut take = |outcome: KeyOutcome| {
            match outcome {
                KeyOutcome::Ours(code) => {
                    let parks = |lot: &&Codes| matches!(lot.dialled(&code), Some(Dialled::Park(_)));
                    assert!(lots.iter().any(parks), "{code}");
                    out.push_str(&code);
                }
                KeyOutcome::NotOurs(keys) => {
                    assert!(!keys.is_empty());
                    out.push_str(&signs(&keys));
                }
                KeyOutcome::Collecting => {}
                KeyOutcome::Repeated => panic!("nothing was heard twice"),
            }
        };
        for (sign, pause) in pressed.chars().zip(pauses.iter().cycle()) {
            now += pause;
            if is_woken {
                while let Some(outcome) = collector.expire(ms(now), &lots) {
                    take(outcome);
                }
            }
            take(collector.press(ms(now), key(sign), KeySource::Info, &lots));
            let due = collector.wake_at();
            prop_assert!(due.is_none_or(|due| due <= ms(now) + PATIENCE));
            prop_assert_eq!(due.is_none(), collector.held().is_empty());
        }
        while let Some(due) = collector.wake_at() {
            take(collector.expire(due, &lots).unwrap());
        }
        prop_assert_eq!(out, pressed);
    }

    #[test]
    fn of_keys_heard_in_both_ways_each_comes_out_once_and_in_order(
        codes in any_codes(),
        pressed in any_keys(),
        infos_first in any::<bool>(),
        lag in 0u64..70,
    ) {
        let lots = [&codes];
        let mut both = Keys::new(PATIENCE);
        let mut out = String::new();
        let mut take = |outcome: KeyOutcome| match outcome {
            KeyOutcome::Ours(code) => out.push_str(&code),
            KeyOutcome::NotOurs(keys) => out.push_str(&signs(&keys)),
            KeyOutcome::Collecting | KeyOutcome::Repeated => {}
        };
        for (n, sign) in pressed.chars().enumerate() {
            let (at, rtp) = (80 * n as u64, KeySource::Rtp { timestamp: 640 * n as u32 });
            let (first, then) =
                if infos_first { (KeySource::Info, rtp) } else { (rtp, KeySource::Info) };
            take(both.press(ms(at), key(sign), first, &lots));
            take(both.press(ms(at + lag), key(sign), then, &lots));
        }
        while let Some(due) = both.wake_at() {
            take(both.expire(due, &lots).unwrap());
        }
        prop_assert_eq!(out, pressed);
    }

    #[test]
    fn what_can_grow_no_more_does_not(codes in any_codes(), pressed in any_keys(), more in "[0-9]{1,5}") {
        let keyed = codes.keyed(&pressed);
        let parks = |keys: &str| matches!(codes.dialled(keys), Some(Dialled::Park(_)));
        prop_assert_eq!(parks(&pressed), matches!(keyed, Keyed::Open | Keyed::Whole));
        // A hash ends the entry, even where an expression without anchors would take more.
        let is_ended = keyed == Keyed::Whole && pressed.ends_with('#');
        if matches!(keyed, Keyed::Nothing | Keyed::Whole) && !is_ended {
            let longer = pressed.clone() + &more;
            prop_assert!(!parks(&longer), "{} grows to {}", pressed, longer);
        }
    }

    #[test]
    fn what_can_grow_has_a_way_to(pressed in "(\\*(6(8[0-9]{0,4})?|5)?)?") {
        let codes = office();
        let parks = |keys: &String| matches!(codes.dialled(keys), Some(Dialled::Park(_)));
        if matches!(codes.keyed(&pressed), Keyed::Begun | Keyed::Open) {
            let ends = (0..1000).flat_map(|n| [format!("{n}"), format!("{n:02}"), format!("{n:03}")]);
            let with_code = ["", "8", "68", "*68"].map(|code| format!("{pressed}{code}"));
            prop_assert!(
                with_code.iter().any(|begun| ends.clone().any(|end| parks(&format!("{begun}{end}")))),
                "{pressed}"
            );
        }
    }
}
