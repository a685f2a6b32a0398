//! How the program ends: no new calls, then the calls that are left, then itself.

use std::time::Duration;

use base::Moment;
use park_core::Counts;

/// How long the last BYEs may take.
const FAREWELL: Duration = Duration::from_secs(4);

/// How long calls that are being set up may take, where all others are kept.
const LAST_SETUPS: Duration = Duration::from_secs(3);

/// How far the end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Not ordered.
    Open,
    /// New calls are refused; those that are parked, or talk through us, go on until then.
    Draining(Moment),
    /// New calls are refused; those that are being set up may get so far by then, all others are kept.
    Keeping(Moment),
    /// Every call is being ended, since then.
    Farewell(Moment),
    /// Over.
    Over,
}

/// What is to be done next for the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Order the engine to refuse new calls.
    Drain,
    /// Order the engine to end every call.
    EndAll,
    /// Count what is left, and say so.
    Count,
    /// Leave.
    Leave,
}

/// The end of the program, as a machine.
#[derive(Debug)]
pub(super) struct Ending {
    phase: Phase,
    grace: Duration,
    keeps_calls: bool,
}

impl Ending {
    /// With this much time for the calls that are left, unless they are kept for the next run.
    pub(super) fn with(grace: Duration, keeps_calls: bool) -> Ending {
        Ending { phase: Phase::Open, grace, keeps_calls }
    }

    /// The operator orders the end; a second time: at once.
    pub(super) fn order(&mut self, at: Moment) -> Step {
        match self.phase {
            Phase::Open if self.keeps_calls => {
                self.phase = Phase::Keeping(at + LAST_SETUPS.min(self.grace));
                Step::Drain
            }
            Phase::Open => {
                self.phase = Phase::Draining(at + self.grace);
                Step::Drain
            }
            _ => {
                self.phase = Phase::Over;
                Step::Leave
            }
        }
    }

    /// From now on so; an end that has begun stays as it is.
    pub(super) fn set(&mut self, grace: Duration, keeps_calls: bool) {
        (self.grace, self.keeps_calls) = (grace, keeps_calls);
    }

    /// Whether calls are left to the next start.
    pub(super) fn leaves_calls(&self) -> bool {
        self.keeps_calls
    }

    /// Whether the end has been ordered.
    pub(super) fn is_near(&self) -> bool {
        self.phase != Phase::Open
    }

    /// Some time has passed.
    pub(super) fn tick(&mut self, at: Moment) -> Option<Step> {
        match self.phase {
            Phase::Open => None,
            Phase::Draining(until) if at >= until => {
                self.phase = Phase::Farewell(at);
                Some(Step::EndAll)
            }
            Phase::Farewell(since) if at >= since + FAREWELL => {
                self.phase = Phase::Over;
                Some(Step::Leave)
            }
            Phase::Keeping(until) if at >= until => {
                self.phase = Phase::Over;
                Some(Step::Leave)
            }
            Phase::Draining(_) | Phase::Keeping(_) | Phase::Farewell(_) => Some(Step::Count),
            Phase::Over => Some(Step::Leave),
        }
    }

    /// What is left in the house.
    pub(super) fn left(&mut self, at: Moment, counts: &Counts) -> Option<Step> {
        let quiet = counts.legs == 0 && counts.pending == 0 && counts.watches == 0;
        match self.phase {
            Phase::Keeping(_) if counts.pending == 0 => {
                self.phase = Phase::Over;
                Some(Step::Leave)
            }
            // There is nobody to part from.
            Phase::Draining(_) if quiet && counts.parked == 0 && counts.pairs == 0 => {
                self.phase = Phase::Over;
                Some(Step::Leave)
            }
            // Legs of subscriptions do not keep the program: phones subscribe anew.
            Phase::Draining(_) if counts.parked == 0 && counts.pairs == 0 => {
                self.phase = Phase::Farewell(at);
                Some(Step::EndAll)
            }
            // A leg is there until its BYE is answered.
            Phase::Farewell(_) if quiet => {
                self.phase = Phase::Over;
                Some(Step::Leave)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_micros(seconds * 1_000_000)
    }

    fn counts(legs: usize, parked: usize) -> Counts {
        Counts { legs, parked, transactions: 9, ..Counts::default() }
    }

    fn ending() -> Ending {
        Ending::with(Duration::from_secs(60), false)
    }

    #[test]
    fn a_parked_call_keeps_the_program_until_the_grace_ends() {
        let mut ending = ending();
        assert_eq!(ending.tick(at(0)), None);
        assert_eq!(ending.order(at(10)), Step::Drain);
        assert_eq!(ending.tick(at(20)), Some(Step::Count));
        assert_eq!(ending.left(at(20), &counts(2, 1)), None);
        assert_eq!(ending.tick(at(70)), Some(Step::EndAll));
        assert_eq!(ending.left(at(70), &counts(2, 0)), None);
        assert_eq!(ending.left(at(71), &counts(0, 0)), Some(Step::Leave));
    }

    #[test]
    fn a_quiet_house_is_left_at_once() {
        let mut ending = ending();
        ending.order(at(10));
        assert_eq!(ending.left(at(10), &counts(0, 0)), Some(Step::Leave));
        assert_eq!(ending.tick(at(11)), Some(Step::Leave));
    }

    #[test]
    fn a_phone_that_does_not_answer_its_bye_is_not_waited_for() {
        let mut ending = ending();
        ending.order(at(10));
        assert_eq!(ending.left(at(10), &counts(1, 0)), Some(Step::EndAll));
        assert_eq!(ending.tick(at(12)), Some(Step::Count));
        assert_eq!(ending.left(at(12), &counts(1, 0)), None);
        assert_eq!(ending.tick(at(14)), Some(Step::Leave));
    }

    #[test]
    fn a_second_order_ends_at_once() {
        let mut ending = ending();
        ending.order(at(10));
        assert_eq!(ending.order(at(11)), Step::Leave);
        assert_eq!(ending.tick(at(11)), Some(Step::Leave));
    }
}
