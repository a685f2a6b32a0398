//! Telling bindings what they have not asked for.

use std::hash::{Hash, Hasher};

use base::Side;
use dialects::PARK_INFO;
use rustc_hash::FxHasher;
use sip_core::Oversize;
use sip_msg::{Compose, Name};

use crate::calls::weave_changed;
use crate::contacts::Aor;
use crate::house::House;
use crate::keys::{BindingKey, Owner, ParkedKey};
use crate::lamps::seen::{Seen, park_notice, visible};
use crate::lots::ParkedCall;
use crate::patience::Taken;
use crate::told::Fact;
use crate::watches;

/// A call has been parked, or taken out of its slot.
pub(crate) fn changed(house: &mut House, call: &ParkedCall) {
    changed_at(house, &Seen::of(call));
}

/// The same, by what was noted of the call.
pub(crate) fn changed_at(house: &mut House, seen: &Seen) {
    let lines = seen.by(house);
    watches::changed(house, &seen.id, &lines);
    weave_changed(house, &seen.id);
    for line in lines {
        for key in house.contacts.of(&line) {
            refresh(house, key);
        }
    }
}

/// All lamps once more: after new settings.
pub(crate) fn refresh_all(house: &mut House) {
    let keys: Vec<BindingKey> = house.contacts.keys().collect();
    for key in keys {
        refresh(house, key);
    }
    watches::look_again(house);
}

/// A phone has registered anew: it may have forgotten what it was told.
pub(crate) fn greet(house: &mut House, key: BindingKey) {
    watches::tell_all_again(house, key);
    if let Some(binding) = house.contacts.get_mut(key) {
        binding.line.told = None;
        refresh(house, key);
    }
}

/// A phone's subscription to what is parked for its own extension is over: from now on it is told
/// unasked.
pub(crate) fn subscription_over(house: &mut House, key: BindingKey, line: &Aor, may_be_lit: bool) {
    let Some(binding) = house.contacts.get_mut(key).filter(|b| b.aor == *line) else { return };
    binding.line.told = None;
    binding.line.may_be_lit |= may_be_lit;
    refresh(house, key);
}

/// Tells a binding what is parked for it, if that is news.
pub(crate) fn refresh(house: &mut House, key: BindingKey) {
    let Some(binding) = house.contacts.get(key) else { return };
    if binding.line.refused {
        return;
    }
    let aor = binding.aor.clone();
    // One teller is enough. What was lit unasked is put out so, too: the phone may keep the two apart.
    if !binding.line.may_be_lit && watches::tells_line(house, key, &aor) {
        return;
    }
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

fn hash_of(calls: &[ParkedKey]) -> u64 {
    let mut hasher = FxHasher::default();
    calls.hash(&mut hasher);
    hasher.finish()
}

fn send(house: &mut House, key: BindingKey, aor: &Aor, calls: &[ParkedKey]) {
    let notice = park_notice(house, Some(key), aor, calls);
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
pub(crate) fn answered(house: &mut House, key: BindingKey, taken: Taken) {
    let status = taken.status;
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
