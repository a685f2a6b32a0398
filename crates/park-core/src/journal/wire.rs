//! A message in a record: as it came.

use bytes::Bytes;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sip_msg::Message;

/// Writes it.
pub(crate) fn serialize<S: Serializer>(message: &Message, to: S) -> Result<S::Ok, S::Error> {
    message.bytes().serialize(to)
}

/// Reads it, as anything that comes from outside.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Message, D::Error> {
    Message::read(Bytes::deserialize(from)?).map_err(D::Error::custom)
}
