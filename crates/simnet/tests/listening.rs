//! How the sound of calls is doing: silence is told, streams are measured, and what goes past the
//! relay is heard as well as what goes through it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use base::Side;
use park_core::{Command, Fact, Reply, StreamView};
use simnet::{MUSIC, World};

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A frame, and 5 ms that a switch may add to it: nobody waits longer for the next packet.
const ONE_FRAME_MORE: Duration = Duration::from_millis(25);

fn talking(w: &mut World) {
    w.with_real_media().phones(["ben", "carl"]).callers(["anna"]);
    w.speak(true).talk("anna", "ben");
}

fn silences(w: &World) -> Vec<(Side, bool)> {
    let told = |fact: &Fact| match fact {
        Fact::Silent { side, .. } => Some((*side, true)),
        Fact::HeardAgain { side } => Some((*side, false)),
        _ => None,
    };
    w.facts().filter_map(told).collect()
}

fn streams(w: &mut World, call: Option<String>) -> Vec<StreamView> {
    match w.command(Command::Streams { call }) {
        Reply::Streams { streams } => streams,
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_falls_silent_in_a_call_is_told_once_and_again_when_heard() {
    let mut w = World::new();
    w.settings(|s| s.silence = Some(secs(10)));
    talking(&mut w);
    w.pass(secs(30));
    assert_eq!(silences(&w), []);
    w.speak(false).pass(secs(30));
    let mut told = silences(&w);
    told.sort();
    assert_eq!(told, [(Side::Phones, true), (Side::Pbx, true)]);
    w.speak(true).pass(secs(5));
    let mut told = silences(&w);
    told.sort();
    assert_eq!(told.iter().filter(|(_, silent)| !silent).count(), 2, "{told:?}");
    w.talking("anna", "ben").tidy();
}

#[test]
fn who_is_on_hold_or_parked_is_not_expected_to_speak() {
    let mut w = World::new();
    w.settings(|s| s.silence = Some(secs(10)));
    talking(&mut w);
    w.hold("ben").settle();
    w.speak(false).pass(secs(30));
    w.transfer("ben", "701").settle();
    w.pass(secs(30));
    assert_eq!(silences(&w), []);
    w.tidy();
}

#[test]
fn with_a_silence_of_nothing_none_is_told() {
    let mut w = World::new();
    w.settings(|s| s.silence = None);
    talking(&mut w);
    w.speak(false).pass(secs(600));
    assert_eq!(silences(&w), []);
    w.tidy();
}

#[test]
fn what_a_stream_was_like_is_told_when_its_leg_ends_and_not_before() {
    let mut w = World::new();
    talking(&mut w);
    w.pass(secs(2));
    let ended = |w: &World, wanted: Side| {
        let told = w.told().iter().map(|(_, told)| (told.call.clone(), &told.fact));
        let mine = told.filter_map(|(call, fact)| match fact {
            Fact::StreamEnded { side, quality } if *side == wanted => Some((call, *quality)),
            _ => None,
        });
        mine.collect::<Vec<_>>()
    };
    w.transfer("ben", "701").settle();
    let phones = ended(&w, Side::Phones);
    let [(call, quality)] = &phones[..] else { panic!("{phones:?}") };
    assert!(call.is_some());
    assert!(quality.received > 90 && quality.lost == 0, "{quality:?}");
    assert!(quality.worst_jitter < Duration::from_millis(2), "{quality:?}");
    assert_eq!(ended(&w, Side::Pbx), [], "the parkee is still here");
    w.dial("carl", "701").settle();
    w.hang_up("anna").settle();
    let pbx = ended(&w, Side::Pbx);
    let [(_, quality)] = &pbx[..] else { panic!("{pbx:?}") };
    assert!(quality.received > 100, "talk, music and talk again: {quality:?}");
    w.tidy();
}

#[test]
fn an_operator_sees_what_each_end_of_a_call_sends() {
    let mut w = World::new();
    talking(&mut w);
    w.pass(secs(2));
    let all = streams(&mut w, None);
    let sides: Vec<&str> = all.iter().map(|stream| &*stream.side).collect();
    assert_eq!(sides, ["pbx", "phones"], "{all:?}");
    assert!(all.iter().all(|stream| stream.received > 90 && stream.lost == 0), "{all:?}");
    let one = streams(&mut w, Some(all[0].call_id.clone()));
    assert_eq!(one.len(), 2);
    assert_eq!(streams(&mut w, Some("nobody's".into())), []);
    w.hang_up("anna").settle();
    assert_eq!(streams(&mut w, None), []);
    w.tidy();
}

#[test]
fn a_call_on_fast_paths_is_parked_and_retrieved_with_two_clean_changes_of_source() {
    let mut w = World::new();
    w.with_fast_paths();
    talking(&mut w);
    w.pass(secs(5));
    assert!(w.gone_past() > 300, "{} packets went past the relay", w.gone_past());
    assert_eq!(w.breaks("anna"), Vec::<String>::new(), "going past the relay is not heard");
    w.transfer("ben", "701").settle();
    w.hears("anna", MUSIC);
    w.dial("carl", "701").settle();
    w.talking("anna", "carl");
    let before = w.gone_past();
    w.pass(secs(5));
    assert!(w.gone_past() > before + 200, "the retriever's packets go past the relay too");
    let breaks = w.breaks("anna");
    assert_eq!(breaks.len(), 2, "{breaks:?}");
    assert!(breaks.iter().all(|each| each.contains("SSRC")), "{breaks:?}");
    let ear = w.phone("anna").current().unwrap().media.ear.clone();
    assert!(ear.marks >= 2, "each change is marked: {}", ear.marks);
    assert!(w.longest_gap("anna") <= ONE_FRAME_MORE, "{:?}", w.longest_gap("anna"));
    assert_eq!(w.breaks("carl"), Vec::<String>::new());
    w.hang_up("carl").settle();
    w.was_told(|fact| {
        matches!(fact, Fact::StreamEnded { quality, .. } if quality.unseen > 200 && quality.lost == 0)
    });
    w.tidy();
}

#[test]
fn a_call_on_fast_paths_that_is_held_and_resumed_is_heard_as_before() {
    let mut w = World::new();
    w.with_fast_paths();
    talking(&mut w);
    w.pass(secs(3)).hold("ben").settle();
    w.pass(secs(10)).resume("ben").settle();
    w.talking("anna", "ben").pass(secs(3));
    assert_eq!(w.breaks("anna"), Vec::<String>::new());
    w.tidy();
}

#[test]
fn a_recall_from_music_to_fast_paths_connects() {
    let mut w = World::new();
    w.with_fast_paths().lot(|lot| lot.recall.after = secs(5));
    talking(&mut w);
    w.pass(secs(2)).transfer("ben", "701");
    assert!(w.pass_until(secs(8), |w| w.phone("ben").rings()));
    w.hears("anna", MUSIC).answer("ben").settle();
    w.talking("anna", "ben").pass(secs(3));
    assert!(w.longest_gap("anna") <= ONE_FRAME_MORE, "{:?}", w.longest_gap("anna"));
    w.tidy();
}
