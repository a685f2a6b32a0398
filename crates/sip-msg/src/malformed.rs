//! A message that was refused at the door, and what its sender is told.

use std::net::SocketAddr;

use bytes::Bytes;

use crate::head::Head;
use crate::name::Name;
use crate::reason::reason_phrase;
use crate::start::{Fault, is_response, method_word};
use crate::text::{is_token, trim};
use crate::values::Values;
use crate::via::{Via, via_seen_from};

/// Why a message could not be read, and the answer to it if it was a request that can be answered.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{why}")]
pub struct Malformed {
    /// What is wrong, in a few words that make a reason phrase.
    pub why: &'static str,
    /// The status that says so: 400 or 505.
    pub status: u16,
    answer: Option<Box<Answer>>,
}

#[derive(Debug, Clone)]
struct Answer {
    // All values of Via, the top one first.
    vias: Vec<String>,
    // What comes behind the Vias.
    rest: Vec<u8>,
}

impl Malformed {
    pub(crate) fn new((why, status): Fault, head: &Head) -> Malformed {
        Malformed { why, status, answer: Answer::salvage(head) }
    }

    /// The ready answer, its Vias as received. None for a response, an ACK, or when too little
    /// survives: a Via to send it by and a CSeq to know it by are needed.
    pub fn answer(&self) -> Option<Bytes> {
        self.answer.as_ref().map(|answer| self.print(answer, None))
    }

    /// The ready answer, with `received` and `rport` in the top Via as far as they are due
    /// (RFC 3261 §18.2.1, RFC 3581 §4).
    pub fn answer_to(&self, source: SocketAddr) -> Option<Bytes> {
        let answer = self.answer.as_ref()?;
        let top = answer.vias.first().and_then(|via| via_seen_from(via, source));
        Some(self.print(answer, top))
    }

    fn print(&self, answer: &Answer, top: Option<String>) -> Bytes {
        let phrase = if self.status == 400 { self.why } else { reason_phrase(self.status) };
        let mut out = format!("SIP/2.0 {} {phrase}\r\n", self.status).into_bytes();
        let tail = if top.is_some() { 1 } else { 0 };
        for via in top.iter().chain(answer.vias.get(tail..).unwrap_or(&[])) {
            out.extend_from_slice(b"Via: ");
            out.extend_from_slice(via.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(&answer.rest);
        out.into()
    }
}

impl Answer {
    fn salvage(head: &Head) -> Option<Box<Answer>> {
        let start = head.start.of_text(&head.text);
        if start.is_empty() || is_response(start) || method_word(start) == "ACK" {
            return None;
        }
        let values = head.all(Name::Via).flat_map(Values::of);
        let vias: Vec<_> = values.map_while(salvaged_via).collect();
        if vias.is_empty() || head.get(Name::CSeq).is_none() {
            return None;
        }
        let mut rest = Vec::with_capacity(256);
        for name in [Name::From, Name::To, Name::CallId, Name::CSeq] {
            let Some(line) = head.lines.iter().find(|line| line.name == name) else {
                continue;
            };
            rest.extend_from_slice(name.as_str().as_bytes());
            rest.extend_from_slice(b": ");
            rest.extend_from_slice(&head.bytes[line.value.range()]);
            if name == Name::To && !head.value(line).contains("tag=") {
                rest.extend_from_slice(format!(";tag={:08x}", checksum(&head.bytes)).as_bytes());
            }
            rest.extend_from_slice(b"\r\n");
        }
        rest.extend_from_slice(b"Content-Length: 0\r\n\r\n");
        Some(Box::new(Answer { vias, rest }))
    }
}

// Also a Via that is itself what is wrong is good enough to answer by: cut before its first empty
// parameter, or of another version.
fn salvaged_via(value: &str) -> Option<String> {
    let value = value.split(";;").next().unwrap_or(value);
    let readable = Via::read(value).is_some() || is_of_another_version(value);
    readable.then(|| value.to_owned())
}

fn is_of_another_version(via: &str) -> bool {
    let mut parts = via.splitn(3, '/');
    let name = parts.next().is_some_and(|name| trim(name).eq_ignore_ascii_case("SIP"));
    let version = parts.next().is_some_and(|version| is_token(trim(version)));
    name && version && parts.next().is_some_and(|rest| rest.contains([' ', '\t']))
}

// A tag that is the same for each retransmission, without any state (RFC 3261 §8.2.7); FNV-1a.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |sum, &b| (sum ^ u32::from(b)).wrapping_mul(0x0100_0193))
}
