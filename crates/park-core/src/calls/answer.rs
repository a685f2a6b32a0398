//! Requests that reach a leg with nobody behind it: a parkee's, a retriever's before its ACK, a
//! parker's whose call is parked. We answer as the far end would that goes on holding the call.

use dialects::{info_status, info_taken};
use sip_core::ServerKey;
use sip_msg::{Direction, Message, Name, sdp_part};

use crate::calls::describe::{Format, Place, Sdp, next_origin, write};
use crate::calls::leg::{Invite, With};
use crate::calls::send;
use crate::calls::{media, own, recall, srtp, within};
use crate::house::House;
use crate::keys::LegKey;
use crate::refusal::Refusal;

/// Answers a request that passes nowhere. BYE is not among them.
pub(crate) fn by_ourselves(house: &mut House, server: ServerKey, request: &Message, key: LegKey) {
    match request.cseq().1 {
        "INVITE" | "UPDATE" => offer(house, server, request, key),
        "NOTIFY" => notify(house, server, request, key),
        "INFO" => info(house, server, request, key),
        "MESSAGE" | "PRACK" => simple(house, server, request, key, 200),
        "OPTIONS" => simple(house, server, request, key, 200),
        "REFER" => simple(house, server, request, key, 603),
        "SUBSCRIBE" => simple(house, server, request, key, 489),
        _ => simple(house, server, request, key, 501),
    }
}

fn simple(house: &mut House, server: ServerKey, request: &Message, key: LegKey, status: u16) {
    let draft = send::answer_in(house, key, request, status).finish();
    house.layer.respond(house.at, server, status, &draft);
}

/// An INFO that nobody else is there to read.
fn info(house: &mut House, server: ServerKey, request: &Message, key: LegKey) {
    let status = info_status(request);
    let (packages, types) = info_taken(&house.settings.info_rules);
    let draft = send::answer_in(house, key, request, status);
    let draft = match status {
        469 => draft.line(Name::RecvInfo, packages),
        415 => draft.line(Name::Accept, types),
        _ => draft,
    };
    house.layer.respond(house.at, server, status, &draft.finish());
}

fn notify(house: &mut House, server: ServerKey, request: &Message, key: LegKey) {
    simple(house, server, request, key, 200);
    if within::event_of(request) == "refer" {
        recall::hand_over_progress(house, key, request);
    }
}

/// The PBX changes or refreshes the session of a parkee: the music goes on, where and as it now asks.
fn offer(house: &mut House, server: ServerKey, request: &Message, key: LegKey) {
    let Some(leg) = house.legs.get_mut(key) else { return };
    let is_invite = request.cseq().1 == "INVITE";
    if is_invite && (leg.sent.is_some() || leg.heard.is_some()) {
        return house.refuse(server, request, &Refusal::OfferOpen);
    }
    leg.dialog.refresh_target(request);
    if let Err(refusal) = only_sdp(request) {
        return house.refuse(server, request, &refusal);
    }
    let body = request.body();
    let part = request.content_type().and_then(|kind| sdp_part(kind, &body));
    let sdp = match part {
        Some(part) => match accept(house, key, &body[part]) {
            Ok(sdp) => Some(sdp),
            Err(refusal) => return house.refuse(server, request, &refusal),
        },
        // An INVITE without an offer asks for ours (RFC 3261 §14.2).
        None if is_invite => again(house, key),
        None => None,
    };
    let mut draft = send::answer_in(house, key, request, 200);
    if let Some(expires) = request.get(Name::SessionExpires) {
        draft = draft.line(Name::SessionExpires, with_refresher(expires));
        draft = draft.line(Name::Require, "timer");
        own::keep_session(house, key);
    }
    if let Some(sdp) = sdp {
        draft = draft.body("application/sdp", sdp);
    }
    if is_invite {
        let cseq = request.cseq().0;
        if let Some(leg) = house.legs.get_mut(key) {
            leg.heard = Some(Invite::new(server, cseq));
        }
    }
    house.layer.respond(house.at, server, 200, &draft.finish());
}

