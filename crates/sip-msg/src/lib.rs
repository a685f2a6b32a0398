//! Hostile SIP and SDP text in, checked messages out; our own drafts to bytes.
//!
//! This crate owns the wire. [`Message::read`] checks a message whole, so that what comes out of it
//! always has a Via, From, To, Call-ID and CSeq that can be used without another question; what is
//! wrong ends there as [`Malformed`], which carries the answer that the sender is owed. A message is
//! an index over the bytes as they came: names are known by [`Name`], values are slices, nothing is
//! printed anew. So what only passes through ([`Edit`]) leaves byte for byte as it came, but for the
//! lines that were asked for; what we say ourselves is a [`Compose`]. Both end in a [`Draft`], which
//! has no Via: whoever sends it puts them in. [`Framer`] cuts a stream into messages.
//! [`Description`] reads an SDP body and [`Rewrite`] changes single lines of it.
//! Nothing here keeps state between messages, and no input, however bad, makes it panic.
#![forbid(unsafe_code)]

mod auth;
mod check;
mod compose;
mod draft;
mod edit;
mod escape;
mod framer;
mod head;
mod malformed;
mod message;
mod method;
mod name;
mod name_addr;
mod params;
mod put;
mod reason;
mod replaces;
mod sdp;
mod span;
mod start;
mod text;
mod tidy;
mod uri;
mod values;
mod via;

pub use auth::digest_username;
pub use compose::Compose;
pub use draft::Draft;
pub use edit::Edit;
pub use escape::{escape_header_value, escape_user, unescape};
pub use framer::{Framed, Framer, MAX_BODY};
pub use head::MAX_HEAD;
pub use malformed::Malformed;
pub use message::Message;
pub use method::Method;
pub use name::Name;
pub use name_addr::NameAddr;
pub use params::Params;
pub use reason::reason_phrase;
pub use replaces::ReplacesId;
pub use sdp::{BadSdp, Description, Direction, Media, Payload, Rewrite, sdp_part};
pub use uri::SipUri;
pub use via::{Via, via_seen_from};
