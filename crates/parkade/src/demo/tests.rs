//! The demo's stage, put to use for what needs a call in the whole program.

mod operators;

use std::process::Command;
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use park_core::StreamView;

use crate::config::FastPath;
use crate::demo::seats::{CALLER, EVERYBODY};
use crate::demo::stage::Stage;
use crate::demo::steps::{
    from_one_socket, music, nothing_left, parked_at, registered, rings, talking,
};

const JAMES: usize = 2;
const BOB: usize = 3;
const ALICE: usize = 4;

/// The kernel is asked every five seconds what it has forwarded.
const COUNTED: Duration = Duration::from_secs(15);

/// James and another have registered, and James has answered Jane's call.
fn answered(stage: &mut Stage, other: usize) {
    for seat in [JAMES, other] {
        stage.act(seat, |phone, now| phone.register(now, 3600));
        stage.verify("registered", "200", |s| registered(s, seat)).unwrap();
    }
    stage.act(CALLER, |phone, now| phone.dial(now, EVERYBODY[JAMES].number));
    stage.verify("103 rings", "a call", |s| rings(s, JAMES)).unwrap();
    stage.act(JAMES, |phone, now| phone.answer(now));
}

/// James parks the call for Alice.
fn park(stage: &mut Stage) {
    stage.act(JAMES, |phone, now| phone.transfer(now, "*68105"));
    stage.verify("parked", "at 105", |s| parked_at(s, "105")).unwrap();
}

/// Jane is parked at 105 by James.
fn parked() -> Stage {
    let mut stage = Stage::open().unwrap();
    answered(&mut stage, BOB);
    stage.pass(Duration::from_millis(200)).unwrap();
    park(&mut stage);
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

/// Puts the thread, and all that it starts, into a network of its own, which forwards.
fn own_network() -> bool {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let up = || Command::new("ip").args(["link", "set", "lo", "up"]).env("PATH", &path).status();
    let made = unshare(CloneFlags::CLONE_NEWNET).is_ok()
        && up().is_ok_and(|status| status.success())
        && std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").is_ok();
    if !made {
        eprintln!("SKIPPED, it takes a network namespace and ip: this machine gives us none");
    }
    made
}

/// Packets of the calls' streams: how many the program has seen, and how many the kernel has forwarded.
fn packets(stage: &Stage) -> (u64, u64) {
    let streams = stage.house.streams().unwrap();
    let sum = |of: fn(&StreamView) -> u64| streams.iter().map(of).sum::<u64>();
    let by_kernel = sum(|stream| stream.by_kernel);
    (sum(|stream| stream.received) - by_kernel, by_kernel)
}

/// They talk, and the kernel forwards what they say: nothing of it comes to the program any more.
fn talking_by_the_kernel(stage: &mut Stage, seat: usize) {
    stage.verify("they hear each other", "their tones", |s| talking(s, CALLER, seat)).unwrap();
    let (_, before) = packets(stage);
    stage
        .verify_within(COUNTED, "the kernel forwards", "packets of both", |s| {
            let (_, by_kernel) = packets(s);
            if by_kernel >= before + 20 { Ok(String::new()) } else { Err(format!("{by_kernel}")) }
        })
        .unwrap();
    let (seen, by_kernel) = packets(stage);
    stage
        .verify_within(COUNTED, "and goes on to", "a second more", |s| match packets(s) {
            (still, more) if still == seen && more >= by_kernel + 100 => Ok(String::new()),
            (still, more) => {
                Err(format!("{more} packets, {} came to the program", still.saturating_sub(seen)))
            }
        })
        .unwrap();
}

#[test]
fn a_call_whose_packets_go_by_the_kernel_is_parked_and_retrieved_as_any_other() {
    if !own_network() {
        return;
    }
    let mut stage = match Stage::with(FastPath::Nftables, "") {
        Ok(stage) => stage,
        Err(why) => return eprintln!("SKIPPED, this machine has no fast path: {why}"),
    };
    for seat in 0..EVERYBODY.len() {
        stage.act(seat, |phone, now| phone.speak(now, true));
    }
    answered(&mut stage, ALICE);
    talking_by_the_kernel(&mut stage, JAMES);
    park(&mut stage);
    stage.listen_anew();
    stage.verify("the caller hears music", "a second of the built-in tune", music).unwrap();
    stage.act(ALICE, |phone, now| phone.dial(now, "*88"));
    talking_by_the_kernel(&mut stage, ALICE);
    let ear = &stage.phone(CALLER).latest().unwrap().media.ear;
    let changes = ear.breaks.iter().filter(|each| each.contains("SSRC")).count();
    assert_eq!((changes, ear.breaks.len()), (2, 2), "{:?}", ear.breaks);
    assert!(ear.marks >= 2, "each new source is marked");
    // The far side never sees another port than the one that it was told.
    stage.verify("from one socket", "one", from_one_socket).unwrap();
    stage.act(CALLER, |phone, now| phone.hang_up(now));
    stage.verify("nothing is left", "two bindings", |s| nothing_left(s, 2)).unwrap();
    let Stage { house, .. } = stage;
    house.end().unwrap();
}
