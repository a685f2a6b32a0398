//! Recall: when a parked call's time is up, phones ring; the first to answer has it, and until then
//! anyone may still retrieve it. Timers run on the clock, not on media.

use std::time::Duration;

use base::{Extension, Flow, Side};
use dialects::ParkEvent;
use sip_core::{ClientKey, Dialog, Party};
use sip_msg::{Compose, Direction, Message, Name};
use smallvec::SmallVec;

use crate::calls::describe::{Place, new_origin, write};
use crate::calls::leg::{Identity, Invite, Leg, Stage, Usage, With};
use crate::calls::retrieve::claimed;
use crate::calls::{call_id, leaving, report, send};
use crate::calls::{media, own, park, parked, pbx_domain, retrieve, soft_key};
use crate::contacts::Aor;
use crate::house::House;
use crate::keys::{Alarm, BindingKey, Errand, LegKey, ParkedKey};
use crate::lamps::News;
use crate::lots::{Recall, RecallStage};
use crate::refusal::Refusal;
use crate::settings::{RecallThen, RecallTo};
use crate::told::Fact;

/// How long beyond the ring time the PBX may take to say what became of a hand-over.
const HAND_OVER_GRACE: Duration = Duration::from_secs(60);

/// The time of a parked call is up, or the pause before the next attempt is over.
pub(crate) fn due(house: &mut House, key: ParkedKey) {
    let Some(call) = house.lots.get_mut(key) else { return };
    if call.claim.is_some() {
        call.recall = Recall::Overdue;
        return;
    }
    if !matches!(call.recall, Recall::Waiting | Recall::Overdue) {
        return;
    }
    call.attempt += 1;
    let targets: Vec<String> = match call.stage {
        RecallStage::Parker => vec![call.parker.to_string()],
        RecallStage::Group => call.policy.recall.group.clone(),
    };
    let domain = call.id.domain.clone();
    let phone = call
        .parker_phone
        .filter(|_| call.policy.recall.same_phone && call.stage == RecallStage::Parker);
    let of = |target: &String| {
        let extension = Extension::from(target.as_str());
        house.contacts.of(&Aor { extension, domain: domain.clone() })
    };
    let bindings: Vec<BindingKey> = match phone.filter(|key| house.contacts.get(*key).is_some()) {
        Some(phone) => vec![phone],
        None => targets.iter().flat_map(of).collect(),
    };
    let by_pbx = !call.policy.recall.ignore_dnd && call.stage == RecallStage::Parker;
    match (by_pbx || bindings.is_empty(), targets.first()) {
        (true, Some(target)) => {
            tell_attempt(house, key, target);
            hand_over(house, key, target, false);
        }
        (true, None) => attempt_over(house, key),
        (false, _) => ring_all(house, key, &targets.join(", "), &bindings),
    }
}

fn ring_all(house: &mut House, key: ParkedKey, to: &str, bindings: &[BindingKey]) {
    let Some(call) = house.lots.get_mut(key) else { return };
    call.recall = Recall::Ringing { legs: SmallVec::new() };
    let ring = call.policy.recall.ring;
    tell_attempt(house, key, to);
    soft_key::news(house, key, ParkEvent::Reminder);
    for binding in bindings {
        // A phone that cannot be rung for want of a port does not keep the others from ringing.
        let _ = ring_one(house, key, *binding);
    }
    house.alarms.set(Alarm::Ring(key), house.at + ring);
    let none = house
        .lots
        .get(key)
        .is_some_and(|call| matches!(&call.recall, Recall::Ringing { legs } if legs.is_empty()));
    if none {
        attempt_over(house, key);
    }
}

fn tell_attempt(house: &mut House, key: ParkedKey, to: &str) {
    let Some(call) = house.lots.get(key) else { return };
    let (to, attempt) = (to.to_string(), call.attempt);
    report::tell(house, key, |of| Fact::Recalling { of, to, attempt });
}

