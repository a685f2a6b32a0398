//! What is asked, in terms of the lots: which lot a number belongs to, who asks, and what they may.

use base::{Domain, Extension, Flow, LotName, Moment, SlotName, Transport};
use dialects::{Codes, Dialled, Invite, OrbitAsk, Place, Refer, is_in_ranges};
use sip_msg::{Message, NameAddr, SipUri};

use crate::calls::Leg;
use crate::contacts::Aor;
use crate::house::House;
use crate::keys::{BindingKey, ParkedKey};
use crate::lots::slot::{ParkedCall, SlotId};
use crate::refusal::Refusal;
use crate::settings::LotSettings;

/// A place in a lot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ask {
    /// The number of the lot.
    pub(crate) lot: usize,
    pub(crate) place: Place,
}

/// The address of record that a URI names. Who names us as the server means the PBX's domain.
pub(crate) fn aor_of(house: &House, uri: &str, flow: &Flow) -> Option<Aor> {
    let uri = SipUri::read(uri)?;
    let extension = Extension::from(&*uri.user_decoded());
    let domain = match &house.settings.rewrite_domain {
        Some(domain) if house.is_us(&uri, flow) => domain.to_string(),
        None if house.is_us(&uri, flow) => crate::calls::pbx_domain(house),
        _ => uri.host().to_string(),
    };
    Some(Aor { extension, domain: Domain::from(domain.to_ascii_lowercase()) })
}

/// Who speaks in a leg: its phone's address of record, else what its far end calls itself.
pub(crate) fn speaker(house: &House, leg: &Leg) -> Option<Aor> {
    let named = || aor_of(house, leg.dialog.remote.uri(), &leg.dialog.flow);
    leg.aor.clone().or_else(named)
}

fn lots_of<'h>(house: &'h House, aor: &Aor) -> impl Iterator<Item = (usize, &'h LotSettings)> {
    let domain = aor.domain.clone();
    house
        .settings
        .lots
        .iter()
        .enumerate()
        .filter(move |(_, lot)| lot.domains.is_empty() || lot.domains.contains(&domain))
}

fn dialled(house: &House, aor: &Aor, user: &str) -> Option<(usize, Dialled)> {
    let meant = |(lot, _): (usize, &LotSettings)| Some((lot, house.codes.get(lot)?.dialled(user)?));
    lots_of(house, aor).filter_map(meant).min_by_key(|found| distance(house, aor, found))
}

/// What an orbit means in the lot that it is meant for.
fn orbit(house: &House, aor: &Aor, orbit: &OrbitAsk) -> Result<Option<(usize, Dialled)>, Refusal> {
    let (mut unknown, mut found) = (None, Vec::new());
    for (lot, _) in lots_of(house, aor) {
        match house.codes.get(lot).map(|codes| codes.orbit(orbit)) {
            Some(Ok(dialled)) => found.push((lot, dialled)),
            Some(Err(bad)) => unknown = Some(Refusal::Status(bad.status, bad.why.into())),
            None => {}
        }
    }
    match found.into_iter().min_by_key(|found| distance(house, aor, found)) {
        Some(found) => Ok(Some(found)),
        None => unknown.map_or(Ok(None), Err),
    }
}

/// How far a lot is from being meant, where several of a domain know a number: a number of its own
/// slots goes before what may be an extension, a lot for this domain before one for all, and an
/// extension's own lot, which has it in a group, before the first one.
fn distance(house: &House, aor: &Aor, (lot, dialled): &(usize, Dialled)) -> (bool, bool, bool) {
    let place = dialled.parks_at().or_else(|| dialled.retrieves_from());
    let is_own_number = matches!(place, Some(Place::Slot(_) | Place::AnySlot));
    let whose = match &place {
        Some(Place::Extension(extension)) => extension,
        _ => &aor.extension,
    };
    let lot = house.settings.lots.get(*lot);
    let is_for_all = lot.is_some_and(|lot| lot.domains.is_empty());
    (!is_own_number, is_for_all, !lot.is_some_and(|lot| is_home(lot, whose)))
}

