//! The outcome of a REFER, as its NOTIFY tells it (RFC 3515 §2.4.5, RFC 3420).

use bytes::Bytes;

use crate::notices::body::Body;

/// A status line as a body: `SIP/2.0 200 OK`.
pub fn sipfrag(status: u16, reason: &str) -> Body {
    Body {
        content_type: "message/sipfrag;version=2.0".into(),
        bytes: Bytes::from(format!("SIP/2.0 {status} {reason}\r\n")),
    }
}
