//! Every harness, with what has been collected for it and with what can be made of that. What once broke a promise
//! lies in `fuzz/found/TARGET` and stays there.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use base::Chance;
use torture::{Harness, TARGETS, spoilt};

/// How many spoilt ones are made of all samples of a target: a second or two of each.
const SPOILT: usize = 20_000;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// All files of a folder and those in it, by name; none if it is not there.
fn files(folder: &Path) -> Vec<Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: &PathBuf| match path.is_dir() {
        true => files(path),
        false => vec![std::fs::read(path).unwrap()],
    };
    paths.iter().flat_map(read).collect()
}

/// What is known to be worth trying.
fn samples(target: &str) -> Vec<Vec<u8>> {
    let root = root();
    let mut all = files(&root.join("fuzz/seeds").join(target));
    all.extend(files(&root.join("fuzz/found").join(target)));
    let more = match target {
        "message" => "crates/sip-msg/tests/torture",
        "xml" | "info" => "crates/dialects/tests/samples",
        _ => return all,
    };
    all.extend(files(&root.join(more)));
    all
}

fn play(target: &str, spoils: usize) {
    let (_, harness): (_, Harness) = *TARGETS.iter().find(|(name, _)| *name == target).unwrap();
    let samples = samples(target);
    assert!(!samples.is_empty(), "there is nothing to throw at {target}");
    samples.iter().for_each(|sample| harness(sample));
    let mut chance = Chance::from_seed(4475);
    for round in 0..spoils {
        harness(&spoilt(&samples[round % samples.len()], &mut chance));
    }
}

#[test]
fn no_message_breaks_a_promise() {
    play("message", SPOILT);
}

#[test]
fn no_description_breaks_a_promise() {
    play("sdp", SPOILT);
}

#[test]
fn no_info_body_breaks_a_promise() {
    play("info", SPOILT);
}

#[test]
fn no_xml_breaks_a_promise() {
    play("xml", SPOILT);
}

#[test]
fn no_packet_breaks_a_promise() {
    play("rtp", SPOILT);
}

#[test]
fn no_journal_breaks_a_promise_of_the_engine() {
    play("journal", SPOILT / 20);
}

#[test]
fn no_conversation_breaks_a_promise_of_the_engine() {
    play("engine", SPOILT / 20);
}
