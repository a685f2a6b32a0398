//! A call's messages, as an operator sees them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::admin::tap::{Seen, Way};
use crate::admin::trace::redact::Redactor;
use crate::admin::trace::ring::FIRST_KEPT;
use crate::clock::Clock;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct MessageView {
    /// When (RFC 3339).
    pub(crate) at: String,
    /// When, in microseconds since the first message.
    pub(crate) after_us: u64,
    /// `in`: it came; `out`: it was sent.
    pub(crate) way: String,
    /// On which side: `phones` or `pbx`.
    pub(crate) side: String,
    /// `udp` or `tcp`.
    pub(crate) transport: String,
    /// Our address and port.
    pub(crate) local: String,
    /// Theirs.
    pub(crate) peer: String,
    /// Its first line.
    pub(crate) line: String,
    /// Its `CSeq`.
    pub(crate) cseq: String,
    /// All of it, without credentials.
    pub(crate) text: String,
}

/// What was said in a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct TraceView {
    /// Its Call-ID.
    pub(crate) call_id: String,
    /// How many messages are no longer known …
    pub(crate) left_out: u64,
    /// … after so many of the first.
    pub(crate) left_out_after: usize,
    /// The messages, the first first.
    pub(crate) messages: Vec<MessageView>,
}

impl TraceView {
    /// Of these messages.
    pub(crate) fn of<'s>(
        call_id: &str,
        messages: impl Iterator<Item = &'s Seen>,
        left_out: u64,
        redactor: &Redactor,
        clock: Clock,
    ) -> TraceView {
        let mut first = None;
        let view = |seen: &Seen| {
            let bytes = redactor.redact(&seen.bytes);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let cseq = text.lines().take_while(|line| !line.is_empty()).find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.trim().eq_ignore_ascii_case("cseq").then(|| value.trim().to_owned())
            });
            MessageView {
                at: clock.date(seen.at),
                after_us: seen.at.since(*first.get_or_insert(seen.at)).as_micros() as u64,
                way: match seen.way {
                    Way::In => "in",
                    Way::Out => "out",
                }
                .to_owned(),
                side: seen.flow.side.to_string(),
                transport: seen.flow.transport.in_uri().to_owned(),
                local: seen.flow.local.to_string(),
                peer: seen.flow.peer.to_string(),
                line: text.lines().next().unwrap_or_default().to_owned(),
                cseq: cseq.unwrap_or_default(),
                text,
            }
        };
        let messages = messages.map(view).collect();
        TraceView { call_id: call_id.to_owned(), left_out, left_out_after: FIRST_KEPT, messages }
    }
}
