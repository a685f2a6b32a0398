//! The binary with `media.one_ssrc`, between networks, by SIP: talk, music and a retriever are one stream for the far side,
//! and the kernel forwards it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../src/media/tests/net.rs"]
#[allow(dead_code, reason = "of the networks of the media's own tests this takes its part")]
mod net;

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use net::{Net, at};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const FRAME: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(10);
const PHONE: &str = "192.0.2.10";
const PBX: &str = "198.51.100.20";
const HOUSE: &str = "192.0.2.1:5060";

const CONFIG: &str = r#"
[phones]
listen = ["udp:192.0.2.1:5060"]
trusted = ["192.0.2.0/24"]
[pbx]
target = ["sip:198.51.100.20:5060"]
listen = ["udp:198.51.100.1:5080"]
[media]
phones_address = "192.0.2.1"
pbx_address = "198.51.100.1"
ports = "34000-34199"
codecs = ["PCMA"]
one_ssrc = true
fast_path = "bpf"
[[lot]]
name = "office"
slots = "701-720"
"#;

/// The first value of a header field.
fn field<'m>(message: &'m str, name: &str) -> &'m str {
    let line = message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_default()
}

/// Where a description wants its sound.
fn media(message: &str) -> SocketAddr {
    let after = |start: &str| {
        let line = message.lines().find_map(|line| line.strip_prefix(start)).unwrap();
        line.split(' ').next().unwrap().to_owned()
    };
    at(&format!("{}:{}", after("c=IN IP4 "), after("m=audio ")))
}

fn description(ip: &str, port: u16) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8\r\n\
         a=rtpmap:8 PCMA/8000\r\na=ptime:20\r\n"
    )
}

fn whole(mut lines: Vec<String>, body: &str) -> String {
    if !body.is_empty() {
        lines.push("Content-Type: application/sdp".into());
    }
    lines.push(format!("Content-Length: {}", body.len()));
    format!("{}\r\n\r\n{body}", lines.join("\r\n"))
}

/// The program, with nothing of it left when the test ends.
struct Program(Child);

impl Program {
    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.0.id() as i32), signal).unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// RTP that one end sends each 20 ms.
struct Talker {
    socket: UdpSocket,
    to: Option<SocketAddr>,
    ssrc: u32,
    seq: u16,
}

impl Talker {
    fn speak(&mut self) {
        let Some(to) = self.to else { return };
        let mut packet = vec![0x80, 8];
        packet.extend(self.seq.to_be_bytes());
        packet.extend((u32::from(self.seq) * 160).to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend([self.ssrc as u8; 160]);
        self.seq = self.seq.wrapping_add(1);
        self.socket.send_to(&packet, to).unwrap();
    }

    /// What has come meanwhile.
    fn heard(&self) -> Vec<Vec<u8>> {
        let mut room = [0; 2_048];
        let one = || self.socket.recv(&mut room).ok().map(|len| room[..len].to_vec());
        std::iter::from_fn(one).collect()
    }
}

/// Both ends of the call, in SIP and RTP.
struct Ends {
    phone: UdpSocket,
    pbx: UdpSocket,
    talkers: Vec<Talker>,
    /// What the phone has been told and nobody has looked at.
    told: VecDeque<String>,
    /// The newest that the PBX has heard: sequence number, timestamp, SSRC, who it is from.
    newest: Option<([u32; 3], u8)>,
    branch: u32,
}

impl Ends {
    fn new(net: &Net) -> Ends {
        let socket = |side, ip: &str, port: u16| {
            let socket = net.socket(side, &format!("{ip}:{port}"));
            socket.set_nonblocking(true).unwrap();
            socket
        };
        let talker = |side, ip, port, ssrc| Talker {
            socket: socket(side, ip, port),
            to: None,
            ssrc,
            seq: port,
        };
        Ends {
            phone: socket(&net.phones, PHONE, 5_060),
            pbx: socket(&net.pbx, PBX, 5_060),
            talkers: vec![
                talker(&net.pbx, PBX, 5_000, 0xaa),
                talker(&net.phones, PHONE, 4_000, 0xbb),
                talker(&net.phones, PHONE, 4_100, 0xcc),
            ],
            told: VecDeque::new(),
            newest: None,
            branch: 0,
        }
    }

