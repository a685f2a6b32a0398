//! What is asked for on each side, and said of it in descriptions: who must encrypt, and the keys of ours
//! where a leg ends with us. Lines of others pass as they are, or not at all.

use rtp_flow::{Master, Suite};
use sip_msg::{Description, Media, Message, Rewrite, crypto_line};

use crate::calls::describe::Sdp;
use crate::calls::keying::{self, master_of};
use crate::calls::leg::{Leg, Stage};
use crate::house::House;
use crate::keys::LegKey;
use crate::refusal::{NoSrtp, Refusal};
use crate::settings::SrtpUse;

/// How an audio line of ours is secured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lock {
    pub(crate) proto: String,
    /// `a=crypto` lines.
    pub(crate) lines: Vec<String>,
}

/// What a media line is to be towards a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// RTP/AVP without keys.
    Plain,
    /// RTP/AVP with keys that may be taken or left.
    Optional,
    /// RTP/SAVP.
    Secure,
}

/// Notes whether the description that a message carries from one leg to the other is an offer (RFC 3264).
pub(crate) fn is_offer(house: &mut House, from: LegKey, to: LegKey, message: &Message) -> bool {
    let asked = house.legs.get(to).is_some_and(|leg| leg.media.offers);
    let offers = match (message.is_request(), message.cseq().1) {
        (true, "ACK") => false,
        (true, "PRACK") | (false, _) => !asked,
        (true, _) => true,
    };
    if offers {
        note_offers(house, from, true);
        note_offers(house, to, false);
    }
    offers
}

/// An INVITE without a description: the offer is to come from the other end.
pub(crate) fn no_offer(house: &mut House, from: LegKey, message: &Message) {
    if message.is_request() && message.cseq().1 == "INVITE" {
        note_offers(house, from, false);
    }
}

fn note_offers(house: &mut House, key: LegKey, offers: bool) {
    if house.legs.get(key).is_some_and(|leg| leg.media.offers != offers)
        && let Some(leg) = house.legs.get_mut(key)
    {
        leg.media.offers = offers;
    }
}

/// Whether the media of two legs end with us, each by itself: from then on for as long as they live.
///
/// # Errors
/// What the side does not admit from which an offer comes, and what we cannot read where we must.
pub(crate) fn ends_here(
    house: &mut House,
    (from, to): (LegKey, LegKey),
    description: &Description<'_>,
    is_offer: bool,
) -> Result<bool, Refusal> {
    let (Some(one), Some(other)) = (house.legs.get(from), house.legs.get(to)) else {
        return Ok(false);
    };
    let lines = || description.media().iter().filter(|media| media.port != 0 && media.is_rtp());
    let (here, there) = (house.settings.srtp(one.side), house.settings.srtp(other.side));
    if is_offer {
        // A call that is up is not lost for a rule that is newer than it.
        let is_new = one.stage == Stage::Early || is_secured(one);
        let admitted = lines().filter(|_| is_new).try_for_each(|media| admit(here, media));
        admitted.map_err(Refusal::Srtp)?;
    }
    let already = one.media.ends_here || other.media.ends_here || one.joined;
    let ends = already || is_offer && lines().any(|media| !may_pass(here, there, media));
    if ends && is_offer {
        lines().try_for_each(can_end_here).map_err(Refusal::Srtp)?;
    }
    if ends && !already {
        for key in [from, to] {
            if let Some(leg) = house.legs.get_mut(key) {
                leg.media.ends_here = true;
            }
        }
    }
    Ok(ends)
}

fn is_secured(leg: &Leg) -> bool {
    leg.media.streams.iter().any(|stream| stream.srtp.is_some())
}

/// Whether a side takes an offer of this kind.
fn admit(rule: SrtpUse, media: &Media<'_>) -> Result<(), NoSrtp> {
    match rule {
        SrtpUse::Require if !media.is_secure_rtp() => Err(NoSrtp::Required),
        SrtpUse::Off if media.is_secure_rtp() => Err(NoSrtp::NotSpoken),
        _ => Ok(()),
    }
}

