//! What a stream was like, as those who watch over a telephone system ask.

use std::time::Duration;

/// What has come from one far side, measured as RFC 3550 does it, and what it said of what it heard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quality {
    /// RTP packets that came.
    pub received: u64,
    /// How many of them went a fast path, where they are counted but not looked at: of these only what
    /// was lost between the last packet before and the first after is known.
    pub unseen: u64,
    /// Packets that did not come (§A.3).
    pub lost: u64,
    /// Packets that came after a later one.
    pub reordered: u64,
    /// Packets that came again.
    pub repeated: u64,
    /// How many SSRCs there were.
    pub sources: u32,
    /// Interarrival jitter (§6.4.1) at the end.
    pub jitter: Duration,
    /// The most that it ever was.
    pub worst_jitter: Duration,
    /// What the far side last reported of what it hears, if it ever did.
    pub reported: Option<Reported>,
}

/// A reception report (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reported {
    /// Lost since the report before, in 256ths.
    pub fraction_lost: u8,
    /// Lost since the beginning; negative where more came than were expected.
    pub lost: i32,
    /// Interarrival jitter.
    pub jitter: Duration,
}
