//! Where the phone at a leg differs from others, by its profile.

use std::time::Duration;

use base::Side;
use dialects::Quirks;
use sip_msg::{Message, Name};

use crate::house::House;
use crate::keys::LegKey;
use crate::watches;

/// The quirks of the phone at a leg.
pub(crate) fn of(house: &House, key: LegKey) -> &Quirks {
    let binding = house.legs.get(key).and_then(|leg| leg.binding);
    &watches::profile_of(house, binding).quirks
}

/// Whether a response brings early media to a phone that has no use for it, and keeps silent where it
/// could ring. A reliable one is none of these: its description is an answer (RFC 3262 §5), and the
/// final response need not repeat it.
pub(crate) fn hides_early_media(house: &House, key: LegKey, response: &Message) -> bool {
    let is_phone = || house.legs.get(key).is_some_and(|leg| leg.side == Side::Phones);
    (180..190).contains(&response.status())
        && response.sdp().is_some()
        && !response.has_option(Name::Require, "100rel")
        && is_phone()
        && !of(house, key).early_media
}

/// How long the phone at a leg has to hang up by itself.
pub(crate) fn bye_grace(house: &House, key: LegKey) -> Duration {
    of(house, key).bye_grace.unwrap_or(house.settings.bye_grace)
}
