//! What happens to a parkee's leg, and to legs that end before they were up.

use std::time::Duration;

use base::Side;
use dialects::ParkEvent;
use sip_core::ClientKey;
use sip_msg::{Direction, Message};

use crate::calls::describe::{Format, Place, Sdp, write};
use crate::calls::leg::{Stage, Waiting, With};
use crate::calls::{acks, call_id, leaving, report};
use crate::calls::{answer, dialled, media, own, park, retrieve, ring, soft_key, srtp};
use crate::cluster::{self, Stake};
use crate::house::House;
use crate::keys::{Alarm, LegKey, ParkedKey};
use crate::lamps::{self, News};
use crate::lots::{ParkedCall, Recall};
use crate::refusal::Refusal;
use crate::told::Fact;

/// Takes a parked call out of its slot: its alarms stopped, its recall called off, lamps told.
/// The parkee's leg stays. `end` is why, for the phones that are told.
pub(crate) fn take_out(
    house: &mut House,
    key: ParkedKey,
    keep: Option<LegKey>,
    end: impl Into<News>,
) -> Option<ParkedCall> {
    let end = end.into();
    let alarms = [
        Alarm::Recall(key),
        Alarm::Ring(key),
        Alarm::HandOver(key),
        Alarm::Remind(key),
        Alarm::Stake(key),
    ];
    for alarm in alarms {
        house.alarms.stop(alarm);
    }
    ring::call_off(house, key, keep);
    let mut call = house.lots.remove(key)?;
    cluster::release(house, &call);
    soft_key::over(house, &mut call, end.event);
    lamps::changed(house, &call, &end);
    Some(call)
}

/// The far end of a leg that is with nobody, or only with us, has sent its BYE (answered already).
pub(crate) fn far_end_left(house: &mut House, key: LegKey) {
    let Some(with) = house.legs.get(key).map(|leg| leg.with) else { return };
    match with {
        With::Parked(parked) => abandoned(house, key, parked),
        With::Retrieving(parked) => {
            retrieve::let_go(house, key, parked);
            leaving::end_leg(house, key);
        }
        With::Rung(parked) => {
            leaving::end_leg(house, key);
            ring::leg_over(house, key, parked);
        }
        With::Parking(parker) => {
            dialled::has_heard(house, parker);
            leaving::end_leg(house, key);
        }
        With::Nobody | With::Telling(_) | With::Leg(_) => leaving::end_leg(house, key),
    }
}

fn abandoned(house: &mut House, key: LegKey, parked: ParkedKey) {
    let call_id = call_id(house, key);
    // Some PBXs end the leg of whom they have transferred before they say that they have.
    let gone_to = match house.lots.get(parked).map(|call| &call.recall) {
        Some(Recall::HandingOver { to, .. }) => Some(to.clone()),
        _ => None,
    };
    let end = match &gone_to {
        Some(to) => News::by(ParkEvent::Forwarded, to.as_str()),
        None => ParkEvent::Abandoned.into(),
    };
    let Some(call) = take_out(house, parked, None, end) else {
        return leaving::end_leg(house, key);
    };
    if let Some(claim) = call.claim {
        retrieve::lost_parkee(house, claim.by);
    }
    report::tell_end(house, &call, Some(&call_id), |of| match gone_to {
        Some(to) => Fact::HandedOver { of, to },
        None => Fact::Abandoned { of },
    });
    park::parkee_left(house, &call);
    leaving::end_leg(house, key);
}

/// Whatever ends a parkee's leg frees its slot, and tells who must be told. Nothing to do where the
/// call has been taken out before. `why` is given where we end it.
pub(crate) fn leg_ends(house: &mut House, parked: ParkedKey, call_id: &str, why: Option<&str>) {
    let Some(call) = take_out(house, parked, None, ParkEvent::Abandoned) else { return };
    if let Some(claim) = call.claim {
        retrieve::lost_parkee(house, claim.by);
    }
    report::tell_end(house, &call, Some(call_id), |of| match why {
        Some(why) => Fact::HungUp { of, why: why.into() },
        None => Fact::Abandoned { of },
    });
    park::parkee_left(house, &call);
}

