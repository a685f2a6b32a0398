//! The running binary as an operator meets it: the admin door, signals, the log.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::io::BufRead;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;

use crate::rig::{Binary, answer, hear, line, parked, request, udp};

#[test]
fn the_admin_door_lists_parked_calls_and_refuses_what_it_does_not_understand() {
    let pbx = udp("127.0.0.1");
    let binary = Binary::with("", pbx.local_addr().unwrap());
    let (code, text) = parked(&binary.socket(), &[]);
    assert_eq!(code, Some(0));
    assert!(text.starts_with("no parked calls\n") && text.contains("20 of 20"), "{text}");
    let (code, text) = parked(&binary.socket(), &["--json"]);
    assert_eq!(code, Some(0));
    let told: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(told["parked"], serde_json::json!([]));
    assert_eq!((&told["lots"][0]["lot"], &told["lots"][0]["free"]), (&"office".into(), &20.into()));
    assert_eq!(binary.get("/api/counts")["legs"], 0);
    let (status, problem) = binary.ask("GET", "/api/dance", None);
    assert_eq!((status, &problem["status"]), (404, &404.into()));
    assert_eq!(problem["detail"], "there is no /api/dance; /openapi.json tells what there is");
    let mode = std::fs::metadata(binary.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    binary.signal(Signal::SIGTERM);
    let (code, socket) = binary.ended();
    assert_eq!(code, Some(0));
    assert!(!socket.exists(), "the door is taken away");
}

#[test]
fn a_socket_that_a_dead_instance_left_behind_is_replaced_and_a_live_one_is_not() {
    let pbx = udp("127.0.0.1");
    let binary = Binary::with("", pbx.local_addr().unwrap());
    let second = Command::new(assert_cmd::cargo::cargo_bin("parkade"))
        .args(["run", "--config"])
        .arg(binary.folder.path().join("parkade.toml"))
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    let told = String::from_utf8(second.stderr).unwrap();
    assert!(told.contains("another instance is listening there"), "{told}");
    binary.signal(Signal::SIGKILL);
    let Binary { mut child, folder, .. } = binary;
    child.ended();
    assert!(folder.path().join("door.sock").exists());
    let again = Binary::start(folder);
    assert_eq!(parked(&again.socket(), &[]).0, Some(0));
    again.signal(Signal::SIGTERM);
    assert_eq!(again.ended().0, Some(0));
}

#[test]
fn a_reload_takes_what_can_change_and_says_what_cannot() {
    let pbx = udp("127.0.0.1");
    let mut binary = Binary::with("[[lot]]\nname = \"a\"\n", pbx.local_addr().unwrap());
    let file = binary.folder.path().join("parkade.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let changed = text
        .replace("name = \"a\"", "name = \"b\"")
        .replace("codecs = [\"PCMA\"]", "codecs = [\"PCMA\"]\nports = \"20000-29999\"");
    std::fs::write(&file, changed).unwrap();
    binary.signal(Signal::SIGHUP);
    binary.told("media.ports cannot change");
    binary.told("settings reloaded");
    std::fs::write(&file, "[phones]\nlisten = 1\n").unwrap();
    binary.signal(Signal::SIGHUP);
    binary.told("nothing is reloaded");
    assert_eq!(binary.get("/api/counts")["legs"], 0);
    let (status, problem) = binary.ask("POST", "/api/reload", None);
    assert_eq!(status, 409);
    assert!(problem["detail"].as_str().unwrap().contains("phones.listen"), "{problem}");
    std::fs::write(&file, text).unwrap();
    assert_eq!(binary.ask("POST", "/api/reload", None).0, 202);
    binary.told("settings reloaded");
    binary.signal(Signal::SIGINT);
    assert_eq!(binary.ended().0, Some(0));
}

/// The phone subscribes to slot 701 and answers the notice: its body.
fn watches(phone: &UdpSocket, house: SocketAddr, call: &str) -> String {
    let at = phone.local_addr().unwrap();
    let text = request("SUBSCRIBE", "sip:701@pbx.example", "UDP", at, call)
        .replace("Contact:", "Event: dialog\r\nExpires: 300\r\nContact:");
    phone.send_to(text.as_bytes(), house).unwrap();
    let (mut accepted, mut body) = (false, None);
    while !accepted || body.is_none() {
        let (heard, from) = hear(phone);
        if heard.starts_with("NOTIFY ") {
            phone.send_to(answer(&heard, "200 OK").as_bytes(), from).unwrap();
            body = heard.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
        } else {
            assert!(heard.starts_with("SIP/2.0 200"), "{heard}");
            accepted = true;
        }
    }
    body.unwrap()
}

fn begin_of_2026() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600)
}

