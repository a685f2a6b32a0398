//! `parkade top`: the parking board in a terminal, and what can be done with a call there.

use std::io;
use std::time::Duration;

use hyper::Method;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use serde_json::{Value, json};

use crate::admin::{Asker, ParkedList};
use crate::console::board::Board;

/// So often the board is read again.
const BEAT: Duration = Duration::from_millis(500);
/// No number is longer.
const LONGEST: usize = 64;

/// What is to be done with the chosen call once the question is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Retrieve,
    Move,
    HangUp,
}

/// Shows the board until the operator has seen enough.
///
/// # Errors
/// If the terminal does not play along.
pub(crate) fn top(asker: &Asker, first: ParkedList) -> io::Result<()> {
    let mut terminal = ratatui::try_init()?;
    let mut board = Board { list: first, chosen: 0, asks: None, said: String::new(), heard: true };
    let mut deed = None;
    let shown = loop {
        if let Err(error) = terminal.draw(|frame| board.draw(frame)) {
            break Err(error);
        }
        match event::poll(BEAT) {
            Ok(false) => match asker.get::<ParkedList>("/api/parked") {
                Ok(list) => board.hear(list),
                Err(_) => board.heard = false,
            },
            Ok(true) => match event::read() {
                Ok(Event::Key(key)) if key.kind == KeyEventKind::Press => {
                    if !pressed(asker, &mut board, &mut deed, key) {
                        break Ok(());
                    }
                }
                Ok(_) => {}
                Err(error) => break Err(error),
            },
            Err(error) => break Err(error),
        }
    };
    ratatui::restore();
    shown
}

/// A key. False: the operator has seen enough.
fn pressed(asker: &Asker, board: &mut Board, deed: &mut Option<Deed>, key: KeyEvent) -> bool {
    if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
        return false;
    }
    board.said.clear();
    if let (Some((_, typed)), Some(what)) = (&mut board.asks, *deed) {
        match key.code {
            KeyCode::Esc => board.asks = None,
            KeyCode::Backspace => {
                typed.pop();
            }
            KeyCode::Enter => {
                let typed = typed.trim().to_owned();
                board.asks = None;
                answered(asker, board, what, &typed);
            }
            KeyCode::Char(c) if typed.len() < LONGEST => typed.push(c),
            _ => {}
        }
        return true;
    }
    let rows = board.list.parked.len();
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => return false,
        KeyCode::Up | KeyCode::Char('k') => board.chosen = board.chosen.saturating_sub(1),
        KeyCode::Down | KeyCode::Char('j') => {
            board.chosen = (board.chosen + 1).min(rows.saturating_sub(1));
        }
        _ if rows == 0 => {}
        KeyCode::Enter => ask(board, deed, Deed::Retrieve, "Ring which extension?"),
        KeyCode::Char('m') => ask(board, deed, Deed::Move, "Move to which slot?"),
        KeyCode::Char('x') => ask(board, deed, Deed::HangUp, "Hang up on the caller? yes:"),
        KeyCode::Char('r') => order(asker, board, Method::POST, "/recall", None),
        _ => {}
    }
    true
}

fn ask(board: &mut Board, deed: &mut Option<Deed>, what: Deed, question: &str) {
    *deed = Some(what);
    board.asks = Some((question.to_owned(), String::new()));
}

fn answered(asker: &Asker, board: &mut Board, deed: Deed, typed: &str) {
    match deed {
        _ if typed.is_empty() => {}
        Deed::Retrieve => {
            order(asker, board, Method::POST, "/retrieve", Some(json!({ "to": typed })));
        }
        Deed::Move => order(asker, board, Method::POST, "/move", Some(json!({ "slot": typed }))),
        Deed::HangUp if typed.eq_ignore_ascii_case("yes") => {
            order(asker, board, Method::DELETE, "", None);
        }
        Deed::HangUp => board.said = "not hung up".to_owned(),
    }
}

fn order(asker: &Asker, board: &mut Board, method: Method, what: &str, body: Option<Value>) {
    let Some(dated) = board.call() else { return };
    let path = format!("/api/parked/{}{what}", dated.call.at.park);
    board.said = match asker.ask(method, &path, body.as_ref()) {
        Ok(_) => "done".to_owned(),
        Err(error) => error.to_string(),
    };
}
