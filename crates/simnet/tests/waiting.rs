//! Port pairs are bound ahead, some at a time: who comes while few are left waits for more, and is refused only where
//! there are no more.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use park_core::{Command, Fact};
use rtp_flow::Dry;
use simnet::{World, stories};

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Pairs come four at a time, this much later than they are ordered. One call leaves so few that the next must wait.
const LATE: Duration = Duration::from_millis(60);

fn office(w: &mut World) {
    w.with_slow_ports(LATE, 4);
    w.phones(["ben", "carl", "dora"]).callers(["anna", "axel", "amy"]);
}

/// Nobody was told that there are no ports.
fn no_want(w: &World) {
    assert!(
        !w.facts().any(|fact| matches!(fact, Fact::NoPorts { .. })),
        "{}",
        w.ladder().text(false)
    );
}

fn all_answer(w: &mut World) {
    for name in ["ben", "carl", "dora"] {
        w.rings_soon(name);
        w.answer(name).settle();
    }
    w.talking("anna", "ben").talking("axel", "carl").talking("amy", "dora");
    no_want(w);
}

stories! {
    fn calls_that_come_at_once_wait_for_ports_and_all_get_through(w) {
        office(w);
        w.dial("anna", "ben").dial("axel", "carl").dial("amy", "dora").settle();
        all_answer(w);
    }

    fn calls_whose_offers_come_with_their_answers_have_their_ports_by_then(w) {
        office(w);
        for caller in ["anna", "axel", "amy"] {
            w.habits(caller, |h| h.offers_late = true);
        }
        w.dial("anna", "ben").dial("axel", "carl").dial("amy", "dora").settle();
        for name in ["ben", "carl", "dora"] {
            w.rings_soon(name);
        }
        w.answer("ben").answer("carl").answer("dora").settle();
        w.talking("anna", "ben").talking("axel", "carl").talking("amy", "dora");
        no_want(w);
    }

    fn who_retrieves_while_ports_are_few_has_the_call_a_little_later(w) {
        office(w);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.dial("axel", "dora").dial("carl", "701").settle();
        w.talking("anna", "carl").nothing_parked();
        w.rings_soon("dora");
        w.answer("dora").settle();
        w.talking("axel", "dora");
        no_want(w);
    }

    fn who_parks_by_dialling_while_ports_are_few_has_parked_a_little_later(w) {
        office(w);
        w.talk("anna", "ben").hold("ben").settle();
        w.dial("axel", "dora").dial("ben", "*68701").settle();
        w.waits("anna").parked_at(&["701"]).rings_soon("dora");
        w.answer("dora").settle();
        w.talking("axel", "dora");
        no_want(w);
    }

    fn a_call_that_waits_for_ports_is_cancelled(w) {
        office(w);
        w.dial("anna", "ben").dial("axel", "carl").pass(ms(40)).hang_up("axel").settle();
        w.rings_soon("ben");
        w.answer("ben").settle();
        w.talking("anna", "ben").ended("carl").ended("axel");
        no_want(w);
    }
}

/// Two calls at once; the second waits, and then there are no more pairs for it.
fn two_calls_and_ports_for_one(w: &mut World) {
    w.with_port_pairs(1).with_slow_ports(LATE, 4);
    w.phones(["ben", "carl"]).callers(["anna", "axel"]);
    w.dial("anna", "ben").dial("axel", "carl").settle();
    w.rings_soon("ben");
    w.answer("ben").settle();
    w.talking("anna", "ben").ended("carl");
}

#[test]
fn who_waited_is_refused_when_the_range_turns_out_to_be_used_up() {
    let mut w = World::new();
    two_calls_and_ports_for_one(&mut w);
    w.refused_with("axel", &[480, 500, 503]);
    w.was_told(|fact| matches!(fact, Fact::NoPorts { why: Dry::UsedUp }));
    // At once, now that it is known.
    w.dial("axel", "carl").pass(LATE).refused_with("axel", &[480, 500, 503]);
    w.tidy();
}

#[test]
fn who_has_waited_for_three_seconds_is_refused() {
    let mut w = World::new();
    w.with_slow_ports(Duration::from_secs(60), 4).phones(["ben"]).callers(["anna"]);
    w.dial("anna", "ben").pass(ms(2_900));
    assert_eq!(w.counts().pending, 1);
    w.pass(ms(300));
    assert_eq!(w.counts().pending, 0);
    w.refused_with("anna", &[480, 500, 503]);
    w.was_told(|fact| matches!(fact, Fact::NoPorts { why: Dry::Coming }));
    w.tidy();
}

#[test]
fn no_more_calls_wait_than_there_may_be_legs_for() {
    let mut w = World::new();
    w.settings(|s| s.caps.legs = 2).with_slow_ports(ms(500), 4);
    w.phones(["ben", "carl"]).callers(["anna", "axel"]);
    w.dial("anna", "ben").dial("axel", "carl").pass(ms(300));
    assert_eq!(w.counts().pending, 1);
    w.refused_with("axel", &[480, 500, 503]).ended("carl").rings_soon("ben");
    w.answer("ben").settle();
    w.talking("anna", "ben").hang_up("anna").settle();
    w.tidy();
}

#[test]
fn a_recall_that_falls_due_while_ports_are_few_rings_a_little_later() {
    let mut w = World::new();
    w.lot(|lot| lot.recall.after = Duration::from_secs(10));
    office(&mut w);
    w.talk("anna", "ben").transfer("ben", "701").settle();
    w.pass_until(Duration::from_secs(12), |w| w.facts().any(|f| matches!(f, Fact::Parked { .. })));
    let parked = w.told().iter().find(|(_, told)| matches!(told.fact, Fact::Parked { .. }));
    let due = parked.unwrap().0 + Duration::from_secs(10);
    let crowd: Vec<String> = (0..12).map(|n| format!("caller{n}")).collect();
    w.callers(crowd.iter().map(String::as_str));
    w.pass(due.since(w.now()) - ms(25));
    for caller in &crowd {
        w.dial(caller, "carl");
    }
    w.pass(ms(35)).is_quiet("ben");
    assert!(w.counts().pending > 0);
    w.pass(ms(500)).rings("ben");
    no_want(&w);
    w.answer("ben").settle();
    w.talking("anna", "ben").tidy();
}

#[test]
fn who_waits_when_the_house_drains_is_refused_as_any_new_call() {
    let mut w = World::new();
    w.with_slow_ports(Duration::from_secs(1), 4).phones(["ben", "carl"]).callers(["anna", "axel"]);
    w.dial("anna", "ben").dial("axel", "carl").pass(ms(200)).rings("ben");
    w.command(Command::Drain);
    assert_eq!(w.counts().pending, 2, "one that rings, one that waits");
    w.pass(ms(1_000)).refused_with("axel", &[480, 500, 503]).is_quiet("carl");
    w.answer("ben").settle();
    w.talking("anna", "ben").tidy();
}

#[test]
fn who_waits_when_the_house_ends_is_sent_away() {
    let mut w = World::new();
    w.with_slow_ports(Duration::from_secs(60), 4).phones(["ben"]).callers(["anna"]);
    w.dial("anna", "ben").pass(ms(200));
    w.command(Command::EndAll);
    w.pass(ms(200));
    w.refused_with("anna", &[480, 500, 503]);
    assert_eq!(w.counts().pending, 0);
    w.tidy();
}
