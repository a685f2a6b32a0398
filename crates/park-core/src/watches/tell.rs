//! Telling subscribers. What is told is derived from the lots; how many are told in one moment is paced,
//! so that a lot which all phones watch costs no burst, and no phone has two notices under way.

use std::time::Duration;

use dialects::{DialogStyle, Profile, idle_appearances};
use sip_core::Oversize;
use sip_msg::Name;

use crate::calls::is_sips;
use crate::contacts::Aor;
use crate::house::House;
use crate::keys::{Alarm, BindingKey, Owner, WatchKey};
use crate::lamps;
use crate::lots::SlotId;
use crate::patience::Taken;
use crate::watches::state::{Holder, Over};
use crate::watches::view::View;
use crate::watches::watched::Watched;

/// How long one notice is reckoned to take: a lot that 10,000 phones watch is told in 0.6 s, and leaves
/// half a core to others.
const EACH: Duration = Duration::from_micros(60);
/// How far the reckoning may run ahead: so many are told in one moment that their answers fit into a
/// socket's usual buffer, should they all come at once.
const AHEAD: Duration = Duration::from_millis(10);
/// How long until the next are told.
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

/// A phone is told once more what is parked for its extension, by its subscription to that.
pub(crate) fn tell_line_again(house: &mut House, binding: BindingKey, line: &Aor) {
    for key in house.watches.of(&Watched::Line(line.clone())) {
        if let Some(watch) = house.watches.get_mut(key).filter(|w| w.binding() == Some(binding)) {
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
    let mut reckoned = house.watches.reckoned.max(house.at);
    let mut view = None;
    while reckoned < house.at + AHEAD {
        let Some(key) = house.watches.next_queued() else { return };
        tell_as_seen(house, key, &mut view);
        reckoned += EACH;
        house.watches.reckoned = reckoned;
    }
    house.alarms.set(Alarm::Watches, house.at + PAUSE);
}

/// Its time is up, or a phone that could not take a notice is tried again.
pub(crate) fn due(house: &mut House, key: WatchKey) {
    let Some(watch) = house.watches.get_mut(key) else { return };
    watch.rests_until = None;
    if watch.until <= house.at {
        watch.over = watch.over.or(Some(Over::Timeout));
    } else {
        house.alarms.set(Alarm::Watch(key), watch.until);
    }
    tell(house, key);
}

/// Ends all, because we do: phones subscribe anew at once (RFC 6665 §4.1.3).
pub(crate) fn end_all(house: &mut House) {
    for key in house.watches.keys() {
        if let Some(watch) = house.watches.get_mut(key) {
            watch.over = Some(Over::Deactivated);
            house.watches.queue(key);
        }
    }
    tell_some(house);
}

/// Tells one subscriber what there is, if that is news.
pub(super) fn tell(house: &mut House, key: WatchKey) {
    tell_as_seen(house, key, &mut None);
}

/// The same, with what was seen for the last one of this moment: most often it watches the same.
fn tell_as_seen(house: &mut House, key: WatchKey, view: &mut Option<View>) {
    let Some(watch) = house.watches.get(key) else { return };
    let known = view.take().filter(|view| view.is_of(&watch.watched));
    let view = view.insert(known.unwrap_or_else(|| View::of(house, &watch.watched)));
    let is_news = watch.told.as_ref() != Some(&view.ids) || watch.over.is_some();
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
    let body = view.body(house, watch, style_of(house, watch.binding()));
    let appearances = match &watch.watched {
        Watched::Line(line) => Some(idle_appearances(line.domain.as_str())),
        Watched::Slot(_) | Watched::Lot(..) => None,
    };
    // A phone that has lost its connection registers anew, long before it refreshes this.
    let bound = watch.binding().and_then(|key| house.contacts.get(key)).map(|bound| bound.flow);
    let flow = bound.unwrap_or(watch.dialog.flow);
    let contact = house.contact(&flow, &watch.token, is_sips(watch.dialog.target()));
    let Some(watch) = house.watches.get_mut(key) else { return };
    watch.closing = watch.over.is_some();
    watch.may_be_lit |= !view.ids.is_empty();
    watch.told = Some(view.ids.clone());
    watch.in_flight = true;
    watch.version = watch.version.wrapping_add(1);
    let left = watch.until.since(house.at).as_secs();
    let standing = match watch.over {
        Some(over) => format!("terminated;reason={}", over.word()),
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
    house.tally.notice(watch.watched.event(), true, &taken);
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
