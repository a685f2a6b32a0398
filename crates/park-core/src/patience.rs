//! How long a phone that could not take a notice is left alone.

use std::time::Duration;

use sip_msg::{Message, Name};

/// After the first time; after each further one twice as long,
const FIRST: Duration = Duration::from_secs(30);
/// but never longer than this.
const LONGEST: Duration = Duration::from_secs(600);
/// As long as a phone may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);

/// What a phone has said to a notice: its final answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken {
    pub(crate) status: u16,
    retry_after: Option<Duration>,
}

impl Taken {
    /// No answer at all.
    pub(crate) const NOT_ANSWERED: Taken = Taken { status: 408, retry_after: None };

    pub(crate) fn of(response: &Message) -> Taken {
        Taken { status: response.status(), retry_after: retry_after(response) }
    }

    /// Whether there was an answer: 408 is none, or as good as none.
    pub(crate) fn was_answered(&self) -> bool {
        self.status != Taken::NOT_ANSWERED.status
    }

    /// How long to wait before it is told again, after so many times in a row that it could not take
    /// a notice; what it asks for itself comes first (RFC 3261 §20.33).
    pub(crate) fn pause(&self, failures: u32) -> Duration {
        let doubled = FIRST * 2u32.saturating_pow(failures.saturating_sub(1).min(8));
        self.retry_after.unwrap_or_else(|| doubled.min(LONGEST))
    }
}

/// `Retry-After: 120 (in a meeting);duration=3600`
fn retry_after(response: &Message) -> Option<Duration> {
    let value = response.get(Name::RetryAfter)?.trim_start();
    let end = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let seconds: u32 = value[..end].parse().ok()?;
    Some(Duration::from_secs(u64::from(seconds.max(1))).min(LONGEST_ASKED))
}
