//! Retrieve: exactly one retriever gets the call. Until its ACK the parkee goes on hearing music, and
//! whatever fails puts it back where it was.

use base::Flow;
use dialects::ParkEvent;
use rtp_flow::Clip;
use sip_core::ServerKey;
use sip_msg::{Compose, Direction, Message, Name, sdp_part};

use crate::calls::describe::{Format, Place, Sdp, common, write};
use crate::calls::leg::{Identity, Invite, Leg, Stage, Usage, With};
use crate::calls::{answer, media, own, parked, recall, ring, setup};
use crate::calls::{call_id, leaving, report, send, srtp};
use crate::house::House;
use crate::keys::{BindingKey, Errand, LegKey, Owner, ParkedKey};
use crate::lamps::News;
use crate::lots::Recall;
use crate::refusal::Refusal;
use crate::settings::Courtesy;
use crate::told::{Asked, Fact};

/// A leg that we answer ourselves, for an INVITE of a phone.
pub(crate) fn answering_leg(
    house: &mut House,
    server: ServerKey,
    request: &Message,
    flow: Flow,
    binding: Option<BindingKey>,
) -> LegKey {
    let key = setup::caller_leg(house, request, flow, Usage::Call, binding);
    let tag = house.chance.token(10);
    if let Some(leg) = house.legs.get_mut(key) {
        leg.dialog.local.set_tag(&tag);
        leg.heard = Some(Invite::new(server, request.cseq().0));
        leg.media.authored = true;
    }
    house.layer.adopt(server, Owner::Leg(key, Errand::Answer));
    key
}

/// A phone's INVITE takes a parked call; the leg by which it does.
pub(crate) fn by_invite(
    house: &mut House,
    server: ServerKey,
    request: &Message,
    flow: Flow,
    binding: Option<BindingKey>,
    parked: ParkedKey,
) -> Option<LegKey> {
    if let Some(call) = house.lots.get(parked)
        && (matches!(call.recall, Recall::HandingOver { .. })
            // It is not certain yet that it is parked at all.
            || !call.stands())
    {
        house.refuse_ask(server, request, Asked::Retrieve, &Refusal::BeingTaken);
        return None;
    }
    let key = answering_leg(house, server, request, flow, binding);
    if let Some(leg) = house.legs.get_mut(key) {
        leg.with = With::Retrieving(parked);
    }
    let tried = house.lots.claim(parked, key, false).and_then(|()| {
        claimed(house, key, parked, false);
        ring::call_off(house, parked, None);
        begin(house, key, parked, request)
    });
    if let Err(refusal) = tried {
        let_go(house, key, parked);
        leaving::end_leg(house, key);
        house.refuse_ask(server, request, Asked::Retrieve, &refusal);
        return None;
    }
    Some(key)
}

/// Tells who has taken hold of a parked call.
pub(crate) fn claimed(house: &mut House, key: LegKey, parked: ParkedKey, recall: bool) {
    let by = house.legs.get(key).map(Leg::name).unwrap_or_default();
    report::tell(house, parked, |of| Fact::Claimed { of, by, recall });
}

/// The media of a retriever and a parkee meet: at once where they have a codec in common in which the
/// PBX sends, else the PBX is asked first.
fn begin(
    house: &mut House,
    key: LegKey,
    parked: ParkedKey,
    request: &Message,
) -> Result<(), Refusal> {
    let parkee = house.lots.get(parked).ok_or(Refusal::SlotEmpty)?.leg;
    let body = request.body();
    let part = request.content_type().and_then(|kind| sdp_part(kind, &body));
    let Some(part) = part else { return invite_offer(house, key, parked) };
    let offer = body.slice(part);
    let described = Sdp::read(&offer).ok_or(Refusal::BadSdp("not a description".into()))?;
    let (index, audio) = described.audio().ok_or(Refusal::Media("no audio line"))?;
    // Refused at once where it could not be answered.
    srtp::answer(house, key, index, audio)?;
    near_lease(house, key, index, parkee)?;
    if let Some(leg) = house.legs.get_mut(key) {
        leg.media.received = Some(bytes::Bytes::copy_from_slice(&offer));
        leg.media.anchored = true;
    }
    media::note_far(house, key, &offer);
    let theirs = Format::all(audio);
    if sends_what_is_taken(house, parkee, &theirs) {
        answer(house, key, parked)
    } else {
        offer_formats(house, parked, &theirs)
    }
}

