//! Phones that are rung for a parked call, by a recall or because an operator has it delivered: how, and
//! what their answers mean. The first to answer has it.

use base::{Flow, Side};
use sip_core::{ClientKey, Dialog, Party};
use sip_msg::{Compose, Direction, Message, Name};

use crate::calls::describe::{Place, new_origin, write};
use crate::calls::leg::{Identity, Invite, Leg, Stage, Usage, With};
use crate::calls::retrieve::claimed;
use crate::calls::{deliver, leaving, media, own, recall, retrieve, send, sips, srtp};
use crate::house::House;
use crate::keys::{Alarm, BindingKey, Errand, LegKey, ParkedKey};
use crate::lots::Recall;
use crate::refusal::Refusal;

/// Rings a phone for a parked call; what marks it as a recall precedes the parkee's name. Gives the leg
/// of the phone.
///
/// # Errors
/// The call or the phone has gone, or no port is left.
pub(crate) fn one(
    house: &mut House,
    key: ParkedKey,
    binding: BindingKey,
    marked: &str,
) -> Result<LegKey, Refusal> {
    let call = house.lots.get(key).ok_or(Refusal::SlotEmpty)?;
    let (parkee, who) = (call.leg, call.parkee.clone());
    let alert = call.policy.recall.alert_info.clone();
    let bound = house.contacts.get(binding).ok_or(Refusal::SlotEmpty)?;
    let (flow, aor, contact) = (bound.flow, bound.aor.clone(), bound.contact.clone());
    let shown = shown_as(&who, marked);
    let mut local = Party::read(&shown.name_addr());
    local.set_tag(&house.chance.token(10));
    let remote = Party::read(&format!("<sip:{}@{}>", aor.extension, aor.domain));
    let call_id = house.chance.token(24);
    let dialog = Dialog::opened(&call_id, local, remote, 1, flow);
    let token = house.chance.token(16);
    let mut leg = Leg::new(house.at, token, Side::Phones, Usage::Call, dialog);
    leg.dialog.set_target(&contact);
    leg.is_sips = sips::is_sips(&contact);
    leg.binding = Some(binding);
    leg.aor = Some(aor);
    leg.with = With::Rung(key);
    let ring = house.legs.insert(leg);
    let sdp = match offer(house, ring, parkee) {
        Ok(sdp) => sdp,
        Err(refusal) => {
            leaving::end_leg(house, ring);
            return Err(refusal);
        }
    };
    let Some(leg) = house.legs.get(ring) else { return Ok(ring) };
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
    Ok(ring)
}

/// The parkee, marked as a recall or not at all.
fn shown_as(who: &Identity, prefix: &str) -> Identity {
    let name = match &who.name {
        Some(name) => format!("{prefix}{name}"),
        None => format!("{prefix}{}", who.user()),
    };
    let uri = if who.uri.is_empty() { Identity::anonymous().uri } else { who.uri.clone() };
    Identity { name: Some(name.into()), uri }
}

/// An offer to a phone that is rung: what the PBX takes, at our address.
fn offer(house: &mut House, ring: LegKey, parkee: LegKey) -> Result<Vec<u8>, Refusal> {
    let index = media::audio_index(house, parkee);
    let near = media::lease(house, parkee, index, None)?;
    let pair = media::lease(house, ring, 0, Some(near))?;
    let ip = media::our_ip(house, ring).ok_or(Refusal::NoPorts)?;
    let origin = new_origin(house.chance.u64(), ip);
    let formats = media::agreed(house, parkee);
    let place = Place { origin: &origin, ip, port: pair.port };
    let lock = srtp::offer(house, ring, 0, Some(parkee));
    let sdp = write(&place, &lock, &formats, None, 0, Direction::SendRecv);
    if let Some(leg) = house.legs.get_mut(ring) {
        leg.media.sent = Some(sdp.clone().into());
        leg.media.authored = true;
        leg.media.anchored = true;
    }
    Ok(sdp)
}

/// A phone that is rung has given its final answer.
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
    let With::Rung(parked) = with else { return own::bye(house, key, None) };
    let recall = house.lots.get(parked).is_some_and(|call| call.delivery.is_none());
    if house.lots.claim(parked, key, recall).is_err() {
        if let Some(leg) = house.legs.get_mut(key) {
            leg.with = With::Nobody;
        }
        leg_over(house, key, parked);
        return own::bye(house, key, Some("taken by another phone"));
    }
    claimed(house, key, parked, recall);
    call_off(house, parked, Some(key));
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

/// The phone has the call.
pub(crate) fn join(house: &mut House, key: LegKey, parked: ParkedKey) {
    let claim = house.lots.get(parked).and_then(|call| call.claim);
    retrieve::settle(house, key, parked, claim.is_some_and(|claim| claim.recall));
}

/// It cannot have it after all: no codec in common.
pub(crate) fn cannot_join(house: &mut House, key: LegKey, parked: ParkedKey) {
    if let Some(leg) = house.legs.get_mut(key) {
        leg.with = With::Nobody;
    }
    own::bye(house, key, Some("no codec in common with the parkee"));
    leg_over(house, key, parked);
}

/// A phone that is rung has refused, or does not answer.
pub(crate) fn not_answered(house: &mut House, key: LegKey) {
    let with = house.legs.get(key).map(|leg| leg.with);
    leaving::end_leg(house, key);
    if let Some(With::Rung(parked)) = with {
        leg_over(house, key, parked);
    }
}

/// One of the legs that ring, or that had answered, is over; when the last one is, so is the attempt.
pub(crate) fn leg_over(house: &mut House, key: LegKey, parked: ParkedKey) {
    let Some(call) = house.lots.get_mut(parked) else { return };
    if let Some(claim) = call.claim.filter(|claim| claim.by == key) {
        house.lots.release(parked, key);
        return attempt_over(house, parked, claim.recall);
    }
    let (legs, recall) = match (&mut call.delivery, &mut call.recall) {
        (Some(delivery), _) => (&mut delivery.legs, false),
        (None, Recall::Ringing { legs, .. }) => (legs, true),
        _ => return,
    };
    legs.retain(|leg| *leg != key);
    if legs.is_empty() {
        attempt_over(house, parked, recall);
    }
}

fn attempt_over(house: &mut House, key: ParkedKey, recall: bool) {
    match recall {
        true => recall::attempt_over(house, key),
        false => deliver::over(house, key),
    }
}

/// It has rung long enough.
pub(crate) fn rung_out(house: &mut House, key: ParkedKey) {
    let recall = house.lots.get(key).is_some_and(|call| call.delivery.is_none());
    call_off(house, key, None);
    attempt_over(house, key, recall);
}

/// Stops all ringing for a call, but for `keep`.
pub(crate) fn call_off(house: &mut House, key: ParkedKey, keep: Option<LegKey>) {
    let Some(call) = house.lots.get_mut(key) else { return };
    let mut ringing = call.delivery.take().map(|delivery| delivery.legs).unwrap_or_default();
    if let Recall::Ringing { legs, .. } = &mut call.recall {
        ringing.append(legs);
        // Should the retrieve fail that stopped it, the recall goes on.
        call.recall = Recall::Overdue;
    }
    house.alarms.stop(Alarm::Ring(key));
    for leg in ringing.into_iter().filter(|leg| Some(*leg) != keep) {
        own::bye(house, leg, None);
    }
}