/// The PBX does not know the parkee's call any more, or will not refresh it.
pub(crate) fn lost(house: &mut House, key: LegKey) {
    match house.legs.get(key).map(|leg| leg.with) {
        Some(With::Parked(parked)) => hang_up(house, parked, "session lost"),
        Some(With::Leg(other)) => {
            own::bye(house, other, Some("session lost"));
            own::bye(house, key, Some("session lost"));
        }
        _ => {}
    }
}

/// Hangs up a parked call ourselves.
pub(crate) fn hang_up(house: &mut House, key: ParkedKey, why: &str) {
    let Some(leg) = house.lots.get(key).map(|call| call.leg) else { return };
    let call_id = call_id(house, leg);
    leg_ends(house, key, &call_id, Some(why));
    own::bye(house, leg, Some(why));
}

/// Ends a leg whose INVITE is not answered: ours is called back, the far end's is refused.
pub(crate) fn hang_up_early(house: &mut House, key: LegKey) {
    let Some(leg) = house.legs.get(key) else { return };
    let partner = leg.partner();
    if let Some(sent) = leg.sent {
        house.layer.cancel(house.at, sent.key, None);
        house.layer.abandon(house.at, sent.key);
    }
    // `end_leg` answers the request that is under way between the two and calls it back.
    leaving::end_leg(house, key);
    if let Some(partner) = partner {
        leaving::end_leg(house, partner);
    }
}

/// Makes the PBX send to us and hear us, in a codec in which there is music: a re-INVITE towards the
/// parkee with `sendrecv`, or the PBX would go on muting it. Waits while another offer is open.
pub(crate) fn offer(house: &mut House, key: LegKey) {
    let formats = if media::music_format(house, key).is_some() || !answer::is_parked(house, key) {
        sent_formats(house, key)
    } else {
        Format::music(&house.settings.music_codecs)
    };
    if let Err(refusal) = offer_formats(house, key, &formats) {
        failed(house, key, refusal.status());
    }
}

fn sent_formats(house: &House, key: LegKey) -> Vec<Format> {
    let leg = house.legs.get(key);
    let sent = leg.and_then(|leg| Sdp::read(leg.media.sent.as_deref()?));
    sent.map(|sdp| sdp.formats()).unwrap_or_default()
}

/// Offers these formats to the far end of a leg, at our own address.
pub(crate) fn offer_formats(
    house: &mut House,
    key: LegKey,
    formats: &[Format],
) -> Result<(), Refusal> {
    let Some(leg) = house.legs.get_mut(key) else { return Ok(()) };
    if leg.sent.is_some() || leg.heard.is_some() {
        leg.waiting = Waiting::Offer;
        return Ok(());
    }
    let index = media::audio_index(house, key);
    let pair = media::lease(house, key, index, None)?;
    let ip = media::our_ip(house, key).ok_or(Refusal::NoPorts)?;
    let origin = answer::own_origin(house, key);
    let lock = srtp::offer(house, key, index, None);
    let Some(leg) = house.legs.get_mut(key) else { return Ok(()) };
    let last = leg.media.sent.clone();
    let like = last.as_deref().and_then(Sdp::read);
    let place = Place { origin: &origin, ip, port: pair.port };
    let like = like.as_ref().map(|sdp| &sdp.description);
    let sdp = write(&place, &lock, formats, like, index, Direction::SendRecv);
    leg.media.offered = Some(sdp.clone().into());
    own::reinvite(house, key, sdp);
    Ok(())
}

/// The PBX has answered our offer.
pub(crate) fn offer_answered(
    house: &mut House,
    key: LegKey,
    client: ClientKey,
    response: &Message,
) {
    let status = response.status();
    if let Some(leg) = house.legs.get_mut(key) {
        leg.sent = None;
    }
    if status >= 300 {
        return offer_failed(house, key, status);
    }
    own::ack(house, key, client, response);
    if let Some(leg) = house.legs.get_mut(key) {
        leg.dialog.refresh_target(response);
        if let Some(offered) = leg.media.offered.take() {
            leg.media.sent = Some(offered);
        }
        leg.media.authored = true;
        leg.media.anchored = true;
    }
    own::note_answer(house, key, response);
    match house.legs.get(key).map(|leg| leg.with) {
        Some(With::Parked(parked)) => match house.lots.get(parked).and_then(|call| call.claim) {
            Some(claim) if claim.awaits_offer => retrieve::offer_answered(house, claim.by, parked),
            _ => settled(house, key, parked),
        },
        Some(With::Leg(other)) => media::plan(house, other),
        _ => {}
    }
    acks::go_on(house, key);
}

