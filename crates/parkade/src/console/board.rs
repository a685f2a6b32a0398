//! The parking board for a terminal, drawn from what is known.

use park_core::ParkedState;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Paragraph, Row, Table, TableState};

use crate::admin::{Dated, ParkedList};
use crate::console::plain::{clock, plain, short, state, who};

/// How wide the bar of the time to a recall is.
const BAR: usize = 12;
/// How wide what becomes of a call is, with an extension.
const STATE: usize = 16;

/// What is shown.
#[derive(Debug)]
pub(super) struct Board {
    /// What was heard last.
    pub(super) list: ParkedList,
    /// Which call is chosen, as a row.
    pub(super) chosen: usize,
    /// What the last line asks, and what has been typed.
    pub(super) asks: Option<(String, String)>,
    /// What happened last.
    pub(super) said: String,
    /// Whether the program answers.
    pub(super) heard: bool,
}

impl Board {
    /// The chosen call.
    pub(super) fn call(&self) -> Option<&Dated> {
        self.list.parked.get(self.chosen)
    }

    /// A newer list; the same call stays chosen if it is still there.
    pub(super) fn hear(&mut self, list: ParkedList) {
        let park = self.call().map(|dated| dated.call.at.park.clone());
        let at = park.and_then(|park| list.parked.iter().position(|d| d.call.at.park == park));
        self.list = list;
        self.chosen = at.unwrap_or(self.chosen).min(self.list.parked.len().saturating_sub(1));
        self.heard = true;
    }

    /// Draws all of it.
    pub(super) fn draw(&self, frame: &mut Frame<'_>) {
        let [lots, calls, keys] = Layout::vertical([
            Constraint::Length(self.list.lots.len().clamp(1, 6) as u16 + 2),
            Constraint::Min(3),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        self.lots(frame, lots);
        self.calls(frame, calls);
        self.keys(frame, keys);
    }

    fn lots(&self, frame: &mut Frame<'_>, area: Rect) {
        let line = |lot: &park_core::LotView| {
            let taken = lot.slots.saturating_sub(lot.free);
            let domain = if lot.domain.is_empty() { "-" } else { &lot.domain };
            Line::from(vec![
                Span::styled(short(&lot.lot, 20), Style::new().add_modifier(Modifier::BOLD)),
                Span::raw(format!("  {}  ", short(domain, 40))),
                Span::raw(format!("{} parked, {taken} of {} slots taken", lot.parked, lot.slots)),
            ])
        };
        let title = if self.heard { " Parkade " } else { " Parkade does not answer " };
        let block = Block::bordered().title(title);
        let text: Vec<Line<'_>> = self.list.lots.iter().map(line).collect();
        frame.render_widget(Paragraph::new(text).block(block), area);
    }

    fn calls(&self, frame: &mut Frame<'_>, area: Rect) {
        let rows = self.list.parked.iter().map(row);
        let widths = [
            Constraint::Length(8),
            Constraint::Fill(3),
            Constraint::Fill(1),
            Constraint::Length(9),
            Constraint::Length(BAR as u16 + 9),
            Constraint::Length(STATE as u16),
        ];
        let heads = ["SLOT", "PARKEE", "PARKER", "PARKED", "RECALL", "STATE"];
        let table = Table::new(rows, widths)
            .header(Row::new(heads).style(Style::new().add_modifier(Modifier::DIM)))
            .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED))
            .block(Block::bordered().title(" Parked calls "));
        if self.list.parked.is_empty() {
            let text =
                Paragraph::new("no parked calls").block(Block::bordered().title(" Parked calls "));
            return frame.render_widget(text, area);
        }
        let mut state = TableState::new().with_selected(Some(self.chosen));
        frame.render_stateful_widget(table, area, &mut state);
    }

    fn keys(&self, frame: &mut Frame<'_>, area: Rect) {
        let text = match &self.asks {
            Some((question, typed)) => format!("{question} {}", plain(typed)),
            None if !self.said.is_empty() => plain(&self.said),
            None => {
                "↑↓ choose  enter retrieve to an extension  r recall  m move  x hang up  q quit"
                    .into()
            }
        };
        frame.render_widget(Paragraph::new(text), area);
    }
}

