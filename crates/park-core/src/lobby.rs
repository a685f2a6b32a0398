//! Who waits for port pairs: they are bound ahead, some at a time, and many calls may come at once. A call that finds
//! few left is received when more have come, as if it had come then; so are alarms for which phones are rung. What
//! the range cannot give is refused at once.

use std::collections::VecDeque;
use std::time::Duration;

use base::{Flow, Moment, Side};
use sip_core::ServerKey;
use sip_msg::Message;

use crate::house::House;
use crate::keys::Owner;
use crate::refusal::Refusal;
use crate::{calls, caps, reception};

/// How long somebody waits at most: a caller who hears nothing for longer has given up.
const PATIENCE: Duration = Duration::from_secs(3);

/// Calls in the order in which they came, and since when alarms wait.
#[derive(Debug, Default)]
pub(crate) struct Lobby {
    guests: VecDeque<Guest>,
    /// Until when alarms are held, if they are.
    held: Option<Moment>,
}

/// An INVITE that opens a call.
#[derive(Debug)]
struct Guest {
    server: ServerKey,
    request: Message,
    flow: Flow,
    until: Moment,
}

impl Lobby {
    /// How many calls wait.
    pub(crate) fn len(&self) -> usize {
        self.guests.len()
    }

    /// When the first of them has waited long enough.
    pub(crate) fn next(&self) -> Option<Moment> {
        self.guests.front().map(|guest| guest.until)
    }

    /// When an alarm for `due` goes off: what should have by now is held.
    pub(crate) fn held(&self, now: Moment, due: Moment) -> Moment {
        if due <= now { self.held.unwrap_or(due).max(due) } else { due }
    }
}

/// Takes a request without a To tag. A call for which there are no pairs yet waits for them, if there is room; where
/// there is none, it is told so as any other.
pub(crate) fn receive(house: &mut House, server: ServerKey, request: Message, flow: Flow) {
    let must_wait = request.cseq().1 == "INVITE"
        && (house.lobby.len() > 0 || is_short(house))
        && caps::room_for_legs(house).is_ok();
    if !must_wait {
        return reception::receive(house, server, request, flow);
    }
    house.layer.adopt(server, Owner::Lobby);
    wait(house, server, request, flow);
}

fn wait(house: &mut House, server: ServerKey, request: Message, flow: Flow) {
    let until = house.at + PATIENCE;
    house.lobby.guests.push_back(Guest { server, request, flow, until });
}

/// A call goes on waiting that had come to an earlier run of the program.
pub(crate) fn goes_on(house: &mut House, server: ServerKey, flow: Flow) {
    if let Some(request) = house.layer.request_of(server).cloned() {
        wait(house, server, request, flow);
    }
}

/// Whether few pairs are ready and more can be had; then they are ordered.
fn is_short(house: &mut House) -> bool {
    // A call of an earlier run must not get another pair beside its own.
    if !house.rebinding.is_empty() {
        return true;
    }
    let is_short = house.leases.is_short(house.at);
    if is_short {
        for side in [Side::Phones, Side::Pbx] {
            calls::order_pairs(house, side);
        }
    }
    is_short
}

/// Receives those for whom there are pairs now, and those who have waited long enough.
pub(crate) fn serve(house: &mut House) {
    while let Some(until) = house.lobby.next() {
        if until > house.at && is_short(house) {
            return;
        }
        let Some(guest) = house.lobby.guests.pop_front() else { return };
        if house.layer.is_pending(guest.server) {
            reception::receive(house, guest.server, guest.request, guest.flow);
        }
    }
    if house.lobby.held.is_some() && !is_short(house) {
        house.lobby.held = None;
    }
}

/// Whether alarms for which pairs are needed must wait.
pub(crate) fn holds(house: &mut House) -> bool {
    if !is_short(house) {
        return false;
    }
    let until = *house.lobby.held.get_or_insert(house.at + PATIENCE);
    house.at < until
}

/// A call is cancelled before it was received.
pub(crate) fn cancelled(house: &mut House, invite: ServerKey) {
    let at = house.lobby.guests.iter().position(|guest| guest.server == invite);
    if let Some(guest) = at.and_then(|at| house.lobby.guests.remove(at)) {
        house.answer(guest.server, &guest.request, 487);
    }
}

/// The house ends: nobody is received any more.
pub(crate) fn send_away(house: &mut House) {
    for guest in std::mem::take(&mut house.lobby.guests) {
        house.refuse(guest.server, &guest.request, &Refusal::Draining);
    }
}
