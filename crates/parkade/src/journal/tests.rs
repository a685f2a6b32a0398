//! The journal on a real disk.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use park_core::{JournalStep, RecordKey, RecordKind};
use tempfile::TempDir;

use super::Journal;
use crate::config::KeepMode;

fn put(number: u64, record: &[u8]) -> JournalStep {
    let key = RecordKey { kind: RecordKind::Leg, number };
    JournalStep::Put { key, record: record.to_vec() }
}

fn remove(number: u64) -> JournalStep {
    JournalStep::Remove { key: RecordKey { kind: RecordKind::Leg, number } }
}

fn read(folder: &TempDir) -> Vec<(u64, Vec<u8>)> {
    let (_, records) = Journal::open(&folder.path().join("journal.redb"), KeepMode::Batch).unwrap();
    records.into_iter().map(|(key, record)| (key.number, record)).collect()
}

fn open(folder: &TempDir, mode: KeepMode) -> Journal {
    Journal::open(&folder.path().join("journal.redb"), mode).unwrap().0
}

#[test]
fn what_was_written_is_there_after_a_restart_and_what_was_taken_out_is_not() {
    for mode in [KeepMode::Batch, KeepMode::Always, KeepMode::Off] {
        let folder = tempfile::tempdir().unwrap();
        let journal = open(&folder, mode);
        journal.write(vec![put(1, b"one"), put(2, b"two")]);
        journal.write(vec![put(2, b"deux"), remove(1), put(3, b"three")]);
        drop(journal);
        assert_eq!(read(&folder), [(2, b"deux".to_vec()), (3, b"three".to_vec())], "{mode:?}");
    }
}

#[test]
fn nobody_else_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    open(&folder, KeepMode::Batch).write(vec![put(1, b"one")]);
    let mode = fs::metadata(folder.path().join("journal.redb")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_new_run_clears_what_the_last_one_wrote_in_the_commit_that_writes_its_own() {
    let folder = tempfile::tempdir().unwrap();
    open(&folder, KeepMode::Batch).write(vec![put(1, b"one"), put(2, b"two")]);
    open(&folder, KeepMode::Batch).write(vec![JournalStep::Clear, put(7, b"seven")]);
    assert_eq!(read(&folder), [(7, b"seven".to_vec())]);
}

#[test]
fn what_lasts_is_carried_on_and_what_comes_and_goes_takes_no_room() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder, KeepMode::Off);
    let lasting: Vec<(u64, Vec<u8>)> =
        (0..100).map(|number| (number, vec![number as u8; 1_000])).collect();
    journal.write(lasting.iter().map(|(number, record)| put(*number, record)).collect());
    // Each commit takes what has come meanwhile: here 60 MB in all.
    for round in 0..600 {
        let numbers = 1_000 + round * 100..1_100 + round * 100;
        journal.write(numbers.clone().map(|number| put(number, &[7; 1_000])).collect());
        let written = journal.figures().records;
        while journal.figures().records < written + 100 {
            std::thread::yield_now();
        }
        journal.write(numbers.map(remove).collect());
    }
    drop(journal);
    let size = fs::metadata(folder.path().join("journal.redb")).unwrap().len();
    assert!(size < 16 << 20, "{size} bytes");
    let mut kept = read(&folder);
    kept.sort();
    assert_eq!(kept, lasting);
}

#[test]
fn changes_are_kept_within_the_promised_time_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder, KeepMode::Batch);
    for number in 0..100 {
        journal.write(vec![put(number, b"record")]);
    }
    let begun = Instant::now();
    while journal.figures().records < 100 && begun.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(1));
    }
    let figures = journal.figures();
    assert_eq!((figures.records, figures.failures), (100, 0));
    assert!(figures.commits <= 10, "{figures:?}");
    assert!(figures.longest_window >= figures.last_window);
}

#[test]
fn a_journal_that_is_no_journal_is_set_aside_and_a_new_one_begun() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.redb");
    fs::write(
        &path,
        b"this is no journal, whatever its name says; and long enough to be read as one".repeat(99),
    )
    .unwrap();
    assert_eq!(read(&folder), []);
    let aside = fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.file_name());
    let aside: Vec<String> = aside.map(|name| name.to_string_lossy().into_owned()).collect();
    assert!(aside.iter().any(|name| name.starts_with("journal.redb.aside-")), "{aside:?}");
    open(&folder, KeepMode::Batch).write(vec![put(1, b"one")]);
    assert_eq!(read(&folder), [(1, b"one".to_vec())]);
}

#[test]
fn a_damaged_journal_is_set_aside_or_read_and_never_keeps_the_program_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.redb");
    let journal = open(&folder, KeepMode::Batch);
    journal.write((0..200).map(|number| put(number, &[7; 500])).collect());
    drop(journal);
    let whole = fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(whole.len() / 40) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        fs::write(&path, &damaged).unwrap();
        let opened = Journal::open(&path, KeepMode::Batch);
        assert!(opened.is_some(), "byte {at}");
    }
}

#[test]
fn one_file_is_for_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(&folder, KeepMode::Batch);
    let path = folder.path().join("journal.redb");
    assert!(Journal::open(&path, KeepMode::Batch).is_none());
    drop(first);
    assert!(Journal::open(&path, KeepMode::Batch).is_some());
}
