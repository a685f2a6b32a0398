//! Facts about parked calls: each names the call, and where it is.

use base::Side;

use crate::command::{ParkedAt, ParkedWho};
use crate::house::House;
use crate::keys::ParkedKey;
use crate::lots::ParkedCall;
use crate::told::Fact;

/// Tells something of a parked call.
pub(crate) fn tell(house: &mut House, key: ParkedKey, fact: impl FnOnce(ParkedAt) -> Fact) {
    let Some(call) = house.lots.get(key) else { return };
    let fact = fact(place_of(call));
    let call_id = house.legs.get(call.leg).map(|leg| leg.dialog.call_id().to_owned());
    house.tell(call_id.as_deref(), fact);
}

/// Tells what has become of a call that has left its slot. Nobody was told of
/// one whose park never stood: its leg has ended.
pub(crate) fn tell_end(
    house: &mut House,
    call: &ParkedCall,
    call_id: Option<&str>,
    fact: impl FnOnce(ParkedAt) -> Fact,
) {
    let fact = match call.stands() {
        true => fact(place_of(call)),
        false => Fact::Ended { leg: Some(Side::Pbx), why: "gone before it was parked".into() },
    };
    house.tell(call_id, fact);
}

/// Which it is, and where.
pub(crate) fn place_of(call: &ParkedCall) -> ParkedAt {
    ParkedAt {
        park: call.park.to_string(),
        lot: call.id.lot.to_string(),
        domain: call.id.domain.to_string(),
        slot: call.id.slot.to_string(),
    }
}

/// Who is parked, by whom, and what to dial.
pub(crate) fn who_of(call: &ParkedCall) -> ParkedWho {
    ParkedWho {
        parkee: call.parkee.user(),
        parkee_name: call.parkee.name.as_deref().map(Into::into),
        parker: call.parker.to_string(),
        group: call.group.clone(),
        retrieve: call.retrieve.clone(),
    }
}