/// Whether an offer may go on as it is, by the rules of the side from which it comes and of that where it
/// goes.
fn may_pass(here: SrtpUse, there: SrtpUse, media: &Media<'_>) -> bool {
    let (secure, optional) = (media.is_secure_rtp(), !media.cryptos.is_empty());
    if here == SrtpUse::Off && optional {
        return false;
    }
    match there {
        SrtpUse::Pass => true,
        SrtpUse::Offer => secure || optional,
        SrtpUse::Require => secure,
        SrtpUse::Off => !secure && !optional,
    }
}

/// Whether what is offered can end with us.
fn can_end_here(media: &Media<'_>) -> Result<(), NoSrtp> {
    let known = media.cryptos.iter().any(|line| master_of(line).is_some());
    match media.is_secure_rtp() {
        true if media.is_by_dtls() => Err(NoSrtp::Dtls),
        true if !known => Err(NoSrtp::NoSuite),
        _ => Ok(()),
    }
}

/// A description on its way to a leg whose media ends with us: its lines about keys give way to ours.
pub(crate) fn rewrite<'d>(
    house: &mut House,
    to: LegKey,
    description: &'d Description<'d>,
    is_offer: bool,
    mut rewrite: Rewrite<'d>,
) -> Rewrite<'d> {
    for (index, media) in description.media().iter().enumerate() {
        if !media.is_rtp() {
            continue;
        }
        let lock = match is_offer {
            true => {
                let form = form_towards(house, to, index, media);
                offer_in(house, to, index, form, media.proto)
            }
            false => {
                let asked = house.legs.get(to).and_then(|leg| leg.media.received.clone());
                let asked = asked.as_deref().and_then(Sdp::read);
                let asked = asked.as_ref().and_then(|sdp| sdp.description.media().get(index));
                match asked {
                    Some(asked) => answer_to(house, to, index, asked),
                    None => Lock { proto: media.proto.to_owned(), lines: Vec::new() },
                }
            }
        };
        if lock.proto != media.proto || !lock.lines.is_empty() || !media.cryptos.is_empty() {
            let lines = if media.port == 0 { Vec::new() } else { lock.lines };
            rewrite = rewrite.crypto(index, &lock.proto, lines);
        }
    }
    rewrite
}

/// How an offer that has come from the other leg is made to this one.
fn form_towards(house: &House, to: LegKey, index: usize, media: &Media<'_>) -> Form {
    let Some(leg) = house.legs.get(to) else { return Form::Plain };
    let keyed = leg.media.streams.get(index).is_some_and(|stream| stream.srtp.is_some());
    match house.settings.srtp(leg.side) {
        SrtpUse::Off => Form::Plain,
        SrtpUse::Require => Form::Secure,
        SrtpUse::Offer if keyed || media.is_secure_rtp() => Form::Secure,
        SrtpUse::Offer => Form::Optional,
        SrtpUse::Pass if keyed => Form::Secure,
        SrtpUse::Pass => Form::Plain,
    }
}

/// An audio line that we offer to a leg. A phone that is new to the call is asked as its parkee is, where
/// no rule says otherwise.
pub(crate) fn offer(house: &mut House, key: LegKey, index: usize, parkee: Option<LegKey>) -> Lock {
    // Media that did not come to us has not been looked at.
    keying::settle(house, key);
    let stream = |key: LegKey, index: usize| house.legs.get(key)?.media.streams.get(index);
    let keyed = stream(key, index).is_some_and(|stream| stream.srtp.is_some());
    let proto = proto_of(house, key).unwrap_or_default();
    if keyed {
        // As the far end speaks already: some refuse the other form.
        return Lock { lines: own_lines(house, key, index), proto };
    }
    let model = parkee.filter(|parkee| house.legs.get(*parkee).is_some_and(is_secured));
    let rule = house.legs.get(key).map_or(SrtpUse::Pass, |leg| house.settings.srtp(leg.side));
    let (form, proto) = match (rule, model.and_then(|model| proto_of(house, model))) {
        (SrtpUse::Off, _) | (SrtpUse::Pass, None) => (Form::Plain, proto),
        (SrtpUse::Require, _) => (Form::Secure, proto),
        (SrtpUse::Offer, _) => (Form::Optional, proto),
        (SrtpUse::Pass, Some(model)) if is_secure(&model) => (Form::Secure, proto),
        (SrtpUse::Pass, Some(_)) => (Form::Optional, proto),
    };
    offer_in(house, key, index, form, &proto)
}

