//! What operators order, and what stories of it begin and end with.

use std::time::Duration;

use park_core::{Command, ParkedState, Reply};
use simnet::World;

pub(crate) fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(crate) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// anna is parked at 701 by ben; the recall is due 60 s later.
pub(crate) fn parked(w: &mut World) {
    w.lot(|lot| lot.recall.after = seconds(60));
    w.phones(["ben", "carl", "dora"]).callers(["anna"]);
    w.talk("anna", "ben").transfer("ben", "701").settle();
    w.ended("ben").waits("anna");
}

/// The name of what waits longest in a slot.
pub(crate) fn at(w: &mut World, slot: &str) -> String {
    w.parked_calls().into_iter().find(|call| call.at.slot == slot).unwrap().at.park
}

/// What becomes of the call that was parked first.
pub(crate) fn state(w: &mut World) -> ParkedState {
    w.parked_calls()[0].state
}

/// Something is ordered, and done.
#[track_caller]
pub(crate) fn order(w: &mut World, command: Command) {
    let said = w.command(command.clone());
    assert_eq!(said, Reply::Done, "to {command:?}\n{}", w.ladder().text(false));
}

/// The call that waits longest in a slot is delivered to somebody's extension.
pub(crate) fn deliver(w: &mut World, slot: &str, to: &str) {
    let (park, to) = (at(w, slot), w.number(to));
    order(w, Command::Retrieve { park, to });
}

/// anna hangs up, so that every run ends the same, whoever won.
pub(crate) fn end(w: &mut World) {
    if w.phone("anna").living_calls() > 0 {
        w.hang_up("anna").settle();
    }
    w.ended("anna").nothing_parked();
}
