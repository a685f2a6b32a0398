//! The one place where dialog ids are translated: where two different dialogs have been joined, what
//! one side calls a dialog is not what the other side knows. Everywhere else ids pass as they are.

use base::Side;
use sip_msg::{Edit, Message, Name, ReplacesId, escape_header_value, unescape};

use crate::calls::leg::{Leg, Stage, With};
use crate::house::House;
use crate::keys::{LegKey, ParkedKey};

/// Translates the ids in `Replaces` and in the `Replaces` of a `Refer-To`, as known on the side that
/// the message comes from, into those known on the other side.
pub(crate) fn translate<'m>(
    house: &House,
    request: &Message,
    from: Side,
    mut edit: Edit<'m>,
) -> Edit<'m> {
    if let Some(value) = request.get(Name::Replaces)
        && let Some((_, translated)) = translated(house, value, from)
    {
        edit = edit.set(Name::Replaces, translated);
    }
    if let Some(value) = request.get(Name::ReferTo)
        && let Some(translated) = refer_to(house, value, from)
    {
        edit = edit.set(Name::ReferTo, translated);
    }
    edit
}

/// A Refer-To whose Replaces names a joined dialog: the far side knows it by other ids, and who is to
/// be called by another address than the number that was dialled to retrieve it.
fn refer_to(house: &House, value: &str, from: Side) -> Option<String> {
    let start = find_ignoring_case(value, "replaces=")? + "replaces=".len();
    let rest = &value[start..];
    let end = rest.find(['&', '>', ';', ',']).unwrap_or(rest.len());
    let (partner, translated) = translated(house, &unescape(&rest[..end]), from)?;
    let address = partner.dialog.remote.uri();
    let escaped = escape_header_value(&translated);
    let others = rest[end..].split('>').next().unwrap_or_default();
    Some(format!("<{address}?Replaces={escaped}{others}>"))
}

fn find_ignoring_case(text: &str, wanted: &str) -> Option<usize> {
    text.to_ascii_lowercase().find(wanted)
}

fn translated<'h>(house: &'h House, value: &str, from: Side) -> Option<(&'h Leg, String)> {
    let id = ReplacesId::read(value)?;
    // With a proxying PBX one dialog passes twice. Where one of its passages is whole, both its ends
    // know it by these ids.
    if matching(house, &id, from).any(|(_, leg)| !leg.joined) {
        return None;
    }
    // The to-tag is that of who will read it. Where it is the far end's own, the far end knows the
    // dialog by these very ids.
    let is_to_us = |leg: &Leg| leg.dialog.local.tag() == Some(&*id.to_tag);
    let (_, leg) = matching(house, &id, from).find(|(_, leg)| is_to_us(leg))?;
    let partner = house.legs.get(leg.partner()?)?;
    let (local, remote) = (partner.dialog.local.tag()?, partner.dialog.remote.tag()?);
    // The far end of the partner is the one that will read it: its own tag is the to-tag.
    let early = if id.early_only { ";early-only" } else { "" };
    let call_id = partner.dialog.call_id();
    Some((partner, format!("{call_id};to-tag={remote};from-tag={local}{early}")))
}

/// The legs on `side` that an id names, whichever way round its tags are: phones differ in whose view
/// they take (RFC 3891 §3 has the receiver's).
fn matching<'h>(
    house: &'h House,
    id: &ReplacesId,
    side: Side,
) -> impl Iterator<Item = (LegKey, &'h Leg)> {
    house.legs.iter().filter(move |(_, leg)| {
        let ours = (leg.dialog.local.tag(), leg.dialog.remote.tag());
        let straight = (Some(&*id.to_tag), Some(&*id.from_tag));
        let crossed = (Some(&*id.from_tag), Some(&*id.to_tag));
        leg.side == side
            && leg.dialog.call_id() == &*id.call_id
            && (ours == straight || ours == crossed)
    })
}

/// A phone's leg that an id names.
pub(crate) fn of_phone<'h>(house: &'h House, id: &ReplacesId) -> Option<(LegKey, &'h Leg)> {
    matching(house, id, Side::Phones).next()
}

/// All legs of phones that an id names: a call between two phones has one at each.
pub(crate) fn all_of_phones<'h>(
    house: &'h House,
    id: &ReplacesId,
) -> impl Iterator<Item = (LegKey, &'h Leg)> {
    matching(house, id, Side::Phones)
}

/// Whether an id names a phone's call that is still being set up: the far end's tag may be any
/// fork's.
pub(crate) fn is_early(house: &House, id: &ReplacesId) -> bool {
    house.legs.iter().any(|(_, leg)| {
        let tags = [leg.dialog.local.tag(), leg.dialog.remote.tag()];
        leg.side == Side::Phones
            && leg.stage == Stage::Early
            && leg.dialog.call_id() == &*id.call_id
            && tags.iter().flatten().any(|tag| [&*id.to_tag, &*id.from_tag].contains(tag))
    })
}

/// The parked call that an id names.
pub(crate) fn find_parked(house: &House, id: &ReplacesId) -> Option<ParkedKey> {
    let by_leg = matching(house, id, Side::Pbx).find_map(|(_, leg)| match leg.with {
        With::Parked(parked) => Some(parked),
        _ => None,
    });
    // Subscribers know it by ids of its own, which nobody can guess.
    let watched = || house.lots.iter().find(|(_, call)| *call.watch_id == *id.call_id);
    by_leg.or_else(|| Some(watched()?.0))
}