fn is_home(lot: &LotSettings, extension: &Extension) -> bool {
    lot.groups.iter().any(|group| group.members.contains(extension))
}

/// What a REFER asks: a place to park, if its target is one.
///
/// # Errors
/// An orbit that no lot has.
pub(crate) fn refer_ask(house: &House, aor: &Aor, refer: &Refer) -> Result<Option<Ask>, Refusal> {
    let found = match &refer.orbit {
        Some(named) => orbit(house, aor, named)?,
        None => dialled(house, aor, refer.user.as_deref().unwrap_or_default()),
    };
    Ok(found.and_then(|(lot, dialled)| parking(lot, &dialled)))
}

/// Where a REFER outside a dialog parks, if it is addressed to a place to park or to a park server.
///
/// # Errors
/// An orbit that no lot has.
pub(crate) fn server_ask(house: &House, aor: &Aor, refer: &Refer) -> Result<Option<Ask>, Refusal> {
    match &refer.orbit {
        Some(OrbitAsk::ParkAnywhere) => Ok(any_ask(house, aor)),
        Some(_) => refer_ask(house, aor, refer),
        None => Ok(park_ask(house, aor, refer.server.as_deref().unwrap_or_default())),
    }
}

/// Where a number parks. Nobody transfers a call into a retrieve code to park it: the PBX may know
/// better.
fn parking(lot: usize, dialled: &Dialled) -> Option<Ask> {
    Some(Ask { lot, place: dialled.parks_at()? })
}

/// Where `user` parks, if it is a code or a slot.
pub(crate) fn park_ask(house: &House, aor: &Aor, user: &str) -> Option<Ask> {
    let (lot, dialled) = dialled(house, aor, user)?;
    parking(lot, &dialled)
}

/// Where a body parks that names a slot, a code or an extension.
///
/// # Errors
/// A place that no lot has.
pub(crate) fn named_ask(house: &House, aor: &Aor, named: &str) -> Result<Ask, Refusal> {
    if let Some(ask) = park_ask(house, aor, named) {
        return Ok(ask);
    }
    let found = orbit(house, aor, &OrbitAsk::Park(named.to_owned()))?;
    found
        .and_then(|(lot, dialled)| parking(lot, &dialled))
        .ok_or(Refusal::Status(404, "no such place to park".into()))
}

/// The place in this very lot that an operator has typed: a slot, an extension, or a code that parks.
///
/// # Errors
/// The lot has no such place.
pub(crate) fn typed_ask(house: &House, lot: &LotName, typed: &str) -> Result<Ask, Refusal> {
    let known = house.settings.lots.iter().position(|known| known.name == *lot);
    let meant = |codes: &Codes| {
        let dialled = codes.dialled(typed).and_then(|dialled| dialled.parks_at());
        dialled.or_else(|| codes.orbit(&OrbitAsk::Park(typed.to_owned())).ok()?.parks_at())
    };
    let found = known.and_then(|lot| Some(Ask { lot, place: meant(house.codes.get(lot)?)? }));
    found.ok_or_else(|| Refusal::NoSuchPlace(SlotName::from(typed)))
}

/// Where a call is parked for which no place was named: in a free slot, or on the parker's own
/// extension in a lot without slots.
pub(crate) fn any_ask(house: &House, aor: &Aor) -> Option<Ask> {
    let far = |lot: &LotSettings| (lot.domains.is_empty(), !is_home(lot, &aor.extension));
    let (lot, settings) = lots_of(house, aor).min_by_key(|(_, lot)| far(lot))?;
    let place = if settings.slots.is_empty() { Place::Own } else { Place::AnySlot };
    Some(Ask { lot, place })
}

/// The lots of a domain in which codes may be pressed during a call.
pub(crate) fn with_keys(house: &House, aor: &Aor) -> Vec<usize> {
    lots_of(house, aor).filter(|(_, lot)| lot.dtmf).map(|(lot, _)| lot).collect()
}

