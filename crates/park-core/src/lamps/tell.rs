//! Telling bindings what they have not asked for: by the first way of their profile that they take.

use base::Side;
use dialects::{NoticeKind, ParkEvent};
use sip_core::Oversize;

use crate::calls::weave_changed;
use crate::contacts::Aor;
use crate::house::House;
use crate::keys::{Alarm, BindingKey, Owner, ParkedKey};
use crate::lamps::draft::draft;
use crate::lamps::line::{News, UnderWay};
use crate::lamps::seen::{Seen, visible};
use crate::lots::ParkedCall;
use crate::patience::Taken;
use crate::told::Fact;
use crate::watches;

/// A call has been parked, or taken out of its slot.
pub(crate) fn changed(house: &mut House, call: &ParkedCall, news: &News) {
    changed_at(house, &Seen::of(call), news);
}

/// The same, by what was noted of the call.
pub(crate) fn changed_at(house: &mut House, seen: &Seen, news: &News) {
    let lines = seen.by(house);
    watches::changed(house, &seen.id, &lines);
    weave_changed(house, &seen.id);
    for line in lines {
        for key in house.contacts.of(&line) {
            refresh(house, key, Some(news));
        }
    }
}

/// Reminds a parker of a call that waits, on those of its phones that see it.
pub(crate) fn remind(house: &mut House, key: ParkedKey) {
    let Some(call) = house.lots.get(key) else { return };
    let parker = Aor { extension: call.parker.clone(), domain: call.id.domain.clone() };
    if !visible(house, &parker).contains(&key) {
        return;
    }
    let news = News::from(ParkEvent::Reminder);
    for phone in house.contacts.of(&parker) {
        if watches::tells_line(house, phone, &parker) {
            watches::tell_line_again(house, phone, &parker);
        } else if let Some(binding) = house.contacts.get_mut(phone) {
            binding.line.told = None;
            refresh(house, phone, Some(&news));
        }
    }
}

/// All lamps once more: after new settings.
pub(crate) fn refresh_all(house: &mut House) {
    let keys: Vec<BindingKey> = house.contacts.keys().collect();
    for key in keys {
        refresh(house, key, None);
    }
    watches::look_again(house);
}

/// After a restart: whoever may not know how things stand is told, but for phones that do not answer:
/// they are told when they register.
pub(crate) fn restored(house: &mut House) {
    let keys: Vec<BindingKey> = house.contacts.keys().collect();
    for key in keys {
        if house.contacts.get(key).is_some_and(|binding| !binding.line.is_silent) {
            refresh(house, key, None);
        }
    }
    watches::look_again(house);
}

/// A phone has registered anew, and may have forgotten what it was told; or one is heard of again that
/// had not answered.
pub(crate) fn greet(house: &mut House, key: BindingKey) {
    watches::tell_all_again(house, key);
    tell_again(house, key);
}

/// A phone's time of rest is over.
pub(crate) fn rested(house: &mut House, key: BindingKey) {
    if let Some(binding) = house.contacts.get_mut(key) {
        binding.line.rests_until = None;
        refresh(house, key, None);
    }
}

fn tell_again(house: &mut House, key: BindingKey) {
    house.alarms.stop(Alarm::Notice(key));
    if let Some(binding) = house.contacts.get_mut(key) {
        binding.line.forget();
        refresh(house, key, None);
    }
}

/// A phone's subscription to what is parked for its own extension is over: from now on it is told
/// unasked.
pub(crate) fn subscription_over(house: &mut House, key: BindingKey, line: &Aor, may_be_lit: bool) {
    let Some(binding) = house.contacts.get_mut(key).filter(|b| b.aor == *line) else { return };
    binding.line.told = None;
    binding.line.may_be_lit |= may_be_lit;
    refresh(house, key, None);
}

/// The best way of telling that a phone has not refused.
fn kind_of(house: &House, key: BindingKey) -> Option<NoticeKind> {
    let refused = &house.contacts.get(key)?.line.refused;
    let notices = &watches::profile_of(house, Some(key)).notices;
    notices.iter().find(|kind| !refused.contains(kind)).copied()
}

/// Tells a binding what is parked for it, if that is new to it.
fn refresh(house: &mut House, key: BindingKey, news: Option<&News>) {
    let Some(kind) = kind_of(house, key) else { return };
    let Some(binding) = house.contacts.get(key) else { return };
    let line = &binding.line;
    // One teller is enough. What was lit unasked is put out so, too: the phone may keep the two apart.
    if !line.may_be_lit && watches::tells_line(house, key, &binding.aor) {
        return;
    }
    let calls = visible(house, &binding.aor);
    let id_of = |key: &ParkedKey| Some(house.lots.get(*key)?.watch_id.clone());
    let ids: Vec<Box<str>> = calls.iter().filter_map(id_of).collect();
    let is_new = line.told.as_ref() != Some(&ids) && (line.may_be_lit || !calls.is_empty());
    let rests = line.rests_until.is_some_and(|until| until > house.at);
    let waits = line.under_way.is_some() || rests;
    let told = line.told.clone().unwrap_or_default();
    let Some(binding) = house.contacts.get_mut(key) else { return };
    let line = &mut binding.line;
    if !is_new {
        if !waits {
            line.news = None;
        }
        return;
    }
    if let Some(news) = news {
        line.news = Some(news.clone());
    }
    if waits {
        line.stale |= line.under_way.is_some();
        return;
    }
    let news = line.news.take();
    line.under_way = Some(UnderWay { kind, news: news.clone(), was_lit: line.may_be_lit });
    line.may_be_lit = !calls.is_empty();
    let gone: Vec<&str> = told.iter().filter(|id| !ids.contains(id)).map(AsRef::as_ref).collect();
    let Some((flow, draft)) = draft(house, key, kind, &calls, &gone, news.as_ref()) else { return };
    if let Some(binding) = house.contacts.get_mut(key) {
        binding.line.told = Some(ids);
    }
    debug_assert_eq!(flow.side, Side::Phones);
    house.layer.request(house.at, flow, Owner::Notice(key), &draft, Oversize::Stay);
}

/// A phone has answered a notice, or has not.
pub(crate) fn answered(house: &mut House, key: BindingKey, taken: Taken) {
    let Some(binding) = house.contacts.get_mut(key) else { return };
    let line = &mut binding.line;
    let Some(UnderWay { kind, news, was_lit }) = line.under_way.take() else { return };
    let stale = std::mem::take(&mut line.stale);
    house.tally.notice(kind.word(), false, &taken);
    if taken.status < 300 {
        line.failures = 0;
        line.is_silent = false;
        if stale {
            refresh(house, key, None);
        }
        return;
    }
    // Whether it has taken it in is not known.
    line.told = None;
    line.news = line.news.take().or(news);
    let status = taken.status;
    match status {
        // These say "never": the next way of telling is tried.
        405 | 415 | 481 | 489 | 501 => {
            line.may_be_lit = was_lit;
            line.refused.push(kind);
            house.notices_refused += 1;
        }
        // Gone, it seems: when it registers again it is told.
        408 => {
            line.may_be_lit = true;
            line.is_silent = true;
        }
        _ => {
            line.may_be_lit = true;
            line.failures += 1;
            let until = line.rest(house.at, taken.pause(line.failures));
            house.alarms.set(Alarm::Notice(key), until);
        }
    }
    if let Some(binding) = house.contacts.get(key) {
        let extension = binding.aor.extension.to_string();
        house.tell(None, Fact::NoticeRefused { extension, notice: kind.word(), status });
    }
    if stale || status != 408 {
        refresh(house, key, None);
    }
}
