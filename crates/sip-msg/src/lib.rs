//! Hostile SIP and SDP text in, checked messages out; our own drafts to bytes.
//!
//! This crate owns the wire. [`Message::read`] checks a message whole, so that what comes out of it
//! always has a Via, From, To, Call-ID and CSeq that can be used without another question; what is
//! wrong ends there as [`Malformed`], which carries the answer that the sender is owed. A message is
//! an index over the bytes as they came: names are known by [`Name`], values are slices, nothing is
//! printed anew. So what only passes through ([`Edit`]) leaves byte for byte as it came, but for the
//! lines that were asked for; what we say ourselves is a [`Compose`]. Both end in a [`Draft`], which
//! has no Via: whoever sends it puts them in. [`Framer`] cuts a stream into messages, [`KeepAlive`] is
//! what may lie between them.
//! [`Description`] reads an SDP body and [`Rewrite`] changes single lines of it.
//! Nothing here keeps state between messages, and no input, however bad, makes it panic.
//!
//! An INVITE passes through: it is read, gets our Contact, and leaves with a Via of ours.
//!
//! ```
//! use sip_msg::{Edit, Message, Name};
//!
//! let received = "INVITE sip:105@pbx.example SIP/2.0\r\n\
//!     v: SIP/2.0/UDP 192.0.2.103;branch=z9hG4bK1;rport\r\n\
//!     f: \"James\" <sip:103@pbx.example>;tag=1\r\n\
//!     t: <sip:105@pbx.example>\r\n\
//!     i: a@192.0.2.103\r\n\
//!     CSeq: 1 INVITE\r\n\
//!     m: <sip:103@192.0.2.103>;+sip.instance=\"<urn:uuid:7>\"\r\n\
//!     X-Anything: as it came\r\n\
//!     l: 0\r\n\r\n";
//! let message = Message::read(received.into())?;
//! assert_eq!((message.call_id(), message.from_tag()), ("a@192.0.2.103", Some("1")));
//!
//! let contact = message.contacts().next().expect("a phone says where it is");
//! let draft = Edit::of(&message)
//!     .request_line("sip:105@192.0.2.50")
//!     .set(Name::Contact, contact.with_uri("sip:token@198.51.100.1:5080"))
//!     .finish();
//! let sent = draft.with_vias(&["SIP/2.0/UDP 198.51.100.1:5080;branch=z9hG4bK2"]);
//! assert_eq!(sent, "INVITE sip:105@192.0.2.50 SIP/2.0\r\n\
//!     Via: SIP/2.0/UDP 198.51.100.1:5080;branch=z9hG4bK2\r\n\
//!     f: \"James\" <sip:103@pbx.example>;tag=1\r\n\
//!     t: <sip:105@pbx.example>\r\n\
//!     i: a@192.0.2.103\r\n\
//!     CSeq: 1 INVITE\r\n\
//!     m: <sip:token@198.51.100.1:5080>;+sip.instance=\"<urn:uuid:7>\"\r\n\
//!     X-Anything: as it came\r\n\
//!     l: 0\r\n\r\n");
//! # Ok::<(), sip_msg::Malformed>(())
//! ```
#![forbid(unsafe_code)]

mod auth;
mod check;
mod compose;
mod draft;
mod edit;
mod escape;
mod framer;
mod head;
mod keep_alive;
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
pub use keep_alive::KeepAlive;
pub use malformed::Malformed;
pub use message::Message;
pub use method::Method;
pub use name::Name;
pub use name_addr::NameAddr;
pub use params::Params;
pub use reason::reason_phrase;
pub use replaces::ReplacesId;
pub use sdp::{
    BadSdp, Crypto, CryptoKey, Description, Direction, Media, Payload, Rewrite, crypto_line,
    sdp_part,
};
pub use uri::SipUri;
pub use via::{Via, via_seen_from};
