//! The end of every story: all hang up, and nothing may be left behind.

use std::time::Duration;

use super::state::World;
use crate::wire::Fault;

/// Longer than 64·T1 and the transactions that begin within it.
const AFTERWARDS: Duration = Duration::from_secs(110);

impl World {
    /// What each phone was told last must equal what is parked. Then everybody hangs up, ends
    /// subscriptions and goes to rest; when all has timed out, nothing may be left in the house, at the
    /// phones and in the PBX.
    #[track_caller]
    pub fn tidy(&mut self) {
        self.spoil_every(0, Fault::Drop);
        self.settle();
        self.screens_equal_lots().lamps_equal_lots();
        self.everybody_hangs_up();
        self.pass(AFTERWARDS);
        self.nothing_left();
    }

    /// Everybody ends all calls and subscriptions and refreshes nothing any more.
    #[track_caller]
    pub fn everybody_hangs_up(&mut self) {
        // Who is still rung up or transferred when the first round begins gets a second.
        for _ in 0..3 {
            self.all_hang_up_now();
            self.pass(Duration::from_secs(5));
        }
    }

    /// The same at once; no time passes.
    pub(crate) fn all_hang_up_now(&mut self) {
        for at in 0..self.seats.len() {
            self.with_phone(at, |phone, now| {
                phone.hang_up_all(now);
                phone.unsubscribe(now);
                phone.rest();
            });
        }
    }

    #[track_caller]
    pub(crate) fn nothing_left(&mut self) {
        for seat in &self.seats {
            let (calls, transactions) = (seat.phone.living_calls(), seat.phone.transactions());
            if calls + transactions > 0 && !seat.phone.is_switched_off() {
                let what = format!(
                    "{} is left with {calls} calls, {transactions} transactions",
                    seat.name
                );
                self.fail(&what);
            }
        }
        let (legs, transactions) = (self.pbx().living_legs(), self.pbx().transactions());
        if legs.len() + transactions > 0 {
            self.fail(&format!("the PBX is left with legs {legs:?}, {transactions} transactions"));
        }
        if let Err(what) = self.invariants.all_acknowledged() {
            self.fail(&what);
        }
        let counts = self.counts();
        let left = [
            ("legs", counts.legs),
            ("parked calls", counts.parked),
            ("watches", counts.watches),
            ("pending requests", counts.pending),
            ("transactions", counts.transactions),
            ("port pairs", counts.pairs),
            ("alarms", counts.alarms),
            ("bugs", counts.bugs as usize),
        ];
        if left.iter().any(|(_, count)| *count > 0) {
            self.fail(&format!("the house is left with {left:?}"));
        }
        let planned = self.media.as_ref().map_or(0, |media| media.planned());
        if planned > 0 {
            self.fail(&format!("{planned} streams are left"));
        }
    }
}
