//! The only room that turns calls into plans. SDP that passes is edited by lines so that media comes
//! to us; what each leg receives and hears is told to the media workers as data.

use std::net::{IpAddr, SocketAddr};

use base::Side;
use bytes::Bytes;
use rtp_flow::{
    Clip, Codec, Dry, Guard, Hears, KeyWatch, Label, Master, MediaNotice, Pair, PairId, Plan, Srtp,
    StreamPlan,
};
use serde::{Deserialize, Serialize};
use sip_msg::{Description, Media, Message, Payload, Rewrite, sdp_part};
use slotmap::{Key as _, KeyData};
use smallvec::SmallVec;

use crate::calls::describe::{Format, Sdp, common, is_same, is_speech, next_origin};
use crate::calls::heard::{hears, opening};
use crate::calls::leg::{Leg, Usage};
use crate::calls::{dialled, info, keying, listening, rebind, srtp};
use crate::house::House;
use crate::keys::LegKey;
use crate::lots;
use crate::refusal::{NoSrtp, Refusal};
use crate::settings::Anchor;
use crate::told::Fact;

/// One media line of a leg.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Stream {
    pub(crate) pair: Option<Pair>,
    far: Option<SocketAddr>,
    far_rtcp: Option<SocketAddr>,
    rtcp_mux: bool,
    /// It is RTP that we can read, in the clear or by its keys.
    pub(crate) is_rtp: bool,
    pub(crate) is_audio: bool,
    /// Its far end has said that it sends.
    sends: bool,
    /// The keys that its ends have agreed on, if they are of a kind that we know.
    pub(crate) srtp: Option<Box<Srtp>>,
    /// Keys of ours that its far end has been told, one for each suite.
    #[serde(default)]
    pub(crate) own: Vec<Master>,
}

/// The media of a leg.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct LegMedia {
    pub(crate) streams: SmallVec<[Stream; 1]>,
    /// The description that the far end sent last.
    pub(crate) received: Option<Bytes>,
    /// The description that we sent last.
    pub(crate) sent: Option<Bytes>,
    /// The description in an offer of ours that is not answered yet.
    pub(crate) offered: Option<Bytes>,
    /// The far end has seen a description by us: its `o=` line is ours to continue.
    pub(crate) authored: bool,
    /// This leg's media goes through us.
    pub(crate) anchored: bool,
    /// It has been told that nothing is heard from its far end.
    pub(crate) silent: bool,
    /// The last offer was its far end's.
    #[serde(default)]
    pub(crate) offers: bool,
    /// What is encrypted ends with us, and so it stays: the keys of either end are not for the other.
    #[serde(default)]
    pub(crate) ends_here: bool,
}

/// The descriptions of a leg before an offer, to go back to if it is refused.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Before {
    received: Option<Bytes>,
    sent: Option<Bytes>,
}

impl LegMedia {
    /// The pair of its sound, if there is one that we can look at.
    pub(crate) fn sound(&self) -> Option<PairId> {
        let sound = self.streams.iter().find(|stream| stream.is_audio && stream.is_rtp)?;
        Some(sound.pair?.id)
    }

    /// One of its media lines, which is made if it is not there.
    pub(crate) fn stream(&mut self, index: usize) -> &mut Stream {
        while self.streams.len() <= index {
            self.streams.push(Stream::default());
        }
        &mut self.streams[index]
    }

    pub(crate) fn before(&self) -> Before {
        Before { received: self.received.clone(), sent: self.sent.clone() }
    }
}

/// Goes back to what held before a refused offer.
pub(crate) fn restore(house: &mut House, key: LegKey, before: Before) {
    let Some(leg) = house.legs.get_mut(key) else { return };
    leg.media.sent = before.sent;
    leg.media.received = before.received;
    if let Some(text) = leg.media.received.clone() {
        note_far(house, key, &text);
        plan(house, key);
    }
}

