//! Lots, groups and parked calls, as an operator sees them.

use serde::{Deserialize, Serialize};

/// One parked call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ParkedView {
    /// By which operators name it: random, and never used again.
    #[serde(default)]
    pub park: String,
    /// The lot.
    pub lot: String,
    /// The slot.
    pub slot: String,
    /// The SIP domain.
    pub domain: String,
    /// The parkee's display name, if it has one.
    pub parkee_name: Option<String>,
    /// The parkee's number or user.
    pub parkee: String,
    /// Who parked it.
    pub parker: String,
    /// The park group, for a group park.
    pub group: Option<String>,
    /// What a phone dials to take it.
    #[serde(default)]
    pub retrieve: String,
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
    /// By which operators name it, at that node.
    pub park: String,
    /// The lot.
    pub lot: String,
    /// The slot.
    pub slot: String,
    /// The SIP domain.
    pub domain: String,
    /// The parkee's display name, if it has one.
    pub parkee_name: Option<String>,
    /// The parkee's number or user.
    pub parkee: String,
    /// Who parked it.
    pub parker: String,
    /// The park group, for a group park.
    pub group: Option<String>,
    /// What a phone dials to take it, here too.
    pub retrieve: String,
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

/// A lot, and how full it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LotView {
    /// Its name.
    pub lot: String,
    /// The SIP domain for which this holds; empty: nobody has used the lot yet.
    pub domain: String,
    /// How many calls are parked, extensions included.
    pub parked: usize,
    /// How many slots it has.
    pub slots: usize,
    /// How many of them are free.
    pub free: usize,
    /// Its slots: `701-720`, or one number.
    #[serde(default)]
    pub ranges: Vec<String>,
    /// How many calls may wait in one slot, where the slot does not say otherwise.
    #[serde(default)]
    pub most_per_slot: usize,
    /// After how many seconds a call is recalled, where its slot or group does not say otherwise; none:
    /// never.
    #[serde(default)]
    pub recall_s: Option<u64>,
    /// What phones dial to park at an extension, before its number: `*68`.
    #[serde(default)]
    pub park: String,
    /// What they dial to park for their group.
    #[serde(default)]
    pub group_park: String,
    /// What they dial to retrieve, before the number.
    #[serde(default)]
    pub retrieve: String,
    /// The number that means any free slot, if there is one.
    #[serde(default)]
    pub any_slot: Option<String>,
}

/// A park group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GroupView {
    /// Its lot.
    pub lot: String,
    /// Its name.
    pub name: String,
    /// Its extensions, in the order of the hunt.
    pub members: Vec<String>,
    /// How many calls are parked for it, in all domains.
    pub parked: usize,
}