/// What an INVITE asks of a lot.
///
/// # Errors
/// An orbit that no lot has.
pub(crate) fn invite_ask(
    house: &House,
    aor: &Aor,
    invite: &Invite,
) -> Result<Option<(usize, Dialled)>, Refusal> {
    let found = match &invite.orbit {
        Some(named) => orbit(house, aor, named)?,
        None => dialled(house, aor, invite.user.as_deref().unwrap_or_default()),
    };
    // Nothing is parked there, or another call is meant: the pickup is the PBX's.
    Ok(found.filter(|(lot, dialled)| match dialled {
        Dialled::PickUp(extension) => {
            let place = Place::Extension(extension.clone());
            let parked = wanted(house, aor, &Ask { lot: *lot, place });
            invite.replaces.is_none() && !matches!(parked, Err(Refusal::SlotEmpty))
        }
        _ => true,
    }))
}

/// The place that a URI names to whoever watches it.
pub(crate) fn watch_ask(house: &House, aor: &Aor, uri: &str) -> Option<(usize, Dialled)> {
    match OrbitAsk::of_uri(uri) {
        Some(named) => orbit(house, aor, &named).ok()?,
        None => dialled(house, aor, &SipUri::read(uri)?.user_decoded()),
    }
}

/// Whether a number counts as an extension in a lot that serves its domain.
pub(crate) fn is_extension(house: &House, aor: &Aor) -> bool {
    let codes = lots_of(house, aor).filter_map(|(lot, _)| house.codes.get(lot));
    codes.into_iter().any(|codes| codes.is_extension(aor.extension.as_str()))
}

/// The phone that registered by UDP and opens a stream for a message that is long: nobody else's stream
/// has its address.
fn by_stream_of_its_own(house: &House, aor: &Aor, flow: &Flow) -> Option<BindingKey> {
    let is_it = |key: &BindingKey| {
        let bound = house.contacts.get(*key).map(|bound| bound.flow);
        bound.is_some_and(|bound| bound.conn.is_none() && bound.peer.ip() == flow.peer.ip())
    };
    let mut phones = house.contacts.of(aor).into_iter();
    flow.transport.is_reliable().then(|| phones.find(is_it)).flatten()
}

/// Whether who asks in a leg is its live binding, or a trusted device. A phone that registered by UDP
/// speaks by a stream where a message is long (RFC 3261 §18.1.1), from a port of its choice: nobody
/// else's stream has its address.
///
/// # Errors
/// [`Refusal::NotEntitled`].
pub(crate) fn entitled(house: &House, leg: &Leg, flow: &Flow) -> Result<(), Refusal> {
    let live = leg.binding.and_then(|key| house.contacts.get(key));
    let by_its_way = live.is_some_and(|binding| {
        let bound = binding.flow;
        // Whoever has registered by TLS asks by TLS: anybody may write its address on a datagram.
        let is_as_safe = bound.transport != Transport::Tls || flow.transport == Transport::Tls;
        let is_there = bound.peer == flow.peer
            || (flow.transport.is_reliable() && bound.peer.ip() == flow.peer.ip());
        is_there && is_as_safe
    });
    if by_its_way || is_trusted(house, flow) { Ok(()) } else { Err(Refusal::NotEntitled) }
}

pub(crate) fn is_trusted(house: &House, flow: &Flow) -> bool {
    house.settings.phones_trusted.iter().any(|network| network.contains(flow.peer.ip()))
}

/// The parked call that is wanted: by slot; what is parked for an extension, else for its group; or
/// whatever waits longest in the lot's slots.
///
/// # Errors
/// [`Refusal::SlotEmpty`]; [`Refusal::MayNotRetrieve`] where whoever asks may take none of what waits
/// there, [`Refusal::BeingTaken`] where what it may take is being taken.
pub(crate) fn wanted(house: &House, aor: &Aor, ask: &Ask) -> Result<ParkedKey, Refusal> {
    let lot = house.settings.lots.get(ask.lot).ok_or(Refusal::SlotEmpty)?;
    let at = |slot: &str| {
        let (lot, domain) = (lot.name.clone(), aor.domain.clone());
        let id = SlotId { lot, domain, slot: slot.into() };
        // First in, first out: a call that was moved here has waited longer, but not here.
        takeable(aor, house.lots.in_slot(&id))?
            .first()
            .map(|(_, key)| *key)
            .ok_or(Refusal::SlotEmpty)
    };
    match &ask.place {
        Place::Extension(extension) => at(extension.as_str()),
        Place::Slot(slot) => at(slot.as_str()),
        Place::Own => match at(aor.extension.as_str()) {
            Err(Refusal::SlotEmpty) => first_of_group(house, lot, aor),
            found => found,
        },
        Place::Group => first_of_group(house, lot, aor),
        Place::AnySlot => {
            let in_slots = |call: &ParkedCall| is_in_ranges(&lot.slots, call.id.slot.as_str());
            longest_waiting(aor, calls_of(house, lot, aor).filter(|(_, call)| in_slots(call)))
        }
    }
}

