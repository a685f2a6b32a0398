//! Parked calls and lots as tables for people.

use std::fmt::Write;

use park_core::{BindingView, CallView, ElsewhereView, LotView, ParkedView, StreamView};

use crate::admin::{BanList, BindingList, CallList, ParkedList};
use crate::console::plain::{clock, plain, state, who};
use crate::sip::BanView;

const HEADS: [&str; 8] =
    ["LOT", "SLOT", "PARKEE", "PARKER", "GROUP", "PARKED", "RECALL IN", "STATE"];
const STREAM_HEADS: [&str; 8] =
    ["CALL-ID", "FROM", "PACKETS", "BY KERNEL", "LOST", "LATE", "JITTER", "HEARS"];
const CALL_HEADS: [&str; 6] = ["STATE", "FOR", "CALLER", "CALLEE", "SOUND", "CALL-ID"];
const BINDING_HEADS: [&str; 6] = ["EXTENSION", "DOMAIN", "AT", "PROFILE", "EXPIRES", "USER-AGENT"];
const BAN_HEADS: [&str; 5] = ["ADDRESS", "ENDS IN", "WHY", "TIMES", "TURNED AWAY"];
const ELSEWHERE_HEADS: [&str; 7] = ["AT NODE", "LOT", "SLOT", "PARKEE", "PARKER", "PARKED", "DIAL"];
const LOT_HEADS: [&str; 4] = ["LOT", "DOMAIN", "PARKED", "FREE SLOTS"];

/// One line a call, under a head, or one line that says so if there is none; then one line a lot.
pub(crate) fn parked_table(list: &ParkedList) -> String {
    let ParkedList { parked, lots, elsewhere } = list;
    let calls: Vec<&ParkedView> = parked.iter().map(|dated| &dated.call).collect();
    let mut text = String::new();
    if calls.is_empty() {
        text.push_str("no parked calls\n");
    } else {
        under_heads(&mut text, HEADS, calls.into_iter().map(row).collect());
    }
    if !elsewhere.is_empty() {
        text.push('\n');
        under_heads(&mut text, ELSEWHERE_HEADS, elsewhere.iter().map(elsewhere_row).collect());
    }
    if !lots.is_empty() {
        text.push('\n');
        under_heads(&mut text, LOT_HEADS, lots.iter().map(lot_row).collect());
    }
    text
}

/// One line a stream, under a head, or one line that says so if there is none.
pub(crate) fn streams_table(streams: &[StreamView]) -> String {
    if streams.is_empty() {
        return "no call whose sound goes through parkade\n".to_owned();
    }
    let mut text = String::new();
    under_heads(&mut text, STREAM_HEADS, streams.iter().map(stream_row).collect());
    text
}

/// One line a call in progress, under a head, or one line that says so if there is none.
pub(crate) fn calls_table(list: &CallList) -> String {
    if list.calls.is_empty() {
        return "no calls\n".to_owned();
    }
    let row = |call: &CallView| {
        let media: Vec<String> = call
            .legs
            .iter()
            .map(|leg| match &leg.codec {
                Some(codec) => format!("{} {codec}", leg.media.word()),
                None => leg.media.word().to_owned(),
            })
            .collect();
        [
            call.state.word().to_owned(),
            clock(call.answered_for_s.unwrap_or(call.since_s)),
            who(call.caller_name.as_deref(), &call.caller),
            who(call.callee_name.as_deref(), &call.callee),
            media.join(", "),
            call.call_id.clone(),
        ]
    };
    let mut text = String::new();
    under_heads(&mut text, CALL_HEADS, list.calls.iter().map(row).collect());
    text
}

/// One line a registered Contact, under a head, or one line that says so if there is none.
pub(crate) fn bindings_table(list: &BindingList) -> String {
    if list.bindings.is_empty() {
        return "nobody is registered\n".to_owned();
    }
    let row = |bound: &BindingView| {
        [
            bound.extension.clone(),
            bound.domain.clone(),
            format!("{}:{}", bound.transport, bound.at),
            bound.profile.clone(),
            clock(bound.expires_in_s),
            bound.user_agent.clone(),
        ]
    };
    let mut text = String::new();
    under_heads(&mut text, BINDING_HEADS, list.bindings.iter().map(row).collect());
    text
}

/// One line a ban, under a head, or one line that says so if there is none.
pub(crate) fn bans_table(list: &BanList) -> String {
    if list.bans.is_empty() {
        return "nobody is banned\n".to_owned();
    }
    let row = |ban: &BanView| {
        [
            ban.address.clone(),
            clock(ban.ends_in_s),
            ban.why.clone(),
            ban.times.to_string(),
            ban.turned_away.to_string(),
        ]
    };
    let mut text = String::new();
    under_heads(&mut text, BAN_HEADS, list.bans.iter().map(row).collect());
    text
}

fn elsewhere_row(call: &ElsewhereView) -> [String; 7] {
    [
        call.node.clone(),
        call.at.lot.clone(),
        call.at.slot.clone(),
        who(call.parked.parkee_name.as_deref(), &call.parked.parkee),
        call.parked.parker.clone(),
        clock(call.parked_for_s),
        call.parked.retrieve.clone(),
    ]
}

fn stream_row(stream: &StreamView) -> [String; 8] {
    let ms = |us: u64| format!("{}.{} ms", us / 1_000, us % 1_000 / 100);
    let hears = stream.reported.as_ref().map_or_else(
        || "-".to_owned(),
        |said| format!("lost {}, jitter {}", said.lost, ms(said.jitter_us)),
    );
    [
        stream.call_id.clone(),
        stream.side.clone(),
        stream.received.to_string(),
        stream.by_kernel.to_string(),
        stream.lost.to_string(),
        stream.reordered.to_string(),
        format!("{} (most {})", ms(stream.jitter_us), ms(stream.worst_jitter_us)),
        hears,
    ]
}