/// The parkee's leg is as it should be; if it still has no codec with music it is asked for one, once.
fn settled(house: &mut House, key: LegKey, parked: ParkedKey) {
    park::confirmed(house, parked);
    let no_music = media::music_format(house, key).is_none();
    if let Some(call) = house.lots.get_mut(parked)
        && no_music
        && !call.asked_for_codec
        && call.claim.is_none()
    {
        call.asked_for_codec = true;
        offer(house, key);
    }
}

/// Our offer was refused or not answered. Glare is tried again (RFC 3261 §14.1).
pub(crate) fn offer_failed(house: &mut House, key: LegKey, status: u16) {
    if let Some(leg) = house.legs.get_mut(key) {
        leg.sent = None;
        leg.media.offered = None;
    }
    if status == 491 {
        let ours = house.legs.get(key).is_some_and(|leg| leg.dialog.is_opened_by_us());
        let steps = if ours { 210 + house.chance.below(191) } else { house.chance.below(201) };
        let wait = Duration::from_millis(10 * steps);
        house.alarms.set(Alarm::Offer(key), house.at + wait);
        return;
    }
    if matches!(status, 408 | 481) {
        return lost(house, key);
    }
    failed(house, key, status);
    acks::go_on(house, key);
}

fn failed(house: &mut House, key: LegKey, status: u16) {
    let Some(With::Parked(parked)) = house.legs.get(key).map(|leg| leg.with) else { return };
    match house.lots.get(parked).and_then(|call| call.claim) {
        Some(claim) if claim.awaits_offer => {
            retrieve::offer_failed(house, claim.by, parked, status)
        }
        _ => park::not_confirmed(house, parked, status),
    }
}

/// The wait after a glare is over.
pub(crate) fn offer_again(house: &mut House, key: LegKey) {
    match house.legs.get(key).map(|leg| (leg.with, leg.stage)) {
        Some((With::Parked(parked), Stage::Up)) => {
            match house.lots.get(parked).and_then(|call| call.claim) {
                Some(claim) if claim.awaits_offer => retrieve::offer(house, claim.by, parked),
                _ => offer(house, key),
            }
        }
        Some((With::Leg(_), Stage::Up)) => offer(house, key),
        _ => {}
    }
}

/// A parked call is in its slot again after a restart: the PBX is asked to listen, if it must be, and
/// whoever waits to hear that the park stands is told.
pub(crate) fn back_in_its_slot(house: &mut House, parked: ParkedKey) {
    let Some(call) = house.lots.get(parked) else { return };
    let (key, waits_for_store) = (call.leg, call.stake == Stake::Asked);
    let is_busy = house.legs.get(key).is_some_and(|leg| leg.sent.is_some() || leg.heard.is_some());
    if is_busy || waits_for_store {
        return;
    }
    if needs_offer(house, key) {
        // It takes a port, and none is there yet.
        house.alarms.set(Alarm::Offer(key), house.at);
    } else if house.alarms.at(Alarm::Offer(key)).is_none() {
        park::confirmed(house, parked);
    }
}

/// Whether the PBX must be told before it hears our music: the phone had put the call on hold, media
/// does not come to us, or there is no music in the codec.
pub(crate) fn needs_offer(house: &House, key: LegKey) -> bool {
    let Some(leg) = house.legs.get(key) else { return false };
    if leg.side != Side::Pbx {
        return false;
    }
    let Some(sent) = leg.media.sent.as_deref().and_then(Sdp::read) else { return true };
    let silent = sent.audio().is_none_or(|(_, audio)| audio.on_hold());
    !leg.media.anchored || silent || media::music_format(house, key).is_none()
}
