//! The outcome of a REFER, as its NOTIFY tells it (RFC 3515 §2.4.5, RFC 3420).

use bytes::Bytes;

use crate::notices::body::Body;
use crate::notices::dialog_info::ParkedDialog;

/// A status line as a body: `SIP/2.0 200 OK`.
pub fn sipfrag(status: u16, reason: &str) -> Body {
    fragment(format!("SIP/2.0 {status} {reason}\r\n"))
}

/// The same with the parked call's dialog, as the BLISS draft's server writes it: by these ids the
/// parker can name the call in a `Replaces`, and its From names the slot.
pub fn sipfrag_of(status: u16, reason: &str, parked: &ParkedDialog) -> Body {
    let ParkedDialog { local_uri, local_tag, parkee_uri, remote_tag, call_id, .. } = parked;
    fragment(format!(
        "SIP/2.0 {status} {reason}\r\n\
         From: <{local_uri}>;tag={local_tag}\r\n\
         To: <{parkee_uri}>;tag={remote_tag}\r\n\
         Call-ID: {call_id}\r\n"
    ))
}

fn fragment(text: String) -> Body {
    Body { content_type: "message/sipfrag;version=2.0".into(), bytes: Bytes::from(text) }
}
