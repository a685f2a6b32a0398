//! The command line: what is printed, and with which exit code it ends.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Output;

use assert_cmd::Command;

fn parkade(args: &[&str]) -> Output {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check");
    let mut command = Command::cargo_bin("parkade").unwrap();
    command.current_dir(folder).args(args).timeout(std::time::Duration::from_secs(30));
    command.output().unwrap()
}

#[track_caller]
fn problems(file: &str) -> String {
    let output = parkade(&["check", file]);
    assert_eq!(output.status.code(), Some(78));
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn every_problem_is_told_with_its_line_and_what_may_have_been_meant() {
    insta::assert_snapshot!(problems("many.toml"));
}

#[test]
fn codes_slots_and_groups_are_held_against_each_other() {
    insta::assert_snapshot!(problems("numbers.toml"));
}

#[test]
fn sockets_ports_and_files_are_held_against_each_other() {
    insta::assert_snapshot!(problems("ports.toml"));
}

#[test]
fn ways_to_ask_and_profiles_are_told_with_all_that_is_wrong_and_no_key_without_effect() {
    insta::assert_snapshot!(problems("dialects.toml"));
}

#[test]
fn text_that_is_no_toml_is_told_with_its_lines() {
    insta::assert_snapshot!(problems("syntax.toml"));
}

#[test]
fn a_file_that_is_not_there_is_told() {
    insta::assert_snapshot!(problems("absent.toml"));
}

#[test]
fn a_good_file_has_no_problems() {
    let output = parkade(&["check", "small.toml"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "small.toml: no problems\n");
}

#[test]
fn the_host_is_told_of_a_fact_a_line_and_for_programs_too() {
    let output = parkade(&["check", "--host", "--config", "small.toml"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let words = ["ok ", "look ", "missing "];
    assert!(text.lines().all(|l| words.iter().any(|word| l.starts_with(word))), "{text}");
    for about in ["nftables", "forwarding IPv4", "io_uring", "open files"] {
        assert!(text.contains(about), "{about}: {text}");
    }
    let lacks = text.lines().any(|line| line.starts_with("missing "));
    assert_eq!(output.status.code(), Some(i32::from(lacks)), "{text}");
    let output = parkade(&["check", "--host", "--json"]);
    let facts: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let facts = facts["host"].as_array().unwrap();
    assert!(facts.iter().all(|fact| fact["says"].as_str().is_some_and(|says| !says.is_empty())));
    // A file, or the host.
    assert_eq!(parkade(&["check", "--host", "small.toml"]).status.code(), Some(64));
    assert_eq!(parkade(&["check", "--json", "small.toml"]).status.code(), Some(64));
}

#[test]
fn the_help_tells_the_exit_codes() {
    for verb in [
        &["--help"][..],
        &["run", "--help"],
        &["check", "--help"],
        &["parked", "--help"],
        &["profiles", "--help"],
    ] {
        let output = parkade(verb);
        assert_eq!(output.status.code(), Some(0));
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("78  the configuration has problems"), "{text}");
    }
}

#[test]
fn a_line_that_is_not_understood_ends_with_64() {
    for line in [&[][..], &["run"], &["park"], &["check"], &["run", "--config"]] {
        assert_eq!(parkade(line).status.code(), Some(64), "{line:?}");
    }
}

#[test]
fn run_tells_the_problems_before_it_binds_anything() {
    let output = parkade(&["run", "--config", "many.toml"]);
    assert_eq!(output.status.code(), Some(78));
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("many.toml: 17 problems"));
    let output = parkade(&["run", "--pbx", "pbx.example"]);
    assert_eq!(output.status.code(), Some(78));
}

#[test]
fn an_address_that_is_not_ours_is_a_failed_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("parkade.toml");
    let text = "[phones]\nlisten = [\"udp:192.0.2.1:5060\"]\n[pbx]\ntarget = [\"sip:192.0.2.50\"]\n\
                listen = [\"udp:127.0.0.1:0\"]\n";
    std::fs::write(&file, text).unwrap();
    let output = parkade(&["run", "--config", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("phones.listen: udp:192.0.2.1:5060 cannot be bound"), "{told}");
}

#[test]
fn parked_says_when_nobody_is_there_to_be_asked() {
    let output = parkade(&["parked", "--socket", "/nowhere/parkade.sock"]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("no running parkade at /nowhere/parkade.sock"), "{told}");
}

#[track_caller]
fn profiles(more: &[&str]) -> String {
    let output = parkade(&[&["profiles"], more].concat());
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn profiles_are_listed_in_the_order_in_which_they_are_tried() {
    insta::assert_snapshot!(profiles(&["--config", "profiles.toml"]));
}

#[test]
fn without_a_configuration_the_built_in_profiles_are_listed() {
    let (own, built_in) = (profiles(&["--config", "profiles.toml"]), profiles(&[]));
    let names = |text: &str| -> Vec<String> {
        text.lines().filter(|l| !l.starts_with(' ') && !l.is_empty()).map(Into::into).collect()
    };
    assert_eq!(names(&own)[0], "lobby");
    assert_eq!(names(&own)[1..], names(&built_in));
}

#[test]
fn profiles_are_listed_for_programs_too() {
    let text = profiles(&["--json", "--config", "profiles.toml"]);
    let list: serde_json::Value = serde_json::from_str(&text).unwrap();
    let list = list["profiles"].as_array().unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&list[0]).unwrap());
    let last = list.last().unwrap();
    assert_eq!(last["name"], "unknown");
    assert!(last["user_agent"].is_null());
    assert_eq!(last["empty_has_ended"], true);
}

#[test]
fn profiles_of_a_configuration_with_problems_are_not_listed() {
    assert_eq!(parkade(&["profiles", "--config", "dialects.toml"]).status.code(), Some(78));
}

#[test]
fn the_command_and_each_verb_have_a_man_page() {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("share/man1");
    let output = parkade(&["man", made.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));

    let help = String::from_utf8(parkade(&["--help"]).stdout).unwrap();
    let verbs = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let verbs =
        verbs.take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next());
    let mut wanted: Vec<String> =
        verbs.filter(|verb| *verb != "help").map(|verb| format!("parkade-{verb}.1")).collect();
    wanted.push("parkade.1".to_owned());
    wanted.sort();
    let mut found: Vec<String> = std::fs::read_dir(&made)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert_eq!(found, wanted);

    let page = std::fs::read_to_string(made.join("parkade-check.1")).unwrap();
    insta::assert_snapshot!(page.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
}

#[test]
fn a_folder_for_man_pages_that_cannot_be_made_is_told() {
    let output = parkade(&["man", "small.toml/share"]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.starts_with("parkade: cannot write to small.toml/share: "), "{told}");
}

#[test]
fn every_shell_is_told_how_to_complete_the_verbs() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = parkade(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0));
        let script = String::from_utf8(output.stdout).unwrap();
        for word in ["parked", "completions", "host"] {
            assert!(script.contains(word), "{shell} is not told of {word}");
        }
    }
    assert_eq!(parkade(&["completions", "csh"]).status.code(), Some(64));
}
