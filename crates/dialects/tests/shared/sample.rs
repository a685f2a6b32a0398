//! Requests as phones send them, in files.
#![allow(dead_code, unused_macros, unused_imports, reason = "each test file uses its part")]

use bytes::Bytes;
use sip_msg::Message;

/// Lines of samples end in LF; on the wire they end in CRLF.
pub(crate) fn message(sample: &str) -> Message {
    Message::read(Bytes::from(sample.replace('\n', "\r\n"))).unwrap()
}

/// The sample in this folder with this name.
macro_rules! sample {
    ($folder:literal, $name:literal) => {
        $crate::shared::message(include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/samples/",
            $folder,
            "/",
            $name,
            ".sip"
        )))
    };
}

/// What the REFER with this name asks.
macro_rules! refer {
    ($name:literal) => {
        dialects::Refer::read(&$crate::shared::sample!("refer", $name))
    };
}

/// What the INVITE with this name asks.
macro_rules! invite {
    ($name:literal) => {
        dialects::Invite::read(&$crate::shared::sample!("invite", $name))
    };
}

pub(crate) use {invite, refer, sample};
