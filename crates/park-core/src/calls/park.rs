//! Park: a parker's leg steps aside, the parkee's goes into a slot and hears music, and the parker is
//! told. On any failure the call stays up exactly as it was.

use std::time::Duration;

use base::{Extension, Flow, SlotName};
use dialects::{Place, Refer, sipfrag};
use sip_core::ServerKey;
use sip_msg::{Compose, Message, Name, reason_phrase};

use crate::calls::leg::{Progress, Stage, Usage, With};
use crate::calls::{answer, ids, media, own, parked, retrieve, setup};
use crate::contacts::Aor;
use crate::house::House;
use crate::keys::{Alarm, BindingKey, Errand, LegKey, ParkedKey};
use crate::lamps;
use crate::lots::{self, Ask, ParkedCall, Recall, RecallStage, SlotId, Teller};
use crate::refusal::Refusal;
use crate::settings::{LotSettings, RecallSettings, RecallTo};
use crate::told::Fact;

/// How long a leg that dialled a slot waits to be transferred into.
const RESERVED: Duration = Duration::from_secs(60);

/// A REFER in a phone's leg asks to park.
pub(crate) fn by_refer(
    house: &mut House,
    server: ServerKey,
    request: &Message,
    key: LegKey,
    refer: &Refer,
    ask: Ask,
) {
    let Some(leg) = house.legs.get(key) else { return };
    let flow = leg.dialog.flow;
    let quiet = refer.wants_no_subscription;
    let consult = refer.replaces.as_ref().and_then(|id| consultation(house, key, id));
    if let Err(refusal) = lots::entitled(house, leg, &flow) {
        return house.refuse(server, request, &refusal);
    }
    if leg.stage != Stage::Up {
        // An early dialog cannot be told by NOTIFY for certain: it may be one fork of several.
        return house.refuse(server, request, &Refusal::NotAnswered);
    }
    // Parked already, by dialling; the phone now completes its transfer into that leg.
    if leg.with == With::Nobody && consult.is_some() {
        accept(house, server, request, key, quiet);
        if !quiet {
            start_progress(house, key, request.cseq().0, 200);
        }
        return;
    }
    let outcome = do_park(house, key, &ask);
    match outcome {
        Err(refusal) if quiet => house.refuse(server, request, &refusal),
        Err(refusal) => {
            accept(house, server, request, key, quiet);
            start_progress(house, key, request.cseq().0, refusal.status());
            refused(house, key, request, &refusal);
        }
        Ok(parked) => {
            let teller = if quiet {
                Teller::Answer(key, server)
            } else {
                accept(house, server, request, key, quiet);
                if let Some(leg) = house.legs.get_mut(key) {
                    let id = request.cseq().0;
                    leg.progress = Some(Progress { id, first_answered: false, outcome: None });
                }
                tell_progress(house, key, 100, false);
                Teller::Progress(key)
            };
            if let Some(call) = house.lots.get_mut(parked) {
                call.teller = teller;
            }
            go(house, parked);
        }
    }
    if let Some(consult) = consult {
        house.alarms.set(Alarm::Bye(consult), house.at + house.settings.bye_grace);
    }
}

/// The leg of the same phone, answered by us, that a REFER's Replaces names.
fn consultation(house: &House, key: LegKey, id: &sip_msg::ReplacesId) -> Option<LegKey> {
    let (found, leg) = ids::find(house, id, Some(base::Side::Phones))?;
    (found != key && matches!(leg.with, With::Parking(_) | With::Nobody)).then_some(found)
}

fn refused(house: &mut House, key: LegKey, request: &Message, refusal: &Refusal) {
    let who = house.legs.get(key).and_then(|leg| leg.aor.clone());
    let who = who.map_or_else(|| request.from().uri().into(), |aor| aor.extension.to_string());
    let fact = Fact::Refused { status: refusal.status(), who, why: refusal.to_string() };
    house.tell(Some(request.call_id()), fact);
}

fn accept(house: &mut House, server: ServerKey, request: &Message, key: LegKey, quiet: bool) {
    // 202 and not 200: installed phones were built against RFC 3515.
    let status = if quiet { 200 } else { 202 };
    let mut draft = setup::answer_in(house, key, request, status);
    if quiet {
        draft = draft.line(Name::ReferSub, "false");
        house.alarms.set(Alarm::Bye(key), house.at + house.settings.bye_grace);
    }
    house.layer.respond(house.at, server, status, &draft.finish());
}

/// Tells the outcome in one NOTIFY, first and last.
fn start_progress(house: &mut House, key: LegKey, id: u32, status: u16) {
    if let Some(leg) = house.legs.get_mut(key) {
        leg.progress = Some(Progress { id, first_answered: true, outcome: Some(status) });
    }
    tell_progress(house, key, status, true);
}

