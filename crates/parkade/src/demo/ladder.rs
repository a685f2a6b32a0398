//! Who says what to whom, as it happens, and what was verified: in columns, for whoever watches.

use std::io::{self, IsTerminal, Write};

use base::Moment;
use sip_msg::Message;

use crate::demo::gist::gist;

const BOLD: &str = "\x1b[1m";
const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[31m";
const PLAIN: &str = "\x1b[0m";

/// The ladder on the standard output. If that is gone the demo goes on: its exit code still counts.
#[derive(Debug)]
pub(super) struct Ladder {
    colours: bool,
    act: u32,
    hushed: Option<u32>,
}

impl Ladder {
    pub(super) fn new() -> Ladder {
        let colours = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Ladder { colours, act: 0, hushed: None }
    }

    fn line(&self, colour: &str, text: &str) {
        let mut out = io::stdout().lock();
        // Nobody may be watching any more.
        let _ = match self.colours && !colour.is_empty() {
            true => writeln!(out, "{colour}{text}{PLAIN}"),
            false => writeln!(out, "{text}"),
        };
    }

    /// The head of the next act.
    pub(super) fn act(&mut self, text: &str) {
        self.act += 1;
        self.line("", "");
        self.line(BOLD, &format!("{}. {text}", self.act));
    }

    /// A message, unless the ladder is hushed.
    pub(super) fn said(&mut self, now: Moment, from: &str, to: &str, bytes: &[u8]) {
        if let Some(hushed) = &mut self.hushed {
            *hushed += 1;
            return;
        }
        let what = match Message::read(bytes.to_vec().into()) {
            Ok(message) => gist(&message),
            Err(_) => format!("{} bytes that are no SIP message", bytes.len()),
        };
        self.line("", &format!("{:>9}  {from:>6} → {to:<6}  {what}", now.to_string()));
    }

    /// Messages are only counted from now on.
    pub(super) fn hush(&mut self) {
        self.hushed = Some(0);
    }

    /// Messages are shown again; gives how many were not.
    pub(super) fn unhush(&mut self) -> u32 {
        self.hushed.take().unwrap_or_default()
    }

    /// A remark.
    pub(super) fn remark(&self, text: &str) {
        self.line("", &format!("{:11}{text}", ""));
    }

    /// A step that was verified.
    pub(super) fn verified(&self, now: Moment, step: &str, seen: &str) {
        let seen = if seen.is_empty() { String::new() } else { format!(": {seen}") };
        self.line(GREEN, &format!("{:>9}  ✓ {step}{seen}", now.to_string()));
    }

    /// A step that was not.
    pub(super) fn missed(&self, now: Moment, step: &str) {
        self.line(RED, &format!("{:>9}  ✗ {step}", now.to_string()));
    }
}
