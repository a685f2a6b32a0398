//! Where a call that is to be parked goes: the extension or slot that is meant, the first free slot, or
//! the member of a group that the hunt finds.

use std::time::Duration;

use base::{Extension, SlotName};
use dialects::Place;

use crate::cluster;
use crate::contacts::Aor;
use crate::house::House;
use crate::keys::LegKey;
use crate::lots::{Ask, Policy, SlotId, policy_of};
use crate::refusal::Refusal;
use crate::settings::{FindSlot, LotSettings};

/// The slot that is meant, and the group if it is a group park.
fn place(
    house: &mut House,
    lot: &LotSettings,
    aor: &Aor,
    place: &Place,
) -> Result<(SlotName, Option<String>), Refusal> {
    let of =
        |extension: &Extension| Aor { extension: extension.clone(), domain: aor.domain.clone() };
    match place {
        Place::Own => Ok((aor.extension.as_str().into(), None)),
        Place::Extension(extension) => {
            let slot = SlotName::from(extension.as_str());
            // Where there are several nodes it may have registered at another one.
            let known = house.contacts.knows(&of(extension))
                || house.settings.cluster.is_some()
                || lot.groups.iter().any(|group| group.members.contains(extension));
            if known { Ok((slot, None)) } else { Err(Refusal::NoSuchPlace(slot)) }
        }
        Place::Slot(slot) => Ok((slot.clone(), None)),
        Place::AnySlot => any_slot(house, lot, aor).map(|slot| (slot, None)),
        Place::Group => group_place(house, lot, aor),
    }
}

/// A place in a lot, and what holds for a call there.
#[derive(Debug)]
pub(crate) struct Spot {
    pub(crate) id: SlotId,
    /// The park group, if it was found for one.
    pub(crate) group: Option<String>,
    /// What a phone dials to take it.
    pub(crate) retrieve: String,
    pub(crate) policy: Policy,
}

/// Where a call is parked that is meant for this place.
///
/// # Errors
/// There is no such place, or no room where one is looked for.
pub(crate) fn spot(house: &mut House, aor: &Aor, ask: &Ask) -> Result<Spot, Refusal> {
    let lot = house.settings.lots.get(ask.lot).cloned().ok_or(Refusal::LotFull)?;
    let (slot, group) = place(house, &lot, aor, &ask.place)?;
    let retrieve = house.codes.get(ask.lot).map(|codes| codes.retrieve_number(&slot));
    let policy = policy_of(&lot, group.as_deref(), &slot);
    let id = SlotId { lot: lot.name, domain: aor.domain.clone(), slot };
    Ok(Spot { id, group, retrieve: retrieve.unwrap_or_default(), policy })
}

/// Keeps a free slot for the call of a leg; the one that is kept for it already, if there is one.
pub(crate) fn hold(
    house: &mut House,
    lot: usize,
    aor: &Aor,
    by: LegKey,
    long: Duration,
) -> Result<SlotName, Refusal> {
    let lot = house.settings.lots.get(lot).cloned().ok_or(Refusal::LotFull)?;
    let slot = match house.lots.held_for(by, &lot.name, house.at) {
        Some(held) => held.slot.clone(),
        None => any_slot(house, &lot, aor)?,
    };
    let id = SlotId { lot: lot.name, domain: aor.domain.clone(), slot: slot.clone() };
    house.lots.hold(id, by, house.at, house.at + long);
    Ok(slot)
}

/// A free slot, as the lot looks for one.
fn any_slot(house: &mut House, lot: &LotSettings, aor: &Aor) -> Result<SlotName, Refusal> {
    let mut slots: Vec<SlotName> = lot
        .slots
        .iter()
        .flat_map(|&(first, last, width)| {
            (first..=last).map(move |number| SlotName::from(format!("{number:0width$}")))
        })
        .collect();
    let id = |slot: &SlotName| SlotId {
        lot: lot.name.clone(),
        domain: aor.domain.clone(),
        slot: slot.clone(),
    };
    let from = match (lot.find_slot, house.lots.last_found(&lot.name, &aor.domain)) {
        (FindSlot::First, _) | (FindSlot::Next, None) => 0,
        (FindSlot::Next, Some(last)) => {
            slots.iter().position(|slot| slot == last).map_or(0, |at| at + 1)
        }
        (FindSlot::Random, _) => house.chance.below(slots.len().max(1) as u64) as usize,
    };
    let from = from.min(slots.len());
    slots.rotate_left(from);
    // Without the store only the slots that are this node's own can be had.
    let is_usable = |slot: &SlotName| cluster::usable(house, &policy_of(lot, None, slot)).is_ok();
    if !slots.is_empty() && !slots.iter().any(is_usable) {
        return Err(Refusal::StoreAway);
    }
    let is_had = |slot: &SlotName| house.lots.is_free(&id(slot), house.at) && is_usable(slot);
    let found = slots.into_iter().find(is_had);
    let found = found.ok_or(Refusal::LotFull)?;
    house.lots.found(id(&found));
    Ok(found)
}

/// Hunts from the first assigned member: one that is registered and has nothing parked, else one that
/// is registered and has room. The parker comes last: a colleague's line is meant, and by default the
/// parker is not told of its own group park.
fn group_place(
    house: &House,
    lot: &LotSettings,
    aor: &Aor,
) -> Result<(SlotName, Option<String>), Refusal> {
    let group = lot.groups.iter().find(|group| group.members.contains(&aor.extension));
    let group = group.ok_or(Refusal::NoGroup("the parker is in no park group"))?;
    let waiting = |member: &Extension| {
        house.lots.waiting(&SlotId {
            lot: lot.name.clone(),
            domain: aor.domain.clone(),
            slot: member.as_str().into(),
        })
    };
    let room_at =
        |member: &Extension| policy_of(lot, Some(&group.name), &member.as_str().into()).max_calls;
    let others = group.members.iter().filter(|member| **member != aor.extension);
    let hunt: Vec<&Extension> = others
        .chain(std::iter::once(&aor.extension))
        .filter(|member| {
            let of = Aor { extension: (*member).clone(), domain: aor.domain.clone() };
            house.contacts.knows(&of) || house.settings.cluster.is_some()
        })
        .collect();
    let found = hunt
        .iter()
        .find(|member| waiting(member) == 0)
        .or_else(|| hunt.iter().find(|member| waiting(member) < room_at(member)));
    match found {
        Some(member) => Ok((member.as_str().into(), Some(group.name.clone()))),
        None => Err(Refusal::NoGroup("no member of the park group can take the call")),
    }
}