/// A NOTIFY with the outcome of a REFER so far (RFC 3515 §2.4.4).
fn tell_progress(house: &mut House, key: LegKey, status: u16, last: bool) {
    let Some(leg) = house.legs.get_mut(key) else { return };
    let Some(progress) = leg.progress.clone() else { return };
    let state = if last { "terminated;reason=noresource" } else { "active;expires=60" };
    let fragment = sipfrag(status, reason_phrase(status));
    let draft = leg
        .dialog
        .request("NOTIFY")
        .line(Name::Event, format!("refer;id={}", progress.id))
        .line(Name::SubscriptionState, state)
        .body(&fragment.content_type, fragment.bytes);
    setup::send_own(house, key, draft, Errand::Progress { last });
}

/// The phone has answered a NOTIFY about its REFER.
pub(crate) fn progress_told(house: &mut House, key: LegKey, last: bool) {
    let grace = house.at + house.settings.bye_grace;
    let Some(leg) = house.legs.get_mut(key) else { return };
    let Some(progress) = &mut leg.progress else { return };
    if !last {
        progress.first_answered = true;
        if let Some(outcome) = progress.outcome {
            tell_progress(house, key, outcome, true);
        }
        return;
    }
    let parked = progress.outcome.is_some_and(|outcome| outcome < 300);
    leg.progress = None;
    // After a refusal the leg is still with the parkee's; it stays.
    if parked && leg.with == With::Nobody {
        house.alarms.set(Alarm::Bye(key), grace);
    }
}

/// The outcome is known: it is told as soon as the first NOTIFY has been answered.
fn outcome(house: &mut House, key: LegKey, status: u16) {
    let Some(progress) = house.legs.get_mut(key).and_then(|leg| leg.progress.as_mut()) else {
        return;
    };
    progress.outcome = Some(status);
    if progress.first_answered {
        tell_progress(house, key, status, true);
    }
}

/// Puts the parkee of a leg into its slot. On refusal nothing has changed.
fn do_park(house: &mut House, key: LegKey, ask: &Ask) -> Result<ParkedKey, Refusal> {
    let leg = house.legs.get(key).ok_or(Refusal::NotAnswered)?;
    let partner = leg.partner().ok_or(Refusal::Status(481, "no call in this dialog".into()))?;
    let parkee = house.legs.get(partner).ok_or(Refusal::NotAnswered)?;
    if leg.usage != Usage::Call || leg.stage != Stage::Up || parkee.stage != Stage::Up {
        return Err(Refusal::NotAnswered);
    }
    if !media::can_be_fed(house, partner) {
        return Err(Refusal::Media("music cannot be given to this media"));
    }
    let aor =
        leg.aor.clone().or_else(|| lots::aor_of(house, leg.dialog.remote.uri(), &leg.dialog.flow));
    let aor = aor.ok_or(Refusal::NotEntitled)?;
    let lot = house.settings.lots.get(ask.lot).cloned().ok_or(Refusal::LotFull)?;
    let (slot, group) = place(house, &lot, &aor, &ask.place)?;
    let policy = policy_of(&lot, group.as_deref());
    let retrieve = match &ask.place {
        Place::Slot(_) | Place::AnySlot => slot.to_string(),
        _ => format!("{}{slot}", lot.retrieve),
    };
    let stage = match policy.to {
        RecallTo::Group => RecallStage::Group,
        RecallTo::Parker | RecallTo::ParkerThenGroup => RecallStage::Parker,
    };
    let call = ParkedCall {
        leg: partner,
        id: SlotId { lot: lot.name.clone(), domain: aor.domain.clone(), slot },
        group,
        parker: aor.extension.clone(),
        parker_who: leg.who.clone(),
        parkee: parkee.who.clone(),
        since: house.at,
        tune: lot.tune,
        notify_parker: lot.notify_parker,
        retrieve,
        teller: Teller::Nobody,
        asked_for_codec: false,
        claim: None,
        recall: if policy.after.is_zero() { Recall::Over } else { Recall::Waiting },
        stage,
        attempt: 0,
        policy,
    };
    let parked = house.lots.admit(call, lot.max_calls_per_slot)?;
    if let Some(leg) = house.legs.get_mut(key) {
        leg.with = With::Nobody;
    }
    if let Some(leg) = house.legs.get_mut(partner) {
        leg.with = With::Parked(parked);
    }
    for leg in [key, partner] {
        own::acknowledge_if_due(house, leg);
    }
    media::plan(house, key);
    Ok(parked)
}