/// Whether the codec that the PBX prefers, and so most likely sends, is one that the retriever takes.
pub(crate) fn sends_what_is_taken(house: &House, parkee: LegKey, theirs: &[Format]) -> bool {
    media::agreed(house, parkee)
        .iter()
        .find(|format| format.is_speech())
        .is_some_and(|used| theirs.iter().any(|format| format.is_same(used)))
}

fn near_lease(house: &mut House, key: LegKey, index: usize, parkee: LegKey) -> Result<(), Refusal> {
    let parkee_index = media::audio_index(house, parkee);
    let near = media::lease(house, parkee, parkee_index, None)?;
    media::lease(house, key, index, Some(near)).map(|_| ())
}

/// An INVITE without an offer: ours is what the PBX takes.
fn invite_offer(house: &mut House, key: LegKey, parked: ParkedKey) -> Result<(), Refusal> {
    let parkee = house.lots.get(parked).ok_or(Refusal::SlotEmpty)?.leg;
    near_lease(house, key, 0, parkee)?;
    let formats = media::agreed(house, parkee);
    if !formats.iter().any(Format::is_speech) {
        return Err(Refusal::Media("no codec to offer"));
    }
    write_sdp(house, key, parkee, &formats, None)?;
    send_answer(house, key, parked)
}

fn write_sdp(
    house: &mut House,
    key: LegKey,
    parkee: LegKey,
    formats: &[Format],
    like: Option<&[u8]>,
) -> Result<(), Refusal> {
    let like = like.and_then(Sdp::read);
    let index = like.as_ref().and_then(|sdp| Some(sdp.audio()?.0)).unwrap_or(0);
    let pair = media::lease(house, key, index, None)?;
    let ip = media::our_ip(house, key).ok_or(Refusal::NoPorts)?;
    let origin = answer::own_origin(house, key);
    let place = Place { origin: &origin, ip, port: pair.port };
    let description = like.as_ref().map(|sdp| &sdp.description);
    let asked = like.as_ref().and_then(|sdp| sdp.audio());
    let lock = match asked {
        Some((_, asked)) => srtp::answer(house, key, index, asked)?,
        None => srtp::offer(house, key, index, Some(parkee)),
    };
    let direction = match asked.map(|(_, asked)| asked.direction) {
        Some(Direction::SendOnly) => Direction::RecvOnly,
        Some(Direction::RecvOnly) => Direction::SendOnly,
        Some(Direction::Inactive) => Direction::Inactive,
        Some(Direction::SendRecv) | None => Direction::SendRecv,
    };
    let text = write(&place, &lock, formats, description, index, direction);
    if let Some(leg) = house.legs.get_mut(key) {
        leg.media.sent = Some(text.into());
        leg.media.anchored = true;
    }
    Ok(())
}

/// Answers the retriever's offer with what the PBX takes too, the codec in use first.
fn answer(house: &mut House, key: LegKey, parked: ParkedKey) -> Result<(), Refusal> {
    let parkee = house.lots.get(parked).ok_or(Refusal::SlotEmpty)?.leg;
    let offer = house.legs.get(key).and_then(|leg| leg.media.received.clone());
    let offer = offer.ok_or(Refusal::Media("no offer"))?;
    let theirs = Sdp::read(&offer).map(|sdp| sdp.formats()).unwrap_or_default();
    let agreed = media::agreed(house, parkee);
    let mut formats = common(&theirs, &agreed);
    let place_of = |format: &Format| agreed.iter().position(|own| own.is_same(format));
    formats.sort_by_key(place_of);
    if !formats.iter().any(Format::is_speech) {
        return Err(Refusal::Media("no codec in common with the parkee"));
    }
    write_sdp(house, key, parkee, &formats, Some(&offer))?;
    send_answer(house, key, parked)
}

fn send_answer(house: &mut House, key: LegKey, parked: ParkedKey) -> Result<(), Refusal> {
    let who = house.lots.get(parked).ok_or(Refusal::SlotEmpty)?.parkee.clone();
    let Some(leg) = house.legs.get(key) else { return Ok(()) };
    let Some(heard) = leg.heard else { return Ok(()) };
    let Some(request) = house.layer.request_of(heard.key).cloned() else { return Ok(()) };
    let mut draft: Compose = send::answer_in(house, key, &request, 200);
    draft = identity_lines(draft, &who, "called");
    if let Some(leg) = house.legs.get_mut(key) {
        leg.is_answered(house.at);
        if let Some(sdp) = &leg.media.sent {
            draft = draft.body("application/sdp", sdp.clone());
        }
    }
    house.layer.respond(house.at, heard.key, 200, &draft.finish());
    Ok(())
}