fn version(body: &str) -> u64 {
    body.split("version=\"").last().unwrap().split('"').next().unwrap().parse().unwrap()
}

#[test]
fn a_reload_changes_what_phones_of_a_kind_are_told_and_versions_never_go_back() {
    let pbx = udp("127.0.0.1");
    let mut binary = Binary::with("", pbx.local_addr().unwrap());
    let phone = udp("127.0.0.1");
    let agent = "User-Agent: Lobby 1.0\r\nContact:";
    let text = request("REGISTER", "sip:pbx.example", "UDP", phone.local_addr().unwrap(), "here");
    phone.send_to(text.replace("Contact:", agent).as_bytes(), binary.phones).unwrap();
    let (heard, from) = hear(&pbx);
    pbx.send_to(answer(&heard, "200 OK").as_bytes(), from).unwrap();
    assert!(hear(&phone).0.starts_with("SIP/2.0 200"));
    let first = watches(&phone, binary.phones, "first");
    assert!(!first.contains("<dialog "), "{first}");
    let began = begin_of_2026().elapsed().unwrap_or_default().as_secs();
    assert!((began.saturating_sub(60)..=began).contains(&version(&first)), "{first}");
    let file = binary.folder.path().join("parkade.toml");
    let mut text = std::fs::read_to_string(&file).unwrap();
    text += "[[profile]]\nname = \"lobby\"\nuser_agent = \"^Lobby\"\nempty_has_ended = true\n";
    std::fs::write(&file, text).unwrap();
    binary.signal(Signal::SIGHUP);
    binary.told("settings reloaded");
    let second = watches(&phone, binary.phones, "second");
    assert!(second.contains("terminated"), "{second}");
    assert_eq!(version(&second), version(&first), "both are the first of their subscriptions");
    binary.signal(Signal::SIGTERM);
    assert_eq!(binary.ended().0, Some(0));
}

#[test]
fn facts_are_told_in_json_and_credentials_are_not() {
    let pbx = udp("127.0.0.1");
    let more = "[log]\nlevel = \"trace\"\nformat = \"json\"\n[shutdown]\ngrace = \"1s\"\n";
    let mut binary = Binary::with(more, pbx.local_addr().unwrap());
    let phone = udp("127.0.0.1");
    let at = phone.local_addr().unwrap();
    let secret = "Authorization: Digest username=\"103\", response=\"5ec4e7\"\r\nContact";
    let text = request("REGISTER", "sip:pbx.example", "UDP", at, "log").replace("Contact", secret);
    phone.send_to(text.as_bytes(), binary.phones).unwrap();
    let (heard, from) = hear(&pbx);
    assert!(line(&heard, "Authorization:").contains("5ec4e7"), "{heard}");
    pbx.send_to(answer(&heard, "200 OK").as_bytes(), from).unwrap();
    assert!(hear(&phone).0.starts_with("SIP/2.0 200"));
    binary.signal(Signal::SIGTERM);
    let mut log = String::new();
    while binary.lines.read_line(&mut log).unwrap() > 0 {}
    assert_eq!(binary.ended().0, Some(0));
    assert!(!log.contains("5ec4e7"), "{log}");
    let fact = log.lines().find(|line| line.contains("registered at")).expect(&log);
    let fact: serde_json::Value = serde_json::from_str(fact).unwrap();
    assert_eq!(fact["extension"], "103");
    assert_eq!(fact["level"], "INFO");
}
