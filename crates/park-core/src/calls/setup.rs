//! Calls and subscriptions through the house: their two legs made, answered, cancelled, ended.

use std::time::Duration;

use base::{Flow, Side};
use sip_core::{ClientKey, Dialog, Oversize, Party, ServerKey};
use sip_msg::{Compose, Edit, Message, Name, NameAddr, SipUri};

use crate::calls::leg::{Identity, Leg, Session, Stage, Usage, Waiting, With};
use crate::calls::media::{self, Before};
use crate::calls::pass::{self, Pass, PassKind};
use crate::calls::{answer, own, parked, retrieve, route};
use crate::house::House;
use crate::keys::{Alarm, BindingKey, Errand, LegKey, Owner, PassKey};
use crate::told::Fact;

/// How long a subscription is kept after its time: a last NOTIFY may be under way.
const EVENTS_GRACE: Duration = Duration::from_secs(33);

/// Who is called: by which hops, under which Request-URI.
#[derive(Debug)]
pub(crate) struct Callee {
    pub(crate) hops: Vec<Flow>,
    pub(crate) uri: String,
    pub(crate) binding: Option<BindingKey>,
}

/// Opens a call or a subscription through the house: a leg on either side.
pub(crate) fn open(
    house: &mut House,
    server: ServerKey,
    request: Message,
    arrived: Flow,
    caller: Option<BindingKey>,
    callee: Callee,
) {
    let kind = match request.cseq().1 {
        "INVITE" => PassKind::Invite,
        _ => PassKind::Subscribe,
    };
    let usage = if kind == PassKind::Invite { Usage::Call } else { Usage::Events };
    let from = caller_leg(house, &request, arrived, usage, caller);
    let to = callee_leg(house, &request, arrived, usage, &callee);
    join(house, from, to);
    let mut pass = Pass::new(server, request, arrived, kind, callee.hops);
    pass.from = Some(from);
    pass.to = Some(to);
    pass.uri = callee.uri.into();
    pass::start(house, pass);
}

fn join(house: &mut House, one: LegKey, other: LegKey) {
    if let Some(leg) = house.legs.get_mut(one) {
        leg.with = With::Leg(other);
    }
    if let Some(leg) = house.legs.get_mut(other) {
        leg.with = With::Leg(one);
    }
}

/// The leg of who called.
pub(crate) fn caller_leg(
    house: &mut House,
    request: &Message,
    arrived: Flow,
    usage: Usage,
    binding: Option<BindingKey>,
) -> LegKey {
    let token = house.chance.token(16);
    let mut leg = Leg::new(token, arrived.side, usage, Dialog::heard(request, arrived));
    leg.who = Identity::of(request);
    leg.takes_update = allows_update(request);
    owned_by(house, &mut leg, binding);
    house.legs.insert(leg)
}

fn callee_leg(
    house: &mut House,
    request: &Message,
    arrived: Flow,
    usage: Usage,
    callee: &Callee,
) -> LegKey {
    let side = arrived.side.other();
    let party = |house: &House, name| {
        let value = request.get(name).unwrap_or_default();
        let rewritten = match side {
            Side::Pbx => route::party_towards_pbx(house, value, &arrived),
            Side::Phones => None,
        };
        Party::read(rewritten.as_deref().unwrap_or(value))
    };
    let (local, remote) = (party(house, Name::From), party(house, Name::To));
    let flow = callee.hops.first().copied().unwrap_or(arrived);
    let dialog = Dialog::opened(request.call_id(), local, remote, request.cseq().0, flow);
    let token = house.chance.token(16);
    let mut leg = Leg::new(token, side, usage, dialog);
    leg.who = request.get(Name::To).and_then(Identity::read).unwrap_or_default();
    leg.dialog.set_target(&callee.uri);
    owned_by(house, &mut leg, callee.binding);
    house.legs.insert(leg)
}

fn owned_by(house: &House, leg: &mut Leg, binding: Option<BindingKey>) {
    leg.binding = binding;
    leg.aor = binding.and_then(|key| house.contacts.get(key)).map(|bound| bound.aor.clone());
}

fn allows_update(message: &Message) -> bool {
    message.values(Name::Allow).any(|method| method == "UPDATE")
}

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
        leg.stage = Stage::Up;
    }
    if let Some(leg) = pass.to.and_then(|leg| house.legs.get_mut(leg)) {
        leg.dialog.settle_on(tag);
        leg.stage = Stage::Up;
        leg.takes_update = allows_update(response);
        let who = Identity::of(response);
        // The far side may know a name that was not dialled; a bare repetition of To says less.
        if who.name.is_some() || response.get(Name::PAssertedIdentity).is_some() {
            leg.who = who;
        }
    }
    note_session(house, pass, response);
    house.tell(Some(response.call_id()), Fact::Answered);
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
            go_on(house, to);
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
    if method == "NOTIFY" && is_last_notify(&pass.request) {
        // The answer to the SUBSCRIBE that ended it may still be under way.
        let until = house.at + EVENTS_GRACE;
        for key in [pass.from, pass.to].into_iter().flatten() {
            if house.legs.get(key).is_some_and(|leg| leg.usage == Usage::Events) {
                house.alarms.set(Alarm::Events(key), until);
            }
        }
    }
}