/// Carries a message's body from one leg to the other. Its SDP, if it has one, is noted and, where
/// media is anchored, rewritten. `None`: the body goes as it is.
///
/// # Errors
/// SDP that cannot be read, or no port left.
pub(crate) fn carry(
    house: &mut House,
    from: LegKey,
    to: LegKey,
    message: &Message,
) -> Result<Option<Bytes>, Refusal> {
    let body = message.body();
    let Some(part) = message.content_type().and_then(|kind| sdp_part(kind, &body)) else {
        srtp::no_offer(house, from, message);
        lease_ahead(house, from, to, message)?;
        return Ok(None);
    };
    let sdp = body.slice(part.clone());
    let description = Description::read(&sdp).map_err(|bad| Refusal::BadSdp(bad.to_string()))?;
    let is_offer = srtp::is_offer(house, from, to, message);
    let ends_here = srtp::ends_here(house, (from, to), &description, is_offer)?;
    note_hold(house, from, &description);
    if let Some(leg) = house.legs.get_mut(from) {
        // A copy: a slice would keep the whole message in memory for as long as the call lives.
        leg.media.received = Some(Bytes::copy_from_slice(&sdp));
    }
    let must_be = |leg: &Leg| leg.media.anchored || may_press_keys(house, leg);
    let anchored = house.settings.anchor == Anchor::Always
        || ends_here
        || [from, to].iter().any(|key| house.legs.get(*key).is_some_and(must_be));
    if !anchored {
        if let Some(leg) = house.legs.get_mut(to) {
            leg.media.sent = Some(Bytes::copy_from_slice(&sdp));
        }
        return Ok(None);
    }
    lease_both(house, from, to, &description)?;
    note_far(house, from, &sdp);
    let text = Bytes::from(rewrite_for(house, to, &description, ends_here.then_some(is_offer)));
    if let Some(leg) = house.legs.get_mut(to) {
        leg.media.sent = Some(text.clone());
        leg.media.anchored = true;
    }
    if let Some(leg) = house.legs.get_mut(from) {
        leg.media.anchored = true;
    }
    // Both before either: whether they share their keys is seen by both.
    keying::settle(house, to);
    plan(house, from);
    plan(house, to);
    if part.len() == body.len() {
        return Ok(Some(text));
    }
    let mut whole = Vec::with_capacity(body.len() + text.len());
    whole.extend_from_slice(&body[..part.start]);
    whole.extend_from_slice(&text);
    whole.extend_from_slice(&body[part.end..]);
    Ok(Some(whole.into()))
}

/// A call without an offer will have one in its answer, which cannot wait for ports: those of its first line
/// are leased with the call.
fn lease_ahead(
    house: &mut House,
    from: LegKey,
    to: LegKey,
    message: &Message,
) -> Result<(), Refusal> {
    let opens = message.is_request() && message.to_tag().is_none() && message.cseq().1 == "INVITE";
    if !opens || house.settings.anchor != Anchor::Always {
        return Ok(());
    }
    let pair = lease(house, from, 0, None)?;
    lease(house, to, 0, Some(pair)).map(|_| ())
}

fn note_hold(house: &mut House, key: LegKey, description: &Description<'_>) {
    let at = house.at;
    let on_hold = description
        .media()
        .iter()
        .find(|media| media.kind == "audio" && media.port != 0)
        .is_some_and(Media::on_hold);
    if let Some(leg) = house.legs.get_mut(key) {
        leg.held = match (on_hold, leg.held) {
            (true, since @ Some(_)) => since,
            (true, None) => Some(at),
            (false, _) => None,
        };
    }
}

fn lease_both(
    house: &mut House,
    from: LegKey,
    to: LegKey,
    description: &Description<'_>,
) -> Result<(), Refusal> {
    for (index, media) in description.media().iter().enumerate() {
        if media.is_udp() && media.port != 0 {
            let pair = lease(house, from, index, None)?;
            lease(house, to, index, Some(pair))?;
        }
    }
    Ok(())
}

