//! The binary as an operator runs it, with a configuration of its own.
#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// A process that does not outlive its test.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    /// Waits until it ends: its exit code.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        self.0.wait().unwrap().code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The binary, running with a configuration of its own.
#[derive(Debug)]
pub(crate) struct Binary {
    pub(crate) child: Process,
    pub(crate) lines: BufReader<ChildStdout>,
    pub(crate) folder: TempDir,
    pub(crate) phones: SocketAddr,
}

impl Binary {
    /// With the operators' door on the Unix socket only.
    pub(crate) fn with(more: &str, pbx: SocketAddr) -> Binary {
        Binary::with_door("listen = \"off\"", more, pbx)
    }

    /// With this of `[admin]`, beside its socket.
    pub(crate) fn with_door(admin: &str, more: &str, pbx: SocketAddr) -> Binary {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "[phones]\nlisten = [\"udp:127.0.0.1:0\"]\n\
             [pbx]\nlisten = [\"udp:127.0.0.1:0\"]\ntarget = [\"sip:{pbx}\"]\n\
             [media]\nfast_path = \"off\"\ncodecs = [\"PCMA\"]\n[admin]\nsocket = \"{}\"\n{admin}\n{more}",
            folder.path().join("door.sock").display()
        );
        std::fs::write(folder.path().join("parkade.toml"), text).unwrap();
        Binary::start(folder)
    }

    pub(crate) fn start(folder: TempDir) -> Binary {
        let mut child = Command::new(assert_cmd::cargo::cargo_bin("parkade"))
            .args(["run", "--config"])
            .arg(folder.path().join("parkade.toml"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let phones = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut binary = Binary { child: Process(child), lines, folder, phones };
        // The phones' socket is the first that is told, in text or in JSON.
        let listening = binary.told("listening on udp:");
        let address = listening.split("udp:").nth(1).unwrap();
        let end = address.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':').unwrap();
        binary.phones = address[..end].parse().unwrap();
        binary.told("admin door at");
        binary
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("door.sock")
    }

    /// The next line of the log that says this.
    pub(crate) fn told(&mut self, what: &str) -> String {
        let mut seen = String::new();
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).unwrap() == 0 {
                panic!("never told {what:?}:\n{seen}");
            }
            if line.contains(what) {
                return line;
            }
            seen += &line;
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.0.id()).unwrap()), signal).unwrap();
    }

    pub(crate) fn ended(mut self) -> (Option<i32>, PathBuf) {
        (self.child.ended(), self.socket())
    }

    /// What the Unix socket answers: the status, and the JSON that it gives, or null.
    pub(crate) fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut stream = UnixStream::connect(self.socket()).unwrap();
        exchange(&mut stream, method, path, &[], body)
    }

    /// The same of what is there.
    pub(crate) fn get(&self, path: &str) -> Value {
        let (status, json) = self.ask("GET", path, None);
        assert_eq!(status, 200, "{path}: {json}");
        json
    }
}

/// One request, and its answer: the status, and the JSON that it gives, or null.
pub(crate) fn exchange(
    stream: &mut (impl Read + Write),
    method: &str,
    path: &str,
    headers: &[&str],
    body: Option<Value>,
) -> (u16, Value) {
    let (status, _, body) = whole_exchange(stream, method, path, headers, body);
    let json = if body.is_empty() { Value::Null } else { serde_json::from_str(&body).unwrap() };
    (status, json)
}

/// The same with the head and the body as text.
pub(crate) fn whole_exchange(
    stream: &mut (impl Read + Write),
    method: &str,
    path: &str,
    headers: &[&str],
    body: Option<Value>,
) -> (u16, String, String) {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: parkade\r\nConnection: close\r\n");
    for header in headers {
        text += &format!("{header}\r\n");
    }
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    if !body.is_empty() {
        text += "Content-Type: application/json\r\n";
    }
    text += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect(&answer);
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_owned(), unchunked(head, body))
}

/// A body without the sizes of its chunks.
fn unchunked(head: &str, body: &str) -> String {
    if !head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        return body.to_owned();
    }
    let (mut whole, mut rest) = (String::new(), body);
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            break;
        }
        whole += &after[..size];
        rest = &after[size + 2..];
    }
    whole
}

/// What `parkade parked` says, and with which code it ends.
pub(crate) fn parked(socket: &Path, more: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(assert_cmd::cargo::cargo_bin("parkade"))
        .args(["parked", "--socket"])
        .arg(socket)
        .args(more)
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}