fn is_last_notify(request: &Message) -> bool {
    let state = request.get(Name::SubscriptionState).unwrap_or_default().trim_start();
    state.get(..10).is_some_and(|word| word.eq_ignore_ascii_case("terminated"))
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
            leg.stage = Stage::Up;
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
                end_leg(house, leg);
            }
            if pass.kind == PassKind::Invite {
                let why = format!("not connected, {status}");
                house.tell(Some(pass.request.call_id()), Fact::Ended { why });
            }
        }
        PassKind::Bye => {
            let was_up = pass.from.is_some_and(|leg| house.legs.get(leg).is_some());
            for leg in legs {
                end_leg(house, leg);
            }
            if was_up {
                let why = format!("hung up by {}", pass.arrived.side);
                house.tell(Some(pass.request.call_id()), Fact::Ended { why });
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
            end_leg(house, leg);
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
        go_on(house, leg);
    }
}

/// What waited for the end of an offer goes on.
pub(crate) fn go_on(house: &mut House, key: LegKey) {
    let Some(leg) = house.legs.get_mut(key) else { return };
    if leg.waiting == Waiting::Offer && leg.heard.is_none() && leg.sent.is_none() {
        leg.waiting = Waiting::No;
        parked::offer_again(house, key);
    }
}

/// An ACK has come for a 2xx of a leg that has ended.
pub(crate) fn late_ack(house: &mut House, request: &Message) {
    let uri = SipUri::read(request.uri());
    if let Some(server) = uri.and_then(|uri| house.legs.late_ack(uri.user()?)) {
        house.layer.acked(house.at, server);
    }
}

/// An ACK for a 2xx of ours has come: it goes on to where the 2xx came from.
pub(crate) fn ack(house: &mut House, request: &Message, key: LegKey) {
    let Some(leg) = house.legs.get_mut(key) else { return };
    let Some(heard) = leg.heard.filter(|heard| heard.cseq == request.cseq().0) else { return };
    leg.heard = None;
    let bye_due = leg.bye_due.take();
    house.layer.acked(house.at, heard.key);
    if let Some(why) = bye_due {
        return own::bye(house, key, why.as_deref());
    }
    let Some(leg) = house.legs.get(key) else { return };
    match leg.with {
        With::Leg(other) => {
            let sent = house.legs.get(other).and_then(|leg| leg.sent);
            if let Some(sent) = sent {
                pass_ack(house, request, key, other, sent.key, sent.cseq);
            }
            go_on(house, key);
            go_on(house, other);
        }
        With::Retrieving(parked) => retrieve::acked(house, request, key, parked),
        _ => {
            // The partner was joined with somebody else while the ACK was under way.
            own::note_answer(house, key, request);
            go_on(house, key);
        }
    }
}

fn pass_ack(
    house: &mut House,
    request: &Message,
    from: LegKey,
    to: LegKey,
    client: ClientKey,
    cseq: u32,
) {
    let mut edit = Edit::of(request).remove(Name::RecordRoute);
    let body = media::carry(house, from, to, request).ok().flatten();
    let Some(leg) = house.legs.get_mut(to) else { return };
    leg.sent = None;
    edit = leg.dialog.address(edit, cseq, "ACK", (request.from_tag(), request.to_tag()));
    let forwards = request.max_forwards().map_or(70, |left| left.saturating_sub(1));
    edit = edit.set(Name::MaxForwards, forwards.to_string());
    if let Some(body) = body {
        edit = edit.body(None, body);
    }
    let Some(leg) = house.legs.get(to) else { return };
    if let Some(foreign) = request.get(Name::Contact).and_then(NameAddr::read) {
        let own = house.contact(&leg.dialog.flow, &leg.token);
        edit = edit.set(Name::Contact, foreign.with_uri(&own));
    }
    let hop = route::next_hop(leg);
    house.layer.ack(house.at, client, hop, &edit.finish());
}

/// Our 2xx was never acknowledged: the dialog is ended (RFC 3261 §13.3.1.4).
pub(crate) fn unacknowledged(house: &mut House, server: ServerKey) {
    let found = house
        .legs
        .iter()
        .find(|(_, leg)| leg.heard.is_some_and(|heard| heard.key == server))
        .map(|(key, _)| key);
    let Some(key) = found else { return house.legs.no_ack(server) };
    if let Some(leg) = house.legs.get_mut(key) {
        leg.heard = None;
        leg.bye_due = None;
    }
    let with = house.legs.get(key).map(|leg| leg.with);
    match with {
        Some(With::Retrieving(parked)) => retrieve::give_up(house, key, parked, "no ACK"),
        Some(With::Leg(other)) => {
            own::bye(house, other, Some("no ACK"));
            own::bye(house, key, Some("no ACK"));
        }
        _ => own::bye(house, key, Some("no ACK")),
    }
}

