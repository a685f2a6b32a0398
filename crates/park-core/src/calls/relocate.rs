//! A parked call is moved to another slot or extension of its lot. What holds there holds for it, it waits
//! there behind all others, and the time to its recall goes on.

use dialects::ParkEvent;

use crate::calls::{media, park, reminder, report, soft_key};
use crate::cluster;
use crate::contacts::Aor;
use crate::house::House;
use crate::keys::{Alarm, ParkedKey};
use crate::lamps::{self, News, Seen};
use crate::lots::{self, Ask, Policy, Recall};
use crate::refusal::Refusal;
use crate::told::Fact;

/// Moves a call to a place: a slot, an extension, or a code that parks.
///
/// # Errors
/// The call has gone or is spoken for, its lot has no such place, it is there already, or there is no
/// room. Nothing has changed then.
pub(crate) fn relocate(house: &mut House, key: ParkedKey, place: &str) -> Result<(), Refusal> {
    let call = house.lots.get(key).ok_or(Refusal::NoSuchCall)?;
    call.waits()?;
    let ask = lots::typed_ask(house, &call.id.lot, place)?;
    move_to(house, key, &ask)?;
    cluster::ask_for_new_place(house, key);
    Ok(())
}

/// Moves a call that stands to the place that is meant.
pub(crate) fn move_to(house: &mut House, key: ParkedKey, ask: &Ask) -> Result<(), Refusal> {
    let call = house.lots.get(key).ok_or(Refusal::NoSuchCall)?;
    let (was, from) = (Seen::of(call), call.id.slot.clone());
    let parker = Aor { extension: call.parker.clone(), domain: call.id.domain.clone() };
    let spot = lots::spot(house, &parker, ask)?;
    cluster::usable(house, &spot.policy)?;
    if spot.id.slot == from {
        return Err(Refusal::Status(409, "the call is parked there already".into()));
    }
    house.lots.relocate(key, spot.id, spot.policy.max_calls, house.at)?;
    // Who has seen it where it was is told that this one is gone, and of another one here.
    let watch_id = house.chance.token(20);
    let Some(call) = house.lots.get_mut(key) else { return Ok(()) };
    call.watch_id = watch_id.into();
    call.group = spot.group.clone();
    call.retrieve = spot.retrieve.clone();
    let old = std::mem::replace(&mut call.policy, spot.policy);
    let recall_in = go_on(house, key, &old);
    let (group, retrieve, from) = (spot.group, spot.retrieve, from.to_string());
    report::tell(house, key, |of| Fact::Moved { of, from, group, retrieve, recall_in });
    park::page(house, key);
    soft_key::news(house, key, ParkEvent::Parked);
    if let Some(call) = house.lots.get(key) {
        let (here, slot) = (Seen::of(call), call.id.slot.to_string());
        let news = News::by(ParkEvent::Parked, call.parker.as_str());
        lamps::changed_at(house, &here, &news);
        lamps::changed_at(house, &was, &News::by(ParkEvent::Forwarded, slot));
    }
    Ok(())
}

/// What goes on in another place: the music there, its reminders, and the time to the recall, which is
/// begun or given up only where one of the two places knows no recall. Says when that is.
fn go_on(house: &mut House, key: ParkedKey, old: &Policy) -> Option<std::time::Duration> {
    let call = house.lots.get_mut(key)?;
    let (leg, after) = (call.leg, call.policy.recall.after);
    let (tune, reminder) = (call.policy.tune, call.policy.recall.reminder);
    if call.attempt == 0 {
        call.stage = call.policy.first_stage();
        match (old.recall.after.is_zero(), after.is_zero()) {
            (false, true) => {
                call.recall = Recall::Over;
                house.alarms.stop(Alarm::Recall(key));
            }
            (true, false) => {
                call.recall = Recall::Waiting;
                house.alarms.set(Alarm::Recall(key), house.at + after);
            }
            _ => {}
        }
    }
    if tune != old.tune {
        media::plan(house, leg);
    }
    if reminder != old.recall.reminder {
        reminder::begin(house, key);
    }
    house.alarms.at(Alarm::Recall(key)).map(|at| at.since(house.at))
}
