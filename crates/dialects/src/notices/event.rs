//! What has become of a parked call, in a word.

use serde::{Deserialize, Serialize};

/// What has happened to a parked call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParkEvent {
    /// The call waits in its slot.
    Parked,
    /// It still waits: time to look after it.
    Reminder,
    /// Somebody has taken it.
    Retrieved,
    /// Somebody has taken it who was rung up for it.
    Recalled,
    /// It has gone somewhere else.
    Forwarded,
    /// The parkee has hung up, or was hung up.
    Abandoned,
    /// It could not be parked.
    Error,
}

impl ParkEvent {
    /// The word on the wire for phones that monitor a park; they have none for recalls.
    pub fn monitor_word(self) -> &'static str {
        match self {
            ParkEvent::Parked => "parked",
            ParkEvent::Reminder => "reminder",
            ParkEvent::Retrieved | ParkEvent::Recalled => "retrieved",
            ParkEvent::Forwarded => "forwarded",
            ParkEvent::Abandoned => "abandoned",
            ParkEvent::Error => "error",
        }
    }

    /// Whether nothing can follow: the call is not in its slot any more.
    pub fn is_last(self) -> bool {
        !matches!(self, ParkEvent::Parked | ParkEvent::Reminder)
    }
}
