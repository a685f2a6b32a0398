//! What an operator sees and steers, with real calls: by the API, events, webhooks, Homer and records.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};

use crate::config::FastPath;
use crate::demo::seats::CALLER;
use crate::demo::stage::Stage;
use crate::demo::steps::{nothing_left, parked_at, rings, talking};
use crate::demo::tests::{ALICE, answered, park};

const PATIENCE: Duration = Duration::from_secs(10);

/// Events as `/events` tells them: kind and object.
fn listen(socket: &Path) -> mpsc::Receiver<(String, Value)> {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(b"GET /events HTTP/1.1\r\nHost: parkade\r\n\r\n").unwrap();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut kind = String::new();
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if let Some(word) = line.strip_prefix("event: ") {
                kind = word.to_owned();
            }
            if let Some(json) = line.strip_prefix("data: ") {
                let _ = tell.send((kind.clone(), serde_json::from_str(json).unwrap()));
            }
        }
    });
    told
}

/// The next event of this kind.
fn next(told: &mpsc::Receiver<(String, Value)>, kind: &str) -> Value {
    loop {
        let (word, event) = told.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no {kind}"));
        if word == kind {
            return event;
        }
    }
}

/// Somebody who is told by webhook, and does not take what comes first: heads and bodies.
fn receive() -> (String, mpsc::Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/parked", listener.local_addr().unwrap());
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut statuses = ["503 Not Now"].into_iter().chain(std::iter::repeat("204 Taken"));
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream);
            loop {
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    if reader.read_line(&mut head).unwrap_or(0) == 0 {
                        break;
                    }
                }
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                let Some(length) = length else { break };
                let mut body = vec![0; length.parse().unwrap()];
                reader.read_exact(&mut body).unwrap();
                let _ = tell.send((head, String::from_utf8(body).unwrap()));
                let status = statuses.next().unwrap();
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
                reader.get_mut().write_all(answer.as_bytes()).unwrap();
            }
        }
    });
    (url, told)
}

fn header<'h>(head: &'h str, name: &str) -> &'h str {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).expect(head)
}

#[test]
fn an_operator_sees_a_parked_call_moves_and_delivers_it_and_finds_it_in_the_records() {
    let folder = tempfile::tempdir().unwrap();
    let records = folder.path().join("records.jsonl");
    let homer = UdpSocket::bind("127.0.0.1:0").unwrap();
    homer.set_read_timeout(Some(PATIENCE)).unwrap();
    let (url, hooked) = receive();
    let more = format!(
        "[records]\nfile = {records:?}\n[hep]\nto = \"{}\"\n[[webhook]]\nurl = \"{url}\"\n\
         secret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"\nevents = [\"parked\", \"record\"]\n",
        homer.local_addr().unwrap()
    );
    let mut stage = Stage::with(FastPath::Off, &more).unwrap();
    let told = listen(&stage.house.socket());
    for seat in [CALLER, ALICE] {
        stage.act(seat, |phone, now| phone.speak(now, true));
    }
    answered(&mut stage, ALICE);
    stage.pass(Duration::from_millis(200)).unwrap();
    park(&mut stage);
    let parked = next(&told, "parked");
    assert_eq!((&parked["slot"], &parked["parker"]), (&json!("105"), &json!("103")));
    let name = parked["park"].as_str().unwrap().to_owned();
    let order = |stage: &Stage, method, path: String, body: Option<Value>| {
        stage.house.asker().unwrap().ask(method, &path, body.as_ref()).map_err(|e| e.to_string())
    };
    let to = |slot: &str| Some(json!({ "slot": slot }));
    let refused = order(&stage, Method::POST, format!("/api/parked/{name}/move"), to("799"));
    assert!(refused.is_err(), "there is no slot 799");
    order(&stage, Method::POST, format!("/api/parked/{name}/move"), to("701")).unwrap();
    assert_eq!(next(&told, "moved")["slot"], "701");
    stage.verify("it is at 701", "the same call", |s| parked_at(s, "701")).unwrap();
    let body = Some(json!({ "to": "105" }));
    order(&stage, Method::POST, format!("/api/parked/{name}/retrieve"), body).unwrap();
    stage.verify("Alice's phone rings", "a call", |s| rings(s, ALICE)).unwrap();
    stage.act(ALICE, |phone, now| phone.answer(now));
    stage.verify("they talk", "their tones", |s| talking(s, CALLER, ALICE)).unwrap();
    let retrieved = next(&told, "retrieved");
    assert_eq!((&retrieved["by"], &retrieved["park"]), (&json!("105"), &json!(name)));
    let gone = order(&stage, Method::POST, format!("/api/parked/{name}/recall"), None);
    assert!(gone.is_err(), "it is parked no more");

    let call = parked["call_id"].as_str().unwrap();
    let trace = order(&stage, Method::GET, format!("/api/trace?call_id={call}"), None).unwrap();
    let trace: Value = serde_json::from_slice(&trace).unwrap();
    let first = &trace["messages"][0];
    assert!(first["line"].as_str().unwrap().starts_with("INVITE sip:103~"), "{first}");
    assert_eq!((&first["side"], &first["way"]), (&json!("pbx"), &json!("in")));
    let file = order(&stage, Method::GET, format!("/api/trace.pcap?call_id={call}"), None).unwrap();
    let magic = u32::from_ne_bytes(file[..4].try_into().unwrap());
    assert!([0xa1b2_c3d4, 0xa1b2_c3d4_u32.swap_bytes()].contains(&magic), "{magic:x}");
    assert!(String::from_utf8_lossy(&file).contains(call));

    // Alice's phone has the call that was Jane's with James.
    let calls = order(&stage, Method::GET, "/api/calls".into(), None).unwrap();
    let calls: Value = serde_json::from_slice(&calls).unwrap();
    let [talking] = calls["calls"].as_array().unwrap().as_slice() else { panic!("{calls}") };
    assert_eq!(talking["state"], "talking");
    let id = talking["id"].as_str().unwrap();
    let record = next(&told, "record");
    assert_eq!((&record["outcome"], &record["by"]), (&json!("retrieved"), &json!("105")));
    assert_eq!(record["moved_from"], json!(["105"]));
    assert!(record["streams"].as_array().unwrap().iter().any(|s| s["received"] != 0), "{record}");
    order(&stage, Method::DELETE, format!("/api/calls/{id}"), None).unwrap();
    stage.verify("nothing is left", "two bindings", |s| nothing_left(s, 2)).unwrap();

    let (head, body) = hooked.recv_timeout(PATIENCE).unwrap();
    let (again, same) = hooked.recv_timeout(PATIENCE).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), parked);
    assert_eq!((header(&head, "webhook-id"), &body), (header(&again, "webhook-id"), &same));
    assert!(header(&head, "webhook-signature").starts_with("v1,"), "{head}");
    let (_, last) = hooked.recv_timeout(PATIENCE).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&last).unwrap(), record);

    let mut room = vec![0; 65_536];
    let (length, _) = homer.recv_from(&mut room).unwrap();
    assert!(room.starts_with(b"HEP3"));
    let packet = String::from_utf8_lossy(&room[..length]).into_owned();
    assert!(packet.contains("REGISTER sip:"), "{packet}");

    let Stage { house, .. } = stage;
    house.end().unwrap();
    let lines = std::fs::read_to_string(&records).unwrap();
    assert_eq!(serde_json::from_str::<Value>(lines.trim()).unwrap(), record, "one line");
}
