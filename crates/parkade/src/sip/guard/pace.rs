//! How often something may happen: the generic cell rate algorithm (ITU-T I.371), one number for each thing.

use base::Moment;

use crate::config::Rate;

/// When the next one would be due if they came evenly.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pace {
    due_us: u64,
}

impl Pace {
    /// Whether one more may come now; counts it if so. Without a rate any may.
    pub(super) fn admit(&mut self, at: Moment, rate: Option<Rate>) -> bool {
        let Some(rate) = rate else { return true };
        let interval = u64::try_from(rate.interval.as_micros()).unwrap_or(u64::MAX).max(1);
        let now = at.as_micros();
        let due = self.due_us.max(now).saturating_add(interval);
        if due - now > interval.saturating_mul(u64::from(rate.burst)) {
            return false;
        }
        self.due_us = due;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_comes_at_once_and_then_one_each_interval() {
        let rate = Rate::per_second(10, 3);
        let mut pace = Pace::default();
        let mut admitted = |ms: u64| pace.admit(Moment::from_micros(ms * 1_000), rate);
        assert!([5_000, 5_000, 5_000].map(&mut admitted).iter().all(|yes| *yes));
        assert_eq!(
            [5_000, 5_099, 5_100, 5_199, 5_200].map(&mut admitted),
            [false, false, true, false, true]
        );
        assert!(
            [9_000, 9_000, 9_000].map(&mut admitted).iter().all(|yes| *yes),
            "after a rest it is full"
        );
        assert!(!admitted(9_000));
    }
}
