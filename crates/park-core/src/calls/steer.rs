//! What operators have done with calls: by the same rooms as if a phone had asked, but whoever operates
//! the house may do it with any call.

use crate::calls::leg::{Leg, Stage, Usage, With};
use crate::calls::{own, park, parked, recall};
use crate::house::House;
use crate::keys::{Alarm, LegKey, ParkedKey};
use crate::lots::{self, Recall, Teller};
use crate::refusal::Refusal;
use crate::told::Fact;

/// What the parkee's and the phones' side are told of an end that was ordered.
const WHY: &str = "ended by an operator";

/// Recalls a parked call now. One whose recall is over is recalled from the beginning.
///
/// # Errors
/// It has gone, or is being taken, rung for or recalled.
pub(crate) fn recall_now(house: &mut House, key: ParkedKey) -> Result<(), Refusal> {
    let call = house.lots.get_mut(key).ok_or(Refusal::NoSuchCall)?;
    call.waits()?;
    if call.recall == Recall::Over {
        (call.attempt, call.stage) = (0, call.policy.first_stage());
    }
    call.recall = Recall::Waiting;
    house.alarms.stop(Alarm::Recall(key));
    recall::due(house, key);
    Ok(())
}

/// Hangs up a parked call, whoever rings for it or is taking it.
pub(crate) fn hang_up(house: &mut House, key: ParkedKey) {
    parked::hang_up(house, key, WHY);
}

/// Parks a talking call: whoever is behind the PBX is the parkee, and the phone's leg ends. `place` is
/// what an operator types: a slot, an extension, or a park code.
///
/// # Errors
/// No such call or place, or a park that would be refused to a phone too.
pub(crate) fn park_call(house: &mut House, id: &str, place: &str) -> Result<(), Refusal> {
    let (key, leg) = call_of(house, id)?;
    let joined = leg.partner().and_then(|other| Some((other, house.legs.get(other)?)));
    let (parker, phone) = std::iter::once((key, leg))
        .chain(joined)
        .find(|(_, leg)| leg.side == base::Side::Phones && leg.partner().is_some())
        .ok_or(Refusal::Status(409, "nobody is on this call who could park it".into()))?;
    if phone.progress.is_some() {
        // Its phone is being told what has become of a transfer.
        return Err(Refusal::OfferOpen);
    }
    let aor = lots::speaker(house, phone).ok_or(Refusal::NotEntitled)?;
    let ask = lots::named_ask(house, &aor, place)?;
    let parked = park::do_park(house, parker, &ask)?;
    park::go(house, parked, Teller::Keys(parker));
    Ok(())
}

/// Ends a call, parked or not, with BYE or CANCEL to all who are on it.
///
/// # Errors
/// No such call, or it is ending already.
pub(crate) fn end(house: &mut House, id: &str) -> Result<(), Refusal> {
    let (key, leg) = call_of(house, id)?;
    if leg.stage == Stage::Ending {
        return Err(Refusal::Status(409, "this call is ending already".into()));
    }
    let (with, call_id) = (leg.with, leg.dialog.call_id().to_owned());
    match with {
        With::Parked(parked) => {
            hang_up(house, parked);
            return Ok(());
        }
        With::Retrieving(_) | With::Rung(_) => {
            let why = "the call is taking a parked one; that one can be hung up";
            return Err(Refusal::Status(409, why.into()));
        }
        With::Leg(_) | With::Nobody | With::Parking(_) | With::Telling(_) => {}
    }
    own::bye(house, key, Some(WHY));
    if let With::Leg(other) = with {
        own::bye(house, other, Some(WHY));
    }
    house.tell(Some(&call_id), Fact::Ended { leg: None, why: WHY.into() });
    Ok(())
}

fn call_of<'h>(house: &'h House, id: &str) -> Result<(LegKey, &'h Leg), Refusal> {
    let key = house.legs.by_token(id);
    let found = key.and_then(|key| Some((key, house.legs.get(key)?)));
    found.filter(|(_, leg)| leg.usage == Usage::Call).ok_or(Refusal::NoSuchCall)
}
