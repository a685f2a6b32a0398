//! Subscriptions opened, refreshed and ended by phones.

use std::time::Duration;

use base::Flow;
use sip_core::{Dialog, NotOurs, ServerKey};
use sip_msg::{Compose, Message, Name, SipUri};

use crate::calls::{event_of, is_sips};
use crate::caps;
use crate::house::House;
use crate::keys::{Alarm, BindingKey, WatchKey};
use crate::lots;
use crate::refusal::Refusal;
use crate::watches::state::{Holder, Over, Watch};
use crate::watches::tell::tell;
use crate::watches::watched::Watched;

/// How long a subscription lasts if the phone does not say, in seconds (RFC 4235 §3.4).
const USUAL: u32 = 3600;
/// The shortest and the longest, in seconds: shorter ones are a burden, longer ones outlive phones.
const SHORTEST: u32 = 60;
const LONGEST: u32 = 86_400;
/// How many one phone may have: more than any has keys.
const MOST: usize = 256;

/// A phone subscribes to what is ours.
pub(crate) fn open(
    house: &mut House,
    server: ServerKey,
    request: &Message,
    flow: Flow,
    binding: Option<BindingKey>,
    watched: Watched,
) {
    let holder = Holder::of(binding, flow.peer.ip());
    if let Err(refusal) = may_open(house, request, &flow, binding, holder) {
        return house.refuse(server, request, &refusal);
    }
    let event = watched.event();
    if event_of(request) != event {
        let tag = house.chance.token(10);
        let draft = Compose::response_to(request, 489, None)
            .to_tag(&tag)
            .line(Name::AllowEvents, event)
            .finish();
        house.layer.respond(house.at, server, 489, &draft);
        return;
    }
    let Some(expires) = asked_for(house, server, request) else { return };
    let mut dialog = Dialog::heard(request, flow);
    dialog.local.set_tag(&house.chance.token(10));
    let token = house.chance.token(16);
    let key = house.watches.insert(Watch {
        token: token.into(),
        dialog,
        event: request.get(Name::Event).unwrap_or(event).into(),
        entity: request.uri().into(),
        watched,
        holder,
        until: house.at,
        version: house.settings.first_version,
        told: None,
        in_flight: false,
        failures: 0,
        rests_until: None,
        may_be_lit: false,
        queued: false,
        stale: false,
        over: None,
        closing: false,
    });
    accept(house, server, request, key, expires);
}

fn may_open(
    house: &House,
    request: &Message,
    flow: &Flow,
    binding: Option<BindingKey>,
    holder: Holder,
) -> Result<(), Refusal> {
    if binding.is_none() && !lots::is_trusted(house, flow) {
        return Err(Refusal::NotEntitled);
    }
    if house.draining {
        return Err(Refusal::Draining);
    }
    if request.contacts().next().is_none() {
        return Err(Refusal::Status(400, "a SUBSCRIBE needs a Contact".into()));
    }
    if house.watches.held_by(holder).len() >= MOST {
        return Err(Refusal::TooMany);
    }
    caps::room_for_subscription(house)
}

/// For how many seconds a SUBSCRIBE is; nothing if that was refused.
fn asked_for(house: &mut House, server: ServerKey, request: &Message) -> Option<u32> {
    let expires = request.expires().unwrap_or(USUAL).min(LONGEST);
    if (1..SHORTEST).contains(&expires) {
        let tag = house.chance.token(10);
        let draft = Compose::response_to(request, 423, None)
            .to_tag(&tag)
            .line(Name::MinExpires, SHORTEST.to_string())
            .finish();
        house.layer.respond(house.at, server, 423, &draft);
        return None;
    }
    Some(expires)
}

/// Answers a SUBSCRIBE, and tells the whole state at once (RFC 6665 §4.2.1.2).
fn accept(house: &mut House, server: ServerKey, request: &Message, key: WatchKey, expires: u32) {
    let until = house.at + Duration::from_secs(u64::from(expires));
    let Some(watch) = house.watches.get_mut(key) else { return };
    watch.until = until;
    watch.told = None;
    // Who speaks can hear.
    watch.rests_until = None;
    watch.over = (expires == 0).then_some(Over::Timeout);
    let (token, flow) = (watch.token.to_string(), watch.dialog.flow);
    let tag = watch.dialog.local.tag().unwrap_or_default().to_string();
    let contact = house.contact(&flow, &token, is_sips(request.uri()));
    let mut draft = Compose::response_to(request, 200, None)
        .to_tag(&tag)
        .line(Name::Contact, format!("<{contact}>"))
        .line(Name::Expires, expires.to_string());
    for route in request.all(Name::RecordRoute) {
        draft = draft.line(Name::RecordRoute, route);
    }
    house.layer.respond(house.at, server, 200, &draft.finish());
    if expires == 0 {
        house.alarms.stop(Alarm::Watch(key));
    } else {
        house.alarms.set(Alarm::Watch(key), until);
    }
    tell(house, key);
}

/// Takes up a subscription of an earlier run of the program.
pub(crate) fn restored(house: &mut House, watch: Watch) -> WatchKey {
    let due = watch.rests_until.unwrap_or(watch.until).max(house.at);
    let key = house.watches.insert(watch);
    house.alarms.set(Alarm::Watch(key), due);
    key
}

/// Whether its last notice is under way is known now.
pub(crate) fn settled(house: &mut House, key: WatchKey, is_under_way: bool) {
    if let Some(watch) = house.watches.get_mut(key).filter(|_| !is_under_way) {
        watch.was_not_told();
    }
}

/// The subscription that a Request-URI of ours names.
pub(crate) fn of_uri(house: &House, uri: &str) -> Option<WatchKey> {
    house.watches.by_token(SipUri::read(uri)?.user()?)
}

/// A request within a subscription's dialog: refreshed, or ended.
pub(crate) fn within(
    house: &mut House,
    server: ServerKey,
    request: &Message,
    flow: Flow,
    key: WatchKey,
) {
    let Some(watch) = house.watches.get_mut(key) else { return };
    if flow.side != watch.dialog.flow.side || watch.over.is_some() {
        return house.answer(server, request, 481);
    }
    match watch.dialog.admit(request) {
        Err(NotOurs::NoSuchDialog) => return house.answer(server, request, 481),
        Err(NotOurs::OutOfOrder) => return house.answer(server, request, 500),
        Ok(()) => {}
    }
    watch.dialog.flow = flow;
    watch.dialog.refresh_target(request);
    if request.cseq().1 != "SUBSCRIBE" {
        return house.answer(server, request, 405);
    }
    if let Some(expires) = asked_for(house, server, request) {
        accept(house, server, request, key, expires);
    }
}