/// The port pair of a leg's media line, leased if it has none; beside `near` if that is given.
pub(crate) fn lease(
    house: &mut House,
    key: LegKey,
    index: usize,
    near: Option<Pair>,
) -> Result<Pair, Refusal> {
    let Some(leg) = house.legs.get(key) else { return Err(Refusal::NoPorts) };
    if let Some(pair) = leg.media.streams.get(index).and_then(|stream| stream.pair) {
        return Ok(pair);
    }
    let side = leg.side;
    let beside = near
        .or_else(|| leg.media.streams.iter().find_map(|stream| stream.pair))
        .map(|pair| pair.worker);
    let leased = house.leases.lease(house.at, side, beside);
    order_pairs(house, side);
    let pair = leased.map_err(|why| {
        house.tell(None, Fact::NoPorts { why });
        match why {
            Dry::UsedUp | Dry::NotBound => Refusal::NoPorts,
            Dry::Coming => Refusal::PortsLate,
        }
    })?;
    if let Some(leg) = house.legs.get_mut(key) {
        leg.media.stream(index).pair = Some(pair);
    }
    Ok(pair)
}

/// Orders more pairs, if few are ready.
pub(crate) fn order_pairs(house: &mut House, side: Side) {
    if let Some(plan) = house.leases.order(side) {
        house.plan(plan);
    }
}

/// Takes in a word from the media workers.
pub(crate) fn hear(house: &mut House, notice: MediaNotice) {
    match notice {
        MediaNotice::Stocked { pairs } => house.leases.stocked(pairs),
        MediaNotice::Rebound { pairs, lost } => rebind::rebound(house, pairs, &lost),
        MediaNotice::Exhausted { side, refused } => {
            let why = if refused { Dry::NotBound } else { Dry::UsedUp };
            house.leases.exhausted(side, why);
        }
        MediaNotice::Key { mark, event, timestamp } => {
            let key = LegKey::from(KeyData::from_ffi(mark));
            info::pressed_in_sound(house, key, event, timestamp);
        }
        MediaNotice::Opened { mark } => {
            let key = LegKey::from(KeyData::from_ffi(mark));
            dialled::told_by_ear(house, key);
        }
        MediaNotice::Silence { mark, silent } => {
            listening::silent(house, LegKey::from(KeyData::from_ffi(mark)), silent);
        }
        MediaNotice::Quality { pair, label, quality } => {
            listening::measured(house, pair, label, &quality);
        }
        MediaNotice::Latched { .. } => {}
    }
}

/// Gives all pairs of a leg that has gone back; what its sound was like is told when it is known.
pub(crate) fn release(house: &mut House, leg: Leg) {
    let side = leg.side;
    let mut label = Some(leg.dialog.into_call_id());
    for stream in leg.media.streams {
        let Some(pair) = stream.pair else { continue };
        let call = label.take_if(|_| stream.is_audio && stream.is_rtp);
        let label = call.map(|call| Box::new(Label { call, side }));
        house.plan(Plan::Release { pair: pair.id, label });
        house.leases.release(house.at, pair);
    }
}

/// Notes where the far end of a leg receives, line by line.
pub(crate) fn note_far(house: &mut House, key: LegKey, sdp: &[u8]) {
    let Some(described) = Sdp::read(sdp) else { return };
    let Some(leg) = house.legs.get_mut(key) else { return };
    for (index, media) in described.description.media().iter().enumerate() {
        let Some(stream) = leg.media.streams.get_mut(index) else { continue };
        let ip = media.connection_ip();
        let port = media.port;
        stream.far = ip.filter(|_| port != 0).map(|ip| SocketAddr::new(ip, port));
        stream.far_rtcp = media
            .rtcp
            .and_then(|(port, own)| Some(SocketAddr::new(own.or(ip)?, port)).filter(|_| port != 0));
        stream.rtcp_mux = media.rtcp_mux;
        stream.is_rtp = media.is_plain_rtp();
        stream.is_audio = media.kind == "audio";
        stream.sends = media.direction.sends();
    }
}

