//! Calls in progress, put together from legs.

use crate::calls::{Leg, Stage, Usage, With, agreed_codec};
use crate::command::{CallState, CallView, LegMedia, LegStage, LegView, ParkedState};
use crate::house::House;
use crate::keys::{LegKey, ParkedKey};
use crate::operator::lists::state_of;
use base::Side;
use rustc_hash::FxHashMap;

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
    let mut found: Vec<(LegKey, &Leg)> =
        calls().filter(|(key, leg)| is_asked(leg) && stands_for_call(house, *key, leg)).collect();
    found.sort_by_key(|(_, leg)| leg.since);
    found.into_iter().map(|(key, leg)| view(house, key, leg, &takers)).collect()
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

fn view(
    house: &House,
    key: LegKey,
    leg: &Leg,
    takers: &FxHashMap<ParkedKey, Vec<LegKey>>,
) -> CallView {
    let partner = leg.partner().and_then(|other| Some((other, house.legs.get(other)?)));
    let mut legs: Vec<(LegKey, &Leg)> = std::iter::once((key, leg)).chain(partner).collect();
    // Who called, as long as both are as old as the call.
    legs.sort_by_key(|(_, leg)| (leg.since, leg.dialog.is_opened_by_us()));
    let parked = match leg.with {
        With::Parked(parked) => house.lots.get(parked).map(|call| (parked, call)),
        _ => None,
    };
    let (first, second) = (legs.first().map(|(_, leg)| *leg), legs.get(1).map(|(_, leg)| *leg));
    let name = |leg: Option<&Leg>| leg.and_then(|leg| Some(leg.who.name.as_deref()?.to_owned()));
    let answered = legs.iter().map(|(_, leg)| leg.answered).max().flatten();
    let ringing = parked.and_then(|(parked, _)| takers.get(&parked)).into_iter().flatten();
    let ringing = ringing.filter_map(|key| Some((*key, house.legs.get(*key)?)));
    CallView {
        id: leg.token.to_string(),
        call_id: leg.dialog.call_id().to_owned(),
        caller: first.map(Leg::name).unwrap_or_default(),
        caller_name: name(first),
        callee: second.map(Leg::name).unwrap_or_default(),
        callee_name: name(second),
        state: match parked {
            Some((_, call)) => parked_state(state_of(call)),
            None => state(leg, partner.map(|(_, leg)| leg)),
        },
        since_s: first.map_or(0, |leg| house.at.since(leg.since).as_secs()),
        answered_for_s: answered.map(|at| house.at.since(at).as_secs()),
        park: parked.map(|(_, call)| call.park.to_string()),
        legs: legs
            .iter()
            .copied()
            .chain(ringing)
            .map(|(key, leg)| leg_view(house, key, leg))
            .collect(),
    }
}

fn parked_state(state: ParkedState) -> CallState {
    match state {
        ParkedState::Parking => CallState::Parking,
        ParkedState::Parked => CallState::Parked,
        ParkedState::Recalling => CallState::Recalling,
        ParkedState::Delivering => CallState::Delivering,
        ParkedState::Claimed => CallState::Claimed,
    }
}

fn state(leg: &Leg, partner: Option<&Leg>) -> CallState {
    let Some(partner) = partner else {
        return match leg.with {
            With::Parking(_) => CallState::Parking,
            _ => CallState::Ending,
        };
    };
    match (leg.stage, partner.stage) {
        (Stage::Ending, _) | (_, Stage::Ending) => CallState::Ending,
        (Stage::Up, Stage::Up) => CallState::Talking,
        _ if leg.rings || partner.rings => CallState::Ringing,
        _ => CallState::Setup,
    }
}

fn leg_view(house: &House, key: LegKey, leg: &Leg) -> LegView {
    LegView {
        side: leg.side.to_string(),
        party: leg.name(),
        name: leg.who.name.as_deref().map(Into::into),
        stage: match leg.stage {
            Stage::Early if leg.rings => LegStage::Ringing,
            Stage::Early => LegStage::Early,
            Stage::Up => LegStage::Up,
            Stage::Ending => LegStage::Ending,
        },
        at: leg.dialog.flow.peer.to_string(),
        media: media(leg),
        codec: agreed_codec(house, key),
        on_hold: leg.held.is_some(),
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
