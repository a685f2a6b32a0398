//! What both tables work with while one thing is dealt with: time's rules, chance, alarms, and the
//! tray of what is to be sent.

use std::collections::VecDeque;

use base::{Chance, Deadlines, Flow, Moment};
use bytes::Bytes;

use super::key::{ClientKey, ServerKey};
use super::pace::Terms;
use super::timing::Timing;

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
    pub(super) alarms: Deadlines<Alarm>,
    pub(super) tray: VecDeque<(Flow, Bytes)>,
}

impl Desk {
    /// The terms of a step at `at` for a transaction over `flow`.
    pub(super) fn terms(&self, at: Moment, flow: &Flow) -> Terms {
        Terms { at, reliable: flow.transport.is_reliable(), timing: self.timing }
    }

    pub(super) fn send(&mut self, flow: Flow, bytes: Bytes) {
        self.tray.push_back((flow, bytes));
    }

    /// Sets the alarm of `whose` to `moment`, or stops it.
    pub(super) fn arm(&mut self, whose: Alarm, moment: Option<Moment>) {
        match moment {
            Some(moment) => self.alarms.set(whose, moment),
            None => {
                self.alarms.stop(whose);
            }
        }
    }
}
