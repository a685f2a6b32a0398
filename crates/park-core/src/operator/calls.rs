//! Calls in progress, put together from legs.

use base::Side;
use rustc_hash::FxHashMap;

use crate::calls::{Leg, Stage, Usage, With, agreed_codec};
use crate::command::{CallState, CallView, LegMedia, LegStage, LegView, ParkedState};
use crate::house::House;
use crate::keys::{LegKey, ParkedKey};
use crate::operator::lists::state_of;

/// The calls with this Call-ID, or all: the longest first.
pub(super) fn calls_in_progress(house: &House, call: Option<&str>) -> Vec<CallView> {
    let calls = || house.legs.iter().filter(|(_, leg)| leg.usage == Usage::Call);
    let mut takers: FxHashMap<ParkedKey, Vec<LegKey>> = FxHashMap::default();
    for (key, leg) in calls() {
        if let With::Retrieving(parked) | With::Rung(parked) = leg.with {
            takers.entry(parked).or_default().push(key);
        }
    }
    let is_asked = |leg: &Leg| call.is_none_or(|call| call == leg.dialog.call_id());
    let stands = |(key, leg): &(LegKey, &Leg)| is_asked(leg) && stands_for_call(house, *key, leg);
    let mut found: Vec<&Leg> = calls().filter(stands).map(|(_, leg)| leg).collect();
    found.sort_by_key(|leg| leg.since);
    found.into_iter().map(|leg| view(house, leg, &takers)).collect()
}

/// Of two joined legs one stands for the call, the one towards the PBX; who rings for a parked call or
/// takes it is shown there.
fn stands_for_call(house: &House, key: LegKey, leg: &Leg) -> bool {
    match leg.with {
        With::Leg(other) => match house.legs.get(other) {
            Some(partner) if partner.partner() == Some(key) => {
                leg.side == Side::Pbx && (partner.side != Side::Pbx || key < other)
            }
            _ => true,
        },
        With::Retrieving(parked) | With::Rung(parked) => house.lots.get(parked).is_none(),
        _ => true,
    }
}

fn view(house: &House, leg: &Leg, takers: &FxHashMap<ParkedKey, Vec<LegKey>>) -> CallView {
    let partner = leg.partner().and_then(|other| house.legs.get(other));
    let mut legs: Vec<&Leg> = std::iter::once(leg).chain(partner).collect();
    // Who called, as long as both are as old as the call.
    legs.sort_by_key(|leg| (leg.since, leg.dialog.is_opened_by_us()));
    let (first, second) = (legs.first().copied(), legs.get(1).copied());
    let name = |leg: Option<&Leg>| leg.and_then(|leg| Some(leg.who.name.as_deref()?.to_owned()));
    let answered = legs.iter().map(|leg| leg.answered).max().flatten();
    let parked = match leg.with {
        With::Parked(parked) => house.lots.get(parked).map(|call| (parked, call)),
        _ => None,
    };
    let ringing = parked.and_then(|(parked, _)| takers.get(&parked)).into_iter().flatten();
    let ringing = ringing.filter_map(|key| house.legs.get(*key));
    CallView {
        id: leg.token.to_string(),
        call_id: leg.dialog.call_id().to_owned(),
        caller: first.map(Leg::name).unwrap_or_default(),
        caller_name: name(first),
        callee: second.map(Leg::name).unwrap_or_default(),
        callee_name: name(second),
        state: state(house, leg),
        since_s: first.map_or(0, |leg| house.at.since(leg.since).as_secs()),
        answered_for_s: answered.map(|at| house.at.since(at).as_secs()),
        park: parked.map(|(_, call)| call.park.to_string()),
        legs: legs.iter().copied().chain(ringing).map(leg_view).collect(),
    }
}

/// The state of each call.
pub(super) fn states(house: &House) -> impl Iterator<Item = CallState> {
    let calls = house.legs.iter().filter(|(_, leg)| leg.usage == Usage::Call);
    calls.filter(|(key, leg)| stands_for_call(house, *key, leg)).map(|(_, leg)| state(house, leg))
}

fn state(house: &House, leg: &Leg) -> CallState {
    let parked = match leg.with {
        With::Parked(parked) => house.lots.get(parked),
        With::Parking(_) => return CallState::Parking,
        _ => None,
    };
    if let Some(call) = parked {
        return match state_of(call) {
            ParkedState::Parking => CallState::Parking,
            ParkedState::Parked => CallState::Parked,
            ParkedState::Recalling => CallState::Recalling,
            ParkedState::Delivering => CallState::Delivering,
            ParkedState::Claimed => CallState::Claimed,
        };
    }
    let Some(partner) = leg.partner().and_then(|other| house.legs.get(other)) else {
        return CallState::Ending;
    };
    match (leg.stage, partner.stage) {
        (Stage::Ending, _) | (_, Stage::Ending) => CallState::Ending,
        (Stage::Up, Stage::Up) => CallState::Talking,
        _ if leg.rings || partner.rings => CallState::Ringing,
        _ => CallState::Setup,
    }
}

fn leg_view(leg: &Leg) -> LegView {
    LegView {
        side: leg.side.to_string(),
        party: leg.name(),
        name: leg.who.name.as_deref().map(Into::into),
        stage: stage_of(leg),
        at: leg.dialog.flow.peer.to_string(),
        media: media(leg),
        codec: agreed_codec(leg),
        on_hold: leg.held.is_some(),
    }
}

/// How far a leg has come.
pub(super) fn stage_of(leg: &Leg) -> LegStage {
    match leg.stage {
        Stage::Early if leg.rings => LegStage::Ringing,
        Stage::Early => LegStage::Early,
        Stage::Up => LegStage::Up,
        Stage::Ending => LegStage::Ending,
    }
}

fn media(leg: &Leg) -> LegMedia {
    let is_agreed = leg.media.sent.is_some() && leg.media.received.is_some();
    match leg.with {
        With::Parked(_) => LegMedia::Music,
        With::Leg(_) if is_agreed && leg.media.anchored => LegMedia::Relayed,
        With::Leg(_) if is_agreed => LegMedia::Direct,
        _ => LegMedia::None,
    }
}
