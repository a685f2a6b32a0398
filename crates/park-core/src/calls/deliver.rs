//! Delivery: an operator has an extension rung to take a parked call. Its time to the recall goes on, and
//! anyone may still retrieve it; a recall that falls due meanwhile begins when nobody has answered.

use base::Extension;
use smallvec::SmallVec;

use crate::calls::{recall, report, ring};
use crate::contacts::Aor;
use crate::house::House;
use crate::keys::{Alarm, ParkedKey};
use crate::lots::{Delivery, Recall};
use crate::refusal::Refusal;
use crate::told::Fact;

/// Rings all phones of an extension; the first to answer has the call.
///
/// # Errors
/// The call has gone or is spoken for, the extension has no phone, or no port is left. Nothing has
/// changed then.
pub(crate) fn deliver(house: &mut House, key: ParkedKey, to: &str) -> Result<(), Refusal> {
    let call = house.lots.get(key).ok_or(Refusal::NoSuchCall)?;
    call.waits()?;
    let aor = Aor { extension: Extension::from(to), domain: call.id.domain.clone() };
    let ring_time = call.policy.recall.ring;
    let bindings = house.contacts.of(&aor);
    if bindings.is_empty() {
        let why = format!("no phone is registered as {to} at {}", aor.domain);
        return Err(Refusal::Status(480, why.into()));
    }
    let mut refusal = Refusal::NoPorts;
    let mut legs = SmallVec::new();
    for binding in bindings {
        match ring::one(house, key, binding, "") {
            Ok(leg) => legs.push(leg),
            Err(why) => refusal = why,
        }
    }
    if legs.is_empty() {
        return Err(refusal);
    }
    if let Some(call) = house.lots.get_mut(key) {
        call.delivery = Some(Delivery { to: to.into(), legs });
    }
    house.alarms.set(Alarm::Ring(key), house.at + ring_time);
    let to = to.to_owned();
    report::tell(house, key, |of| Fact::Delivering { of, to });
    Ok(())
}

/// Nobody has taken it: it waits as before, or is recalled if that fell due.
pub(crate) fn over(house: &mut House, key: ParkedKey) {
    house.alarms.stop(Alarm::Ring(key));
    let Some(call) = house.lots.get_mut(key) else { return };
    call.delivery = None;
    let (overdue, attempt) = (call.recall == Recall::Overdue, call.attempt);
    let recall_in = house.alarms.at(Alarm::Recall(key)).map(|at| at.since(house.at));
    report::tell(house, key, |of| Fact::Waiting { of, recall_in, attempt });
    if overdue {
        recall::due(house, key);
    }
}