/// A CANCEL has been answered; its INVITE is called back.
pub(crate) fn cancelled(house: &mut House, key: PassKey, request: &Message) {
    let Some(pass) = house.passes.get_mut(key) else { return };
    pass.cancelled = true;
    let reason = request.get(Name::Reason).map(ToString::to_string);
    if let Some(client) = pass.client {
        house.layer.cancel(house.at, client, reason.as_deref());
    }
}

/// A 2xx that nobody waits for any more: acknowledged and ended (RFC 3261 §13.2.2.4).
pub(crate) fn end_stray(house: &mut House, client: ClientKey, response: &Message, flow: Flow) {
    let dialog = acknowledge_stray(house, client, response, flow);
    let token = house.chance.token(16);
    let mut leg = Leg::new(token, flow.side, Usage::Call, dialog);
    leg.stage = Stage::Up;
    let key = house.legs.insert(leg);
    own::bye(house, key, None);
}

/// Acknowledges a 2xx whose leg has gone.
pub(crate) fn acknowledge_stray(
    house: &mut House,
    client: ClientKey,
    response: &Message,
    flow: Flow,
) -> Dialog {
    let party = |name| Party::read(response.get(name).unwrap_or_default());
    let cseq = response.cseq().0;
    let (local, remote) = (party(Name::From), party(Name::To));
    let mut dialog = Dialog::opened(response.call_id(), local, remote, cseq, flow);
    dialog.learn(response);
    dialog.settle_on(response.to_tag().unwrap_or_default());
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
    let is_invite = response.cseq().1 == "INVITE";
    if !is_invite {
        return;
    }
    if response.status() < 200 {
        house.layer.cancel(house.at, client, None);
        house.layer.abandon(house.at, client);
    } else if response.status() < 300
        && house.passes.get(key).is_some_and(|pass| pass.kind == PassKind::Invite)
    {
        end_stray(house, client, response, flow);
    }
}

/// Takes a leg out of the house: ports back, requests in it answered, alarms stopped.
pub(crate) fn end_leg(house: &mut House, key: LegKey) {
    own::acknowledge_if_due(house, key);
    let Some(leg) = house.legs.remove(key) else { return };
    if let Some(heard) = leg.heard.filter(|heard| !house.layer.is_pending(heard.key)) {
        house.legs.expect_ack(leg.token.clone(), heard.key);
    }
    media::release(house, &leg.media);
    for alarm in [Alarm::Bye(key), Alarm::Offer(key), Alarm::Refresh(key), Alarm::Events(key)] {
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
        _ => {
            detach(house, key);
            house.answer(server, &request, 487);
            true
        }
    }
}

/// A request whose legs have gone runs to its end by itself.
fn detach(house: &mut House, key: PassKey) {
    if let Some(pass) = house.passes.get_mut(key) {
        pass.from = None;
        pass.to = None;
        pass.detached = true;
    }
}

/// A response of ours to a foreign INVITE in a leg, complete but for its body.
pub(crate) fn answer_in(house: &House, key: LegKey, request: &Message, status: u16) -> Compose {
    let mut draft = Compose::response_to(request, status, None);
    let Some(leg) = house.legs.get(key) else { return draft };
    if let Some(tag) = leg.dialog.local.tag() {
        draft = draft.to_tag(tag);
    }
    for route in request.all(Name::RecordRoute) {
        draft = draft.line(Name::RecordRoute, route);
    }
    let own = house.contact(&leg.dialog.flow, &leg.token);
    draft
        .line(Name::Contact, format!("<{own}>"))
        .line(Name::Allow, ALLOW)
        .line(Name::Supported, "replaces, norefersub")
}

/// What we take ourselves; everything else passes.
pub(crate) const ALLOW: &str =
    "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, REFER, NOTIFY, SUBSCRIBE, MESSAGE, PRACK";

/// Sends a request of our own in a leg.
pub(crate) fn send_own(
    house: &mut House,
    key: LegKey,
    draft: Compose,
    errand: Errand,
) -> Option<ClientKey> {
    let leg = house.legs.get(key)?;
    let own = house.contact(&leg.dialog.flow, &leg.token);
    let hop = route::next_hop(leg);
    let draft = draft.line(Name::Contact, format!("<{own}>")).finish();
    let oversize = if hop.side == Side::Pbx { Oversize::TryTcp } else { Oversize::Stay };
    Some(house.layer.request(house.at, hop, Owner::Leg(key, errand), &draft, oversize))
}