fn ring_one(house: &mut House, key: ParkedKey, binding: BindingKey) -> Result<(), Refusal> {
    let call = house.lots.get(key).ok_or(Refusal::SlotEmpty)?;
    let (parkee, who) = (call.leg, call.parkee.clone());
    let slot = call.id.slot.to_string();
    let (prefix, alert) =
        (call.policy.recall.prefix.clone(), call.policy.recall.alert_info.clone());
    let bound = house.contacts.get(binding).ok_or(Refusal::SlotEmpty)?;
    let (flow, aor, contact) = (bound.flow, bound.aor.clone(), bound.contact.clone());
    let shown = shown_as(&who, &prefix.replace("{slot}", &slot));
    let mut local = Party::read(&shown.name_addr());
    local.set_tag(&house.chance.token(10));
    let remote = Party::read(&format!("<sip:{}@{}>", aor.extension, aor.domain));
    let call_id = house.chance.token(24);
    let dialog = Dialog::opened(&call_id, local, remote, 1, flow);
    let token = house.chance.token(16);
    let mut leg = Leg::new(house.at, token, Side::Phones, Usage::Call, dialog);
    leg.dialog.set_target(&contact);
    leg.binding = Some(binding);
    leg.aor = Some(aor);
    leg.with = With::Recalled(key);
    let ring = house.legs.insert(leg);
    let sdp = match offer(house, ring, parkee) {
        Ok(sdp) => sdp,
        Err(refusal) => {
            leaving::end_leg(house, ring);
            return Err(refusal);
        }
    };
    let Some(leg) = house.legs.get(ring) else { return Ok(()) };
    let mut draft: Compose = leg
        .dialog
        .numbered("INVITE", 1)
        .line(Name::Allow, send::ALLOW)
        .line(Name::Supported, "replaces, norefersub");
    draft = retrieve::identity_lines(draft, &shown, "calling");
    if !alert.is_empty() {
        draft = draft.line(Name::AlertInfo, alert);
    }
    draft = draft.body("application/sdp", sdp);
    let client = send::send_own(house, ring, draft, Errand::Ring);
    if let (Some(leg), Some(client)) = (house.legs.get_mut(ring), client) {
        leg.sent = Some(Invite::new(client, 1));
    }
    if let Some(call) = house.lots.get_mut(key)
        && let Recall::Ringing { legs } = &mut call.recall
    {
        legs.push(ring);
    }
    Ok(())
}

/// The parkee, marked as a recall.
fn shown_as(who: &Identity, prefix: &str) -> Identity {
    let name = match &who.name {
        Some(name) => format!("{prefix}{name}"),
        None => format!("{prefix}{}", who.user()),
    };
    let uri = if who.uri.is_empty() { Identity::anonymous().uri } else { who.uri.clone() };
    Identity { name: Some(name.into()), uri }
}

/// An offer to a recalled phone: what the PBX takes, at our address.
fn offer(house: &mut House, ring: LegKey, parkee: LegKey) -> Result<Vec<u8>, Refusal> {
    let index = media::audio_index(house, parkee);
    let near = media::lease(house, parkee, index, None)?;
    let pair = media::lease(house, ring, 0, Some(near))?;
    let ip = media::our_ip(house, ring).ok_or(Refusal::NoPorts)?;
    let origin = new_origin(house.chance.u64(), ip);
    let formats = media::agreed(house, parkee);
    let place = Place { origin: &origin, ip, port: pair.port };
    let sdp = write(&place, &formats, None, 0, Direction::SendRecv);
    if let Some(leg) = house.legs.get_mut(ring) {
        leg.media.sent = Some(sdp.clone().into());
        leg.media.authored = true;
        leg.media.anchored = true;
    }
    Ok(sdp)
}

/// A recalled phone has given its final answer.
pub(crate) fn answered(
    house: &mut House,
    key: LegKey,
    client: ClientKey,
    response: &Message,
    flow: Flow,
) {
    let Some(leg) = house.legs.get_mut(key) else { return };
    if response.status() >= 300 {
        return not_answered(house, key);
    }
    if leg.stage != Stage::Early {
        // A second phone behind one Contact has answered too.
        return leaving::end_stray(house, client, response, flow);
    }
    leg.sent = None;
    leg.is_answered(house.at);
    leg.dialog.learn(response);
    leg.dialog.settle_on(response.to_tag().unwrap_or_default());
    let with = leg.with;
    own::ack(house, key, client, response);
    let With::Recalled(parked) = with else { return own::bye(house, key, None) };
    if house.lots.claim(parked, key, true).is_err() {
        if let Some(leg) = house.legs.get_mut(key) {
            leg.with = With::Nobody;
        }
        leg_over(house, key, parked);
        return own::bye(house, key, Some("taken by another phone"));
    }
    claimed(house, key, parked, true);
    call_off(house, parked, Some(key));
    house.alarms.stop(Alarm::Ring(parked));
    own::note_answer(house, key, response);
    let Some(parkee) = house.lots.get(parked).map(|call| call.leg) else { return };
    let takes = media::agreed(house, key);
    if retrieve::sends_what_is_taken(house, parkee, &takes) {
        return join(house, key, parked);
    }
    if retrieve::offer_formats(house, parked, &takes).is_err() {
        cannot_join(house, key, parked);
    }
}