fn policy_of(lot: &LotSettings, group: Option<&str>) -> RecallSettings {
    let own = lot.groups.iter().find(|candidate| Some(candidate.name.as_str()) == group);
    let own = own.and_then(|group| {
        // A group that names nobody to ring rings its members.
        let mut recall = group.recall.clone()?;
        if recall.group.is_empty() {
            recall.group = group.members.iter().map(ToString::to_string).collect();
        }
        Some(recall)
    });
    own.unwrap_or_else(|| lot.recall.clone())
}

/// The slot that is meant, and the group if it is a group park.
fn place(
    house: &House,
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
            let known = house.contacts.knows(&of(extension))
                || lot.groups.iter().any(|group| group.members.contains(extension));
            if known { Ok((slot, None)) } else { Err(Refusal::NoSuchPlace(slot)) }
        }
        Place::Slot(slot) => Ok((slot.clone(), None)),
        Place::AnySlot => any_slot(house, lot, aor).map(|slot| (slot, None)),
        Place::Group => group_place(house, lot, aor),
    }
}

fn any_slot(house: &House, lot: &LotSettings, aor: &Aor) -> Result<SlotName, Refusal> {
    let mut slots = lot.slots.iter().flat_map(|&(first, last, width)| {
        (first..=last).map(move |number| SlotName::from(format!("{number:0width$}")))
    });
    let free = |slot: &SlotName| {
        let id = SlotId { lot: lot.name.clone(), domain: aor.domain.clone(), slot: slot.clone() };
        house.lots.waiting(&id) == 0
    };
    slots.find(free).ok_or(Refusal::LotFull)
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
    let others = group.members.iter().filter(|member| **member != aor.extension);
    let hunt: Vec<&Extension> = others
        .chain(std::iter::once(&aor.extension))
        .filter(|member| {
            let of = Aor { extension: (*member).clone(), domain: aor.domain.clone() };
            house.contacts.knows(&of)
        })
        .collect();
    let found = hunt
        .iter()
        .find(|member| waiting(member) == 0)
        .or_else(|| hunt.iter().find(|member| waiting(member) < lot.max_calls_per_slot));
    match found {
        Some(member) => Ok((member.as_str().into(), Some(group.name.clone()))),
        None => Err(Refusal::NoGroup("no member of the park group can take the call")),
    }
}

/// The parkee is in its slot: music on, its PBX asked to listen if it must be, lamps lit.
fn go(house: &mut House, key: ParkedKey) {
    let Some(call) = house.lots.get(key) else { return };
    let (leg, after) = (call.leg, call.policy.after);
    if !after.is_zero() {
        house.alarms.set(Alarm::Recall(key), house.at + after);
    }
    media::plan(house, leg);
    own::keep_session(house, leg);
    let anchored = house.legs.get(leg).is_some_and(|leg| leg.media.anchored);
    if parked::needs_offer(house, leg) {
        if anchored
            && media::music_format(house, leg).is_none()
            && let Some(call) = house.lots.get_mut(key)
        {
            call.asked_for_codec = true;
        }
        parked::offer(house, leg);
    }
    // Where media comes to us already the park stands, whatever the PBX says to our offer.
    if anchored {
        confirmed(house, key);
    }
}

/// The park stands: the parker is told, once.
pub(crate) fn confirmed(house: &mut House, key: ParkedKey) {
    let Some(call) = house.lots.get_mut(key) else { return };
    let teller = std::mem::replace(&mut call.teller, Teller::Nobody);
    let fact = Fact::Parked {
        lot: call.id.lot.to_string(),
        slot: call.id.slot.to_string(),
        parkee: call.parkee.user(),
        parker: call.parker.to_string(),
    };
    let leg = call.leg;
    match teller {
        Teller::Nobody => return,
        Teller::Progress(parker) => outcome(house, parker, 200),
        Teller::Answer(parker, server) => {
            if let Some(request) = house.layer.request_of(server).cloned() {
                accept(house, server, &request, parker, true);
            }
        }
        Teller::Dialled(parker, dialled) => {
            let until = house.at + house.settings.confirm;
            house.alarms.set(Alarm::Bye(dialled), until);
            house.alarms.set(Alarm::Bye(parker), until);
        }
    }
    let call_id = house.legs.get(leg).map(|leg| leg.dialog.call_id().to_string());
    house.tell(call_id.as_deref(), fact);
    if let Some(call) = house.lots.get(key) {
        let call = lamps::Seen::of(call);
        lamps::changed_at(house, &call);
    }
}

