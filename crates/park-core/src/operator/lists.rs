//! What waits, who is registered and who has subscribed, as lists.

use crate::calls::{self, Leg};
use crate::command::{BindingView, GroupView, ParkedState, ParkedView, SubscriptionView};
use crate::house::House;
use crate::keys::{Alarm, BindingKey, ParkedKey};
use crate::lots::{ParkedCall, Recall};
use crate::watches;

/// All parked calls, by slot.
pub(super) fn parked(house: &House) -> Vec<ParkedView> {
    let here = house.lots.iter().filter(|(_, call)| call.is_here());
    here.map(|(key, call)| parked_view(house, key, call)).collect()
}

fn parked_view(house: &House, key: ParkedKey, call: &ParkedCall) -> ParkedView {
    ParkedView {
        at: calls::place_of(call),
        parked: calls::who_of(call),
        since_us: call.since.as_micros(),
        parked_for_s: house.at.since(call.since).as_secs(),
        recall_in_s: house.alarms.at(Alarm::Recall(key)).map(|at| at.since(house.at).as_secs()),
        attempt: call.attempt,
        state: state_of(call),
        who: who(house, call),
        call_id: calls::call_id(house, call.leg),
    }
}

/// What becomes of a parked call.
pub(super) fn state_of(call: &ParkedCall) -> ParkedState {
    match (&call.claim, &call.recall) {
        _ if !call.stands() => ParkedState::Parking,
        (Some(_), _) => ParkedState::Claimed,
        _ if call.delivery.is_some() => ParkedState::Delivering,
        (None, Recall::Ringing { .. } | Recall::HandingOver { .. }) => ParkedState::Recalling,
        (None, _) => ParkedState::Parked,
    }
}

/// Who takes a parked call, or is rung for it.
fn who(house: &House, call: &ParkedCall) -> Option<String> {
    match (&call.claim, &call.delivery, &call.recall) {
        _ if !call.stands() => None,
        (Some(claim), ..) => house.legs.get(claim.by).map(Leg::name),
        (None, Some(delivery), _) => Some(delivery.to.to_string()),
        (None, None, Recall::Ringing { to, .. }) => Some(to.to_string()),
        (None, None, Recall::HandingOver { to, .. }) => Some(to.clone()),
        (None, None, Recall::Waiting | Recall::Overdue | Recall::Over) => None,
    }
}

/// All bindings, by domain and extension.
pub(super) fn bindings(house: &House) -> Vec<BindingView> {
    let mut keys: Vec<BindingKey> = house.contacts.keys().collect();
    keys.sort_by_cached_key(|key| {
        house.contacts.get(*key).map(|it| (it.aor.domain.clone(), it.aor.extension.clone()))
    });
    let view = |key: BindingKey| {
        let bound = house.contacts.get(key)?;
        Some(BindingView {
            extension: bound.aor.extension.to_string(),
            domain: bound.aor.domain.to_string(),
            at: bound.flow.peer.to_string(),
            transport: bound.flow.transport.in_uri().into(),
            contact: bound.contact.to_string(),
            user_agent: bound.user_agent.to_string(),
            profile: watches::profile_of(house, Some(key)).name.clone(),
            expires_in_s: bound.expires.since(house.at).as_secs(),
        })
    };
    keys.into_iter().filter_map(view).collect()
}

/// All groups, by lot.
pub(super) fn groups(house: &House) -> Vec<GroupView> {
    let mut views = Vec::new();
    for lot in &house.settings.lots {
        for group in &lot.groups {
            let is_its = |call: &ParkedCall| {
                call.id.lot == lot.name && call.group.as_deref() == Some(&group.name)
            };
            views.push(GroupView {
                lot: lot.name.to_string(),
                name: group.name.clone(),
                members: group.members.iter().map(ToString::to_string).collect(),
                parked: house.lots.iter().filter(|(_, call)| is_its(call)).count(),
            });
        }
    }
    views
}

/// All subscriptions to what is parked: those that are ours, and those of the PBX's that we weave into.
pub(super) fn subscriptions(house: &House) -> Vec<SubscriptionView> {
    let mut views = watches::views(house);
    views.extend(calls::woven_views(house));
    views.sort_by(|a, b| (&a.domain, &a.who, &a.what).cmp(&(&b.domain, &b.who, &b.what)));
    views
}