/// The same description with our addresses, for this leg; and with our keys, where those end with us
/// (then it is said whether it is an offer).
fn rewrite_for(
    house: &mut House,
    to: LegKey,
    description: &Description<'_>,
    keyed: Option<bool>,
) -> Vec<u8> {
    let mut rewrite = Rewrite::of(description);
    if let Some(is_offer) = keyed {
        rewrite = srtp::rewrite(house, to, description, is_offer, rewrite);
    }
    let Some(leg) = house.legs.get(to) else { return Vec::new() };
    let ip = house.media_address(&leg.dialog.flow);
    for (index, media) in description.media().iter().enumerate() {
        let pair = leg.media.streams.get(index).and_then(|stream| stream.pair);
        if let (true, Some(pair)) = (media.is_udp() && media.port != 0, pair) {
            rewrite = rewrite.anchor(index, ip, pair.port);
        }
    }
    let last = leg.media.sent.as_deref().and_then(Sdp::read);
    if let (true, Some(last)) = (leg.media.authored || leg.joined, &last) {
        rewrite = rewrite.origin(&next_origin(last.description.origin()));
    }
    let mut text = rewrite.finish();
    if let (true, Some(last)) = (leg.joined, &last) {
        pad_lines(&mut text, description.media().len(), &last.description);
    }
    text
}

/// Adds refused lines where this leg has had more media lines than the one it was joined with: the
/// number of lines never falls in a session (RFC 3264 §8).
fn pad_lines(text: &mut Vec<u8>, lines: usize, last: &Description<'_>) {
    for media in last.media().iter().skip(lines) {
        let formats = media.formats.join(" ");
        let line = format!("m={} 0 {} {formats}\r\n", media.kind, media.proto);
        text.extend_from_slice(line.as_bytes());
    }
}

/// Tells the media workers what the pairs of a leg are to do now.
pub(crate) fn plan(house: &mut House, key: LegKey) {
    plan_after(house, key, &[]);
}

/// As [`plan`], but these clips come first, where there is music in the leg's codec.
pub(crate) fn plan_after(house: &mut House, key: LegKey, clips: &[Clip]) {
    keying::settle(house, key);
    let Some(leg) = house.legs.get(key) else { return };
    let flow = leg.dialog.flow;
    let mut plans: SmallVec<[StreamPlan; 2]> = SmallVec::new();
    for (index, stream) in leg.media.streams.iter().enumerate() {
        let Some(pair) = stream.pair else { continue };
        let mut guard: Guard = stream.far.iter().map(SocketAddr::ip).collect();
        if !guard.contains(&flow.peer.ip()) {
            guard.push(flow.peer.ip());
        }
        let keys = keys(house, key, leg, index);
        let watched = keys.is_some() || partner_presses_keys(house, leg, index);
        let (kind, srtp) = keying::treatment(house, leg, index, watched);
        plans.push(StreamPlan {
            pair: pair.id,
            kind,
            srtp,
            far: stream.far,
            far_rtcp: stream.far_rtcp,
            rtcp_mux: stream.rtcp_mux,
            guard,
            keys,
            silence: Some(stream)
                .filter(|stream| stream.is_audio && stream.is_rtp && stream.sends)
                .and_then(|_| listening::silence(house, key, leg)),
            hears: match keying::is_mute(leg, stream) {
                true => Hears::Nothing,
                false => hears(house, key, index),
            },
            opening: Some(clips)
                .filter(|clips| !clips.is_empty() && stream.is_audio && stream.is_rtp)
                .and_then(|clips| opening(house, key, clips)),
        });
    }
    for plan in plans {
        house.plan(Plan::Stream(plan));
    }
}

/// Whether whoever is at a leg may park by keys: then they are listened for.
fn may_press_keys(house: &House, leg: &Leg) -> bool {
    let is_phone = leg.side == Side::Phones && leg.usage == Usage::Call;
    // Most houses have no such lot, and need not ask who it is.
    is_phone
        && house.settings.lots.iter().any(|lot| lot.dtmf)
        && lots::speaker(house, leg).is_some_and(|aor| !lots::with_keys(house, &aor).is_empty())
}