fn row(dated: &Dated) -> Row<'static> {
    let call = &dated.call;
    let (recall, colour) = recall(call.parked_for_s, call.recall_in_s);
    let style = match call.state {
        ParkedState::Recalling => Style::new().fg(Color::Yellow),
        ParkedState::Claimed | ParkedState::Delivering => Style::new().fg(Color::Green),
        ParkedState::Parking | ParkedState::Parked => Style::new(),
    };
    Row::new(vec![
        Cell::new(short(&call.at.slot, 8)),
        Cell::new(short(&who(call.parked.parkee_name.as_deref(), &call.parked.parkee), 80)),
        Cell::new(short(&call.parked.parker, 20)),
        Cell::new(clock(call.parked_for_s)),
        Cell::new(recall).style(Style::new().fg(colour)),
        Cell::new(short(&state(call), STATE)),
    ])
    .style(style)
}

/// The time to the recall as a bar that shrinks, and its colour: it is red when little is left.
fn recall(parked_for_s: u64, recall_in_s: Option<u64>) -> (String, Color) {
    let Some(left) = recall_in_s else { return ("-".to_owned(), Color::Reset) };
    let whole = (parked_for_s + left).max(1);
    let full = (left * BAR as u64).div_ceil(whole).min(BAR as u64) as usize;
    let colour = match left * 100 / whole {
        0..=15 => Color::Red,
        16..=40 => Color::Yellow,
        _ => Color::Green,
    };
    (format!("{}{} {}", "█".repeat(full), "·".repeat(BAR - full), clock(left)), colour)
}

#[cfg(test)]
mod tests {
    use park_core::{LotView, ParkedAt, ParkedView, ParkedWho};
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    fn call(park: &str, slot: &str, name: &str, state: ParkedState, left: Option<u64>) -> Dated {
        let call = ParkedView {
            at: ParkedAt { park: park.into(), slot: slot.into(), ..ParkedAt::default() },
            parked: ParkedWho {
                parkee_name: Some(name.into()),
                parkee: "0301234".into(),
                parker: "103".into(),
                ..ParkedWho::default()
            },
            since_us: 0,
            parked_for_s: 75,
            recall_in_s: left,
            attempt: 0,
            state,
            who: (state == ParkedState::Recalling).then(|| "103\u{202e}".into()),
            call_id: "a@b".into(),
        };
        Dated { call, parked_at: String::new(), recall_at: None }
    }

    fn board() -> Board {
        let lot = LotView {
            lot: "office".into(),
            domain: "pbx.example".into(),
            parked: 2,
            slots: 20,
            free: 19,
            ..LotView::default()
        };
        let parked = vec![
            call("p1", "105", "Jane \x1b[2J\u{202e}", ParkedState::Recalling, None),
            call("p2", "701", "Bob", ParkedState::Parked, Some(225)),
        ];
        let list = ParkedList { parked, lots: vec![lot], elsewhere: Vec::new() };
        Board { list, chosen: 1, asks: None, said: String::new(), heard: true }
    }

    fn drawn(board: &Board) -> String {
        let mut terminal = Terminal::new(TestBackend::new(90, 9)).unwrap();
        terminal.draw(|frame| board.draw(frame)).unwrap();
        let buffer = terminal.backend().buffer().clone();
        let width = usize::from(buffer.area.width);
        let cells: Vec<&str> = buffer.content.iter().map(|cell| cell.symbol()).collect();
        cells.chunks(width).map(|line| line.concat().trim_end().to_owned() + "\n").collect()
    }

    #[test]
    fn the_board_shows_who_waits_where_and_how_long_and_names_do_no_harm() {
        let text = drawn(&board());
        assert!(text.contains("office  pbx.example  2 parked, 1 of 20 slots taken"), "{text}");
        assert!(text.contains("Jane ?[2J? <0301234>"), "{text}");
        assert!(text.contains("█████████··· 3:45"), "{text}");
        assert!(text.contains("recalling 103?"), "{text}");
    }

    #[test]
    fn the_chosen_call_stays_chosen_when_others_come_and_go() {
        let mut board = board();
        let mut list = board.list.clone();
        list.parked.remove(0);
        board.hear(list.clone());
        assert_eq!(board.call().unwrap().call.at.park, "p2");
        list.parked.clear();
        board.hear(list);
        assert!(board.call().is_none());
        assert!(drawn(&board).contains("no parked calls"));
    }
}
