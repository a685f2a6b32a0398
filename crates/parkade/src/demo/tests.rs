//! The demo's stage, put to use for what needs a call in the whole program.

use std::time::Duration;

use crate::demo::seats::{CALLER, EVERYBODY};
use crate::demo::stage::Stage;
use crate::demo::steps::{music, parked_at, registered, rings};

const JAMES: usize = 2;
const BOB: usize = 3;

/// Jane is parked at 105 by James.
fn parked() -> Stage {
    let mut stage = Stage::open().unwrap();
    for seat in [JAMES, BOB] {
        stage.act(seat, |phone, now| phone.register(now, 3600));
        stage.verify("registered", "200", |s| registered(s, seat)).unwrap();
    }
    stage.act(CALLER, |phone, now| phone.dial(now, EVERYBODY[JAMES].number));
    stage.verify("103 rings", "a call", |s| rings(s, JAMES)).unwrap();
    stage.act(JAMES, |phone, now| phone.answer(now));
    stage.pass(Duration::from_millis(200)).unwrap();
    stage.act(JAMES, |phone, now| phone.transfer(now, "*68105"));
    stage.verify("parked", "at 105", |s| parked_at(s, "105")).unwrap();
    stage
}

#[test]
fn who_is_parked_is_kept_through_the_grace_and_then_told_why_it_ends() {
    let mut stage = parked();
    stage.house.order_end();
    stage.act(BOB, |phone, now| phone.dial(now, "101"));
    stage
        .verify("a new call is refused", "503", |s| {
            match s.phone(BOB).latest().and_then(|call| call.refused) {
                Some(503) => Ok(String::new()),
                other => Err(format!("{other:?}")),
            }
        })
        .unwrap();
    assert!(stage.phone(CALLER).is_up());
    stage.listen_anew();
    stage.pass(Duration::from_millis(300)).unwrap();
    assert!(stage.ear().in_a_row() > 5, "{:?}", music(&stage));
    // The grace is 1 s.
    stage
        .verify("the caller is hung up on", "BYE with a Reason", |s| {
            let call = s.phone(CALLER).latest().filter(|call| !call.is_alive());
            match call.and_then(|call| call.reason.clone()) {
                Some(reason) if reason.contains("shutting down") => Ok(reason),
                other => Err(format!("{other:?}")),
            }
        })
        .unwrap();
}

#[test]
fn a_second_order_ends_the_program_at_once() {
    let stage = parked();
    stage.house.order_end();
    let Stage { house, .. } = stage;
    assert!(house.end().unwrap() < Duration::from_millis(500));
}

#[test]
fn a_step_that_does_not_hold_says_what_was_expected_and_what_was_seen() {
    let mut stage = Stage::open().unwrap();
    let patience = Duration::from_millis(50);
    let missed =
        stage.verify_within(patience, "103 is registered", "200", |s| registered(s, JAMES));
    let told = missed.unwrap_err().to_string();
    assert!(told.ends_with("103 is registered\n  expected: 200\n  seen:     no answer"), "{told}");
}
