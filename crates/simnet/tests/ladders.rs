//! What goes over the wire in the main stories, message by message: to be read, and to be told when
//! it changes. `cargo insta review` shows a change.

use std::time::Duration;

use insta::assert_snapshot;
use simnet::World;

/// Who says what to whom, from `mark` on.
fn since(w: &World, mark: usize) -> String {
    w.ladder().since(mark).text(false)
}

fn talking() -> (World, usize) {
    let mut w = World::with_phones(["ben", "carl"]);
    w.callers(["anna"]).talk("anna", "ben");
    let mark = w.ladder().len();
    (w, mark)
}

#[test]
fn a_call_comes_through() {
    let mut w = World::with_phones(["ben"]);
    w.callers(["anna"]);
    let mark = w.ladder().len();
    w.talk("anna", "ben").hang_up("anna").settle();
    assert_snapshot!(since(&w, mark));
    w.tidy();
}

#[test]
fn a_phone_registers_with_a_password() {
    let mut w = World::new();
    w.pbx_settings(|pbx| pbx.digest = true).phones(["ben"]);
    assert_snapshot!(since(&w, 0));
    w.tidy();
}

#[test]
fn a_call_is_parked_on_an_extension_and_retrieved() {
    let (mut w, mark) = talking();
    w.transfer("ben", "*68102").settle();
    w.dial("carl", "*88").settle();
    assert_snapshot!(since(&w, mark));
    w.tidy();
}

#[test]
fn a_held_call_is_parked_and_retrieved() {
    let (mut w, mark) = talking();
    w.hold("ben").settle();
    w.transfer("ben", "701").settle();
    w.dial("carl", "701").settle();
    assert_snapshot!(since(&w, mark));
    w.tidy();
}

#[test]
fn a_park_is_refused() {
    let (mut w, mark) = talking();
    w.transfer("ben", "*58").settle();
    assert_snapshot!(since(&w, mark));
    w.tidy();
}

#[test]
fn a_call_is_parked_by_dialling() {
    let (mut w, mark) = talking();
    w.hold("ben").settle();
    w.dial("ben", "*68").settle();
    assert_snapshot!(since(&w, mark));
    w.tidy();
}

#[test]
fn a_recall_is_refused_once_and_then_answered() {
    let mut w = World::new();
    w.lot(|lot| lot.recall.after = Duration::from_secs(60));
    w.phones(["ben"]).callers(["anna"]);
    w.talk("anna", "ben").transfer("ben", "701").settle();
    let mark = w.ladder().len();
    assert!(w.pass_until(Duration::from_secs(65), |w| w.phone("ben").rings()));
    w.decline("ben", 486).settle();
    assert!(w.pass_until(Duration::from_secs(15), |w| w.phone("ben").rings()));
    w.answer("ben").settle();
    assert_snapshot!(since(&w, mark));
    w.tidy();
}

#[test]
fn of_two_retrievers_one_wins() {
    let mut w = World::with_phones(["ben", "carl", "dora"]);
    w.callers(["anna"]).talk("anna", "ben").transfer("ben", "701").settle();
    let mark = w.ladder().len();
    w.dial("carl", "701").dial("dora", "701").settle();
    assert_snapshot!(since(&w, mark));
    w.tidy();
}