/// Shows who it is, the `party` that they are in this call: some phones read the one line, some the
/// other, and those that read both find the same in them.
pub(crate) fn identity_lines(draft: Compose, who: &Identity, party: &str) -> Compose {
    if who.uri.is_empty() {
        return draft;
    }
    let address = who.name_addr();
    draft
        .line(Name::PAssertedIdentity, &address)
        .line(Name::RemotePartyId, format!("{address};party={party};screen=yes;privacy=off"))
}

/// No common codec: the PBX is asked for one of the retriever's.
pub(crate) fn offer_formats(
    house: &mut House,
    parked: ParkedKey,
    theirs: &[Format],
) -> Result<(), Refusal> {
    let call = house.lots.get_mut(parked).ok_or(Refusal::SlotEmpty)?;
    let parkee = call.leg;
    if let Some(claim) = &mut call.claim {
        claim.awaits_offer = true;
    }
    parked::offer_formats(house, parkee, theirs)
}

/// The offer is made again after a glare.
pub(crate) fn offer(house: &mut House, key: LegKey, parked: ParkedKey) {
    let theirs = house.legs.get(key).and_then(|leg| leg.received().map(|sdp| sdp.formats()));
    let result = offer_formats(house, parked, &theirs.unwrap_or_default());
    if let Err(refusal) = result {
        offer_failed(house, key, parked, refusal.status());
    }
}

/// The PBX has answered the offer that the retriever waits for.
pub(crate) fn offer_answered(house: &mut House, key: LegKey, parked: ParkedKey) {
    if let Some(claim) = house.lots.get_mut(parked).and_then(|call| call.claim.as_mut()) {
        claim.awaits_offer = false;
    }
    if house.legs.get(key).is_some_and(|leg| matches!(leg.with, With::Rung(_))) {
        return ring::join(house, key, parked);
    }
    if let Err(refusal) = answer(house, key, parked) {
        offer_failed(house, key, parked, refusal.status());
        // The PBX has changed to what the retriever could not use: back to what there is music in.
        if let Some(parkee) = house.lots.get(parked).map(|call| call.leg)
            && media::music_format(house, parkee).is_none()
        {
            parked::offer(house, parkee);
        }
    }
}

/// The PBX has refused it: the retriever is refused, the parkee stays.
pub(crate) fn offer_failed(house: &mut House, key: LegKey, parked: ParkedKey, _status: u16) {
    if house.legs.get(key).is_some_and(|leg| matches!(leg.with, With::Rung(_))) {
        return ring::cannot_join(house, key, parked);
    }
    refuse_pending(house, key, &Refusal::Media("no codec in common with the parkee"));
    let_go(house, key, parked);
    leaving::end_leg(house, key);
}

fn refuse_pending(house: &mut House, key: LegKey, refusal: &Refusal) {
    let Some(heard) = house.legs.get(key).and_then(|leg| leg.heard) else { return };
    if let Some(request) = house.layer.request_of(heard.key).cloned() {
        house.refuse_ask(heard.key, &request, Asked::Retrieve, refusal);
    }
}

/// The retriever has acknowledged: the call is its own.
pub(crate) fn acked(house: &mut House, request: &Message, key: LegKey, parked: ParkedKey) {
    own::note_answer(house, key, request);
    let Some(parkee) = house.lots.get(parked).map(|call| call.leg) else {
        return own::bye(house, key, Some("the parkee has gone"));
    };
    let agreed = media::agreed(house, key);
    if !sends_what_is_taken(house, parkee, &agreed) {
        return give_up(house, key, parked, "no codec in common with the parkee");
    }
    settle(house, key, parked, false);
}

