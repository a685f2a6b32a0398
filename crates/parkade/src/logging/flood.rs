//! How many lines of one kind a second may hold, so that nobody outside can fill the disk.

use std::time::Duration;

use base::Moment;

/// Lines of one kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flood {
    per_second: u32,
    since: Moment,
    told: u32,
    left_out: u64,
}

const SECOND: Duration = Duration::from_secs(1);

impl Flood {
    /// At most `per_second` lines in a second.
    pub(super) const fn of(per_second: u32) -> Flood {
        Flood { per_second, since: Moment::ZERO, told: 0, left_out: 0 }
    }

    /// Whether a line may be written now, and how many were left out before it.
    pub(super) fn admit(&mut self, at: Moment) -> Option<u64> {
        if at.since(self.since) >= SECOND {
            self.since = at;
            self.told = 0;
        }
        if self.told >= self.per_second {
            self.left_out += 1;
            return None;
        }
        self.told += 1;
        Some(std::mem::take(&mut self.left_out))
    }

    /// How many were left out, once the flood is over.
    pub(super) fn over(&mut self, at: Moment) -> Option<u64> {
        let over = self.left_out > 0 && at.since(self.since) >= 2 * SECOND;
        over.then(|| std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::from_micros(millis * 1000)
    }

    #[test]
    fn lines_beyond_the_rate_are_counted_and_told_with_the_next_one() {
        let mut flood = Flood::of(2);
        assert_eq!(flood.admit(at(5000)), Some(0));
        assert_eq!(flood.admit(at(5001)), Some(0));
        assert_eq!(flood.admit(at(5002)), None);
        assert_eq!(flood.admit(at(5999)), None);
        assert_eq!(flood.admit(at(6000)), Some(2));
        assert_eq!(flood.admit(at(6001)), Some(0));
    }

    #[test]
    fn what_was_left_out_is_told_when_the_flood_is_over() {
        let mut flood = Flood::of(1);
        assert_eq!(flood.admit(at(5000)), Some(0));
        assert_eq!(flood.admit(at(5001)), None);
        assert_eq!(flood.over(at(5500)), None);
        assert_eq!(flood.over(at(7000)), Some(1));
        assert_eq!(flood.over(at(9000)), None);
    }
}
