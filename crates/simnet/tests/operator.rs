//! What operators see: calls, phones, groups, subscriptions and lots as they stand.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod shared;

use std::time::Duration;

use park_core::{
    CallState, CallView, CallsIn, Command, LegMedia, LegStage, LegsIn, NoticesTold, ParkedState,
    Reply, Watches,
};
use shared::with_sales;
use simnet::{Fault, World, stories};

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn calls(w: &mut World) -> Vec<CallView> {
    match w.command(Command::Calls { call: None }) {
        Reply::Calls { calls } => calls,
        other => panic!("{other:?}"),
    }
}

/// The only call that there is.
fn the_call(w: &mut World) -> CallView {
    let mut calls = calls(w);
    assert_eq!(calls.len(), 1, "{calls:#?}");
    calls.remove(0)
}

stories! {
    fn a_call_is_one_entry_from_its_beginning_through_park_and_retrieve_to_its_end(w) {
        w.phones(["ben", "carl"]).callers(["anna"]);
        let (anna, ben, carl) = (w.number("anna"), w.number("ben"), w.number("carl"));
        w.dial("anna", "ben").rings_soon("ben").settle();
        let call = the_call(w);
        // A 180 by UDP may be lost; then nobody knows that it rings.
        assert!(matches!(call.state, CallState::Setup | CallState::Ringing), "{call:?}");
        assert_eq!(call.answered_for_s, None);
        assert_eq!((call.caller.as_str(), call.callee.as_str()), (anna.as_str(), ben.as_str()));
        assert_eq!(call.caller_name.as_deref(), Some("Anna"));
        let id = call.id;
        w.answer("ben").settle();
        w.pass(seconds(5));
        let call = the_call(w);
        assert_eq!((call.state, &call.id), (CallState::Talking, &id));
        assert!(call.answered_for_s.is_some_and(|s| (5..15).contains(&s)), "{call:?}");
        let legs: Vec<_> = call.legs.iter().map(|leg| (leg.side.as_str(), leg.stage, leg.media)).collect();
        assert_eq!(legs, [
            ("pbx", LegStage::Up, LegMedia::Relayed),
            ("phones", LegStage::Up, LegMedia::Relayed),
        ]);
        assert!(call.legs.iter().all(|leg| leg.codec.as_deref() == Some("PCMA") && !leg.on_hold));
        w.hold("ben").settle();
        assert!(the_call(w).legs.iter().any(|leg| leg.side == "phones" && leg.on_hold));
        w.resume("ben").settle();
        w.transfer("ben", "701").settle();
        let (call, parked) = (the_call(w), w.parked_calls().remove(0));
        assert_eq!((call.state, call.park, &call.id), (CallState::Parked, Some(parked.at.park), &id));
        assert_eq!((call.caller.as_str(), call.callee.as_str()), (anna.as_str(), ""));
        assert_eq!(call.legs.len(), 1);
        assert_eq!(call.legs[0].media, LegMedia::Music);
        w.dial("carl", "701").settle();
        let call = the_call(w);
        assert_eq!((call.state, &call.id, call.park), (CallState::Talking, &id, None));
        assert_eq!((call.caller.as_str(), call.callee.as_str()), (anna.as_str(), carl.as_str()));
        w.hang_up("carl").settle();
        assert_eq!(calls(w), []);
    }

    fn who_rings_for_a_parked_call_is_shown_with_it(w) {
        w.lot(|lot| lot.recall.after = seconds(60));
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        assert!(w.pass_until(seconds(65), |w| w.phone("ben").rings()));
        let (call, parked) = (the_call(w), w.parked_calls().remove(0));
        assert_eq!((call.state, parked.state), (CallState::Recalling, ParkedState::Recalling));
        assert_eq!((parked.attempt, parked.recall_in_s), (1, None));
        assert_eq!(call.legs.len(), 2);
        assert_eq!(call.legs[1].party, w.number("ben"));
        w.answer("ben").settle();
        w.talking("anna", "ben");
    }
}

