//! The house's alarms, and which have been set, stopped or gone off since the journal was last written.

use base::{Deadlines, Moment};

use crate::keys::Alarm;

/// All alarms.
#[derive(Debug, Default)]
pub(crate) struct Alarms {
    due: Deadlines<Alarm>,
    changed: Vec<Alarm>,
}

impl Alarms {
    /// Sets an alarm, in place of the same one set before.
    pub(crate) fn set(&mut self, alarm: Alarm, at: Moment) {
        self.due.set(alarm, at);
        self.note(alarm);
    }

    fn note(&mut self, alarm: Alarm) {
        if alarm.is_kept() {
            self.changed.push(alarm);
        }
    }

    /// Stops an alarm, if it is set.
    pub(crate) fn stop(&mut self, alarm: Alarm) {
        if self.due.stop(alarm) {
            self.note(alarm);
        }
    }

    /// When it will go off, if it is set.
    pub(crate) fn at(&self, alarm: Alarm) -> Option<Moment> {
        self.due.at(alarm)
    }

    /// The next one.
    pub(crate) fn next(&self) -> Option<(Moment, Alarm)> {
        self.due.next()
    }

    /// One that is due.
    pub(crate) fn expired(&mut self, now: Moment) -> Option<Alarm> {
        let alarm = self.due.expired(now)?;
        self.note(alarm);
        Some(alarm)
    }

    /// How many are set.
    pub(crate) fn len(&self) -> usize {
        self.due.len()
    }

    /// Whether any of those in the journal has changed since they were last asked for.
    pub(crate) fn have_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Those in the journal that have changed since this was last asked.
    pub(crate) fn changed(&mut self) -> Vec<Alarm> {
        std::mem::take(&mut self.changed)
    }
}
