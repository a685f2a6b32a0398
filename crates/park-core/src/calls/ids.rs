//! The one place where dialog ids are translated: where two different dialogs have been joined, what
//! one side calls a dialog is not what the other side knows. Everywhere else ids pass as they are.

use base::Side;
use sip_msg::{Edit, Message, Name, ReplacesId, escape_header_value, unescape};

use crate::calls::leg::{Leg, With};
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
        && let Some(translated) = translated(house, value, from)
    {
        edit = edit.set(Name::Replaces, translated);
    }
    if let Some(value) = request.get(Name::ReferTo)
        && let Some(at) = find_ignoring_case(value, "replaces=")
    {
        let start = at + "replaces=".len();
        let rest = &value[start..];
        let end = rest.find(['&', '>', ';', ',']).unwrap_or(rest.len());
        if let Some(translated) = translated(house, &unescape(&rest[..end]), from) {
            let escaped = escape_header_value(&translated);
            edit = edit.set(Name::ReferTo, format!("{}{escaped}{}", &value[..start], &rest[end..]));
        }
    }
    edit
}

fn find_ignoring_case(text: &str, wanted: &str) -> Option<usize> {
    text.to_ascii_lowercase().find(wanted)
}

fn translated(house: &House, value: &str, from: Side) -> Option<String> {
    let id = ReplacesId::read(value)?;
    let (_, leg) = find(house, &id, Some(from))?;
    if !leg.joined {
        return None;
    }
    let partner = house.legs.get(leg.partner()?)?;
    let (local, remote) = (partner.dialog.local.tag()?, partner.dialog.remote.tag()?);
    // The far end of the partner is the one that will read it: its own tag is the to-tag.
    let early = if id.early_only { ";early-only" } else { "" };
    let call_id = partner.dialog.call_id();
    Some(format!("{call_id};to-tag={remote};from-tag={local}{early}"))
}

/// The leg on `side` (or on any) that an id names, whichever way round its tags are: phones differ
/// in whose view they take (RFC 3891 §3 has the receiver's).
pub(crate) fn find<'h>(
    house: &'h House,
    id: &ReplacesId,
    side: Option<Side>,
) -> Option<(LegKey, &'h Leg)> {
    house.legs.iter().find(|(_, leg)| {
        let ours = (leg.dialog.local.tag(), leg.dialog.remote.tag());
        let straight = (Some(&*id.to_tag), Some(&*id.from_tag));
        let crossed = (Some(&*id.from_tag), Some(&*id.to_tag));
        side.is_none_or(|side| leg.side == side)
            && leg.dialog.call_id() == &*id.call_id
            && (ours == straight || ours == crossed)
    })
}

/// The parked call that an id names.
pub(crate) fn find_parked(house: &House, id: &ReplacesId) -> Option<ParkedKey> {
    match find(house, id, Some(Side::Pbx))?.1.with {
        With::Parked(parked) => Some(parked),
        _ => None,
    }
}