/// The recalled phone has the call.
pub(crate) fn join(house: &mut House, key: LegKey, parked: ParkedKey) {
    retrieve::settle(house, key, parked, true);
}

/// It cannot have it after all: no codec in common.
pub(crate) fn cannot_join(house: &mut House, key: LegKey, parked: ParkedKey) {
    house.lots.release(parked, key);
    if let Some(leg) = house.legs.get_mut(key) {
        leg.with = With::Nobody;
    }
    own::bye(house, key, Some("no codec in common with the parkee"));
    attempt_over(house, parked);
}

/// A recalled phone has refused, or does not answer.
pub(crate) fn not_answered(house: &mut House, key: LegKey) {
    let with = house.legs.get(key).map(|leg| leg.with);
    leaving::end_leg(house, key);
    if let Some(With::Recalled(parked)) = with {
        leg_over(house, key, parked);
    }
}

/// One of the ringing legs is over; when the last one is, so is the attempt.
pub(crate) fn leg_over(house: &mut House, key: LegKey, parked: ParkedKey) {
    let claimed = house.lots.release(parked, key);
    let Some(call) = house.lots.get_mut(parked) else { return };
    let over = match &mut call.recall {
        Recall::Ringing { legs } => {
            legs.retain(|leg| *leg != key);
            legs.is_empty()
        }
        _ => claimed,
    };
    if over {
        attempt_over(house, parked);
    }
}

/// It has rung long enough.
pub(crate) fn rung_out(house: &mut House, key: ParkedKey) {
    call_off(house, key, None);
    attempt_over(house, key);
}

/// Stops the ringing, but for `keep`.
pub(crate) fn call_off(house: &mut House, key: ParkedKey, keep: Option<LegKey>) {
    let Some(call) = house.lots.get_mut(key) else { return };
    let Recall::Ringing { legs } = &mut call.recall else { return };
    let legs = std::mem::take(legs);
    // Should the retrieve fail that stopped it, the recall goes on.
    call.recall = Recall::Overdue;
    house.alarms.stop(Alarm::Ring(key));
    for leg in legs.into_iter().filter(|leg| Some(*leg) != keep) {
        own::bye(house, leg, None);
    }
}

fn attempt_over(house: &mut House, key: ParkedKey) {
    house.alarms.stop(Alarm::Ring(key));
    let Some(call) = house.lots.get_mut(key) else { return };
    if call.attempt < call.policy.recall.attempts {
        return wait(house, key);
    }
    let to_group = call.stage == RecallStage::Parker
        && call.policy.recall.to == RecallTo::ParkerThenGroup
        && !call.policy.recall.group.is_empty();
    if to_group {
        call.stage = RecallStage::Group;
        call.attempt = 0;
        return wait(house, key);
    }
    call.recall = Recall::Over;
    let then = call.policy.recall.then.clone();
    let word = match &then {
        RecallThen::Stay => "stay".into(),
        RecallThen::Hangup => "hangup".into(),
        RecallThen::Transfer(to) => to.clone(),
    };
    report::tell(house, key, |of| Fact::RecallUnanswered { of, then: word });
    match then {
        RecallThen::Stay => {}
        RecallThen::Hangup => parked::hang_up(house, key, "nobody took the parked call"),
        RecallThen::Transfer(to) => hand_over(house, key, &to, true),
    }
}

/// The next attempt comes after a pause.
fn wait(house: &mut House, key: ParkedKey) {
    let Some(call) = house.lots.get_mut(key) else { return };
    call.recall = Recall::Waiting;
    let (pause, attempt) = (call.policy.recall.pause, call.attempt);
    house.alarms.set(Alarm::Recall(key), house.at + pause);
    report::tell(house, key, |of| Fact::Waiting { of, recall_in: Some(pause), attempt });
}

