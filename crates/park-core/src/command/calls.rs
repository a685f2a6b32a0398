//! Calls in progress, as an operator sees them.

use serde::{Deserialize, Serialize};

/// A call: two legs that are joined, or one that is held by us, with those that ring for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CallView {
    /// By which operators name it: random, and the same as long as the far end behind the PBX is. A call
    /// that goes through the PBX from one phone to another is two calls here.
    pub id: String,
    /// The Call-ID; after a retrieve the one of the leg towards the PBX.
    pub call_id: String,
    /// Who called, or has been here longer.
    pub caller: String,
    /// Its display name, if it has one.
    pub caller_name: Option<String>,
    /// Who was called, or has come later; empty: nobody any more, or not yet.
    pub callee: String,
    /// Its display name, if it has one.
    pub callee_name: Option<String>,
    /// How far it has come.
    pub state: CallState,
    /// Seconds since it began.
    pub since_s: u64,
    /// Seconds since it was answered, if it is.
    pub answered_for_s: Option<u64>,
    /// The name of the parked call, if it is one.
    pub park: Option<String>,
    /// Its legs: the caller's, the callee's, and those that ring for it.
    pub legs: Vec<LegView>,
}

/// How far a call has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum CallState {
    /// Not answered, and nobody rings yet.
    Setup,
    /// The callee's phone rings.
    Ringing,
    /// Answered.
    Talking,
    /// A dialled park number was answered by us.
    Parking,
    /// Parked, and waiting.
    Parked,
    /// Parked, and being recalled or handed over to the PBX.
    Recalling,
    /// Parked, and an operator has an extension rung to take it.
    Delivering,
    /// Parked, and somebody is taking it.
    Claimed,
    /// Nobody is behind it any more; it ends.
    Ending,
}

impl CallState {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            CallState::Setup => "setup",
            CallState::Ringing => "ringing",
            CallState::Talking => "talking",
            CallState::Parking => "parking",
            CallState::Parked => "parked",
            CallState::Recalling => "recalling",
            CallState::Delivering => "delivering",
            CallState::Claimed => "claimed",
            CallState::Ending => "ending",
        }
    }
}

/// One side of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LegView {
    /// Towards whom: `phones` or `pbx`.
    pub side: String,
    /// Who is there: the extension of a phone, else the number or user that is shown.
    pub party: String,
    /// Its display name, if it has one.
    pub name: Option<String>,
    /// How far it has come.
    pub stage: LegStage,
    /// Where it is: address and port.
    pub at: String,
    /// What becomes of its sound.
    pub media: LegMedia,
    /// The codec in use, if one is agreed: `PCMA`.
    pub codec: Option<String>,
    /// Its far end has put us on hold.
    pub on_hold: bool,
}

/// How far a leg has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum LegStage {
    /// Not answered.
    Early,
    /// Not answered, and it rings.
    Ringing,
    /// Answered.
    Up,
    /// A BYE is under way.
    Ending,
}

impl LegStage {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            LegStage::Early => "early",
            LegStage::Ringing => "ringing",
            LegStage::Up => "up",
            LegStage::Ending => "ending",
        }
    }
}

/// What becomes of the sound of a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum LegMedia {
    /// It goes through us.
    Relayed,
    /// It goes past us.
    Direct,
    /// Its far end hears music.
    Music,
    /// There is none.
    None,
}

impl LegMedia {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            LegMedia::Relayed => "relayed",
            LegMedia::Direct => "direct",
            LegMedia::Music => "music",
            LegMedia::None => "none",
        }
    }
}
