//! Lamps: each binding is told what is parked for its extension, and told again when that changes. What
//! it is told is always derived from the lots, so it cannot differ from them.

use std::hash::{Hash, Hasher};

use base::{Extension, LotName, Side};
use dialects::{NoticeCall, PARK_INFO, ParkNotice};
use rustc_hash::FxHasher;
use sip_core::Oversize;
use sip_msg::{Compose, Name};

use crate::calls::weave_changed;
use crate::contacts::Aor;
use crate::house::House;
use crate::keys::{BindingKey, Owner, ParkedKey};
use crate::lots::{ParkedCall, SlotId};
use crate::told::Fact;
use crate::watches;

/// What of a parked call decides who is told.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    id: SlotId,
    group: Option<String>,
    parker: Option<Extension>,
}

impl Seen {
    pub(crate) fn of(call: &ParkedCall) -> Seen {
        let parker = call.notify_parker.then(|| call.parker.clone());
        Seen { id: call.id.clone(), group: call.group.clone(), parker }
    }
}

/// A call has been parked, or taken out of its slot.
pub(crate) fn changed(house: &mut House, call: &ParkedCall) {
    changed_at(house, &Seen::of(call));
}

/// The same, by what was noted of the call.
pub(crate) fn changed_at(house: &mut House, seen: &Seen) {
    watches::changed(house, &seen.id);
    weave_changed(house, &seen.id);
    let mut extensions = vec![Extension::from(seen.id.slot.as_str())];
    extensions.extend(members(house, &seen.id.lot, seen.group.as_deref()));
    extensions.extend(seen.parker.clone());
    extensions.sort();
    extensions.dedup();
    for extension in extensions {
        let aor = Aor { extension, domain: seen.id.domain.clone() };
        for key in house.contacts.of(&aor) {
            refresh(house, key);
        }
    }
}

fn members(house: &House, lot: &LotName, group: Option<&str>) -> Vec<Extension> {
    let lot = house.settings.lots.iter().find(|candidate| candidate.name == *lot);
    let group = lot.and_then(|lot| lot.groups.iter().find(|g| Some(g.name.as_str()) == group));
    group.map(|group| group.members.clone()).unwrap_or_default()
}

/// All lamps once more: after new settings.
pub(crate) fn refresh_all(house: &mut House) {
    let keys: Vec<BindingKey> = house.contacts.keys().collect();
    for key in keys {
        refresh(house, key);
    }
}

/// A phone has registered anew: it may have forgotten what it was told.
pub(crate) fn greet(house: &mut House, key: BindingKey) {
    if let Some(binding) = house.contacts.get_mut(key) {
        binding.line.told = None;
        refresh(house, key);
    }
}

/// Tells a binding what is parked for it, if that is news.
pub(crate) fn refresh(house: &mut House, key: BindingKey) {
    let Some(binding) = house.contacts.get(key) else { return };
    if binding.line.refused {
        return;
    }
    let aor = binding.aor.clone();
    let calls = visible(house, &aor);
    let state = hash_of(&calls);
    let Some(binding) = house.contacts.get_mut(key) else { return };
    let line = &mut binding.line;
    if line.in_flight {
        line.stale = true;
        return;
    }
    if line.told == Some(state) || (calls.is_empty() && !line.may_be_lit) {
        return;
    }
    line.told = Some(state);
    line.may_be_lit = !calls.is_empty();
    line.in_flight = true;
    send(house, key, &aor, &calls);
}

/// The parked calls that an extension is told of: those parked at it, those parked for its group, and
/// those that it parked itself where its lot tells parkers.
fn visible(house: &House, aor: &Aor) -> Vec<ParkedKey> {
    let is_for = |call: &ParkedCall| {
        call.id.domain == aor.domain
            && call.stands()
            && (call.id.slot.as_str() == aor.extension.as_str()
                || if call.parker == aor.extension {
                    // Always a member of the group that it parks for: only the lot's word decides.
                    call.notify_parker
                } else {
                    members(house, &call.id.lot, call.group.as_deref()).contains(&aor.extension)
                })
    };
    house.lots.iter().filter(|(_, call)| is_for(call)).map(|(key, _)| key).collect()
}

