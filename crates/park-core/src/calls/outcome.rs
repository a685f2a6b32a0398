//! What the final answer to a request that passed means for its legs.

use std::time::Duration;

use base::Side;
use sip_msg::{Message, Name};

use crate::calls::leg::{Identity, Leg, Session, Stage, Usage};
use crate::calls::media::Before;
use crate::calls::passes::{Pass, PassKind};
use crate::calls::{acks, leaving, media, own, setup};
use crate::house::House;
use crate::keys::{Alarm, LegKey};
use crate::told::Fact;

/// How long a subscription is kept after its time: a last NOTIFY may be under way.
pub(crate) const EVENTS_GRACE: Duration = Duration::from_secs(33);

/// A request under way has its final answer from the far side.
pub(crate) fn finish(house: &mut House, pass: &Pass, response: &Message) {
    let status = response.status();
    let good = (200..300).contains(&status);
    match pass.kind {
        PassKind::Invite if good => answered(house, pass, response),
        PassKind::Reinvite if good => reanswered(house, pass, response),
        PassKind::Subscribe if good => subscribed(house, pass, response),
        PassKind::Register if good => crate::register::learn(house, pass, response),
        PassKind::Plain if good => passed(house, pass, response),
        PassKind::Bye if matches!(status, 401 | 407) => {
            for leg in [pass.from, pass.to].into_iter().flatten() {
                if let Some(leg) = house.legs.get_mut(leg) {
                    leg.stage = Stage::Up;
                }
            }
        }
        PassKind::Bye => not_done(house, pass, 200),
        _ => not_done(house, pass, status),
    }
}

/// A 2xx has been passed: both legs wait for the ACK.
fn await_ack(house: &mut House, pass: &Pass) {
    if let Some(heard) =
        pass.from.and_then(|leg| house.legs.get_mut(leg)).and_then(|leg| leg.heard.as_mut())
    {
        heard.answered = true;
    }
    if let Some(sent) =
        pass.to.and_then(|leg| house.legs.get_mut(leg)).and_then(|leg| leg.sent.as_mut())
    {
        sent.answered = true;
    }
}

fn answered(house: &mut House, pass: &Pass, response: &Message) {
    await_ack(house, pass);
    let tag = response.to_tag().unwrap_or_default();
    if let Some(leg) = pass.from.and_then(|leg| house.legs.get_mut(leg)) {
        leg.dialog.local.set_tag(tag);
        leg.is_answered(house.at);
    }
    if let Some(leg) = pass.to.and_then(|leg| house.legs.get_mut(leg)) {
        leg.dialog.settle_on(tag);
        leg.is_answered(house.at);
        leg.takes_update = setup::allows_update(response);
        let who = Identity::of(response);
        // The far side may know a name that was not dialled; a bare repetition of To says less.
        if who.name.is_some() || response.get(Name::PAssertedIdentity).is_some() {
            leg.who = who;
        }
    }
    note_session(house, pass, response);
    let callee = pass.to.and_then(|leg| house.legs.get(leg));
    if let Some((by, who)) = callee.map(|leg| (leg.side, leg.name())) {
        house.tell(Some(response.call_id()), Fact::Answered { by, who });
    }
}

/// Who refreshes the session (RFC 4028 §7.2), kept for the time when a phone has gone and the PBX
/// still waits for its refreshes.
fn note_session(house: &mut House, pass: &Pass, response: &Message) {
    let Some(value) = response.get(Name::SessionExpires) else { return };
    let interval_s = value.split(';').next().and_then(|text| text.trim().parse().ok());
    let Some(interval_s) = interval_s.filter(|seconds| *seconds >= 90) else { return };
    let by_caller = !value.to_ascii_lowercase().contains("refresher=uas");
    for (key, is_caller_leg) in [(pass.from, true), (pass.to, false)] {
        if let Some(leg) = key.and_then(|key| house.legs.get_mut(key))
            && leg.side == Side::Pbx
        {
            // On the caller's leg the caller is the far end; on the callee's leg we stand for it.
            leg.session = Some(Session { interval_s, ours: by_caller != is_caller_leg });
        }
    }
}

fn reanswered(house: &mut House, pass: &Pass, response: &Message) {
    if pass.kind == PassKind::Reinvite {
        await_ack(house, pass);
    }
    if let Some(leg) = pass.from.and_then(|leg| house.legs.get_mut(leg)) {
        leg.dialog.refresh_target(&pass.request);
    }
    if let Some(leg) = pass.to.and_then(|leg| house.legs.get_mut(leg)) {
        leg.dialog.refresh_target(response);
    }
    note_session(house, pass, response);
    let still_joined = |one: Option<LegKey>, other: Option<LegKey>| {
        other.is_some() && one.and_then(|key| house.legs.get(key)).and_then(Leg::partner) == other
    };
    if pass.kind == PassKind::Reinvite && !still_joined(pass.to, pass.from) {
        // Who would acknowledge it has stepped aside meanwhile: a call was parked or retrieved.
        if let Some(to) = pass.to {
            if pass.from.is_none() {
                own::note_answer(house, to, response);
            }
            own::acknowledge_if_due(house, to);
            acks::go_on(house, to);
        }
    }
    for key in [pass.from, pass.to].into_iter().flatten() {
        // A joined call has a session timer on one side only, which we keep: this was a refresh.
        if house.legs.get(key).is_some_and(|leg| leg.joined && leg.session.is_some()) {
            own::keep_session(house, key);
        }
    }
}

