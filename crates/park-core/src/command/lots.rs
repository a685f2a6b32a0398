//! Lots and groups, as an operator sees them.

use serde::{Deserialize, Serialize};

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