#[test]
fn a_call_says_that_it_rings_and_a_parked_one_how_it_is_retrieved_and_since_when() {
    let mut w = World::new();
    w.lot(|lot| lot.recall.after = seconds(60));
    w.phones(["ben", "carl"]).callers(["anna"]);
    w.dial("anna", "ben").rings_soon("ben");
    assert_eq!(the_call(&mut w).state, CallState::Setup);
    w.settle();
    assert_eq!(the_call(&mut w).state, CallState::Ringing);
    w.answer("ben").settle();
    w.transfer("ben", "*68102").settle();
    let parked = w.parked_calls().remove(0);
    assert_eq!((parked.at.slot.as_str(), parked.parked.retrieve.as_str()), ("102", "*88102"));
    let since = w.now().as_micros() - parked.since_us;
    assert!(since / 1_000_000 == parked.parked_for_s, "{since} {}", parked.parked_for_s);
    assert!(parked.recall_in_s.is_some_and(|s| s <= 60 && s > 50));
    assert_eq!(parked.at.park.len(), 20);
    w.tidy();
}

#[test]
fn lots_say_what_phones_dial_and_groups_how_many_calls_they_have() {
    let mut w = World::new();
    with_sales(&mut w);
    w.lot(|lot| lot.slots = vec![(701, 703, 3), (9, 9, 3)]);
    w.phones(["ben", "carl"]).callers(["anna"]);
    w.talk("anna", "ben").transfer("ben", "*58").settle();
    let lot = w.lot_views().remove(0);
    assert_eq!((lot.parked, lot.slots, lot.free), (1, 4, 4));
    assert_eq!(lot.ranges, ["701-703", "009"]);
    assert_eq!((lot.most_per_slot, lot.recall_s), (5, Some(300)));
    let codes = [&lot.park, &lot.group_park, &lot.retrieve].map(String::as_str);
    assert_eq!((codes, lot.any_slot.as_deref()), (["*68", "*58", "*88"], Some("700")));
    let Reply::Groups { groups } = w.command(Command::Groups) else { panic!("no groups") };
    assert_eq!(groups.len(), 1);
    assert_eq!((groups[0].name.as_str(), groups[0].parked), ("sales", 1));
    assert_eq!(groups[0].members, ["101", "102", "103"]);
    w.tidy();
}

#[test]
fn who_is_registered_and_who_watches_what_is_listed() {
    let mut w = World::new();
    w.phones(["ben", "carl", "dora"]);
    let Reply::Bindings { bindings } = w.command(Command::Bindings) else { panic!("none") };
    let extensions: Vec<&str> = bindings.iter().map(|b| b.extension.as_str()).collect();
    assert_eq!(extensions, ["101", "102", "103"]);
    let ben = &bindings[0];
    assert_eq!((ben.transport.as_str(), ben.domain.as_str()), ("udp", "pbx.example"));
    assert!(ben.contact.starts_with("sip:101@") && ben.contact.contains(&ben.at), "{ben:?}");
    assert!(!ben.user_agent.is_empty() && !ben.profile.is_empty() && ben.expires_in_s > 1_000);
    w.subscribe("ben", "dialog", "701").subscribe("ben", "dialog", "700");
    w.watch_line("carl", "carl").subscribe("dora", "dialog", "carl").settle();
    let list = |w: &mut World| match w.command(Command::Subscriptions) {
        Reply::Subscriptions { subscriptions } => subscriptions,
        other => panic!("{other:?}"),
    };
    let all = list(&mut w);
    let short: Vec<_> = all
        .iter()
        .map(|s| (s.who.as_str(), s.event.as_str(), s.watches, s.what.as_str()))
        .collect();
    assert_eq!(
        short,
        [
            ("101", "dialog", Watches::Slot, "701"),
            ("101", "dialog", Watches::Lot, "office"),
            ("102", "call-info", Watches::Line, "102"),
            ("103", "dialog", Watches::Extension, "102"),
        ]
    );
    assert!(all.iter().all(|s| s.expires_in_s > 500 && s.expires_in_s <= 600), "{all:#?}");
    for name in ["ben", "carl", "dora"] {
        w.unsubscribe(name);
    }
    w.settle().pass(seconds(40));
    assert_eq!(list(&mut w), []);
    w.tidy();
}