/// Joins a parkee with who took it.
pub(crate) fn settle(house: &mut House, key: LegKey, parked: ParkedKey, recall: bool) {
    let Some(taker) = house.legs.get(key) else { return };
    let by = taker.name();
    // A phone that was rung has taken it when it answered.
    let asked = taker.answered.filter(|_| taker.dialog.is_opened_by_us()).unwrap_or(taker.since);
    let took = house.at.since(asked);
    let event = if recall { ParkEvent::Recalled } else { ParkEvent::Retrieved };
    let end = News::by(event, by.as_str());
    let Some(call) = parked::take_out(house, parked, Some(key), end) else { return };
    if house.legs.get(call.leg).is_none() {
        house.bug(None, "a parked call without its leg");
        return own::bye(house, key, Some("the parkee has gone"));
    }
    for (one, other) in [(key, call.leg), (call.leg, key)] {
        if let Some(leg) = house.legs.get_mut(one) {
            leg.with = With::Leg(other);
            leg.joined = true;
        }
    }
    if let Some(leg) = house.legs.get_mut(key) {
        leg.held = None;
    }
    // Who answers a recall knows whom to expect, and the parkee who has waited for it too.
    let courtesy = if recall { Courtesy::None } else { call.policy.courtesy };
    let tone = |hears: bool| if hears { &[Clip::COURTESY][..] } else { &[] };
    let to_parkee = matches!(courtesy, Courtesy::Parkee | Courtesy::Both);
    let to_retriever = matches!(courtesy, Courtesy::Retriever | Courtesy::Both);
    media::plan_after(house, call.leg, tone(to_parkee));
    media::plan_after(house, key, tone(to_retriever));
    let (call_id, waited) = (call_id(house, call.leg), house.at.since(call.since));
    let fact = |of| Fact::Retrieved { of, by, recall, waited, took };
    report::tell_end(house, &call, Some(&call_id), fact);
    show_taker(house, key, call.leg);
}

/// Shows the parkee's side who has the call now: an UPDATE that changes nothing else (RFC 3311), if
/// the PBX is to be told at all.
fn show_taker(house: &mut House, taker: LegKey, parkee: LegKey) {
    if !house.settings.connected_line {
        return;
    }
    let Some(leg) = house.legs.get(taker) else { return };
    let Some(aor) = &leg.aor else { return };
    let who = Identity {
        name: leg.who.name.clone(),
        uri: format!("sip:{}@{}", aor.extension, aor.domain).into(),
    };
    let Some(leg) = house.legs.get_mut(parkee).filter(|leg| leg.takes_update) else { return };
    let party = if leg.dialog.is_opened_by_us() { "calling" } else { "called" };
    let draft = identity_lines(leg.dialog.request("UPDATE"), &who, party);
    send::send_own(house, parkee, draft, Errand::Answer);
}

/// The retriever's dialog is up but must not be: it is ended, and the parkee stays where it is.
pub(crate) fn give_up(house: &mut House, key: LegKey, parked: ParkedKey, why: &str) {
    let_go(house, key, parked);
    if let Some(leg) = house.legs.get_mut(key) {
        leg.with = With::Nobody;
    }
    own::bye(house, key, Some(why));
}

/// The retriever's grip is gone: music goes on; a recall that fell due meanwhile begins now.
pub(crate) fn let_go(house: &mut House, key: LegKey, parked: ParkedKey) {
    if !house.lots.release(parked, key) {
        return;
    }
    if let Some(call) = house.lots.get(parked) {
        let (leg, overdue) = (call.leg, call.recall == Recall::Overdue);
        media::plan(house, leg);
        report::tell(house, parked, |of| Fact::Released { of });
        if overdue {
            recall::due(house, parked);
        }
    }
}

/// The retriever has cancelled before it was answered.
pub(crate) fn cancelled(house: &mut House, key: LegKey) {
    let Some(leg) = house.legs.get(key) else { return };
    let With::Retrieving(parked) = leg.with else { return };
    if leg.stage != Stage::Early {
        return;
    }
    if let Some(heard) = leg.heard
        && let Some(request) = house.layer.request_of(heard.key).cloned()
    {
        house.answer(heard.key, &request, 487);
    }
    let_go(house, key, parked);
    leaving::end_leg(house, key);
}

/// The parkee has gone while this leg was taking it.
pub(crate) fn lost_parkee(house: &mut House, key: LegKey) {
    let Some(leg) = house.legs.get_mut(key) else { return };
    let stage = leg.stage;
    if matches!(leg.with, With::Rung(_)) {
        leg.with = With::Nobody;
        return own::bye(house, key, Some("the parkee has gone"));
    }
    leg.with = With::Nobody;
    if stage == Stage::Early {
        refuse_pending(house, key, &Refusal::SlotEmpty);
        leaving::end_leg(house, key);
    } else {
        own::bye(house, key, Some("the parkee has gone"));
    }
}