fn with_refresher(expires: &str) -> String {
    if expires.to_ascii_lowercase().contains("refresher=") {
        expires.to_string()
    } else {
        format!("{expires};refresher=uac")
    }
}

/// Our answer to the far end's offer: its first audio line with what we can send, all else refused.
fn accept(house: &mut House, key: LegKey, offer: &[u8]) -> Result<Vec<u8>, Refusal> {
    let described = Sdp::read(offer).ok_or_else(|| Refusal::BadSdp("not a description".into()))?;
    let (index, audio) = described.audio().ok_or(Refusal::Media("no audio line"))?;
    let lock = srtp::answer(house, key, index, audio)?;
    let formats = Format::all(audio);
    let direction = match audio.direction {
        Direction::SendOnly => Direction::RecvOnly,
        Direction::Inactive => Direction::Inactive,
        Direction::RecvOnly => Direction::SendOnly,
        Direction::SendRecv => Direction::SendRecv,
    };
    let pair = media::lease(house, key, index, None)?;
    let ip = media::our_ip(house, key).ok_or(Refusal::NoPorts)?;
    let origin = own_origin(house, key);
    let place = Place { origin: &origin, ip, port: pair.port };
    let text = write(&place, &lock, &formats, Some(&described.description), index, direction);
    if let Some(leg) = house.legs.get_mut(key) {
        leg.media.received = Some(bytes::Bytes::copy_from_slice(offer));
        leg.media.sent = Some(text.clone().into());
        leg.media.authored = true;
        leg.media.anchored = true;
    }
    media::note_far(house, key, offer);
    media::plan(house, key);
    Ok(text)
}

/// The `o=` value of our next description on a leg.
pub(crate) fn own_origin(house: &mut House, key: LegKey) -> String {
    let last = house
        .legs
        .get(key)
        .and_then(|leg| Sdp::read(leg.media.sent.as_deref()?))
        .map(|sdp| next_origin(sdp.description.origin()));
    match (last, media::our_ip(house, key)) {
        (Some(origin), _) => origin,
        (None, Some(ip)) => crate::calls::describe::new_origin(house.chance.u64(), ip),
        (None, None) => String::new(),
    }
}

/// Whether a request that we answer ourselves has no body but a description, or one that may be
/// passed over (RFC 3261 §8.2.3).
///
/// # Errors
/// [`Refusal::NotSdp`].
pub(crate) fn only_sdp(request: &Message) -> Result<(), Refusal> {
    let disposition = request.get(Name::ContentDisposition).unwrap_or_default();
    let is_optional = disposition.to_ascii_lowercase().contains("handling=optional");
    if request.body().is_empty() || request.sdp().is_some() || is_optional {
        return Ok(());
    }
    Err(Refusal::NotSdp)
}

/// What we sent last, once more.
fn again(house: &House, key: LegKey) -> Option<Vec<u8>> {
    Some(house.legs.get(key)?.media.sent.as_ref()?.to_vec())
}

/// Whether anything but a parked call holds the leg.
pub(crate) fn is_parked(house: &House, key: LegKey) -> bool {
    matches!(house.legs.get(key).map(|leg| leg.with), Some(With::Parked(_)))
}

/// Takes the offer of an INVITE that we answer ourselves; without one, makes ours.
///
/// # Errors
/// SDP that cannot be read, media that we cannot feed, or no port left.
pub(crate) fn accept_offer_of(
    house: &mut House,
    key: LegKey,
    request: &Message,
) -> Result<(), Refusal> {
    if let Some(offer) = request.sdp() {
        return accept(house, key, &offer).map(|_| ());
    }
    let pair = media::lease(house, key, 0, None)?;
    let ip = media::our_ip(house, key).ok_or(Refusal::NoPorts)?;
    let origin = own_origin(house, key);
    let place = Place { origin: &origin, ip, port: pair.port };
    let lock = srtp::offer(house, key, 0, None);
    let formats = Format::music(&house.settings.music_codecs);
    let text = write(&place, &lock, &formats, None, 0, Direction::SendRecv);
    if let Some(leg) = house.legs.get_mut(key) {
        leg.media.sent = Some(text.into());
        leg.media.anchored = true;
    }
    Ok(())
}