#[test]
fn a_house_that_drains_says_so_and_takes_calls_again_when_it_is_told() {
    let mut w = World::new();
    w.phones(["ben", "carl"]);
    w.command(Command::Drain);
    assert!(w.counts().draining);
    w.dial("carl", "ben").settle();
    w.refused("carl", 503);
    assert_eq!(w.command(Command::Undrain), Reply::Done);
    assert!(!w.counts().draining);
    w.talk("carl", "ben").tidy();
}

#[test]
fn what_goes_wrong_and_what_is_told_is_counted() {
    let metrics = |w: &mut World| match w.command(Command::Metrics) {
        Reply::Metrics(metrics) => *metrics,
        other => panic!("{other:?}"),
    };
    let mut w = World::new();
    w.phones(["ben", "carl", "dora"]).callers(["anna"]);
    w.habits("carl", |h| h.notice_statuses = vec![("park-info", 489)]);
    w.subscribe("dora", "dialog", "102").subscribe("ben", "dialog", "700").settle();
    let before = metrics(&mut w);
    assert_eq!(
        (before.repeated, before.absorbed, before.timed_out, before.undelivered),
        (0, 0, 0, 0)
    );
    assert_eq!((before.calls, before.malformed), (vec![], vec![]));
    // The 200 to the REFER's NOTIFY is lost, and a REFER comes twice.
    w.talk("anna", "ben");
    let begun = w.datagrams();
    w.spoil(begun, Fault::Duplicate).spoil(begun + 4, Fault::Drop);
    w.transfer("ben", "*68102").settle();
    let parked = metrics(&mut w);
    assert!(parked.repeated > 0 && parked.absorbed > 0, "{parked:#?}");
    assert_eq!(parked.calls, [CallsIn { state: CallState::Parked, calls: 1 }]);
    assert_eq!(parked.legs, [LegsIn { side: "pbx".into(), stage: LegStage::Up, legs: 1 }]);
    assert_eq!(parked.counts, w.counts());
    let count = |notice: &str, subscribed: bool, answer: &str| {
        let is_it = |told: &&NoticesTold| {
            told.notice == notice && told.subscribed == subscribed && told.answer == answer
        };
        parked.notices.iter().find(is_it).map_or(0, |told| told.notices)
    };
    assert_eq!((count("park-info", false, "4xx"), count("call-info", false, "2xx")), (1, 1));
    assert!(count("dialog", true, "2xx") >= 2, "{:?}", parked.notices);
    let pbx = parked.pairs.iter().find(|pairs| pairs.side == "pbx").unwrap();
    assert_eq!((parked.pairs.len(), pbx.leased), (2, 1));
    assert!(pbx.ready > 0);
    // A phone that is dead does not answer, and nonsense is no SIP.
    w.switch_off("carl").hang_up("anna").throw("dora", b"DANCE sip:x SIP/2.0\r\n\r\n");
    w.pass(seconds(40));
    let after = metrics(&mut w);
    assert!(after.timed_out > 0, "{after:#?}");
    assert_eq!(
        after.malformed.iter().map(|wrong| wrong.messages).sum::<u64>(),
        after.counts.dropped
    );
    assert!(after.counts.dropped > 0);
    assert!(after.notices.iter().any(|told| told.answer == "none"), "{:?}", after.notices);
    assert_eq!((after.calls, after.legs), (vec![], vec![]));
    w.tidy();
}