/// The protocol of the audio that a leg's far end has described last.
fn proto_of(house: &House, key: LegKey) -> Option<String> {
    Some(house.legs.get(key)?.received()?.audio()?.1.proto.to_owned())
}

fn is_secure(proto: &str) -> bool {
    proto.to_ascii_uppercase().contains("/SAVP")
}

fn offer_in(house: &mut House, key: LegKey, index: usize, form: Form, proto: &str) -> Lock {
    let feedback = if proto.to_ascii_uppercase().ends_with('F') { "F" } else { "" };
    match form {
        Form::Plain => Lock { proto: format!("RTP/AVP{feedback}"), lines: Vec::new() },
        Form::Optional => {
            let lines = own_lines(house, key, index);
            Lock { proto: format!("RTP/AVP{feedback}"), lines }
        }
        Form::Secure => {
            let lines = own_lines(house, key, index);
            Lock { proto: format!("RTP/SAVP{feedback}"), lines }
        }
    }
}

/// The lines that we offer: each suite with a key of its own; once one has been agreed on, that alone.
fn own_lines(house: &mut House, key: LegKey, index: usize) -> Vec<String> {
    let stream = house.legs.get(key).and_then(|leg| leg.media.streams.get(index));
    let agreed = stream.and_then(|stream| Some(stream.srtp.as_ref()?.outbound.suite()));
    let suites =
        Suite::ALL.into_iter().filter(|suite| agreed.is_none_or(|agreed| agreed == *suite));
    let lines = suites.zip(1..).map(|(suite, tag)| own_line(house, key, index, suite, tag));
    lines.flatten().collect()
}

/// The line for a suite. What the far end expects from us already it goes on expecting, also where the key
/// was another's before: some phones never take a second one.
fn own_line(
    house: &mut House,
    key: LegKey,
    index: usize,
    suite: Suite,
    tag: u32,
) -> Option<String> {
    let House { legs, chance, .. } = house;
    let stream = legs.get_mut(key)?.media.stream(index);
    let expected = stream.srtp.as_ref().map(|srtp| &srtp.outbound);
    if let Some(own) = expected.filter(|own| own.suite() == suite && own.mki().is_empty()) {
        return Some(crypto_line(tag, suite.name(), own.key_and_salt()));
    }
    if !stream.own.iter().any(|own| own.suite() == suite) {
        stream.own.push(Master::random(suite, chance));
    }
    let own = stream.own.iter().find(|own| own.suite() == suite)?;
    Some(crypto_line(tag, suite.name(), own.key_and_salt()))
}

/// Our line in answer to one that was offered: in its protocol, with a key of ours for the first of its
/// suites that we speak.
fn answer_to(house: &mut House, key: LegKey, index: usize, asked: &Media<'_>) -> Lock {
    let rule = house.legs.get(key).map_or(SrtpUse::Pass, |leg| house.settings.srtp(leg.side));
    let chosen = asked.cryptos.iter().find_map(|line| Some((line.tag, master_of(line)?.suite())));
    let line = chosen
        .filter(|_| rule != SrtpUse::Off)
        .and_then(|(tag, suite)| own_line(house, key, index, suite, tag));
    Lock { proto: asked.proto.to_owned(), lines: line.into_iter().collect() }
}

/// Our answer to an audio line that the far end of a leg has offered to us, as the rule of its side has it.
///
/// # Errors
/// What that rule does not admit, and keys that we cannot use.
pub(crate) fn answer(
    house: &mut House,
    key: LegKey,
    index: usize,
    asked: &Media<'_>,
) -> Result<Lock, Refusal> {
    let rule = house.legs.get(key).map_or(SrtpUse::Pass, |leg| house.settings.srtp(leg.side));
    if !asked.is_rtp() {
        return Err(Refusal::Media("the audio is no RTP"));
    }
    admit(rule, asked).and_then(|()| can_end_here(asked)).map_err(Refusal::Srtp)?;
    Ok(answer_to(house, key, index, asked))
}
