//! BroadWorks' `Event: call-info`: what is parked for the extension of the phone that subscribed.

use std::fmt::Write;

use bytes::Bytes;

use crate::notices::body::Body;
use crate::notices::notice::NoticeCall;
use crate::notices::number::is_number_to_dial;
use crate::notices::xml::xml_text;

/// The event package in which BroadWorks tells a line's appearances and its parked calls.
pub const CALL_INFO: &str = "call-info";

/// The body's type: a phone that wants to hear of parked calls has it in `Accept`.
pub const CALLPARK_INFO: &str = "application/x-broadworks-callpark-info+xml";

/// The value of `Call-Info` that such a NOTIFY carries: no appearance of this line is in use. Phones
/// that share lines need it even where only parked calls are told.
pub fn idle_appearances(domain: &str) -> String {
    format!("<sip:{domain}>;appearance-index=*;appearance-state=idle")
}

/// The calls parked for an extension, first in first; none of them: an empty `callpark`, which puts the
/// phone's light out.
pub fn callpark_info(calls: &[NoticeCall]) -> Body {
    let mut text = String::with_capacity(192 + 160 * calls.len());
    text.push_str(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
         <x-broadworks-callpark-info xmlns=\"http://schema.broadsoft.com/callpark\">\r\n",
    );
    if calls.is_empty() {
        text.push_str("  <callpark/>\r\n");
    } else {
        text.push_str("  <callpark>\r\n");
        for call in calls {
            identity(&mut text, call);
        }
        text.push_str("  </callpark>\r\n");
    }
    text.push_str("</x-broadworks-callpark-info>\r\n");
    Body { content_type: CALLPARK_INFO.into(), bytes: Bytes::from(text) }
}

fn identity(out: &mut String, call: &NoticeCall) {
    let name = call.parkee_name.as_deref().filter(|name| !name.is_empty());
    let display = name.map_or_else(String::new, |name| format!(" display=\"{}\"", xml_text(name)));
    let says_itself = call.parkee_uri.contains(";user=");
    let phone =
        if is_number_to_dial(&call.parkee_user) && !says_itself { ";user=phone" } else { "" };
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        "    <parked>\r\n      <identity{display}>{}{phone}</identity>\r\n    </parked>\r\n",
        xml_text(&call.parkee_uri)
    );
}
