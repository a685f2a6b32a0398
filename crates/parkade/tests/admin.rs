//! The HTTP door of the running binary: who is let in, and what is answered.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::rig::{Binary, PATIENCE, exchange, udp, whole_exchange};

/// The binary with its door on a free port, and a token of each role.
struct House {
    binary: Binary,
    door: SocketAddr,
    view: String,
    operate: String,
    _pbx: UdpSocket,
}

/// What `parkade token` prints: the token, and what is to be written in the configuration.
fn token(name: &str, more: &[&str]) -> (String, String) {
    let output = Command::new(assert_cmd::cargo::cargo_bin("parkade"))
        .args(["token", name])
        .args(more)
        .output()
        .unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let (token, configuration) = text.split_once('\n').unwrap();
    (token.to_owned(), configuration.to_owned())
}

impl House {
    fn new() -> House {
        House::with("")
    }

    fn with(more: &str) -> House {
        let pbx = udp("127.0.0.1");
        let (view, first) = token("wall \"1\"", &[]);
        let (operate, second) = token("desk", &["--operate"]);
        let more = format!("{first}{second}{more}");
        let at = pbx.local_addr().unwrap();
        let mut binary = Binary::with_door("listen = \"127.0.0.1:0\"", &more, at);
        let told = binary.told("parking board at");
        let door = told.trim().rsplit("http://").next().unwrap().parse().unwrap();
        House { binary, door, view, operate, _pbx: pbx }
    }

    fn stream(&self) -> TcpStream {
        let stream = TcpStream::connect(self.door).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn ask(&self, method: &str, path: &str, token: &str, body: Option<Value>) -> (u16, Value) {
        let header = format!("Authorization: Bearer {token}");
        exchange(&mut self.stream(), method, path, &[&header], body)
    }
}

#[test]
fn who_has_no_token_or_a_wrong_one_is_told_so_and_a_role_is_good_for_what_it_says() {
    let house = House::new();
    let (status, head, body) = whole_exchange(&mut house.stream(), "GET", "/api/parked", &[], None);
    assert_eq!(status, 401);
    let head = head.to_ascii_lowercase();
    assert!(head.contains("www-authenticate: bearer"), "{head}");
    assert!(head.contains("content-type: application/problem+json"), "{head}");
    assert!(body.contains("parkade token makes one"), "{body}");
    assert_eq!(house.ask("GET", "/api/parked", "parkade_guess", None).0, 401);
    let (status, list) = house.ask("GET", "/api/parked", &house.view, None);
    assert_eq!((status, &list["parked"]), (200, &json!([])));
    let (status, problem) = house.ask("POST", "/api/drain", &house.view, None);
    assert_eq!(status, 403);
    assert!(problem["detail"].as_str().unwrap().contains("role is view; operate is needed"));
    assert_eq!(house.ask("POST", "/api/drain", &house.operate, None).0, 204);
    // What asks for no token has none to be wrong.
    for (path, expected) in [("/live", 200), ("/ready", 503), ("/openapi.json", 200)] {
        let (status, ..) = whole_exchange(&mut house.stream(), "GET", path, &[], None);
        assert_eq!(status, expected, "{path}");
    }
    assert_eq!(house.ask("DELETE", "/api/drain", &house.operate, None).0, 204);
    assert_eq!(whole_exchange(&mut house.stream(), "GET", "/ready", &[], None).0, 200);
}

#[test]
fn who_guesses_tokens_has_to_wait() {
    let house = House::new();
    let guesses = (0..20).map(|_| house.ask("GET", "/api/lots", "guess", None).0);
    let statuses: Vec<u16> = guesses.collect();
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 10, "{statuses:?}");
    assert_eq!(statuses.last(), Some(&429));
    // Whoever has a token does not, wherever from, and the Unix socket is another door.
    assert_eq!(house.ask("GET", "/api/lots", &house.view, None).0, 200);
    assert_eq!(house.binary.get("/api/parked")["parked"], json!([]));
}

