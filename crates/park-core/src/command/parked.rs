//! Parked calls, as operators see them and as facts name them.

use serde::{Deserialize, Serialize};

/// A parked call, by name and place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ParkedAt {
    /// By which operators name it, at its node: random, and never used again.
    #[serde(default)]
    pub park: String,
    /// The lot.
    pub lot: String,
    /// The SIP domain.
    pub domain: String,
    /// The slot.
    pub slot: String,
}

/// Who is parked, by whom, and what to dial.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ParkedWho {
    /// The parkee's number or user.
    pub parkee: String,
    /// Its display name, if it has one.
    pub parkee_name: Option<String>,
    /// Who parked it.
    pub parker: String,
    /// The park group, for a group park.
    pub group: Option<String>,
    /// What a phone dials to take it.
    #[serde(default)]
    pub retrieve: String,
}

/// One parked call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ParkedView {
    /// Which, and where.
    #[serde(flatten)]
    pub at: ParkedAt,
    /// Who.
    #[serde(flatten)]
    pub parked: ParkedWho,
    /// Since when it is parked, in microseconds since the engine was opened.
    #[serde(default)]
    pub since_us: u64,
    /// Seconds parked so far.
    pub parked_for_s: u64,
    /// Seconds to the recall, if one is to come.
    pub recall_in_s: Option<u64>,
    /// How many recalls there were of who is recalled now.
    #[serde(default)]
    pub attempt: u32,
    /// What becomes of it.
    pub state: ParkedState,
    /// Who takes it, or is rung for it, or where the PBX is asked to bring it: an extension, or several with commas
    /// between them; the same as the events say.
    #[serde(default)]
    pub who: Option<String>,
    /// The Call-ID of the parkee's leg.
    pub call_id: String,
}

/// A call that is parked at another node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ElsewhereView {
    /// The node.
    pub node: String,
    /// Which, and where.
    #[serde(flatten)]
    pub at: ParkedAt,
    /// Who; what is dialled to take it holds here too.
    #[serde(flatten)]
    pub parked: ParkedWho,
    /// Seconds parked so far, by the clock of that node.
    pub parked_for_s: u64,
}

/// What becomes of a parked call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ParkedState {
    /// The park does not stand yet: the PBX has been asked for what it needs.
    Parking,
    /// It waits.
    Parked,
    /// It is being recalled, or handed over to the PBX.
    Recalling,
    /// An operator has an extension rung to take it.
    Delivering,
    /// Somebody is taking it.
    Claimed,
}

impl ParkedState {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            ParkedState::Parking => "parking",
            ParkedState::Parked => "parked",
            ParkedState::Recalling => "recalling",
            ParkedState::Delivering => "delivering",
            ParkedState::Claimed => "claimed",
        }
    }
}
