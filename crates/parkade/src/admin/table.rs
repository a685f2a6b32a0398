//! Parked calls as a table for people.

use std::fmt::Write;

use park_core::ParkedView;

const HEADS: [&str; 8] =
    ["LOT", "SLOT", "PARKEE", "PARKER", "GROUP", "PARKED", "RECALL IN", "STATE"];

/// One line a call, under a head; one line that says so if there is none.
pub fn table(calls: &[ParkedView]) -> String {
    if calls.is_empty() {
        return "no parked calls\n".to_owned();
    }
    let rows: Vec<[String; 8]> = calls.iter().map(row).collect();
    let mut widths = HEADS.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    let heads = HEADS.map(str::to_owned);
    for row in std::iter::once(&heads).chain(&rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            // Writing to a String cannot fail.
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn row(call: &ParkedView) -> [String; 8] {
    let parkee = match &call.parkee_name {
        Some(name) if !name.is_empty() => format!("{name} <{}>", call.parkee),
        _ => call.parkee.clone(),
    };
    let cells = [
        call.lot.clone(),
        call.slot.clone(),
        parkee,
        call.parker.clone(),
        call.group.clone().unwrap_or_else(|| "-".to_owned()),
        clock(call.parked_for_s),
        call.recall_in_s.map_or_else(|| "-".to_owned(), clock),
        call.state.clone(),
    ];
    // Names come from outside: a terminal must not take orders from them.
    cells.map(|cell| cell.chars().map(|c| if c.is_control() { '?' } else { c }).collect())
}

/// `1:05:09`, `5:09`.
fn clock(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(slot: &str) -> ParkedView {
        ParkedView {
            lot: "office".into(),
            slot: slot.into(),
            domain: "pbx.example".into(),
            parkee_name: Some("Jane \x1b[31m Caller".into()),
            parkee: "0301234".into(),
            parker: "103".into(),
            group: None,
            parked_for_s: 3909,
            recall_in_s: Some(61),
            state: "parked".into(),
            call_id: "x".into(),
        }
    }

    #[test]
    fn calls_stand_under_their_heads_and_names_give_no_orders_to_the_terminal() {
        let text = table(&[call("105"), call("701")]);
        let mut lines = text.lines();
        let head = lines.next().unwrap();
        assert!(head.starts_with("LOT     SLOT  PARKEE"), "{head}");
        let first = lines.next().unwrap();
        assert_eq!(
            first,
            "office  105   Jane ?[31m Caller <0301234>  103     -      1:05:09  1:01       parked"
        );
        assert_eq!(lines.count(), 1);
    }

    #[test]
    fn an_empty_house_is_said_to_be_empty() {
        assert_eq!(table(&[]), "no parked calls\n");
    }
}