/// The keys of a phone that talks: by the payload types that we have told it, or it has told us where
/// those are not ours for anything else.
fn keys(house: &House, key: LegKey, leg: &Leg, index: usize) -> Option<KeyWatch> {
    let talks = leg.partner().is_some() && leg.media.streams[index].is_audio;
    if !talks || !may_press_keys(house, leg) {
        return None;
    }
    let formats = |sdp: Option<&[u8]>| sdp.and_then(Sdp::read).map(|sdp| sdp.formats());
    let ours = formats(leg.media.sent.as_deref()).unwrap_or_default();
    let theirs = formats(leg.media.received.as_deref()).unwrap_or_default();
    let free = theirs.iter().filter(|format| !ours.iter().any(|own| own.number == format.number));
    let events = ours.iter().chain(free).filter(|format| format.is_event());
    let payload_types: SmallVec<[u8; 2]> = events.map(|format| format.number).collect();
    let mark = key.data().as_ffi();
    (!payload_types.is_empty()).then_some(KeyWatch { payload_types, mark })
}

/// Whether keys are watched for in what a leg hears.
fn partner_presses_keys(house: &House, leg: &Leg, index: usize) -> bool {
    let other = leg.partner().and_then(|key| Some((key, house.legs.get(key)?)));
    other
        .filter(|(_, other)| other.media.streams.len() > index)
        .is_some_and(|(key, other)| keys(house, key, other, index).is_some())
}

/// The formats that are agreed on a leg, in the far end's order and numbers.
pub(crate) fn agreed(house: &House, key: LegKey) -> Vec<Format> {
    let Some(leg) = house.legs.get(key) else { return Vec::new() };
    let Some(received) = leg.received() else { return Vec::new() };
    let theirs = received.formats();
    match leg.media.sent.as_deref().and_then(Sdp::read) {
        Some(sent) if sent.audio().is_some() => common(&theirs, &sent.formats()),
        _ => theirs,
    }
}

/// The name of the codec in which a leg most likely sends and hears, if one is agreed: the first of
/// [`agreed`] for speech. Asked of thousands of legs at once.
pub(crate) fn agreed_codec(leg: &Leg) -> Option<String> {
    let received = leg.received()?;
    let (_, theirs) = received.audio()?;
    let sent = leg.media.sent.as_deref().and_then(Sdp::read);
    let ours = sent.as_ref().and_then(|sdp| Some(sdp.audio()?.1));
    let is_ours = |payload: &Payload<'_>| {
        ours.is_none_or(|ours| ours.payloads().any(|own| is_same(&own, payload)))
    };
    let speech = theirs.payloads().find(|payload| is_speech(payload.name) && is_ours(payload))?;
    Some(speech.name.to_owned())
}

/// The format in which a leg can be given music now.
pub(crate) fn music_format(house: &House, key: LegKey) -> Option<(Codec, Format)> {
    agreed(house, key).into_iter().find_map(|format| {
        let codec = format.codec()?;
        house.settings.music_codecs.contains(&codec).then_some((codec, format))
    })
}

/// The place of the leg's audio line.
pub(crate) fn audio_index(house: &House, key: LegKey) -> usize {
    house.legs.get(key).and_then(|leg| Some(leg.received()?.audio()?.0)).unwrap_or(0)
}

/// Whether the audio of a leg can be fed by us.
///
/// # Errors
/// Why not: there is none, or only its ends have the keys.
pub(crate) fn can_be_fed(house: &House, key: LegKey) -> Result<(), Refusal> {
    let none = Refusal::Media("music cannot be given to this media");
    let leg = house.legs.get(key).ok_or(none.clone())?;
    let received = leg.received().ok_or(none.clone())?;
    let (_, audio) = received.audio().ok_or(none.clone())?;
    match keying::can_be_read(leg, &received.description) {
        true => Ok(()),
        false if audio.is_by_dtls() => Err(Refusal::Srtp(NoSrtp::Dtls)),
        false if audio.is_rtp() => Err(Refusal::Srtp(NoSrtp::Unread)),
        false => Err(none),
    }
}

/// The address that SDP names towards this leg.
pub(crate) fn our_ip(house: &House, key: LegKey) -> Option<IpAddr> {
    Some(house.media_address(&house.legs.get(key)?.dialog.flow))
}
