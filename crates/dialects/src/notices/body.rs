//! A body that is ready to be sent.

use bytes::Bytes;

/// The body of a request, with its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// For `Content-Type`.
    pub content_type: String,
    /// The body itself; lines end in CRLF.
    pub bytes: Bytes,
}
