//! The end of everything: all calls are hung up in good order.

use crate::calls::leaving;
use crate::calls::leg::{Stage, Usage};
use crate::calls::{own, parked};
use crate::house::House;
use crate::keys::{LegKey, ParkedKey};

/// Ends every call with BYE and a reason, and every recall with CANCEL.
pub(crate) fn end_all(house: &mut House, why: &str) {
    let here = house.lots.iter().filter(|(_, call)| call.is_here());
    let parked: Vec<ParkedKey> = here.map(|(key, _)| key).collect();
    for key in parked {
        parked::hang_up(house, key, why);
    }
    for key in house.legs.keys() {
        let Some(leg) = house.legs.get(key) else { continue };
        match (leg.usage, leg.stage) {
            // A subscription is renewed by who holds it.
            (Usage::Events, _) => leaving::end_leg(house, key),
            (Usage::Call, Stage::Ending) => {}
            (Usage::Call, _) => {
                let partner = leg.partner();
                own::bye(house, key, Some(why));
                if let Some(partner) = partner {
                    own::bye(house, partner, Some(why));
                }
            }
        }
    }
}

/// The Call-ID of a leg.
pub(crate) fn call_id(house: &House, key: LegKey) -> String {
    house.legs.get(key).map(|leg| leg.dialog.call_id().to_string()).unwrap_or_default()
}
