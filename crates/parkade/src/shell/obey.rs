//! What is ordered: by operators, by signals, by the files of certificates that have changed.

use base::{Moment, Transport};
use park_core::{Command, Counts, Input};
use sd_notify::NotifyState;

use crate::admin::{AdminOrder, Figures};
use crate::cluster::Link;
use crate::config::Settings;
use crate::journal::Journal;
use crate::shell::certificates;
use crate::shell::ending::Step;
use crate::shell::reload::merge;
use crate::shell::system::tell_system;
use crate::shell::task::{LAST_TICKS, OWN_TICKET, Task};
use crate::tls::Tls;

impl Task {
    pub(super) fn admin(&mut self, order: AdminOrder) {
        match order {
            AdminOrder::Engine { command, answer } => {
                self.last_ticket += 1;
                let ticket = self.last_ticket;
                self.answers.insert(ticket, answer);
                self.turn(Input::Command { ticket, command });
            }
            AdminOrder::Figures(answer) => {
                let figures = Figures {
                    counted: self.tap.counted(),
                    waiting: self.pending.len() + self.inbox.waiting(),
                    streams: self.ends.streams.len(Transport::Tcp),
                    tls: certificates::figures(&self.ends),
                    media: self.media.counts(),
                    guard: self.guard.counts(self.clock.now()),
                    journal: self.journal.as_ref().map(Journal::figures),
                    store: self.store.as_ref().map(Link::figures),
                };
                // Whoever asked may have gone.
                let _ = answer.send(Box::new(figures));
            }
            AdminOrder::Bans(answer) => {
                // As above.
                let _ = answer.send(self.guard.banned(self.clock.now()));
            }
            AdminOrder::Unban { ip, answer } => {
                let _ = answer.send(self.guard.lift(ip));
                self.tell_bans(self.clock.now());
            }
        }
    }

    fn own(&mut self, command: Command) {
        self.turn(Input::Command { ticket: OWN_TICKET, command });
    }

    pub(super) fn end(&mut self, step: Step) {
        self.tick_at = self.clock.now() + LAST_TICKS;
        match step {
            Step::Drain => {
                tell_system(&[NotifyState::Stopping]);
                let grace = humantime::format_duration(self.settings.grace);
                match self.settings.keeps_calls {
                    true => tracing::info!("ending: calls are kept for the next start"),
                    false => {
                        tracing::info!(
                            "ending: new calls are refused, calls may go on for {grace}"
                        );
                    }
                }
                self.own(Command::Drain);
                self.own(Command::Counts);
            }
            Step::Count => self.own(Command::Counts),
            Step::EndAll => {
                self.own(Command::EndAll);
                self.own(Command::Counts);
            }
            Step::Leave => self.over = true,
        }
    }

    pub(super) fn counted(&mut self, at: Moment, counts: &Counts) {
        match self.ending.left(at, counts) {
            Some(Step::Leave) => self.over = true,
            Some(_) => {
                let command = Command::EndAll;
                self.pending.push_back(Input::Command { ticket: OWN_TICKET, command });
            }
            None => {}
        }
    }

    /// The files of TLS have been read anew. Connections that are open stay as they are.
    pub(super) fn new_certificates(&mut self, tls: Option<Tls>) {
        let names = tls.as_ref().map(Tls::names).unwrap_or_default();
        self.ends.streams.set_tls(tls);
        if names != self.settings.engine.names {
            self.settings.engine.names = names;
            self.turn(Input::Reload(Box::new(self.settings.engine.clone())));
        }
    }

    pub(super) fn reload(&mut self, new: Settings) {
        tell_system(&[NotifyState::Reloading]);
        let (merged, left) = merge(&self.settings, new);
        for name in &left {
            tracing::warn!("{name} cannot change while parkade runs; restart it for that");
        }
        if let Some(level) = &self.level {
            level.set(merged.log.level);
        }
        self.media.reload(&merged);
        self.ending.set(merged.grace, merged.keeps_calls);
        self.guard.reload(merged.security.clone());
        self.ends.streams.limit(merged.security.half_open);
        self.tap.settings(&merged.admin, &merged.trace);
        // The files are read beside the engine; what is read from them comes back.
        self.certificates.watch(&merged.tls, true);
        certificates::warn(&merged.tls);
        self.ends.believe(&merged.tls.pbx.fingerprints);
        self.turn(Input::Reload(Box::new(merged.engine.clone())));
        self.settings = merged;
        tracing::info!("settings reloaded");
        tell_system(&[NotifyState::Ready]);
    }
}
