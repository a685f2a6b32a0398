//! Watches: subscriptions (RFC 6665) to what is ours, slots and whole lots, told as dialogs (RFC 4235)
//! so that a key with a lamp shows what is parked there. What is told is derived from the lots; how
//! many are told in one moment is paced, so that a lot which all phones watch costs no burst.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use base::{Domain, Flow, LotName, Moment, SlotName};
use dialects::{Dialled, DialogStyle, ParkedDialog, Place, Profile};
use rustc_hash::{FxHashMap, FxHasher};
use sip_core::{Dialog, NotOurs, Oversize, ServerKey};
use sip_msg::{Compose, Message, Name, SipUri};
use slotmap::SlotMap;

use crate::calls::event_of;
use crate::contacts::Aor;
use crate::house::House;
use crate::keys::{Alarm, BindingKey, Owner, ParkedKey, WatchKey};
use crate::lots::{self, ParkedCall, SlotId};
use crate::refusal::Refusal;

/// The event package that is told.
const DIALOG: &str = "dialog";
/// How long a subscription lasts if the phone does not say, in seconds (RFC 4235 §3.4).
const USUAL: u32 = 3600;
/// The shortest and the longest, in seconds: shorter ones are a burden, longer ones outlive phones.
const SHORTEST: u32 = 60;
const LONGEST: u32 = 86_400;
/// How many one phone may have: more than any has keys.
const MOST: usize = 256;
/// How many are told in one moment, and how long until the next are.
const AT_ONCE: usize = 40;
const PAUSE: Duration = Duration::from_millis(4);
/// How long a phone that could not take a notice is left alone.
const LEFT_ALONE: Duration = Duration::from_secs(30);

/// What is watched.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Watched {
    Slot(SlotId),
    /// All slots of a lot, as one domain sees them.
    Lot(LotName, Domain),
}

/// One subscription.
#[derive(Debug)]
struct Watch {
    token: Box<str>,
    dialog: Dialog,
    /// The Event header as it came: a phone may tell its subscriptions apart by `id`.
    event: Box<str>,
    /// What was subscribed to, literally: phones compare it.
    entity: Box<str>,
    watched: Watched,
    binding: Option<BindingKey>,
    until: Moment,
    /// Of the next notice.
    version: u32,
    told: Option<u64>,
    in_flight: bool,
    /// Stands in the queue of those to be told.
    queued: bool,
    /// The state changed while a notice was under way.
    stale: bool,
    /// Why it is over; the notice that says so is the last.
    over: Option<&'static str>,
    /// That last one is under way.
    closing: bool,
}

/// All subscriptions to what is ours.
#[derive(Debug, Default)]
pub(crate) struct Watches {
    watches: SlotMap<WatchKey, Watch>,
    by_token: FxHashMap<Box<str>, WatchKey>,
    by_watched: FxHashMap<Watched, Vec<WatchKey>>,
    by_binding: FxHashMap<BindingKey, usize>,
    queue: VecDeque<WatchKey>,
}

impl Watches {
    pub(crate) fn len(&self) -> usize {
        self.watches.len()
    }

    fn insert(&mut self, watch: Watch) -> WatchKey {
        let (token, watched, binding) = (watch.token.clone(), watch.watched.clone(), watch.binding);
        let key = self.watches.insert(watch);
        self.by_token.insert(token, key);
        self.by_watched.entry(watched).or_default().push(key);
        if let Some(binding) = binding {
            *self.by_binding.entry(binding).or_default() += 1;
        }
        key
    }

    fn remove(&mut self, key: WatchKey) {
        let Some(watch) = self.watches.remove(key) else { return };
        self.by_token.remove(&watch.token);
        if let Some(keys) = self.by_watched.get_mut(&watch.watched) {
            keys.retain(|other| *other != key);
            if keys.is_empty() {
                self.by_watched.remove(&watch.watched);
            }
        }
        if let Some(binding) = watch.binding
            && let Some(count) = self.by_binding.get_mut(&binding)
        {
            *count -= 1;
            if *count == 0 {
                self.by_binding.remove(&binding);
            }
        }
    }

    /// Puts one in the queue of those to be told.
    fn queue(&mut self, key: WatchKey) {
        if let Some(watch) = self.watches.get_mut(key)
            && !std::mem::replace(&mut watch.queued, true)
        {
            self.queue.push_back(key);
        }
    }
}

