//! BroadWorks' `Event: call-info`: what is parked for the extension of the phone that subscribed. Its body
//! is that of the built-in template `broadworks` ([`Templates::callpark_info`](crate::Templates)).

use sip_msg::{Message, Name};

/// The event package in which BroadWorks tells a line's appearances and its parked calls.
pub const CALL_INFO: &str = "call-info";

/// The body's type: a phone that wants to hear of parked calls has it in `Accept`.
pub const CALLPARK_INFO: &str = "application/x-broadworks-callpark-info+xml";

/// The value of `Call-Info` that such a NOTIFY carries: no appearance of this line is in use. Phones
/// that share lines need it even where only parked calls are told.
pub fn idle_appearances(domain: &str) -> String {
    format!("<sip:{domain}>;appearance-index=*;appearance-state=idle")
}

/// Whether a SUBSCRIBE asks for the parked calls: it names their body's type in `Accept`.
pub fn wants_callpark_info(request: &Message) -> bool {
    let kind = |value: &str| value.split(';').next().unwrap_or_default().trim().to_owned();
    request.values(Name::Accept).any(|value| kind(value).eq_ignore_ascii_case(CALLPARK_INFO))
}