/// Has the PBX take the parkee elsewhere: a REFER on the parkee's own leg.
fn hand_over(house: &mut House, key: ParkedKey, to: &str, last: bool) {
    let domain = pbx_domain(house);
    let Some(call) = house.lots.get_mut(key) else { return };
    let host = if call.id.domain.as_str().is_empty() { domain } else { call.id.domain.to_string() };
    let is_uri = ["sip:", "sips:", "tel:"].iter().any(|scheme| to.starts_with(scheme));
    let uri = if is_uri { to.to_string() } else { format!("sip:{to}@{host}") };
    let referred_by = format!("<sip:{}@{host}>", call.parker);
    call.recall = Recall::HandingOver { to: to.to_string(), last };
    let (leg_key, wait) = (call.leg, call.policy.recall.ring + HAND_OVER_GRACE);
    house.alarms.set(Alarm::HandOver(key), house.at + wait);
    let Some(leg) = house.legs.get_mut(leg_key) else { return };
    let draft = leg
        .dialog
        .request("REFER")
        .line(Name::ReferTo, format!("<{uri}>"))
        .line(Name::ReferredBy, referred_by);
    leg.asked_to_go = Some(leg.dialog.last_cseq());
    send::send_own(house, leg_key, draft, Errand::HandOver);
}

/// The PBX has answered the REFER.
pub(crate) fn hand_over_answered(house: &mut House, key: LegKey, status: u16) {
    if status >= 300
        && let Some(With::Parked(parked)) = house.legs.get(key).map(|leg| leg.with)
    {
        hand_over_failed(house, parked);
    }
}

/// The PBX tells how far it has come with taking the parkee elsewhere. After the last word it sends no
/// BYE: that is ours to send.
pub(crate) fn hand_over_progress(house: &mut House, key: LegKey, request: &Message) {
    let body = request.body();
    let text = String::from_utf8_lossy(&body);
    let status = text.split_whitespace().nth(1).and_then(|code| code.parse::<u16>().ok());
    let state = request.get(Name::SubscriptionState).unwrap_or_default().to_ascii_lowercase();
    let ended = state.trim_start().starts_with("terminated");
    let with = house.legs.get(key).map(|leg| leg.with);
    match (with, status) {
        (Some(With::Parked(parked)), Some(200..=299)) => handed_over(house, key, parked),
        (Some(With::Parked(parked)), Some(300..)) => hand_over_failed(house, parked),
        (Some(With::Parked(parked)), _) if ended => hand_over_failed(house, parked),
        // Somebody has taken the call meanwhile, but the PBX has the parkee: nobody is left here.
        (Some(With::Leg(other)), Some(200..=299)) => {
            own::bye(house, other, Some("the PBX has transferred the parkee"));
            own::bye(house, key, None);
        }
        _ => {}
    }
}

/// The PBX has the parkee: because we asked for it in a recall, or because the parker had transferred
/// it before it parked it.
fn handed_over(house: &mut House, key: LegKey, parked: ParkedKey) {
    let to = match house.lots.get(parked).map(|call| &call.recall) {
        Some(Recall::HandingOver { to, .. }) => Some(to.clone()),
        _ => None,
    };
    let end = News { event: ParkEvent::Forwarded, by: to.clone() };
    let Some(call) = parked::take_out(house, parked, None, end) else { return };
    if let Some(claim) = call.claim {
        retrieve::lost_parkee(house, claim.by);
    }
    let to = to.unwrap_or_else(|| "where the parker had transferred it".into());
    let call_id = call_id(house, key);
    report::tell_end(house, &call, Some(&call_id), |of| Fact::HandedOver { of, to });
    park::parkee_left(house, &call);
    own::bye(house, key, None);
}

/// The PBX could not, or does not say: the call stays parked.
pub(crate) fn hand_over_failed(house: &mut House, key: ParkedKey) {
    house.alarms.stop(Alarm::HandOver(key));
    let Some(call) = house.lots.get_mut(key) else { return };
    let Recall::HandingOver { last, .. } = call.recall else { return };
    if last {
        call.recall = Recall::Over;
        let attempt = call.attempt;
        report::tell(house, key, |of| Fact::Waiting { of, recall_in: None, attempt });
    } else {
        attempt_over(house, key);
    }
}