fn hash_of(calls: &[ParkedKey]) -> u64 {
    let mut hasher = FxHasher::default();
    calls.hash(&mut hasher);
    hasher.finish()
}

fn notice(house: &House, aor: &Aor, calls: &[ParkedKey]) -> ParkNotice {
    let calls: Vec<&ParkedCall> = calls.iter().filter_map(|key| house.lots.get(*key)).collect();
    let first = calls.first();
    ParkNotice {
        slot: first.map_or_else(|| aor.extension.as_str().into(), |call| call.id.slot.clone()),
        lot: first.map_or_else(|| LotName::from(""), |call| call.id.lot.clone()),
        retrieve: first.map_or_else(String::new, |call| call.retrieve.clone()),
        domain: aor.domain.clone(),
        group: first.and_then(|call| call.group.clone()),
        calls: calls
            .iter()
            .map(|call| NoticeCall {
                parkee_name: call.parkee.name.as_deref().map(Into::into),
                parkee_uri: call.parkee.uri.to_string(),
                parkee_user: call.parkee.user(),
                parker_name: call.parker_who.name.as_deref().map(Into::into),
                parker_uri: format!("sip:{}@{}", call.parker, call.id.domain),
                parker_user: call.parker.to_string(),
                parked_for_s: house.at.since(call.since).as_secs(),
            })
            .collect(),
    }
}

fn send(house: &mut House, key: BindingKey, aor: &Aor, calls: &[ParkedKey]) {
    let notice = notice(house, aor, calls);
    let (call_id, tag) = (house.chance.token(24), house.chance.token(10));
    let Some(binding) = house.contacts.get_mut(key) else { return };
    let (call_id, tag) =
        binding.line.ids.get_or_insert_with(|| (call_id.into(), tag.into())).clone();
    binding.line.cseq += 1;
    let (cseq, flow) = (binding.line.cseq, binding.flow);
    let (contact, agent) = (binding.contact.clone(), binding.user_agent.clone());
    let body =
        house.templates.render(Some(&agent).filter(|a| !a.is_empty()).map(|a| &**a), &notice);
    let own = house.contact(&flow, "park");
    let draft = Compose::request("NOTIFY", &contact)
        .line(Name::From, format!("<sip:park@{}>;tag={tag}", aor.domain))
        .line(Name::To, format!("<sip:{}@{}>", aor.extension, aor.domain))
        .line(Name::CallId, &call_id)
        .line(Name::CSeq, format!("{cseq} NOTIFY"))
        .line(Name::Contact, format!("<{own}>"))
        .line(Name::MaxForwards, "70")
        .line(Name::Event, PARK_INFO)
        .line(Name::SubscriptionState, "active;expires=3600")
        .body(&body.content_type, body.bytes)
        .finish();
    debug_assert_eq!(flow.side, Side::Phones);
    house.layer.request(house.at, flow, Owner::Notice(key), &draft, Oversize::Stay);
}

/// A phone has answered a notice, or has not: 408.
pub(crate) fn answered(house: &mut House, key: BindingKey, status: u16) {
    let Some(binding) = house.contacts.get_mut(key) else { return };
    binding.line.in_flight = false;
    let stale = std::mem::take(&mut binding.line.stale);
    if status >= 300 {
        // Whether it has taken it in is not known.
        binding.line.told = None;
        binding.line.may_be_lit = true;
        let extension = binding.aor.extension.to_string();
        // These say "never"; anything else may be better the next time.
        if matches!(status, 405 | 415 | 481 | 489 | 501) {
            binding.line.refused = true;
        }
        house.tell(None, Fact::NoticeRefused { extension, status });
    }
    if stale {
        refresh(house, key);
    }
}
