//! Drafts of our own in a leg: answers and requests that nobody else has written.

use base::Side;
use sip_core::{ClientKey, Oversize};
use sip_msg::{Compose, Message, Name};

use crate::calls::{route, sips};
use crate::house::House;
use crate::keys::{Errand, LegKey, Owner};

/// A response of ours to a foreign INVITE in a leg, complete but for its body.
pub(crate) fn answer_in(house: &House, key: LegKey, request: &Message, status: u16) -> Compose {
    let mut draft = Compose::response_to(request, status, None);
    let Some(leg) = house.legs.get(key) else { return draft };
    if let Some(tag) = leg.dialog.local.tag() {
        draft = draft.to_tag(tag);
    }
    for route in request.all(Name::RecordRoute) {
        draft = draft.line(Name::RecordRoute, route);
    }
    let own = sips::own_contact(house, leg);
    draft
        .line(Name::Contact, format!("<{own}>"))
        .line(Name::Allow, ALLOW)
        .line(Name::Supported, "replaces, norefersub")
}

/// What we take ourselves; everything else passes.
pub(crate) const ALLOW: &str =
    "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, REFER, NOTIFY, SUBSCRIBE, MESSAGE, PRACK";

/// Sends a request of our own in a leg.
pub(crate) fn send_own(
    house: &mut House,
    key: LegKey,
    draft: Compose,
    errand: Errand,
) -> Option<ClientKey> {
    let leg = house.legs.get(key)?;
    let own = sips::own_contact(house, leg);
    let hop = route::next_hop(leg);
    let draft = draft.line(Name::Contact, format!("<{own}>")).finish();
    let oversize = if hop.side == Side::Pbx { Oversize::TryTcp } else { Oversize::Stay };
    Some(house.layer.request(house.at, hop, Owner::Leg(key, errand), &draft, oversize))
}
