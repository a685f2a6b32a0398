//! What there is to tell about one slot: the calls that wait in it, or that none does.

use base::{Domain, LotName, SlotName};
use serde::Serialize;

use crate::notices::event::ParkEvent;

/// The event package of the out-of-dialog notices about parked calls.
pub const PARK_INFO: &str = "park-info";

/// The state of one slot, as its owner's phones are told. No calls: the slot is empty (again).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ParkNotice {
    /// Where the calls are parked: `105`, `701`.
    pub slot: SlotName,
    /// In which lot.
    pub lot: LotName,
    /// What to dial to retrieve: `*88105`, or `701`.
    pub retrieve: String,
    /// The SIP domain.
    pub domain: Domain,
    /// The park group, for a group park.
    pub group: Option<String>,
    /// What has happened; none: the phone is only told how things stand.
    pub event: Option<ParkEvent>,
    /// Who did it: the extension that parked or took the call, or where it has gone.
    pub by: Option<String>,
    /// First in, first out.
    pub calls: Vec<NoticeCall>,
}

/// One parked call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NoticeCall {
    /// The parkee's display name.
    pub parkee_name: Option<String>,
    /// The parkee's SIP URI.
    pub parkee_uri: String,
    /// The parkee's number.
    pub parkee_user: String,
    /// The parker's display name.
    pub parker_name: Option<String>,
    /// The parker's SIP URI.
    pub parker_uri: String,
    /// The parker's extension.
    pub parker_user: String,
    /// For how many seconds it has been parked.
    pub parked_for_s: u64,
}
