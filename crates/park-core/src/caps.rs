//! How much there may be of everything that grows by what others ask. When it is so much, what is new is refused;
//! calls that are up and calls that are parked go on, and can be retrieved.

use base::Flow;

use crate::house::House;
use crate::refusal::Refusal;
use crate::standing::{self, Standing};

/// How much there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Transactions, those that only absorb repetitions included: from then on strangers are not heard, and from
    /// twice as many nobody outside of a call.
    pub transactions: usize,
    /// Legs, of calls and of subscriptions that pass: two each; of calls that wait for port pairs, too.
    pub legs: usize,
    /// Subscriptions to what is ours.
    pub subscriptions: usize,
    /// Registered Contacts.
    pub bindings: usize,
    /// The same of one extension: a further one takes the place of that which ends first.
    pub bindings_per_extension: usize,
}

impl Default for Caps {
    fn default() -> Caps {
        Caps {
            transactions: 200_000,
            legs: 50_000,
            subscriptions: 100_000,
            bindings: 100_000,
            bindings_per_extension: 20,
        }
    }
}

/// Whether a request cannot be heard now, as there are too many.
pub(crate) fn is_overrun(house: &House, flow: &Flow, uri: &str) -> bool {
    let (have, most) = (house.layer.len(), house.settings.caps.transactions);
    if have < most {
        return false;
    }
    match standing::of(house, flow, Some(uri)) {
        Standing::InDialog => false,
        Standing::Known | Standing::Pbx => have >= most.saturating_mul(2),
        Standing::Foreign | Standing::Neighbour | Standing::Stranger => true,
    }
}

/// Whether a further call or subscription may pass.
///
/// # Errors
/// [`Refusal::Busy`].
pub(crate) fn room_for_legs(house: &House) -> Result<(), Refusal> {
    let waiting = 2 * house.lobby.len();
    room(house.legs.len() + waiting + 2, house.settings.caps.legs, "calls and subscriptions")
}

/// Whether there may be a further subscription to what is ours.
///
/// # Errors
/// [`Refusal::Busy`].
pub(crate) fn room_for_subscription(house: &House) -> Result<(), Refusal> {
    room(house.watches.len() + 1, house.settings.caps.subscriptions, "subscriptions")
}

/// Whether a further phone may register. Those that are registered may again.
///
/// # Errors
/// [`Refusal::Busy`].
pub(crate) fn room_for_binding(house: &House, flow: &Flow) -> Result<(), Refusal> {
    if house.contacts.has_flow(flow) {
        return Ok(());
    }
    room(house.contacts.len() + 1, house.settings.caps.bindings, "registrations")
}

fn room(wanted: usize, most: usize, what: &'static str) -> Result<(), Refusal> {
    if wanted <= most { Ok(()) } else { Err(Refusal::Busy(what)) }
}