/// The PBX did not agree to what the park needs. Where the park stands already nothing is lost: the
/// parkee hears what the PBX plays. Where media never came to us the park is undone.
pub(crate) fn not_confirmed(house: &mut House, key: ParkedKey, status: u16) {
    let Some(call) = house.lots.get(key) else { return };
    if matches!(call.teller, Teller::Nobody) {
        return;
    }
    let status = if (400..700).contains(&status) { status } else { 488 };
    let Some(call) = parked::take_out(house, key, None) else { return };
    let parker = match call.teller {
        Teller::Nobody => return,
        Teller::Progress(parker) => {
            outcome(house, parker, status);
            parker
        }
        Teller::Answer(parker, server) => {
            if let Some(request) = house.layer.request_of(server).cloned() {
                let why = "the PBX refused to send its media here";
                house.refuse(server, &request, &Refusal::Status(status, why.into()));
            }
            parker
        }
        Teller::Dialled(parker, dialled) => {
            own::bye(house, dialled, Some("not parked"));
            parker
        }
    };
    if house.legs.get(parker).is_none() {
        // The parker has hung up meanwhile; nobody else holds the parkee.
        return own::bye(house, call.leg, Some("the parker has gone"));
    }
    if let Some(leg) = house.legs.get_mut(parker) {
        leg.with = With::Leg(call.leg);
    }
    if let Some(leg) = house.legs.get_mut(call.leg) {
        leg.with = With::Leg(parker);
    }
    media::plan(house, parker);
    media::plan(house, call.leg);
}

/// The parkee has gone before the parker was told: there is no call any more, and so it is told.
pub(crate) fn parkee_left(house: &mut House, call: &ParkedCall) {
    let gone = Refusal::Status(480, "the parkee has hung up".into());
    let parker = match call.teller {
        Teller::Nobody => return,
        Teller::Progress(parker) => {
            outcome(house, parker, gone.status());
            parker
        }
        Teller::Answer(parker, server) => {
            if let Some(request) = house.layer.request_of(server).cloned() {
                house.refuse(server, &request, &gone);
            }
            parker
        }
        Teller::Dialled(parker, dialled) => {
            own::bye(house, dialled, None);
            parker
        }
    };
    own::bye(house, parker, None);
}

/// Which of a phone's calls is meant when it dials a park code: the one that it holds, newest first;
/// else its only one. Rather none than the wrong one.
fn call_of(house: &House, binding: Option<BindingKey>) -> Result<LegKey, Refusal> {
    let mut calls: Vec<_> = house
        .legs
        .iter()
        .filter(|(_, leg)| {
            binding.is_some()
                && leg.binding == binding
                && leg.usage == Usage::Call
                && leg.stage == Stage::Up
                && leg.partner().is_some()
        })
        .map(|(key, leg)| (leg.held, key))
        .collect();
    calls.sort_by_key(|(held, _)| std::cmp::Reverse(*held));
    match calls.as_slice() {
        [] => Err(Refusal::WhichCall("no call to park")),
        [(_, only)] => Ok(*only),
        [(Some(_), newest), ..] => Ok(*newest),
        _ => Err(Refusal::WhichCall("several calls are up and none is held")),
    }
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
        Err(refusal) => return house.refuse(server, request, &refusal),
    };
    let dialled = match answer_dialled(house, server, request, flow, binding, parker) {
        Ok(dialled) => dialled,
        Err(refusal) => return house.refuse(server, request, &refusal),
    };
    match do_park(house, parker, ask) {
        Err(refusal) => {
            setup::end_leg(house, dialled);
            house.refuse(server, request, &refusal);
        }
        Ok(parked) => {
            send_answer(house, server, request, dialled);
            if let Some(call) = house.lots.get_mut(parked) {
                call.teller = Teller::Dialled(parker, dialled);
            }
            go(house, parked);
        }
    }
}

/// A phone that holds a call dials a free slot: it will transfer the call into it.
pub(crate) fn reserve(
    house: &mut House,
    server: ServerKey,
    request: &Message,
    flow: Flow,
    binding: Option<BindingKey>,
    parker: LegKey,
) {
    match answer_dialled(house, server, request, flow, binding, parker) {
        Ok(dialled) => {
            send_answer(house, server, request, dialled);
            house.alarms.set(Alarm::Bye(dialled), house.at + RESERVED);
        }
        Err(refusal) => house.refuse(server, request, &refusal),
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
            setup::end_leg(house, key);
            Err(refusal)
        }
    }
}

fn send_answer(house: &mut House, server: ServerKey, request: &Message, key: LegKey) {
    let mut draft: Compose = setup::answer_in(house, key, request, 200);
    if let Some(leg) = house.legs.get_mut(key) {
        leg.stage = Stage::Up;
        if let Some(sdp) = &leg.media.sent {
            draft = draft.body("application/sdp", sdp.clone());
        }
    }
    house.layer.respond(house.at, server, 200, &draft.finish());
}
