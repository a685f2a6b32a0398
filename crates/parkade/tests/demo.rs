//! `parkade demo`: real sockets, real time, verified by itself; here it is only run.

use std::process::Output;
use std::time::{Duration, Instant};

use assert_cmd::Command;

/// The demo says that it takes less.
const LONGEST: Duration = Duration::from_secs(30);

fn demo() -> Output {
    let mut command = Command::cargo_bin("parkade").expect("built");
    command.arg("demo").timeout(LONGEST).output().expect("runs")
}

#[track_caller]
fn assert_verified(output: &Output) {
    let told = String::from_utf8_lossy(&output.stdout);
    let wrong = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}\n{wrong}");
    assert!(!told.contains('✗') && wrong.is_empty(), "{told}\n{wrong}");
    let steps = [
        "the caller and 103 hear each other",
        "105's lamp lights",
        "the caller hears music",
        "the caller and 105 hear each other",
        "105's lamp goes out",
        "the lamps of the group light",
        "105 rings",
        "all lamps go out",
        "no call is left anywhere",
        "all that the caller heard was one stream",
    ];
    for step in steps {
        assert!(told.contains(&format!("✓ {step}: ")), "{step:?} is missing in\n{told}");
    }
    assert!(told.contains("103 → house   REFER to *68105\n"), "{told}");
    // The log is quiet, and nobody who reads the ladder in a file wants its colours.
    assert!(!told.contains("WARN") && !told.contains('\x1b'), "{told}");
}

#[test]
fn the_demo_verifies_each_of_its_steps() {
    let begun = Instant::now();
    assert_verified(&demo());
    assert!(begun.elapsed() < LONGEST);
}

#[test]
fn two_demos_at_once_do_not_meet() {
    let other = std::thread::spawn(demo);
    assert_verified(&demo());
    assert_verified(&other.join().expect("ends"));
}
