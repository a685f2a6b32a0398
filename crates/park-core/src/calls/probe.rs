//! After a restart each far end is asked whether it is still there: it may have hung up while nobody was
//! here to hear it. An OPTIONS in the dialog changes nothing, and whoever has no such dialog says so
//! (RFC 3261 §11, §12.2.2).

use sip_msg::Name;

use crate::calls::leg::Stage;
use crate::calls::{parked, send};
use crate::house::House;
use crate::keys::{Errand, LegKey};

/// Asks the far end of a leg.
pub(crate) fn probe(house: &mut House, key: LegKey) {
    let Some(leg) = house.legs.get_mut(key).filter(|leg| leg.stage == Stage::Up) else { return };
    let draft = leg.dialog.request("OPTIONS").line(Name::Accept, "application/sdp");
    send::send_own(house, key, draft, Errand::Probe);
}

/// It has answered, or not at all.
pub(crate) fn probed(house: &mut House, key: LegKey, status: u16) {
    if matches!(status, 408 | 481) {
        parked::lost(house, key);
    }
}