fn first_of_group(house: &House, lot: &LotSettings, aor: &Aor) -> Result<ParkedKey, Refusal> {
    let group = lot.groups.iter().find(|group| group.members.contains(&aor.extension));
    let Some(group) = group else { return Err(Refusal::SlotEmpty) };
    let for_group = |call: &ParkedCall| call.group.as_deref() == Some(&group.name);
    longest_waiting(aor, calls_of(house, lot, aor).filter(|(_, call)| for_group(call)))
}

/// The calls in a lot, as far as somebody's domain sees them.
fn calls_of<'h>(
    house: &'h House,
    lot: &'h LotSettings,
    aor: &'h Aor,
) -> impl Iterator<Item = (ParkedKey, &'h ParkedCall)> {
    let is_here = |call: &ParkedCall| call.id.lot == lot.name && call.id.domain == aor.domain;
    house.lots.iter().filter(move |(_, call)| is_here(call))
}

/// Of these calls the longest waiting that `aor` may take and that nobody is taking.
fn longest_waiting<'h>(
    aor: &Aor,
    calls: impl Iterator<Item = (ParkedKey, &'h ParkedCall)>,
) -> Result<ParkedKey, Refusal> {
    let free = takeable(aor, calls)?;
    // Of those that came in one moment, the first in its slot.
    let longest = free.into_iter().min_by_key(|(since, _)| *since);
    longest.map(|(_, key)| key).ok_or(Refusal::SlotEmpty)
}

/// Those of these calls, in their order, that `aor` may take and that nobody is taking; since when they
/// wait. If there is none, why.
fn takeable<'h>(
    aor: &Aor,
    calls: impl Iterator<Item = (ParkedKey, &'h ParkedCall)>,
) -> Result<Vec<(Moment, ParkedKey)>, Refusal> {
    let mut none = Refusal::SlotEmpty;
    let mut free = Vec::new();
    for (key, call) in calls {
        match (call.policy.lets_retrieve(&aor.extension), call.claim) {
            (true, None) => free.push((call.since, key)),
            (true, Some(_)) => none = Refusal::BeingTaken,
            (false, _) if none == Refusal::SlotEmpty => none = Refusal::MayNotRetrieve,
            (false, _) => {}
        }
    }
    if free.is_empty() { Err(none) } else { Ok(free) }
}

/// The binding that a request comes from: its From's extension, by the flow that it registered by.
pub(crate) fn asker(
    house: &House,
    request: &Message,
    flow: &Flow,
) -> (Option<Aor>, Option<BindingKey>) {
    let from = NameAddr::read(request.get(sip_msg::Name::From).unwrap_or_default());
    let aor = from.and_then(|from| aor_of(house, from.uri(), flow));
    let binding = aor.as_ref().and_then(|aor| {
        house.contacts.by_flow(aor.extension.as_str(), Some(aor.domain.as_str()), flow)
    });
    let binding = binding.or_else(|| {
        // The From may name another domain than the one registered at.
        house.contacts.by_flow(aor.as_ref()?.extension.as_str(), None, flow)
    });
    let binding = binding.or_else(|| by_stream_of_its_own(house, aor.as_ref()?, flow));
    match binding.and_then(|key| house.contacts.get(key)) {
        Some(bound) => (Some(bound.aor.clone()), binding),
        None => (aor, None),
    }
}