fn passed(house: &mut House, pass: &Pass, response: &Message) {
    let method = pass.request.cseq().1;
    if method == "UPDATE" {
        reanswered(house, pass, response);
    }
    if method == "SUBSCRIBE" {
        subscribed(house, pass, response);
    }
    if method == "NOTIFY"
        && let Some(left) = lasts(&pass.request)
    {
        // A last one, too: the answer to the SUBSCRIBE that ended it may still be under way.
        let until = house.at + left + EVENTS_GRACE;
        for key in [pass.from, pass.to].into_iter().flatten() {
            if house.legs.get(key).is_some_and(|leg| leg.usage == Usage::Events) {
                house.alarms.set(Alarm::Events(key), until);
            }
        }
    }
}

/// How long a subscription lasts from now on, by its NOTIFY, whose word counts (RFC 6665 §4.1.3).
fn lasts(request: &Message) -> Option<Duration> {
    let mut parts = request.get(Name::SubscriptionState)?.split(';').map(str::trim);
    if parts.next()?.eq_ignore_ascii_case("terminated") {
        return Some(Duration::ZERO);
    }
    let (_, seconds) = parts
        .filter_map(|param| param.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("expires"))?;
    seconds.trim().parse::<u32>().ok().map(|seconds| Duration::from_secs(u64::from(seconds)))
}

fn subscribed(house: &mut House, pass: &Pass, response: &Message) {
    let expires = response.expires().or(pass.request.expires()).unwrap_or(3600);
    let until = house.at + Duration::from_secs(u64::from(expires)) + EVENTS_GRACE;
    let tag = response.to_tag().unwrap_or_default().to_string();
    for (key, is_caller) in [(pass.from, true), (pass.to, false)] {
        let Some(key) = key else { continue };
        let Some(leg) = house.legs.get_mut(key) else { continue };
        if leg.usage != Usage::Events {
            continue;
        }
        if leg.stage == Stage::Early {
            leg.is_answered(house.at);
            if is_caller {
                leg.dialog.local.set_tag(&tag);
            } else {
                leg.dialog.settle_on(&tag);
            }
        }
        house.alarms.set(Alarm::Events(key), until);
    }
}

/// A request under way has failed, or was refused by us, with `status`.
pub(crate) fn not_done(house: &mut House, pass: &Pass, status: u16) {
    let legs = [pass.from, pass.to].into_iter().flatten();
    match pass.kind {
        PassKind::Invite | PassKind::Subscribe => {
            for leg in legs {
                leaving::end_leg(house, leg);
            }
            if pass.kind == PassKind::Invite {
                let why = format!("not connected, {status}");
                house.tell(Some(pass.request.call_id()), Fact::Ended { leg: None, why });
            }
        }
        PassKind::Bye => {
            let was_up = pass.from.is_some_and(|leg| house.legs.get(leg).is_some());
            for leg in legs {
                leaving::end_leg(house, leg);
            }
            if was_up {
                let why = format!("hung up by {}", pass.arrived.side);
                house.tell(
                    Some(pass.request.call_id()),
                    Fact::Ended { leg: Some(pass.arrived.side), why },
                );
            }
        }
        PassKind::Reinvite => {
            if let Some(before) = &pass.before {
                let (from, to): (Before, Before) = (**before).clone();
                for (leg, before) in [(pass.from, from), (pass.to, to)] {
                    if let Some(leg) = leg {
                        media::restore(house, leg, before);
                    }
                }
            }
            invite_over(house, pass);
        }
        PassKind::Plain if matches!(status, 408 | 481) => lost_dialog(house, pass),
        PassKind::Plain | PassKind::Register => {}
    }
}

/// The far side does not know the dialog any more (RFC 3261 §12.2.1.2): a subscription is over; a
/// call's end is left to who asked, who is told the same.
fn lost_dialog(house: &mut House, pass: &Pass) {
    for leg in [pass.from, pass.to].into_iter().flatten() {
        if house.legs.get(leg).is_some_and(|leg| leg.usage == Usage::Events) {
            leaving::end_leg(house, leg);
        }
    }
}

/// The re-INVITE between two legs is over; what waited for it goes on.
fn invite_over(house: &mut House, pass: &Pass) {
    if let Some(leg) = pass.from.and_then(|leg| house.legs.get_mut(leg)) {
        leg.heard = None;
    }
    if let Some(leg) = pass.to.and_then(|leg| house.legs.get_mut(leg)) {
        leg.sent = None;
    }
    for leg in [pass.from, pass.to].into_iter().flatten() {
        acks::go_on(house, leg);
    }
}
