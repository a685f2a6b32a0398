//! The binary with the kernel's fast path, as an operator meets it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use tempfile::TempDir;

/// A user who may nothing.
const NOBODY: u32 = 65_534;

/// A configuration of its own, in a folder that ends with it.
fn configured(media: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "[phones]\nlisten = [\"udp:127.0.0.1:0\"]\n[pbx]\nlisten = [\"udp:127.0.0.1:0\"]\n\
         target = [\"sip:127.0.0.1:5060\"]\n[media]\ncodecs = [\"PCMA\"]\n\
         ports = \"34000-34199\"\n{media}\n[admin]\nsocket = \"{}\"\n",
        folder.path().join("door.sock").display()
    );
    std::fs::write(folder.path().join("parkade.toml"), text).unwrap();
    folder
}

fn parkade(folder: &Path) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("parkade"));
    command.args(["run", "--config"]).arg(folder.join("parkade.toml")).stdout(Stdio::piped());
    command
}

/// The running program, and what it says.
struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Running {
    fn start(mut command: Command) -> Running {
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Running { child, lines }
    }

    /// The next line with these words in it.
    #[track_caller]
    fn told(&mut self, words: &str) -> String {
        let mut line = String::new();
        while self.lines.read_line(&mut line).unwrap() > 0 {
            if line.contains(words) {
                return line;
            }
            line.clear();
        }
        panic!("it ended without a word of {words:?}");
    }

    fn end(mut self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn tool(program: &str, words: &[&str]) -> Option<String> {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let Output { status, stdout, .. } =
        Command::new(program).args(words).env("PATH", path).output().ok()?;
    status.success().then(|| String::from_utf8_lossy(&stdout).into_owned())
}

/// Puts the thread, and what it starts, into a network of its own that forwards.
fn own_network() -> bool {
    let made = unshare(CloneFlags::CLONE_NEWNET).is_ok()
        && tool("ip", &["link", "set", "lo", "up"]).is_some()
        && std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").is_ok()
        && tool("nft", &["list", "ruleset"]).is_some();
    if !made {
        eprintln!("SKIPPED, it takes a network namespace, ip and nft: this machine gives us none");
    }
    made
}

fn tables() -> String {
    tool("nft", &["list", "tables"]).unwrap()
}

#[test]
fn the_table_is_there_while_the_program_runs_and_as_long_as_it_was_killed() {
    if !own_network() {
        return;
    }
    let folder = configured("fast_path = \"nftables\"");
    let start = || {
        let mut running = Running::start(parkade(folder.path()));
        let told = running.told("the kernel forwards for calls that talk");
        assert!(told.contains("table inet parkade-34000-34199"), "{told}");
        running.told("listening on");
        running
    };
    let ours = "table inet parkade-34000-34199\n";
    let running = start();
    assert_eq!(tables(), ours);
    running.end(Signal::SIGKILL);
    assert_eq!(tables(), ours);
    let running = start();
    assert_eq!(tables(), ours);
    running.end(Signal::SIGTERM);
    assert_eq!(tables(), "");
}

#[test]
fn auto_has_the_table_where_it_can_and_one_ssrc_and_off_do_without() {
    if !own_network() {
        return;
    }
    for (media, table) in [("", true), ("one_ssrc = true", false), ("fast_path = \"off\"", false)] {
        let folder = configured(media);
        let mut running = Running::start(parkade(folder.path()));
        running.told("listening on");
        assert_eq!(!tables().is_empty(), table, "{media}");
        running.end(Signal::SIGTERM);
    }
}

#[test]
fn who_may_not_change_the_network_is_told_so_and_relays_by_itself() {
    let (unprivileged, program) =
        (Uid::effective().as_raw() != 0, assert_cmd::cargo::cargo_bin("parkade"));
    let folder = configured("");
    let command = |folder: &Path| {
        let mut command = parkade(folder);
        if !unprivileged {
            command.uid(NOBODY);
        }
        command
    };
    if !unprivileged {
        std::os::unix::fs::chown(folder.path(), Some(NOBODY), None).unwrap();
        let reached = Command::new(&program).arg("--version").uid(NOBODY).output();
        if !reached.is_ok_and(|output| output.status.success()) {
            eprintln!("SKIPPED, another user cannot run {}", program.display());
            return;
        }
    }
    // In a network that forwards the privilege is what is missing; else that it forwards nothing.
    let alone = !unprivileged && own_network();
    let why = if alone { "it needs the capability CAP_NET_ADMIN" } else { "" };
    let mut running = Running::start(command(folder.path()));
    let told = running.told("the kernel forwards nothing, Parkade does");
    assert!(told.contains(why), "{told}");
    running.told("listening on");
    running.end(Signal::SIGTERM);
    // Without clang there is nothing that could be loaded.
    let either = ["CAP_BPF", "built without clang"];
    for (media, named, why) in [("", "nftables", &[why][..]), ("one_ssrc = true", "bpf", &either)] {
        let folder = configured(&format!("fast_path = \"{named}\"\n{media}"));
        if !unprivileged {
            std::os::unix::fs::chown(folder.path(), Some(NOBODY), None).unwrap();
        }
        let output = command(folder.path()).stderr(Stdio::piped()).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains(&format!("fast_path = \"{named}\" cannot be had")), "{told}");
        assert!(why.iter().any(|why| told.contains(why)), "{told}");
    }
}