/// What a SUBSCRIBE of a phone is for, if it is ours: a slot, or a lot by its park number.
pub(crate) fn watched(house: &House, request: &Message, aor: &Aor) -> Option<Watched> {
    let (lot, dialled) = lots::watch_ask(house, aor, request.uri())?;
    let lot = house.settings.lots.get(lot)?.name.clone();
    let slot = |slot: SlotName| SlotId { lot: lot.clone(), domain: aor.domain.clone(), slot };
    match dialled {
        Dialled::Number(number) => Some(Watched::Slot(slot(number))),
        // Keys that are set to "code and slot" watch what they dial.
        Dialled::Park(Place::Slot(number)) | Dialled::Retrieve(Place::Slot(number)) => {
            Some(Watched::Slot(slot(number)))
        }
        Dialled::Park(Place::Extension(extension))
        | Dialled::Retrieve(Place::Extension(extension)) => {
            Some(Watched::Slot(slot(SlotName::from(extension.as_str()))))
        }
        Dialled::AnySlot => Some(Watched::Lot(lot, aor.domain.clone())),
        _ => None,
    }
}

/// A phone subscribes to what is ours.
pub(crate) fn open(
    house: &mut House,
    server: ServerKey,
    request: &Message,
    flow: Flow,
    binding: Option<BindingKey>,
    watched: Watched,
) {
    if let Err(refusal) = may_open(house, request, &flow, binding) {
        return house.refuse(server, request, &refusal);
    }
    if event_of(request) != DIALOG {
        let tag = house.chance.token(10);
        let draft = Compose::response_to(request, 489, None)
            .to_tag(&tag)
            .line(Name::AllowEvents, DIALOG)
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
        event: request.get(Name::Event).unwrap_or(DIALOG).into(),
        entity: request.uri().into(),
        watched,
        binding,
        until: house.at,
        version: house.settings.first_version,
        told: None,
        in_flight: false,
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
    let has = binding.and_then(|key| house.watches.by_binding.get(&key)).copied();
    if has.unwrap_or_default() >= MOST { Err(Refusal::TooMany) } else { Ok(()) }
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
    let Some(watch) = house.watches.watches.get_mut(key) else { return };
    watch.until = until;
    watch.told = None;
    watch.over = (expires == 0).then_some("timeout");
    let (token, flow) = (watch.token.to_string(), watch.dialog.flow);
    let tag = watch.dialog.local.tag().unwrap_or_default().to_string();
    let contact = house.contact(&flow, &token);
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

/// The subscription that a Request-URI of ours names.
pub(crate) fn of_uri(house: &House, uri: &str) -> Option<WatchKey> {
    house.watches.by_token.get(SipUri::read(uri)?.user()?).copied()
}

/// A request within a subscription's dialog: refreshed, or ended.
pub(crate) fn within(
    house: &mut House,
    server: ServerKey,
    request: &Message,
    flow: Flow,
    key: WatchKey,
) {
    let Some(watch) = house.watches.watches.get_mut(key) else { return };
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

/// The state of a slot has changed.
pub(crate) fn changed(house: &mut House, id: &SlotId) {
    let lot = Watched::Lot(id.lot.clone(), id.domain.clone());
    for watched in [Watched::Slot(id.clone()), lot] {
        for key in house.watches.by_watched.get(&watched).cloned().unwrap_or_default() {
            house.watches.queue(key);
        }
    }
    tell_some(house);
}

/// Tells the next ones in the queue.
pub(crate) fn tell_some(house: &mut House) {
    if house.alarms.at(Alarm::Watches).is_some_and(|at| at > house.at) {
        return;
    }
    for _ in 0..AT_ONCE {
        let Some(key) = house.watches.queue.pop_front() else { return };
        if let Some(watch) = house.watches.watches.get_mut(key) {
            watch.queued = false;
            tell(house, key);
        }
    }
    house.alarms.set(Alarm::Watches, house.at + PAUSE);
}

/// Its time is up, or a phone that could not take a notice is tried again.
pub(crate) fn due(house: &mut House, key: WatchKey) {
    let Some(watch) = house.watches.watches.get_mut(key) else { return };
    if watch.until <= house.at {
        watch.over = watch.over.or(Some("timeout"));
    } else {
        house.alarms.set(Alarm::Watch(key), watch.until);
    }
    tell(house, key);
}

/// Ends all, because we do: phones subscribe anew at once (RFC 6665 §4.1.3).
pub(crate) fn end_all(house: &mut House) {
    let keys: Vec<WatchKey> = house.watches.watches.keys().collect();
    for key in keys {
        if let Some(watch) = house.watches.watches.get_mut(key) {
            watch.over = Some("deactivated");
            house.watches.queue(key);
        }
    }
    tell_some(house);
}

/// The parked calls that a subscription shows.
fn calls_of<'h>(
    house: &'h House,
    watched: &'h Watched,
) -> impl Iterator<Item = (ParkedKey, &'h ParkedCall)> {
    let shows = move |id: &SlotId| match watched {
        Watched::Slot(slot) => id == slot,
        Watched::Lot(lot, domain) => id.lot == *lot && id.domain == *domain,
    };
    house.lots.iter().filter(move |(_, call)| shows(&call.id) && call.stands())
}

/// A parked call as a dialog: by its ids, its target or its number it can be retrieved.
pub(crate) fn dialog_of(call: &ParkedCall) -> ParkedDialog {
    let (slot, domain) = (&call.id.slot, &call.id.domain);
    ParkedDialog {
        id: call.watch_id.to_string(),
        call_id: call.watch_id.to_string(),
        local_tag: format!("{}-p", call.watch_id),
        remote_tag: format!("{}-w", call.watch_id),
        parkee_uri: call.parkee.uri.to_string(),
        parkee_name: call.parkee.name.as_deref().map(Into::into),
        local_uri: format!("sip:{slot}@{domain}"),
        target: format!("sip:{}@{domain}", call.retrieve),
    }
}

/// Tells one subscriber what there is, if that is news.
fn tell(house: &mut House, key: WatchKey) {
    let Some(watch) = house.watches.watches.get(key) else { return };
    let (calls, dialogs): (Vec<ParkedKey>, Vec<ParkedDialog>) =
        calls_of(house, &watch.watched).map(|(key, call)| (key, dialog_of(call))).unzip();
    let mut hasher = FxHasher::default();
    calls.hash(&mut hasher);
    let state = hasher.finish();
    let style = style_of(house, watch.binding);
    let bound = watch.binding.and_then(|key| house.contacts.get(key)).map(|bound| bound.flow);
    let Some(watch) = house.watches.watches.get_mut(key) else { return };
    if watch.in_flight {
        watch.stale = !watch.closing;
        return;
    }
    if watch.told == Some(state) && watch.over.is_none() {
        return;
    }
    watch.closing = watch.over.is_some();
    watch.told = Some(state);
    watch.in_flight = true;
    let left = watch.until.since(house.at).as_secs();
    let standing = match watch.over {
        Some(reason) => format!("terminated;reason={reason}"),
        None => format!("active;expires={left}"),
    };
    let body = style.full(&watch.entity, u64::from(watch.version), &dialogs);
    watch.version = watch.version.wrapping_add(1);
    // A phone that has lost its connection registers anew, long before it refreshes this.
    let flow = bound.unwrap_or(watch.dialog.flow);
    let (draft, token) = (watch.dialog.request("NOTIFY"), watch.token.to_string());
    let event = watch.event.to_string();
    let contact = house.contact(&flow, &token);
    let draft = draft
        .line(Name::Contact, format!("<{contact}>"))
        .line(Name::Event, event)
        .line(Name::SubscriptionState, standing)
        .body(&body.content_type, body.bytes)
        .finish();
    house.layer.request(house.at, flow, Owner::Watch(key), &draft, Oversize::Stay);
}

/// What kind of phone a binding's is.
pub(crate) fn profile_of(house: &House, binding: Option<BindingKey>) -> &Profile {
    let binding = binding.and_then(|key| house.contacts.get(key));
    let agent = binding.map(|binding| &*binding.user_agent).filter(|agent| !agent.is_empty());
    house.settings.profiles.of(agent)
}

/// How a phone is shown that a call is parked.
fn style_of(house: &House, binding: Option<BindingKey>) -> DialogStyle {
    profile_of(house, binding).slot_style()
}

/// A subscriber has answered a notice, or has not: 408.
pub(crate) fn answered(house: &mut House, key: WatchKey, status: u16) {
    let again = house.at + LEFT_ALONE;
    let Some(watch) = house.watches.watches.get_mut(key) else { return };
    watch.in_flight = false;
    let stale = std::mem::take(&mut watch.stale);
    if watch.closing {
        return close(house, key);
    }
    if status < 300 {
        if stale {
            tell(house, key);
        }
        return;
    }
    // What these say does not pass (RFC 6665 §4.2.2); anything else may.
    let lasting = matches!(status, 404 | 405 | 408 | 410 | 416 | 480..=485 | 489 | 501 | 604);
    if lasting || watch.over.is_some() || watch.until <= again {
        return close(house, key);
    }
    watch.told = None;
    house.alarms.set(Alarm::Watch(key), again);
}

fn close(house: &mut House, key: WatchKey) {
    house.alarms.stop(Alarm::Watch(key));
    house.watches.remove(key);
}
