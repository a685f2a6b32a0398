//! A call's messages as a ladder: phones on the left, Parkade in the middle, the PBX on the right.

use std::fmt::Write;

use crate::admin::{MessageView, TraceView};
use crate::console::plain::{plain, short};

/// How far the lines stand apart.
const GAP: usize = 30;
/// Before the first of them: the time.
const TIME: usize = 12;

/// The ladder of a call.
pub(crate) fn ladder(trace: &TraceView) -> String {
    let TraceView { call_id, left_out, left_out_after, messages } = trace;
    let mut text = format!("Call-ID {}\n", plain(call_id));
    let Some(first) = messages.first() else { return text + "no messages\n" };
    let peers = |side: &str| {
        let mut peers: Vec<&str> = Vec::new();
        for message in messages.iter().filter(|message| message.side == side) {
            if !peers.contains(&message.peer.as_str()) {
                peers.push(&message.peer);
            }
        }
        peers
    };
    let phones = peers("phones");
    let us = phones.len();
    let lanes: Vec<&str> = phones.into_iter().chain(["parkade"]).chain(peers("pbx")).collect();
    let date = first.at.split('T').next().unwrap_or_default();
    let _ = write!(text, "{date:TIME$}");
    for lane in &lanes {
        let _ = write!(text, "{:<GAP$}", short(lane, GAP - 2));
    }
    text = text.trim_end().to_owned() + "\n";
    for (number, message) in messages.iter().enumerate() {
        // What was left out stood between the beginning and what is recent.
        if *left_out > 0 && number == *left_out_after {
            let _ = writeln!(text, "{:TIME$}… {left_out} messages are no longer known …", "");
        }
        let at = lanes.iter().position(|lane| *lane == message.peer).unwrap_or(us);
        let line = rung(message, at, us, lanes.len());
        let time =
            format!("+{}.{:03}", message.after_us / 1_000_000, message.after_us / 1_000 % 1_000);
        let _ = writeln!(text, "{time:TIME$}{line}");
    }
    text
}

/// What a message says in a few words: a request's method and user, a response's status and method.
fn gist(message: &MessageView) -> String {
    let mut words = message.line.split(' ');
    if message.line.starts_with("SIP/2.0 ") {
        let status = message.line.trim_start_matches("SIP/2.0 ");
        let method = message.cseq.split(' ').nth(1).unwrap_or_default();
        return format!("{status} ({method})");
    }
    let method = words.next().unwrap_or_default();
    let target = words.next().unwrap_or_default();
    let user = target.split_once(':').map_or(target, |(_, rest)| rest);
    format!("{method} {}", user.split(['@', ';']).next().unwrap_or_default())
}

fn rung(message: &MessageView, at: usize, us: usize, lanes: usize) -> String {
    let (left, right) = (at.min(us), at.max(us));
    let to_the_right = (message.way == "in") == (at < us);
    let mut line = String::new();
    let mut lane = 0;
    while lane < lanes {
        if lane == left && right > left {
            let width = (right - left) * GAP - 1;
            let label = short(&gist(message), width.saturating_sub(5));
            let dashes = "─".repeat(width.saturating_sub(label.chars().count() + 4));
            let (tail, head) = if to_the_right { ("─", "▶") } else { ("◀", "─") };
            let _ = write!(line, "│{tail} {label} {dashes}{head}");
            lane = right;
        } else {
            let _ = write!(line, "{:<GAP$}", "│");
            lane += 1;
        }
    }
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(way: &str, side: &str, after_us: u64, line: &str, cseq: &str) -> MessageView {
        let peer = if side == "phones" { "192.0.2.7:5062" } else { "192.0.2.50:5060" };
        MessageView {
            at: "2026-03-01T09:30:00.000Z".into(),
            after_us,
            way: way.into(),
            side: side.into(),
            transport: "udp".into(),
            local: "192.0.2.1:5060".into(),
            peer: peer.into(),
            line: line.into(),
            cseq: cseq.into(),
            text: String::new(),
        }
    }

    #[test]
    fn each_message_goes_from_who_sent_it_to_who_got_it() {
        let trace = TraceView {
            call_id: "a@b".into(),
            left_out: 7,
            left_out_after: 2,
            messages: vec![
                message("in", "phones", 0, "INVITE sip:105@pbx.example SIP/2.0", "1 INVITE"),
                message("out", "pbx", 1_200, "INVITE sip:105@192.0.2.50 SIP/2.0", "1 INVITE"),
                message("in", "pbx", 90_000, "SIP/2.0 180 Ringing", "1 INVITE"),
                message("out", "phones", 91_000, "SIP/2.0 180 Ringing\x1b[2J", "1 INVITE"),
            ],
        };
        let lines: Vec<String> = ladder(&trace).lines().map(str::to_owned).collect();
        assert_eq!(
            lines,
            [
                "Call-ID a@b",
                "2026-03-01  192.0.2.7:5062                parkade                       192.0.2.50:5060",
                "+0.000      │─ INVITE 105 ───────────────▶│                             │",
                "+0.001      │                             │─ INVITE 105 ───────────────▶│",
                "            … 7 messages are no longer known …",
                "+0.090      │                             │◀ 180 Ringing (INVITE) ──────│",
                "+0.091      │◀ 180 Ringing?[2J (INVITE) ──│                             │",
            ]
        );
    }
}
