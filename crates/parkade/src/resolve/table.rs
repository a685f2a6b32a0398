//! A DNS in a table, for the tests of this folder.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use base::Transport;

use crate::resolve::names::{Answer, Failure, Kind, Names, Naptr, Question, Record, Srv};

#[derive(Debug, Default)]
pub(super) struct Table {
    answers: HashMap<Question, Result<Vec<Record>, Failure>>,
    asked: Mutex<Vec<String>>,
    /// Whether it answers nothing.
    pub(super) is_dead: bool,
}

impl Names for Table {
    async fn ask(&self, question: &Question) -> Result<Answer, Failure> {
        self.asked.lock().unwrap().push(question.name.clone());
        if self.is_dead {
            return Err(Failure::Silent);
        }
        let seconds = match question.kind {
            Kind::Naptr => 900,
            Kind::Srv => 300,
            Kind::A | Kind::Aaaa => 600,
        };
        let list = self.answers.get(question).cloned().unwrap_or(Ok(Vec::new()))?;
        Ok(Answer { list, holds_for: Duration::from_secs(seconds) })
    }
}

impl Table {
    fn set(&mut self, kind: Kind, name: &str, answer: Result<Vec<Record>, Failure>) {
        self.answers.insert(Question { kind, name: name.to_owned() }, answer);
    }

    pub(super) fn naptr(&mut self, name: &str, ways: &[Naptr]) {
        let list = ways.iter().cloned().map(Record::Naptr).collect();
        self.set(Kind::Naptr, name, Ok(list));
    }

    pub(super) fn srv(&mut self, name: &str, servers: &[Srv]) {
        let list = servers.iter().cloned().map(Record::Srv).collect();
        self.set(Kind::Srv, name, Ok(list));
    }

    pub(super) fn address(&mut self, host: &str, ips: &[&str]) {
        let ips: Vec<IpAddr> = ips.iter().map(|ip| ip.parse().unwrap()).collect();
        for (kind, is_v4) in [(Kind::A, true), (Kind::Aaaa, false)] {
            let of_kind = ips.iter().filter(|ip| ip.is_ipv4() == is_v4);
            self.set(kind, host, Ok(of_kind.map(|ip| Record::Address(*ip)).collect()));
        }
    }

    pub(super) fn fail(&mut self, kind: Kind, name: &str, failure: Failure) {
        self.set(kind, name, Err(failure));
    }

    /// The names that were asked for.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// A table of hosts, without services.
pub(super) fn table() -> Table {
    let mut table = Table::default();
    table.address("pbx.example.", &["192.0.2.1"]);
    table.address("pbx", &["192.0.2.2"]);
    table.address("a.example.", &["192.0.2.10", "2001:db8::10"]);
    table.address("b.example.", &["192.0.2.11"]);
    table
}

pub(super) fn server(priority: u16, host: &str, port: u16) -> Srv {
    Srv { priority, weight: 0, port, host: host.to_owned() }
}

pub(super) fn naptr(preference: u16, transport: Transport, replacement: &str) -> Naptr {
    Naptr { order: 10, preference, transport, replacement: replacement.to_owned() }
}
