//! Reminders: while a call waits, its parker is told so again and again, where the lot wants it.

use dialects::ParkEvent;

use crate::calls::{report, soft_key};
use crate::house::House;
use crate::keys::{Alarm, ParkedKey};
use crate::lamps;
use crate::lots::Recall;
use crate::told::Fact;

/// From now on, at the interval that holds now: the park stands, or the settings are new.
pub(crate) fn begin(house: &mut House, key: ParkedKey) {
    let Some(call) = house.lots.get(key).filter(|call| call.stands()) else { return };
    let every = call.policy.recall.reminder;
    if every.is_zero() {
        house.alarms.stop(Alarm::Remind(key));
    } else {
        house.alarms.set(Alarm::Remind(key), house.at + every);
    }
}

/// It is time: the parker's phone that monitors the park is told, and those that see the call. One that
/// rings for it needs no reminder.
pub(crate) fn due(house: &mut House, key: ParkedKey) {
    begin(house, key);
    let Some(call) = house.lots.get(key) else { return };
    if call.claim.is_some() || matches!(call.recall, Recall::Ringing { .. }) {
        return;
    }
    let parker = call.parker.to_string();
    report::tell(house, key, |of| Fact::Reminded { of, parker });
    soft_key::news(house, key, ParkEvent::Reminder);
    lamps::remind(house, key);
}
