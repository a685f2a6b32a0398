//! What both tables work with while one thing is dealt with: time's rules, chance, alarms, and the
//! tray of what is to be sent.

use std::collections::VecDeque;

use base::{Chance, Deadlines, Flow, Moment};
use bytes::Bytes;

use super::counts::TxnCounts;
use super::key::{ClientKey, ServerKey};
use super::pace::{Due, Terms};
use super::timing::Timing;

/// The grid on which finished transactions are forgotten, in microseconds.
const LEISURE_US: u64 = 250_000;

/// Whose alarm it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Alarm {
    Client(ClientKey),
    Server(ServerKey),
}

#[derive(Debug)]
pub(super) struct Desk {
    pub(super) timing: Timing,
    pub(super) chance: Chance,
    /// When something is to be said again, or given up.
    pub(super) alarms: Deadlines<Alarm>,
    /// When a finished transaction may be forgotten: no one waits for it.
    pub(super) lingering: Deadlines<Alarm>,
    pub(super) tray: VecDeque<(Flow, Bytes)>,
    pub(super) counts: TxnCounts,
}

impl Desk {
    /// The terms of a step at `at` for a transaction over `flow`.
    pub(super) fn terms(&self, at: Moment, flow: &Flow) -> Terms {
        Terms { at, reliable: flow.transport.is_reliable(), timing: self.timing }
    }

    pub(super) fn send(&mut self, flow: Flow, bytes: Bytes) {
        self.tray.push_back((flow, bytes));
    }

    /// Sets the alarm of `whose`, or stops it.
    pub(super) fn arm(&mut self, whose: Alarm, due: Option<Due>) {
        self.alarms.stop(whose);
        self.lingering.stop(whose);
        match due {
            Some(Due::Exactly(moment)) => self.alarms.set(whose, moment),
            Some(Due::AtLeisure(moment)) => self.lingering.set(whose, moment),
            None => {}
        }
    }

    /// The next moment at which there is something to do. Finished transactions are forgotten by the
    /// hundred, on a coarse grid: each would cost the house a wake-up of its own.
    pub(super) fn next(&self) -> Option<Moment> {
        let exact = self.alarms.next().map(|(at, _)| at);
        let leisure = self
            .lingering
            .next()
            .map(|(at, _)| Moment::from_micros(at.as_micros().div_ceil(LEISURE_US) * LEISURE_US));
        match (exact, leisure) {
            (Some(exact), Some(leisure)) => Some(exact.min(leisure)),
            (one, other) => one.or(other),
        }
    }

    /// One alarm that is due.
    pub(super) fn expired(&mut self, at: Moment) -> Option<Alarm> {
        self.alarms.expired(at).or_else(|| self.lingering.expired(at))
    }
}