/// Rows with their cells under each other. Names come from outside: a terminal must not take orders
/// from them.
fn under_heads<const N: usize>(text: &mut String, heads: [&str; N], rows: Vec<[String; N]>) {
    let rows = std::iter::once(heads.map(str::to_owned)).chain(rows);
    let rows: Vec<[String; N]> = rows.map(|row| row.map(|cell| plain(&cell))).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..N).map(|column| width(column).unwrap_or(0)).collect();
    for row in &rows {
        let mut line = String::new();
        for (cell, &width) in row.iter().zip(&widths) {
            // Writing to a String cannot fail.
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

fn lot_row(lot: &LotView) -> [String; 4] {
    let domain = if lot.domain.is_empty() { "-" } else { &lot.domain };
    let free = match lot.slots {
        0 => "-".to_owned(),
        slots => format!("{} of {slots}", lot.free),
    };
    [lot.lot.clone(), domain.to_owned(), lot.parked.to_string(), free]
}

fn row(call: &ParkedView) -> [String; 8] {
    let parkee = who(call.parked.parkee_name.as_deref(), &call.parked.parkee);
    [
        call.at.lot.clone(),
        call.at.slot.clone(),
        parkee,
        call.parked.parker.clone(),
        call.parked.group.clone().unwrap_or_else(|| "-".to_owned()),
        clock(call.parked_for_s),
        call.recall_in_s.map_or_else(|| "-".to_owned(), clock),
        state(call),
    ]
}

#[cfg(test)]
mod tests {
    use park_core::{ParkedAt, ParkedState, ParkedWho, ReportedView};

    use super::*;
    use crate::admin::Dated;

    fn list(calls: &[ParkedView], lots: &[LotView]) -> ParkedList {
        let dated = |call: &ParkedView| Dated {
            call: call.clone(),
            parked_at: String::new(),
            recall_at: None,
        };
        let parked = calls.iter().map(dated).collect();
        ParkedList { parked, lots: lots.to_vec(), elsewhere: Vec::new() }
    }

    fn call(slot: &str) -> ParkedView {
        ParkedView {
            at: ParkedAt { lot: "office".into(), slot: slot.into(), ..ParkedAt::default() },
            parked: ParkedWho {
                parkee_name: Some("Jane \x1b[31m Caller".into()),
                parkee: "0301234".into(),
                parker: "103".into(),
                ..ParkedWho::default()
            },
            since_us: 0,
            parked_for_s: 3909,
            recall_in_s: Some(61),
            attempt: 0,
            state: ParkedState::Parked,
            who: None,
            call_id: "x".into(),
        }
    }

    #[test]
    fn calls_stand_under_their_heads_and_names_give_no_orders_to_the_terminal() {
        let rings = ParkedView {
            state: ParkedState::Recalling,
            who: Some("103, 104\n".into()),
            recall_in_s: None,
            ..call("701")
        };
        let text = parked_table(&list(&[call("105"), rings], &[]));
        let mut lines = text.lines();
        let head = lines.next().unwrap();
        assert!(head.starts_with("LOT     SLOT  PARKEE"), "{head}");
        let first = lines.next().unwrap();
        assert_eq!(
            first,
            "office  105   Jane ?[31m Caller <0301234>  103     -      1:05:09  1:01       parked"
        );
        assert!(lines.next().unwrap().ends_with("1:05:09  -          recalling 103, 104?"));
        assert_eq!(lines.count(), 0);
    }

    #[test]
    fn lots_stand_below_with_their_free_slots() {
        let lot = |domain: &str, slots, free| LotView {
            lot: "office".into(),
            domain: domain.into(),
            parked: slots - free,
            slots,
            free,
            ..LotView::default()
        };
        let text = parked_table(&list(&[], &[lot("pbx.example", 20, 19), lot("", 0, 0)]));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "no parked calls",
                "",
                "LOT     DOMAIN       PARKED  FREE SLOTS",
                "office  pbx.example  1       19 of 20",
                "office  -            0       -",
            ]
        );
    }

    #[test]
    fn streams_stand_under_their_heads_with_what_their_end_hears() {
        let stream = |side: &str, reported| StreamView {
            call_id: "a\nb".into(),
            side: side.into(),
            received: 1_500,
            by_kernel: 1_400,
            lost: 3,
            reordered: 1,
            repeated: 0,
            sources: 1,
            jitter_us: 1_250,
            worst_jitter_us: 20_900,
            reported,
        };
        let said = ReportedView { fraction_lost: 0, lost: -1, jitter_us: 500 };
        let text = streams_table(&[stream("phones", None), stream("pbx", Some(said))]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "CALL-ID  FROM    PACKETS  BY KERNEL  LOST  LATE  JITTER                 HEARS",
                "a?b      phones  1500     1400       3     1     1.2 ms (most 20.9 ms)  -",
                "a?b      pbx     1500     1400       3     1     1.2 ms (most 20.9 ms)  lost -1, jitter 0.5 ms",
            ]
        );
        assert_eq!(streams_table(&[]), "no call whose sound goes through parkade\n");
    }

    #[test]
    fn an_empty_house_is_said_to_be_empty() {
        assert_eq!(parked_table(&list(&[], &[])), "no parked calls\n");
    }
}
