//! The one clock: turns the system's time into moments and back.

use std::time::Duration;

use base::Moment;
use tokio::time::Instant;

/// A clock that began when the engine was opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Clock {
        Clock(Instant::now())
    }

    pub(crate) fn now(&self) -> Moment {
        Moment::ZERO + self.0.elapsed()
    }

    pub(crate) fn instant(&self, at: Moment) -> Instant {
        // A moment beyond what the system's clock can say is never.
        let after = at.since(Moment::ZERO).min(Duration::from_secs(u64::from(u32::MAX)));
        self.0 + after
    }
}