    /// One frame: everybody speaks, and what has come is dealt with.
    fn frame(&mut self) {
        let begun = Instant::now();
        self.talkers.iter_mut().for_each(Talker::speak);
        while begun.elapsed() < FRAME {
            self.answer();
            for packet in self.talkers[0].heard() {
                self.goes_on(&packet);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn frames(&mut self, count: usize) {
        for _ in 0..count {
            self.frame();
        }
    }

    /// That the PBX hears one stream, with no number left out.
    #[track_caller]
    fn goes_on(&mut self, packet: &[u8]) {
        let word = |at: usize| u32::from_be_bytes(packet[at..at + 4].try_into().unwrap());
        let now = [word(0) & 0xffff, word(4), word(8)];
        if let Some((before, _)) = self.newest {
            assert_eq!((now[0], now[2]), ((before[0] + 1) & 0xffff, before[2]));
            let ahead = now[1].wrapping_sub(before[1]);
            assert!((160..1_600).contains(&ahead), "{ahead}");
        }
        self.newest = Some((now, packet[12]));
    }

    /// Answers what the two are asked.
    fn answer(&mut self) {
        let mut room = [0; 65_536];
        for is_pbx in [true, false] {
            let socket = if is_pbx { &self.pbx } else { &self.phone };
            let Ok((len, from)) = socket.recv_from(&mut room) else { continue };
            let message = String::from_utf8_lossy(&room[..len]).into_owned();
            if !message.starts_with("SIP/2.0") && !message.starts_with("ACK") {
                let mut lines = vec!["SIP/2.0 200 OK".to_owned()];
                lines.extend(
                    message.lines().filter(|line| line.starts_with("Via:")).map(String::from),
                );
                for name in ["From", "To", "Call-ID", "CSeq"] {
                    let value = field(&message, name);
                    let tag =
                        if name == "To" && !value.contains(";tag=") { ";tag=pbx" } else { "" };
                    lines.push(format!("{name}: {value}{tag}"));
                }
                let mut body = String::new();
                if message.starts_with("INVITE") {
                    lines.push(format!("Contact: <sip:200@{PBX}:5060>"));
                    self.talkers[0].to = Some(media(&message));
                    body = description(PBX, 5_000);
                }
                socket.send_to(whole(lines, &body).as_bytes(), from).unwrap();
            }
            if !is_pbx {
                self.told.push_back(message);
            }
        }
    }

    /// Waits, talking, until the phone is told something with these words; gives it.
    #[track_caller]
    fn told(&mut self, words: &[&str]) -> String {
        let begun = Instant::now();
        loop {
            while let Some(message) = self.told.pop_front() {
                let (refused, method) = (message.get(8..9) > Some("2"), field(&message, "CSeq"));
                assert!(!(message.starts_with("SIP/2.0") && refused), "{method}: {message}");
                if words.iter().all(|words| message.contains(words)) {
                    return message;
                }
            }
            assert!(begun.elapsed() < PATIENCE, "the phone is never told {words:?}");
            self.frame();
        }
    }

    /// The phone asks for something.
    fn ask(
        &mut self,
        method: &str,
        uri: &str,
        to: &str,
        (call, cseq): (&str, u32),
        more: &str,
        body: &str,
    ) {
        self.branch += 1;
        let mut lines = vec![
            format!("{method} {uri} SIP/2.0"),
            format!("Via: SIP/2.0/UDP {PHONE}:5060;rport;branch=z9hG4bK{call}{}", self.branch),
            format!("From: <sip:103@192.0.2.1>;tag={call}"),
            format!("To: {to}"),
            format!("Call-ID: {call}"),
            format!("CSeq: {cseq} {method}"),
            format!("Contact: <sip:103@{PHONE}:5060>"),
            "Max-Forwards: 70".to_owned(),
        ];
        lines.extend((!more.is_empty()).then(|| more.to_owned()));
        self.phone.send_to(whole(lines, body).as_bytes(), HOUSE).unwrap();
    }

    /// The phone calls; the answer.
    #[track_caller]
    fn call(&mut self, whom: &str, call: &str, talker: usize) -> String {
        let uri = format!("sip:{whom}@192.0.2.1");
        let port = self.talkers[talker].socket.local_addr().unwrap().port();
        let body = description(PHONE, port);
        self.ask("INVITE", &uri, &format!("<{uri}>"), (call, 1), "", &body);
        let answer = self.told(&["SIP/2.0 200", "INVITE", call]);
        self.talkers[talker].to = Some(media(&answer));
        self.within(&answer, "ACK", (call, 1), "");
        answer
    }

    fn within(&mut self, answer: &str, method: &str, (call, cseq): (&str, u32), more: &str) {
        let contact = field(answer, "Contact");
        let uri = contact.trim_start_matches('<').split('>').next().unwrap().to_owned();
        self.ask(method, &uri, field(answer, "To"), (call, cseq), more, "");
    }

    /// That the two go on hearing each other while the program stands still.
    #[track_caller]
    fn hear_each_other_without(&mut self, program: &Program, talker: usize) {
        program.signal(Signal::SIGSTOP);
        self.frames(2);
        self.talkers[talker].heard();
        let before = self.newest.unwrap().0[0];
        self.frames(50);
        let (newest, voice) = self.newest.unwrap();
        let phone_heard = self.talkers[talker].heard();
        program.signal(Signal::SIGCONT);
        let pbx_heard = newest[0].wrapping_sub(before) & 0xffff;
        assert!((48..=52).contains(&pbx_heard), "the PBX heard {pbx_heard}");
        assert_eq!(u32::from(voice), self.talkers[talker].ssrc);
        assert!((48..=52).contains(&phone_heard.len()), "the phone heard {}", phone_heard.len());
    }
}

fn started() -> Option<(Program, tempfile::TempDir)> {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("parkade.toml");
    let door = format!("[admin]\nsocket = \"{}\"\n", folder.path().join("door.sock").display());
    std::fs::write(&config, format!("{CONFIG}{door}")).unwrap();
    let mut child = Command::new(assert_cmd::cargo::cargo_bin("parkade"))
        .args(["run", "--config"])
        .arg(&config)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut lines = String::new();
    while said.read_line(&mut lines).unwrap() > 0 && !lines.contains("listening on") {}
    if !lines.contains("listening on") {
        let output = child.wait_with_output().unwrap();
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        // Without clang or the privilege there is nothing to be seen here; all else is a failure.
        assert!(why.contains("fast_path = \"bpf\" cannot be had"), "{lines}{why}");
        eprintln!("SKIPPED, the kernel takes no program here: {why}");
        return None;
    }
    assert!(lines.contains("one SSRC for each: a BPF program"), "{lines}");
    // What it goes on to say is not looked at, but must go somewhere.
    std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
    Some((Program(child), folder))
}

#[test]
fn talk_music_and_a_retriever_are_one_stream_and_talk_goes_on_while_the_program_stands_still() {
    let Some(net) = net::net() else { return };
    let Some((program, _folder)) = started() else { return };
    let mut ends = Ends::new(&net);
    let answer = ends.call("200", "talk", 1);
    // A source goes by the kernel when 100 packets of it have come.
    ends.frames(150);
    ends.hear_each_other_without(&program, 1);

    ends.within(&answer, "REFER", ("talk", 2), "Refer-To: <sip:701@192.0.2.1>");
    ends.told(&["NOTIFY", "SIP/2.0 200"]);
    ends.within(&answer, "BYE", ("talk", 3), "");
    ends.talkers[1].to = None;
    ends.told(&["SIP/2.0 200", "BYE"]);
    ends.frames(50);
    let (_, music) = ends.newest.unwrap();
    assert!(![0xaa, 0xbb, 0xcc].contains(&music), "music is heard");

    ends.call("701", "take", 2);
    ends.frames(150);
    ends.hear_each_other_without(&program, 2);
    program.signal(Signal::SIGTERM);
}
