//! A leg goes: its ports are given back, and whatever was under way in it runs to an end of its own.

use base::Flow;
use sip_core::{ClientKey, Dialog, Party};
use sip_msg::{Message, Name};

use crate::calls::leg::{Leg, Usage, With};
use crate::calls::passes::PassKind;
use crate::calls::{answer, media, own, parked};
use crate::house::House;
use crate::keys::{Alarm, LegKey, PassKey, Within};

/// How far the number of our BYE leaves that of the INVITE behind, whose leg has gone: PRACKs and
/// UPDATEs may have been numbered since. A gap is no error (RFC 3261 §12.2.2).
const PAST_EARLY_REQUESTS: u32 = 100;

/// A response that nobody waits for any more. A 2xx to an INVITE is acknowledged; what it has opened
/// is ended.
pub(crate) fn see_off(
    house: &mut House,
    within: Within,
    client: ClientKey,
    response: &Message,
    flow: Flow,
) {
    if response.cseq().1 != "INVITE" || !(200..300).contains(&response.status()) {
        return;
    }
    match within {
        Within::NoDialog => end_stray(house, client, response, flow),
        Within::Dialog => {
            acknowledge_stray(house, client, response, flow);
        }
    }
}

/// A 2xx that opens a dialog which nobody wants any more: acknowledged and ended (RFC 3261
/// §13.2.2.4).
pub(crate) fn end_stray(house: &mut House, client: ClientKey, response: &Message, flow: Flow) {
    let dialog = acknowledge_stray(house, client, response, flow);
    let token = house.chance.token(16);
    let mut leg = Leg::new(house.at, token, flow.side, Usage::Call, dialog);
    leg.is_answered(house.at);
    let key = house.legs.insert(leg);
    own::bye(house, key, None);
}

/// Acknowledges a 2xx whose leg has gone.
fn acknowledge_stray(
    house: &mut House,
    client: ClientKey,
    response: &Message,
    flow: Flow,
) -> Dialog {
    let party = |name| Party::read(response.get(name).unwrap_or_default());
    let cseq = response.cseq().0;
    let (local, remote) = (party(Name::From), party(Name::To));
    let last = cseq.saturating_add(PAST_EARLY_REQUESTS);
    let mut dialog = Dialog::opened(response.call_id(), local, remote, last, flow);
    dialog.learn(response);
    dialog.settle_on(response.to_tag().unwrap_or_default());
    if dialog.target().is_empty() {
        // A 2xx that names no Contact is answered where it came from.
        dialog.set_target(&format!("sip:{}", flow.peer));
    }
    let ack = dialog.numbered("ACK", cseq).finish();
    house.layer.ack(house.at, client, flow, &ack);
    dialog
}

/// The answer that came cannot be passed on (its SDP, or no ports): an answered call is ended.
pub(crate) fn end_bad_answer(
    house: &mut House,
    key: PassKey,
    client: ClientKey,
    response: &Message,
    flow: Flow,
) {
    let kind = house.passes.get(key).map(|pass| pass.kind);
    match kind {
        Some(PassKind::Invite | PassKind::Reinvite) if response.status() < 200 => {
            house.layer.cancel(house.at, client, None);
            house.layer.abandon(house.at, client);
        }
        Some(PassKind::Invite) => see_off(house, Within::NoDialog, client, response, flow),
        Some(PassKind::Reinvite) => see_off(house, Within::Dialog, client, response, flow),
        _ => {}
    }
}

/// Takes a leg out of the house: ports back, requests in it answered, alarms stopped.
pub(crate) fn end_leg(house: &mut House, key: LegKey) {
    own::acknowledge_if_due(house, key);
    let Some(leg) = house.legs.remove(key) else { return };
    if let Some(heard) = leg.heard.filter(|heard| !house.layer.is_pending(heard.key)) {
        house.legs.expect_ack(leg.token.clone(), heard.key);
    }
    if let With::Parked(parked) = leg.with {
        parked::leg_ends(house, parked, leg.dialog.call_id(), None);
    }
    for alarm in [
        Alarm::Bye(key),
        Alarm::Offer(key),
        Alarm::Refresh(key),
        Alarm::Events(key),
        Alarm::Keys(key),
        Alarm::Probe(key),
    ] {
        house.alarms.stop(alarm);
    }
    for pass in house.passes.of_leg(key) {
        answer_orphan(house, pass);
    }
    if let Some(partner) = leg.partner().and_then(|other| house.legs.get_mut(other))
        && partner.with == With::Leg(key)
    {
        partner.with = With::Nobody;
        if let Some(partner) = leg.partner() {
            media::plan(house, partner);
        }
    }
    media::release(house, leg);
}

/// A request whose leg has gone: one that is about the call is answered, so that who sent it does not
/// wait; any other goes on by itself, and its true answer is passed back.
fn answer_orphan(house: &mut House, key: PassKey) {
    if house.passes.get(key).is_some_and(|pass| pass.kind == PassKind::Plain) {
        return detach(house, key);
    }
    if reinvite_outlives(house, key) {
        return;
    }
    let Some(pass) = house.passes.remove(key) else { return };
    house.alarms.stop(Alarm::Silent(key));
    if let Some(client) = pass.client {
        if matches!(pass.kind, PassKind::Invite | PassKind::Reinvite) {
            house.layer.cancel(house.at, client, None);
        }
        house.layer.abandon(house.at, client);
    }
    let status = match pass.kind {
        PassKind::Bye => 200,
        PassKind::Invite | PassKind::Reinvite => 487,
        _ => 481,
    };
    house.answer(pass.server, &pass.request, status);
}

/// A re-INVITE whose sender or receiver has gone, while the other leg goes on without it: whether it
/// has been seen to.
fn reinvite_outlives(house: &mut House, key: PassKey) -> bool {
    let Some(pass) = house.passes.get(key).filter(|pass| pass.kind == PassKind::Reinvite) else {
        return false;
    };
    let (server, request) = (pass.server, pass.request.clone());
    let alive = |leg: Option<LegKey>| leg.filter(|leg| house.legs.get(*leg).is_some());
    match (alive(pass.from), alive(pass.to)) {
        // What it changes at the far side must be known and acknowledged: it runs to its end.
        (None, Some(_)) => {
            if let Some(pass) = house.passes.get_mut(key) {
                pass.from = None;
            }
            house.answer(server, &request, 487);
            true
        }
        (Some(from), None) if answer::is_parked(house, from) => {
            detach(house, key);
            if let Some(leg) = house.legs.get_mut(from) {
                leg.heard = None;
            }
            answer::by_ourselves(house, server, &request, from);
            true
        }
        (from, _) => {
            detach(house, key);
            if let Some(leg) = from.and_then(|from| house.legs.get_mut(from)) {
                leg.heard = None;
            }
            house.answer(server, &request, 487);
            true
        }
    }
}

/// A request whose legs have gone runs to its end by itself. An INVITE has none where the phone that
/// began to answer it is no more, so it is called back, and its end waited for as long as for any.
fn detach(house: &mut House, key: PassKey) {
    let Some(pass) = house.passes.get_mut(key) else { return };
    pass.from = None;
    pass.to = None;
    pass.detached = true;
    if let (PassKind::Reinvite, Some(client)) = (pass.kind, pass.client) {
        house.layer.cancel(house.at, client, None);
    }
}
