//! Strangers at the program's door: what they get, and what operators see of them. The phones' and the PBX's own
//! addresses are others of the loopback network.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::{Duration, Instant};

use base::{Side, Transport};
use serde_json::{Value, json};

use crate::rig::{Binary, PATIENCE, Running, answer, hear, request, settings, udp, write};

const HOUSE: &str = "127.0.0.1";
const STRANGER: &str = "127.0.0.66";

fn own(socket: &UdpSocket) -> SocketAddr {
    socket.local_addr().unwrap()
}

fn from(method: &str, socket: &UdpSocket, branch: &str) -> String {
    request(method, "sip:105@pbx.example", "UDP", own(socket), branch)
}

fn scan(socket: &UdpSocket, branch: &str) -> String {
    from("OPTIONS", socket, branch).replacen("\r\n", "\r\nUser-Agent: friendly-scanner\r\n", 1)
}

/// A connection from this address.
fn connect(ip: &str, to: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(ip.parse().unwrap(), 0).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.into()
}

/// Whether nothing comes for a moment.
fn is_silent(socket: &UdpSocket) -> bool {
    socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    socket.recv(&mut [0; 4_096]).is_err()
}

fn parkade(binary: &Binary, words: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(assert_cmd::cargo::cargo_bin("parkade"))
        .args(words)
        .arg("--socket")
        .arg(binary.socket())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[test]
fn a_scanner_is_banned_listed_and_heard_again_when_an_operator_says_so() {
    let (pbx, scanner) = (udp(HOUSE), udp(STRANGER));
    let mut binary = Binary::with("", own(&pbx));
    let to = binary.phones;
    scanner.send_to(scan(&scanner, "a").as_bytes(), to).unwrap();
    let line = binary.told("banned for 1m: scanner");
    assert!(line.contains(STRANGER), "{line}");
    scanner.send_to(from("REGISTER", &scanner, "b").as_bytes(), to).unwrap();
    assert!(is_silent(&scanner) && is_silent(&pbx), "not even what is no scan is heard now");
    let (code, text) = parkade(&binary, &["bans"]);
    assert_eq!(code, Some(0));
    assert!(
        text.contains("ADDRESS") && text.contains("127.0.0.66") && text.contains("scanner"),
        "{text}"
    );
    let listed = binary.get("/api/bans");
    assert_eq!(
        (&listed["bans"][0]["times"], &listed["bans"][0]["turned_away"]),
        (&1.into(), &1.into())
    );
    let (code, text) = parkade(&binary, &["unban", STRANGER]);
    assert_eq!((code, text.as_str()), (Some(0), "127.0.0.66 is heard again\n"));
    assert_eq!(parkade(&binary, &["bans"]), (Some(0), "nobody is banned\n".to_owned()));
    scanner.send_to(from("REGISTER", &scanner, "c").as_bytes(), to).unwrap();
    assert!(hear(&pbx).0.starts_with("REGISTER "));
    let (code, text) = parkade(&binary, &["unban", STRANGER]);
    assert!(code == Some(1) && text.contains("is not banned"), "{text}");
    let (status, problem) = binary.ask("DELETE", "/api/bans/everybody", None);
    assert_eq!(status, 404, "{problem}");
}

/// The next event of a listener: what it says, and its kind by that name.
fn event(listener: &mut BufReader<UnixStream>) -> Value {
    loop {
        let mut line = String::new();
        assert_ne!(listener.read_line(&mut line).unwrap(), 0, "no event comes any more");
        if let Some(json) = line.strip_prefix("data: ") {
            return serde_json::from_str(json).unwrap();
        }
    }
}

#[test]
fn a_ban_and_its_end_are_told_as_events_with_who_why_and_for_how_long() {
    let (pbx, scanner, other) = (udp(HOUSE), udp(STRANGER), udp("127.0.0.67"));
    let binary = Binary::with("[security]\nunproven_ban = \"1s\"", own(&pbx));
    let mut stream = UnixStream::connect(binary.socket()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let ask = "GET /events?kinds=banned,unbanned HTTP/1.1\r\nHost: parkade\r\n\r\n";
    stream.write_all(ask.as_bytes()).unwrap();
    let mut listener = BufReader::new(stream);
    let mut line = String::new();
    while !line.starts_with(": parkade") {
        line.clear();
        assert_ne!(listener.read_line(&mut line).unwrap(), 0, "it is let in");
    }
    scanner.send_to(scan(&scanner, "a").as_bytes(), binary.phones).unwrap();
    scanner.send_to(scan(&scanner, "b").as_bytes(), binary.phones).unwrap();
    let mut banned = event(&mut listener);
    assert!(banned["at"].take().is_string());
    let wanted = json!({
        "event": "banned", "at": null, "address": STRANGER, "why": "scanner", "lasts_s": 1, "times": 1,
    });
    assert_eq!(banned, wanted);
    let over = event(&mut listener);
    assert_eq!((&over["event"], &over["address"]), (&json!("unbanned"), &json!(STRANGER)));
    assert_eq!((&over["why"], &over["turned_away"]), (&json!("expired"), &json!(1)));
    other.send_to(scan(&other, "c").as_bytes(), binary.phones).unwrap();
    assert_eq!(event(&mut listener)["address"], "127.0.0.67");
    assert_eq!(parkade(&binary, &["unban", "127.0.0.67"]).0, Some(0));
    assert_eq!(event(&mut listener)["why"], "lifted");
}

#[test]
fn who_guesses_passwords_by_a_connection_is_cut_off_and_may_not_connect_again() {
    let pbx = udp(HOUSE);
    let house = Running::with(settings(HOUSE, &[format!("sip:{}", own(&pbx))]));
    let to = house.at(HOUSE, Side::Phones, Transport::Tcp);
    let mut stream = connect(STRANGER, to);
    let at = stream.local_addr().unwrap();
    for guess in 0..31 {
        let text = request("REGISTER", "sip:pbx.example", "TCP", at, &format!("guess{guess}"));
        let text = text.replacen("\r\n", "\r\nAuthorization: Digest username=\"105\"\r\n", 1);
        write(&mut stream, &text);
        let (heard, from) = hear(&pbx);
        pbx.send_to(answer(&heard, "401 Unauthorized").as_bytes(), from).unwrap();
        let mut told = [0; 4_096];
        assert_ne!(stream.read(&mut told).unwrap(), 0, "guess {guess} is answered");
    }
    let text = request("REGISTER", "sip:pbx.example", "TCP", at, "last");
    write(&mut stream, &text);
    assert_eq!(stream.read(&mut [0; 4_096]).unwrap_or(0), 0, "the connection is ended");
    assert!(is_silent(&pbx), "the PBX is left alone");
    let mut again = connect(STRANGER, to);
    write(&mut again, &text);
    assert_eq!(again.read(&mut [0; 4_096]).unwrap_or(0), 0);
    assert!(is_silent(&pbx));
    // From another address all is as it was.
    let mut other = connect("127.0.0.67", to);
    let at = other.local_addr().unwrap();
    write(&mut other, &request("REGISTER", "sip:pbx.example", "TCP", at, "other"));
    assert!(hear(&pbx).0.starts_with("REGISTER "));
}

#[test]
fn a_forged_invite_brings_its_victim_no_more_than_three_times_its_bytes() {
    let (pbx, victim) = (udp(HOUSE), udp(STRANGER));
    let house = Running::with(settings(HOUSE, &[format!("sip:{}", own(&pbx))]));
    let to = house.at(HOUSE, Side::Phones, Transport::Udp);
    let invite = from("INVITE", &victim, "forged");
    victim.send_to(invite.as_bytes(), to).unwrap();
    let (heard, from) = hear(&pbx);
    assert!(heard.starts_with("INVITE "), "{heard}");
    let challenge =
        format!("401 Unauthorized\r\nWWW-Authenticate: Digest nonce=\"{}\"", "x".repeat(300));
    pbx.send_to(answer(&heard, &challenge).as_bytes(), from).unwrap();
    // Without an ACK the 401 would be repeated after 0.5, 1.5 and 3.5 s, and seven times more.
    let until = Instant::now() + Duration::from_secs(4);
    victim.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let (mut bytes, mut messages, mut room) = (0, 0, [0; 4_096]);
    while Instant::now() < until {
        if let Ok(length) = victim.recv(&mut room) {
            bytes += length;
            messages += 1;
        }
    }
    assert!(messages >= 2, "100 and 401 have come");
    assert!(bytes <= 3 * invite.len(), "{bytes} bytes in {messages} messages for {}", invite.len());
}

#[test]
fn whoever_is_not_the_pbx_gets_no_answer_on_its_side() {
    let (pbx, stranger) = (udp(HOUSE), udp(STRANGER));
    let house = Running::with(settings(HOUSE, &[format!("sip:{}", own(&pbx))]));
    let to = house.at(HOUSE, Side::Pbx, Transport::Udp);
    for method in ["OPTIONS", "INVITE", "NOTIFY", "BYE"] {
        stranger.send_to(from(method, &stranger, method).as_bytes(), to).unwrap();
    }
    assert!(is_silent(&stranger));
    let mut stream = connect(STRANGER, house.at(HOUSE, Side::Pbx, Transport::Tcp));
    assert_eq!(stream.read(&mut [0; 64]).unwrap_or(0), 0, "its connection is ended at once");
    pbx.send_to(from("OPTIONS", &pbx, "own").as_bytes(), to).unwrap();
    assert!(hear(&pbx).0.starts_with("SIP/2.0 "), "the PBX is answered");
}
