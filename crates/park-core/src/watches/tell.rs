//! Telling subscribers. What is told is derived from the lots; how many are told in one moment is paced,
//! so that a lot which all phones watch costs no burst, and no phone has two notices under way.

use std::time::Duration;

use dialects::{Body, DialogStyle, ParkedDialog, Profile, idle_appearances};
use sip_core::Oversize;
use sip_msg::Name;

use crate::contacts::Aor;
use crate::house::House;
use crate::keys::{Alarm, BindingKey, Owner, ParkedKey, WatchKey};
use crate::lamps;
use crate::lots::SlotId;
use crate::patience::Taken;
use crate::watches::state::{Holder, Watch};
use crate::watches::watched::{Watched, calls_of, dialog_of};

/// How many are told in one moment, and how long until the next are.
const AT_ONCE: usize = 40;
const PAUSE: Duration = Duration::from_millis(4);

/// The state of a slot has changed, and with it what these extensions see.
pub(crate) fn changed(house: &mut House, id: &SlotId, lines: &[Aor]) {
    let lines = lines.iter().cloned().map(Watched::Line);
    let place = [Watched::Slot(id.clone()), Watched::Lot(id.lot.clone(), id.domain.clone())];
    for watched in place.into_iter().chain(lines) {
        for key in house.watches.of(&watched) {
            house.watches.queue(key);
        }
    }
    tell_some(house);
}

/// What is seen may be otherwise, after new settings: whoever sees other calls is told.
pub(crate) fn look_again(house: &mut House) {
    for key in house.watches.keys() {
        house.watches.queue(key);
    }
    tell_some(house);
}

/// A phone has started anew: it is told all that it watches once more. What it has forgotten it
/// refuses, and that ends it.
pub(crate) fn tell_all_again(house: &mut House, binding: BindingKey) {
    for key in house.watches.held_by(Holder::Binding(binding)).to_vec() {
        if let Some(watch) = house.watches.get_mut(key) {
            watch.told = None;
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
        let Some(key) = house.watches.next_queued() else { return };
        tell(house, key);
    }
    house.alarms.set(Alarm::Watches, house.at + PAUSE);
}

/// Its time is up, or a phone that could not take a notice is tried again.
pub(crate) fn due(house: &mut House, key: WatchKey) {
    let Some(watch) = house.watches.get_mut(key) else { return };
    watch.rests_until = None;
    if watch.until <= house.at {
        watch.over = watch.over.or(Some("timeout"));
    } else {
        house.alarms.set(Alarm::Watch(key), watch.until);
    }
    tell(house, key);
}

/// Ends all, because we do: phones subscribe anew at once (RFC 6665 §4.1.3).
pub(crate) fn end_all(house: &mut House) {
    for key in house.watches.keys() {
        if let Some(watch) = house.watches.get_mut(key) {
            watch.over = Some("deactivated");
            house.watches.queue(key);
        }
    }
    tell_some(house);
}

/// Tells one subscriber what there is, if that is news.
pub(super) fn tell(house: &mut House, key: WatchKey) {
    let Some(watch) = house.watches.get(key) else { return };
    let calls = calls_of(house, &watch.watched);
    let id_of = |key: &ParkedKey| Some(house.lots.get(*key)?.watch_id.clone());
    let ids: Vec<Box<str>> = calls.iter().filter_map(id_of).collect();
    let is_news = watch.told.as_ref() != Some(&ids) || watch.over.is_some();
    if watch.in_flight {
        let stale = is_news && !watch.closing;
        if let Some(watch) = house.watches.get_mut(key) {
            watch.stale |= stale;
        }
        return;
    }
    let rests = watch.rests_until.is_some_and(|until| until > house.at);
    if !is_news || (rests && watch.over.is_none()) {
        return;
    }
    let body = body(house, watch, &calls, &ids);
    let appearances = match &watch.watched {
        Watched::Line(line) => Some(idle_appearances(line.domain.as_str())),
        Watched::Slot(_) | Watched::Lot(..) => None,
    };
    // A phone that has lost its connection registers anew, long before it refreshes this.
    let bound = watch.binding().and_then(|key| house.contacts.get(key)).map(|bound| bound.flow);
    let flow = bound.unwrap_or(watch.dialog.flow);
    let contact = house.contact(&flow, &watch.token);
    let Some(watch) = house.watches.get_mut(key) else { return };
    watch.closing = watch.over.is_some();
    watch.may_be_lit |= !ids.is_empty();
    watch.told = Some(ids);
    watch.in_flight = true;
    watch.version = watch.version.wrapping_add(1);
    let left = watch.until.since(house.at).as_secs();
    let standing = match watch.over {
        Some(reason) => format!("terminated;reason={reason}"),
        None => format!("active;expires={left}"),
    };
    let mut draft = watch
        .dialog
        .request("NOTIFY")
        .line(Name::Contact, format!("<{contact}>"))
        .line(Name::Event, watch.event.as_ref())
        .line(Name::SubscriptionState, standing);
    if let Some(appearances) = appearances {
        draft = draft.line(Name::CallInfo, appearances);
    }
    let draft = draft.body(&body.content_type, body.bytes).finish();
    house.layer.request(house.at, flow, Owner::Watch(key), &draft, Oversize::Stay);
}

/// What a subscriber is told of these calls, whose ids these are.
fn body(house: &House, watch: &Watch, calls: &[ParkedKey], ids: &[Box<str>]) -> Body {
    if let Watched::Line(line) = &watch.watched {
        return house.templates.callpark_info(&lamps::park_notice(house, line, calls));
    }
    let dialogs: Vec<ParkedDialog> =
        calls.iter().filter_map(|key| house.lots.get(*key)).map(dialog_of).collect();
    let told = watch.told.as_deref().unwrap_or_default();
    let gone: Vec<&str> = told.iter().filter(|id| !ids.contains(id)).map(AsRef::as_ref).collect();
    let style = style_of(house, watch.binding());
    style.full_after(&watch.entity, u64::from(watch.version), &dialogs, &gone)
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

/// A subscriber has answered a notice, or has not.
pub(crate) fn answered(house: &mut House, key: WatchKey, taken: Taken) {
    let Some(watch) = house.watches.get_mut(key) else { return };
    watch.in_flight = false;
    let stale = std::mem::take(&mut watch.stale);
    if watch.closing {
        watch.may_be_lit &= watch.told.as_ref().is_none_or(|ids| !ids.is_empty());
        return close(house, key);
    }
    if taken.status < 300 {
        watch.failures = 0;
        watch.may_be_lit = watch.told.as_ref().is_none_or(|ids| !ids.is_empty());
        if stale {
            tell(house, key);
        }
        return;
    }
    watch.failures += 1;
    let again = house.at + taken.pause(watch.failures);
    // What these say does not pass (RFC 6665 §4.2.2); anything else may.
    let lasting = matches!(taken.status, 404 | 405 | 408 | 410 | 416 | 480..=485 | 489 | 501 | 604);
    if lasting || watch.over.is_some() || watch.until <= again {
        return close(house, key);
    }
    watch.told = None;
    watch.rests_until = Some(again);
    house.alarms.set(Alarm::Watch(key), again);
}

fn close(house: &mut House, key: WatchKey) {
    house.alarms.stop(Alarm::Watch(key));
    let Some(watch) = house.watches.remove(key) else { return };
    if let (Some(binding), Watched::Line(line)) = (watch.binding(), &watch.watched) {
        lamps::subscription_over(house, binding, line, watch.may_be_lit);
    }
}
