//! The one clock: turns the system's time into moments and back; and what the date is good for. Moments
//! are counted from 1970, so that those that were written down in one run of the program mean the same
//! in the next; while it runs they go on steadily, whatever the system's clock is set to.

use std::time::{Duration, SystemTime};

use base::Moment;
use tokio::time::Instant;

/// A clock that began when the engine was opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    began: Instant,
    at: Moment,
}

impl Clock {
    pub(crate) fn start() -> Clock {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Clock { began: Instant::now(), at: Moment::ZERO + since.unwrap_or_default() }
    }

    pub(crate) fn now(&self) -> Moment {
        self.at + self.began.elapsed()
    }

    /// The time of day at that moment, by what the system's clock says now (RFC 3339, in UTC).
    pub(crate) fn date(&self, at: Moment) -> String {
        humantime::format_rfc3339_millis(self.wall(at)).to_string()
    }

    /// The same as a time of the system.
    pub(crate) fn wall(&self, at: Moment) -> SystemTime {
        let (now, wall) = (self.now(), SystemTime::now());
        let ago = wall.checked_sub(now.since(at)).unwrap_or(SystemTime::UNIX_EPOCH);
        // A century from now is as good as never.
        let ahead = at.since(now).min(Duration::from_secs(100 * 365 * 86_400));
        ago.checked_add(ahead).unwrap_or(ago)
    }

    pub(crate) fn instant(&self, at: Moment) -> Instant {
        // A moment beyond what the system's clock can say is never.
        let after = at.since(self.at).min(Duration::from_secs(u64::from(u32::MAX)));
        self.began + after
    }
}

/// 2026-01-01T00:00:00Z.
const YEAR_2026: Duration = Duration::from_secs(1_767_225_600);

/// With which version the notices of new subscriptions begin if the program starts at `now`: the
/// seconds since 2026, so that those of a later start are higher. A clock that is further back than
/// that, as on a machine that does not know the time yet, means 0.
pub(crate) fn first_version(now: SystemTime) -> u32 {
    let begin = SystemTime::UNIX_EPOCH + YEAR_2026;
    let since = now.duration_since(begin).unwrap_or_default();
    u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_count_the_seconds_since_2026_and_stay_within_their_bounds() {
        let at = |seconds| first_version(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), 0);
        assert_eq!(at(1_767_225_600), 0);
        assert_eq!(at(1_767_225_661), 61);
        assert_eq!(at(u64::from(u32::MAX) * 3), u32::MAX);
    }
}
