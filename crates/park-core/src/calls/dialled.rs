//! Park numbers that are dialled while a call is held: that call is parked, and the leg that dialled is
//! answered, so that a phone which wants to complete a transfer into it can.

use std::time::Duration;

use base::{Flow, SlotName};
use rtp_flow::Clip;
use sip_core::ServerKey;
use sip_msg::{Compose, Message};
use smallvec::SmallVec;

use crate::calls::leg::{Leg, Stage, Usage, With};
use crate::calls::{answer, leaving, media, park, retrieve, send};
use crate::house::House;
use crate::keys::{Alarm, BindingKey, LegKey};
use crate::lots::{Ask, Teller};
use crate::refusal::Refusal;
use crate::told::Asked;

/// How long a leg that dialled a slot waits to be transferred into.
const RESERVED: Duration = Duration::from_secs(60);
/// The number of a slot is said in less; should nobody tell that it has been, its leg ends all the same.
const LONGEST_SAYING: Duration = Duration::from_secs(30);

/// Which of a phone's calls is meant when it dials a park code: the one that it holds, newest first;
/// else its only one. Rather none than the wrong one.
fn call_of(house: &House, binding: Option<BindingKey>) -> Result<LegKey, Refusal> {
    let mut calls: Vec<_> = calls_of(house, binding).map(|(key, leg)| (leg.held, key)).collect();
    calls.sort_by_key(|(held, _)| std::cmp::Reverse(*held));
    match calls.as_slice() {
        [] => Err(Refusal::WhichCall("no call to park")),
        [(_, only)] => Ok(*only),
        [(Some(_), newest), ..] => Ok(*newest),
        _ => Err(Refusal::WhichCall("several calls are up and none is held")),
    }
}

fn calls_of(house: &House, binding: Option<BindingKey>) -> impl Iterator<Item = (LegKey, &Leg)> {
    house.legs.iter().filter(move |(_, leg)| {
        binding.is_some()
            && leg.binding == binding
            && leg.usage == Usage::Call
            && leg.stage == Stage::Up
            && leg.partner().is_some()
    })
}

/// Whether this phone has a call that could be parked.
pub(crate) fn has_call(house: &House, binding: Option<BindingKey>) -> bool {
    calls_of(house, binding).next().is_some()
}

/// The call that this phone holds, if it holds one.
pub(crate) fn held_call(house: &House, binding: Option<BindingKey>) -> Option<LegKey> {
    let key = call_of(house, binding).ok()?;
    house.legs.get(key)?.held.map(|_| key)
}

/// A phone dials a park code: its held call is parked, and the leg that it dialled with is answered,
/// so that a phone which wants to complete a transfer into it can.
pub(crate) fn by_dial(
    house: &mut House,
    server: ServerKey,
    request: &Message,
    flow: Flow,
    binding: Option<BindingKey>,
    ask: &Ask,
) {
    let parker = match call_of(house, binding) {
        Ok(parker) => parker,
        Err(refusal) => return house.refuse_ask(server, request, Asked::Park, &refusal),
    };
    let dialled = match answer_dialled(house, server, request, flow, binding, parker) {
        Ok(dialled) => dialled,
        Err(refusal) => return house.refuse_ask(server, request, Asked::Park, &refusal),
    };
    match park::do_park(house, parker, ask) {
        Err(refusal) => {
            leaving::end_leg(house, dialled);
            house.refuse_ask(server, request, Asked::Park, &refusal);
        }
        Ok(parked) => {
            send_answer(house, server, request, dialled);
            park::go(house, parked, Teller::Dialled(parker, dialled));
        }
    }
}

/// The call that a leg was dialled for is parked: who dialled is told where, by ear, and then both
/// legs end; a phone may still complete its transfer meanwhile.
pub(crate) fn parked(house: &mut House, parker: LegKey, dialled: LegKey, slot: SlotName) {
    let hears = say(house, dialled, slot);
    let wait = if hears { LONGEST_SAYING } else { house.settings.confirm };
    for leg in [dialled, parker] {
        house.alarms.set(Alarm::Bye(leg), house.at + wait);
    }
}

/// Has a leg hear the tone of a park and the number of a slot, as soon as it has acknowledged our
/// answer; says whether it can hear anything.
fn say(house: &mut House, key: LegKey, slot: SlotName) -> bool {
    let acked = house.legs.get(key).is_some_and(|leg| leg.heard.is_none());
    if !acked {
        // What it can hear may be in the ACK (RFC 3264: the answer to an offer of ours).
        let Some(leg) = house.legs.get_mut(key) else { return false };
        leg.to_say = Some(slot);
        return true;
    }
    let signs = slot.as_str().chars().filter_map(Clip::of_sign);
    let clips: SmallVec<[Clip; 8]> = std::iter::once(Clip::PARKED).chain(signs).collect();
    media::plan_after(house, key, &clips);
    media::music_format(house, key).is_some()
}

/// A leg that we answered has acknowledged that: what it is to hear begins.
pub(crate) fn acked(house: &mut House, key: LegKey) {
    let Some(slot) = house.legs.get_mut(key).and_then(|leg| leg.to_say.take()) else { return };
    if !say(house, key, slot) {
        told_by_ear(house, key);
    }
}

/// A leg has heard all that it was to hear.
pub(crate) fn told_by_ear(house: &mut House, key: LegKey) {
    let Some(With::Parking(parker)) = house.legs.get(key).map(|leg| leg.with) else { return };
    if house.legs.get(parker).is_some_and(|leg| leg.partner().is_some()) {
        // The call waits to be transferred.
        return;
    }
    has_heard(house, parker);
    has_heard(house, key);
}

/// A leg whose call was parked by dialling ends before long.
pub(crate) fn has_heard(house: &mut House, key: LegKey) {
    let until = house.at + house.settings.confirm;
    if house.alarms.at(Alarm::Bye(key)).is_some_and(|due| due > until) {
        house.alarms.set(Alarm::Bye(key), until);
    }
}

/// A phone that holds a call dials a free slot: it will transfer the call into it.
pub(crate) fn reserve(
    house: &mut House,
    server: ServerKey,
    request: &Message,
    flow: Flow,
    binding: Option<BindingKey>,
    (parker, slot): (LegKey, SlotName),
) {
    match answer_dialled(house, server, request, flow, binding, parker) {
        Ok(dialled) => {
            send_answer(house, server, request, dialled);
            house.alarms.set(Alarm::Bye(dialled), house.at + RESERVED);
            say(house, dialled, slot);
        }
        Err(refusal) => house.refuse_ask(server, request, Asked::Park, &refusal),
    }
}

fn answer_dialled(
    house: &mut House,
    server: ServerKey,
    request: &Message,
    flow: Flow,
    binding: Option<BindingKey>,
    parker: LegKey,
) -> Result<LegKey, Refusal> {
    let key = retrieve::answering_leg(house, server, request, flow, binding);
    if let Some(leg) = house.legs.get_mut(key) {
        leg.with = With::Parking(parker);
    }
    match answer::accept_offer_of(house, key, request) {
        Ok(()) => Ok(key),
        Err(refusal) => {
            leaving::end_leg(house, key);
            Err(refusal)
        }
    }
}

fn send_answer(house: &mut House, server: ServerKey, request: &Message, key: LegKey) {
    let mut draft: Compose = send::answer_in(house, key, request, 200);
    if let Some(leg) = house.legs.get_mut(key) {
        leg.is_answered(house.at);
        if let Some(sdp) = &leg.media.sent {
            draft = draft.body("application/sdp", sdp.clone());
        }
    }
    house.layer.respond(house.at, server, 200, &draft.finish());
}
