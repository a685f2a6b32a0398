//! What went over the wire and what the house told, line by line:
//! `+0.040 ben → house REFER 701`.

use std::fmt::Write;

use base::Moment;
use park_core::Told;
use sip_msg::{Message, Name, NameAddr};

use crate::dialog::uri_user;
use crate::wire::Fault;

#[derive(Debug, Clone)]
enum Rung {
    Said { from: String, to: String, message: Message, fault: Option<Fault> },
    Told(Box<Told>),
    Remark(String),
}

/// The ladder of a run.
#[derive(Debug, Clone, Default)]
pub struct Ladder {
    rungs: Vec<(Moment, Rung)>,
}

impl Ladder {
    pub(crate) fn said(
        &mut self,
        now: Moment,
        from: &str,
        to: &str,
        message: Message,
        fault: Option<Fault>,
    ) {
        let (from, to) = (from.to_owned(), to.to_owned());
        self.rungs.push((now, Rung::Said { from, to, message, fault }));
    }

    pub(crate) fn told(&mut self, now: Moment, told: Told) {
        self.rungs.push((now, Rung::Told(Box::new(told))));
    }

    pub(crate) fn remark(&mut self, now: Moment, text: String) {
        self.rungs.push((now, Rung::Remark(text)));
    }

    /// The whole ladder as text; with every message in full if `whole`.
    pub fn text(&self, whole: bool) -> String {
        let mut text = String::new();
        for (at, rung) in &self.rungs {
            match rung {
                Rung::Said { from, to, message, fault } => {
                    let what = summary(message);
                    let _ = write!(text, "{at} {from} → {to} {what}");
                    if let Some(fault) = fault {
                        let _ = write!(text, "   [{fault:?}]");
                    }
                    text.push('\n');
                    if whole {
                        for line in String::from_utf8_lossy(message.bytes()).lines() {
                            let _ = writeln!(text, "            {line}");
                        }
                    }
                }
                Rung::Told(told) => {
                    let _ = writeln!(text, "{at}     house tells: {}", told.fact);
                }
                Rung::Remark(remark) => {
                    let _ = writeln!(text, "{at}     {remark}");
                }
            }
        }
        text
    }

    /// Only who said what to whom, without times: the same whenever the same happened.
    pub fn outline(&self) -> Vec<String> {
        let said = self.rungs.iter().filter_map(|(_, rung)| match rung {
            Rung::Said { from, to, message, .. } => {
                Some(format!("{from} → {to} {}", summary(message)))
            }
            _ => None,
        });
        said.collect()
    }

    /// All messages from one party to another, as names in the ladder; `*` for anyone.
    pub fn messages(&self, from: &str, to: &str) -> Vec<&Message> {
        let fits = |wanted: &str, is: &str| wanted == "*" || wanted == is;
        let said = self.rungs.iter().filter_map(|(_, rung)| match rung {
            Rung::Said { from: f, to: t, message, .. } if fits(from, f) && fits(to, t) => {
                Some(message)
            }
            _ => None,
        });
        said.collect()
    }

    /// How long the ladder is by now: to look later at what was added.
    pub fn len(&self) -> usize {
        self.rungs.len()
    }

    /// Whether nothing has happened.
    pub fn is_empty(&self) -> bool {
        self.rungs.is_empty()
    }

    /// The ladder from this rung on.
    pub fn since(&self, rung: usize) -> Ladder {
        Ladder { rungs: self.rungs.get(rung..).unwrap_or_default().to_vec() }
    }
}

/// A message in a few words.
pub(crate) fn summary(message: &Message) -> String {
    let method = message.cseq().1;
    if !message.is_request() {
        return format!("{} {method}", message.status());
    }
    let detail = match method {
        "INVITE" if message.to_tag().is_none() => uri_user(message.to().uri()),
        "REFER" => message
            .get(Name::ReferTo)
            .and_then(NameAddr::read)
            .map(|to| {
                let replaces = if to.uri().contains("Replaces=") { " with Replaces" } else { "" };
                format!("{}{replaces}", uri_user(to.uri()))
            })
            .unwrap_or_default(),
        "NOTIFY" => {
            let event = message.get(Name::Event).unwrap_or_default();
            let body = message.body();
            let first = std::str::from_utf8(&body).unwrap_or_default().lines().next();
            match event.split(';').next() {
                Some("refer") => first.unwrap_or_default().to_owned(),
                other => other.unwrap_or_default().to_owned(),
            }
        }
        "INVITE" => match message.sdp() {
            Some(body) => {
                let body = String::from_utf8_lossy(&body);
                let known = ["sendonly", "inactive", "recvonly"];
                let found = known.into_iter().find(|word| body.contains(&format!("a={word}")));
                found.map_or("again".to_owned(), |word| format!("again, {word}"))
            }
            None => "again, without offer".to_owned(),
        },
        _ => String::new(),
    };
    format!("{method} {detail}").trim_end().to_owned()
}
