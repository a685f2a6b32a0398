//! What streams are like, as an operator sees them.

use std::time::Duration;

use base::Side;
use rtp_flow::Quality;
use serde::{Deserialize, Serialize};

/// What has come from one end of a call so far, as an operator sees it: [`Quality`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StreamView {
    /// The Call-ID.
    pub call_id: String,
    /// From which side: `phones` or `pbx`.
    pub side: String,
    /// Packets that came, …
    pub received: u64,
    /// … and how many of them the kernel forwarded.
    pub by_kernel: u64,
    /// Packets that did not come.
    pub lost: u64,
    /// Packets that came after a later one.
    pub reordered: u64,
    /// Packets that came again.
    pub repeated: u64,
    /// How many SSRCs there were.
    pub sources: u32,
    /// Interarrival jitter (RFC 3550 §6.4.1), in microseconds.
    pub jitter_us: u64,
    /// The most that it ever was.
    pub worst_jitter_us: u64,
    /// What that end last reported of what it hears, if it did.
    pub reported: Option<ReportedView>,
}

/// A reception report (RFC 3550 §6.4.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReportedView {
    /// Lost since the report before, in 256ths.
    pub fraction_lost: u8,
    /// Lost since the beginning.
    pub lost: i32,
    /// Interarrival jitter, in microseconds.
    pub jitter_us: u64,
}

impl StreamView {
    /// What has come from that side of the call.
    pub fn of(call_id: String, side: Side, quality: &Quality) -> StreamView {
        let micros = |time: Duration| time.as_micros() as u64;
        StreamView {
            call_id,
            side: side.to_string(),
            received: quality.received,
            by_kernel: quality.unseen,
            lost: quality.lost,
            reordered: quality.reordered,
            repeated: quality.repeated,
            sources: quality.sources,
            jitter_us: micros(quality.jitter),
            worst_jitter_us: micros(quality.worst_jitter),
            reported: quality.reported.map(|reported| ReportedView {
                fraction_lost: reported.fraction_lost,
                lost: reported.lost,
                jitter_us: micros(reported.jitter),
            }),
        }
    }
}