#[test]
fn a_wrong_request_is_told_what_is_wrong_with_it() {
    let house = House::new();
    let told = |method, path, body| {
        let (status, problem) = house.ask(method, path, &house.operate, body);
        (status, problem["detail"].as_str().unwrap_or_default().to_owned())
    };
    let (status, detail) = told("PUT", "/api/log", Some(json!({ "level": "loud" })));
    assert_eq!(status, 422);
    assert!(detail.contains("unknown variant `loud`, expected one of `error`"), "{detail}");
    let (status, detail) = told("PUT", "/api/log", None);
    assert_eq!(
        (status, detail.as_str()),
        (415, "the body is of no Content-Type; send application/json")
    );
    let (status, detail) = told("PATCH", "/api/log", None);
    assert_eq!(status, 405);
    assert!(detail.contains("PATCH means nothing to /api/log"), "{detail}");
    let (status, detail) = told("GET", "/api/parked/nobody", None);
    assert_eq!(status, 404);
    assert!(detail.contains("no call is parked by the name of \"nobody\""), "{detail}");
    let (status, detail) = told("GET", "/events?kinds=parked,dance", None);
    assert_eq!(status, 400);
    assert!(detail.contains("\"dance\" is no kind of event; there are parked, "), "{detail}");
    let large = json!({ "level": "x".repeat(70_000) });
    assert_eq!(told("PUT", "/api/log", Some(large)).0, 413);
    assert_eq!(told("PUT", "/api/log", Some(json!({ "level": "debug" }))).0, 204);
    let mut stream = house.stream();
    stream.write_all(b"nonsense\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[test]
fn a_login_is_given_out_by_the_unix_socket_only() {
    let house = House::new();
    let order = json!({ "role": "view" });
    assert_eq!(house.ask("POST", "/api/login", &house.operate, Some(order)).0, 403);
    let output = Command::new(assert_cmd::cargo::cargo_bin("parkade"))
        .args(["board", "--view", "--socket"])
        .arg(house.binary.socket())
        .output()
        .unwrap();
    assert!(output.status.success());
    let url = String::from_utf8(output.stdout).unwrap();
    let token = url.trim().strip_prefix(&format!("http://{}/#token=", house.door)).unwrap();
    assert_eq!(house.ask("GET", "/api/lots", token, None).0, 200);
    assert_eq!(house.ask("POST", "/api/drain", token, None).0, 403);
}

#[test]
fn the_parking_board_is_served_to_everybody_and_asks_for_a_token_itself() {
    let house = House::new();
    let get = |path, headers: &[&str]| {
        let (status, head, body) = whole_exchange(&mut house.stream(), "GET", path, headers, None);
        (status, head, body)
    };
    let (status, head, page) = get("/", &[]);
    assert_eq!(status, 200);
    assert!(page.starts_with("<!doctype html>"), "{page}");
    for line in ["content-type: text/html; charset=utf-8", "cache-control: no-cache"] {
        assert!(head.contains(line), "{head}");
    }
    assert!(head.contains("script-src 'self'; style-src 'self'"), "{head}");
    let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    let known = format!("If-None-Match: \"other\", W/{tag}");
    let (status, _, body) = get("/", &[&known]);
    assert_eq!((status, body.as_str()), (304, ""));
    let (status, head, _) = get("/board/board.js", &[]);
    assert_eq!(status, 200);
    assert!(head.contains("content-type: text/javascript"), "{head}");
    let (status, _, problem) = get("/board/../admin.toml", &[]);
    assert_eq!(status, 404, "{problem}");
}

#[test]
fn whoever_has_a_token_may_ask_what_it_is_good_for() {
    let house = House::new();
    let role = |token: &str| house.ask("GET", "/api/role", token, None);
    assert_eq!(role(&house.view), (200, json!({ "role": "view" })));
    assert_eq!(role(&house.operate), (200, json!({ "role": "operate" })));
    assert_eq!(role("parkade_guess").0, 401);
    assert_eq!(house.binary.get("/api/role"), json!({ "role": "operate" }));
}

#[test]
fn who_says_nothing_is_disconnected() {
    let house = House::new();
    let mut silent = house.stream();
    silent.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    silent.write_all(b"GET /live HTTP/1.1\r\nHost").unwrap();
    let mut answer = Vec::new();
    silent.read_to_end(&mut answer).unwrap();
    assert_eq!(house.ask("GET", "/api/lots", &house.view, None).0, 200);
}

#[test]
fn metrics_are_told_as_prometheus_reads_them_and_count_what_has_happened() {
    let house = House::new();
    let phone = udp("127.0.0.1");
    for _ in 0..2 {
        let at = phone.local_addr().unwrap();
        let text = rig::request("OPTIONS", "sip:pbx.example", "UDP", at, "metrics");
        phone.send_to(text.as_bytes(), house.binary.phones).unwrap();
    }
    phone.send_to(b"nonsense", house.binary.phones).unwrap();
    let read = || {
        let header = format!("Authorization: Bearer {}", house.view);
        whole_exchange(&mut house.stream(), "GET", "/metrics", &[&header], None)
    };
    let count = |text: &str, line: &str| {
        text.lines().find_map(|l| l.strip_prefix(line)?.trim().parse::<f64>().ok())
    };
    let options = "parkade_sip_requests_total{side=\"phones\",way=\"in\",method=\"OPTIONS\"}";
    let (begun, mut text) = (std::time::Instant::now(), String::new());
    // The last datagram has come when it is counted.
    while count(&text, "parkade_sip_dropped_total") != Some(1.0) && begun.elapsed() < PATIENCE {
        let (status, head, body) = read();
        assert_eq!(status, 200);
        assert!(head.contains("application/openmetrics-text; version=1.0.0"), "{head}");
        text = body;
    }
    assert_eq!(count(&text, options), Some(2.0), "{text}");
    assert_eq!(count(&text, "parkade_lot_slots_free{lot=\"office\",domain=\"\"}"), Some(20.0));
    assert!(count(&text, "parkade_engine_turn_seconds_count") > Some(2.0), "{text}");
    let ready = "parkade_port_pool{side=\"phones\",state=\"ready\"}";
    assert!(count(&text, ready) > Some(0.0), "{text}");
    assert_eq!(count(&text, "parkade_sip_timeouts_total"), Some(0.0));
    let malformed = text.lines().filter(|line| line.starts_with("parkade_sip_malformed_total{"));
    let malformed: Vec<&str> = malformed.collect();
    assert!(malformed.len() == 1 && malformed[0].ends_with(" 1"), "{malformed:?}");
    assert_well_formed(&text);
    assert_eq!(whole_exchange(&mut house.stream(), "GET", "/metrics", &[], None).0, 401);
}

/// The rules of OpenMetrics that a reader stumbles over: each metric is described once before its
/// values, counters end in `_total`, buckets grow, and the end is said.
fn assert_well_formed(text: &str) {
    let mut kinds = std::collections::BTreeMap::new();
    let mut seen = std::collections::BTreeSet::new();
    let mut last_bucket = None;
    assert!(text.ends_with("# EOF\n"));
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(kinds.insert(name, kind).is_none(), "{name} is described twice");
            continue;
        }
        if line.starts_with('#') {
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
        assert!(seen.insert(series), "{series} is there twice");
        let name = series.split('{').next().unwrap();
        let stem = ["_total", "_bucket", "_sum", "_count"];
        let stem = stem.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        let kind = kinds.get(stem).or(kinds.get(name)).unwrap_or_else(|| panic!("{name}: no TYPE"));
        assert_eq!(*kind == "counter", name.ends_with("_total"), "{line} is a {kind}");
        if name.ends_with("_bucket") {
            let count: u64 = value.parse().unwrap();
            let before = last_bucket.replace((stem, count)).filter(|(of, _)| *of == stem);
            assert!(before.is_none_or(|(_, before)| before <= count), "{line}");
        }
    }
}

#[test]
fn with_a_certificate_the_door_is_encrypted_and_not_open_to_whoever_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let [certificate, key] = ["admin.crt", "admin.key"].map(|name| folder.path().join(name));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let pbx = udp("127.0.0.1");
    let (view, configuration) = token("wall", &[]);
    let door = format!(
        "listen = \"127.0.0.1:0\"\ncertificate = {certificate:?}\nkey = {key:?}\n{configuration}"
    );
    let mut binary = Binary::with_door(&door, "", pbx.local_addr().unwrap());
    let told = binary.told("parking board at https://");
    let at: SocketAddr = told.trim().rsplit("https://").next().unwrap().parse().unwrap();

    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "127.0.0.1".try_into().unwrap();
    let connection = ClientConnection::new(Arc::new(client), name).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(at).unwrap());
    let header = format!("Authorization: Bearer {view}");
    let (status, list) = exchange(&mut stream, "GET", "/api/parked", &[&header], None);
    assert_eq!((status, &list["parked"]), (200, &json!([])));

    let mut plain = TcpStream::connect(at).unwrap();
    plain.set_read_timeout(Some(PATIENCE)).unwrap();
    plain.write_all(format!("GET /api/parked HTTP/1.1\r\n{header}\r\n\r\n").as_bytes()).unwrap();
    let mut answer = Vec::new();
    // It may be reset.
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/"), "{}", String::from_utf8_lossy(&answer));
}
