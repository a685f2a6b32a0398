//! Several nodes share their lots: whatever happens to them, to the store and to the way between, no call is in
//! two slots, and none is lost.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use park_core::{ClusterFact, Command, Fact, OwnSettings, PlaceSettings, Reply};
use simnet::{Houses, World};

fn seconds(s: u64) -> Duration {
    Duration::from_secs(s)
}

/// Two houses with two phones and two callers each.
fn two() -> Houses {
    let mut h = Houses::new(&["a", "b"], |w| {
        w.phones(["ben", "carl"]).callers(["anna", "axel"]);
    });
    h.settle();
    h
}

/// The same, with sound.
fn two_that_sound() -> Houses {
    let mut h = Houses::new(&["a", "b"], |w| {
        w.with_real_media().phones(["ben", "carl"]).callers(["anna", "axel"]).speak(true);
    });
    h.settle();
    h
}

/// Only one call has room in a slot.
fn one_each(w: &mut World) {
    w.lot(|lot| lot.max_calls_per_slot = 1);
}

/// How often something was told at a house.
fn told(h: &mut Houses, house: &str, fits: impl Fn(&ClusterFact) -> bool) -> usize {
    let is_it = |fact: &&Fact| matches!(fact, Fact::Cluster { what } if fits(what));
    h.at(house).facts().filter(is_it).count()
}

#[test]
fn a_call_is_retrieved_at_another_node() {
    let mut h = two_that_sound();
    h.at("a").talk("anna", "ben").transfer("ben", "701");
    h.settle().waits("a", "anna").agrees(5);
    h.at("a").ended("ben");
    h.at("b").dial("carl", "701");
    h.settle().talking(("a", "anna"), ("b", "carl"));
    assert!(h.places().is_empty());
    h.at("b").hold("carl");
    h.settle();
    h.at("b").resume("carl");
    h.settle().talking(("a", "anna"), ("b", "carl"));
    h.at("b").hang_up("carl");
    h.settle();
    h.at("a").ended("anna");
    h.tidy();
}

#[test]
fn who_was_retrieved_at_another_node_is_parked_there() {
    let mut h = two_that_sound();
    h.at("a").talk("anna", "ben").transfer("ben", "701");
    h.settle();
    h.at("b").dial("carl", "701");
    h.settle();
    h.at("b").transfer("carl", "702");
    h.settle().waits("a", "anna").agrees(5);
    assert_eq!(h.places(), ["702@b"]);
    h.at("a").dial("ben", "702");
    h.settle().talking(("a", "anna"), ("a", "ben"));
    h.tidy();
}

#[test]
fn lamps_and_lists_of_all_nodes_show_what_is_parked_at_one() {
    let mut h = two();
    h.at("b").subscribe("carl", "dialog", "701").subscribe("ben", "dialog", "700");
    h.settle();
    h.at("a").talk("anna", "ben").transfer("ben", "701");
    h.settle();
    h.at("b").lamp_shows("carl", "701", 1, 0).lamp_shows("ben", "700", 1, 0);
    let Reply::Parked { calls, lots, elsewhere } = h.at("b").command(Command::Parked) else {
        panic!("no list");
    };
    assert!(calls.is_empty());
    assert_eq!((lots[0].parked, lots[0].free), (1, 19));
    assert_eq!(
        (&*elsewhere[0].node, &*elsewhere[0].at.slot, &*elsewhere[0].parked.parker),
        ("a", "701", "101")
    );
    let order = Command::HangUp { park: elsewhere[0].at.park.clone() };
    assert!(matches!(h.at("b").command(order), Reply::Refused { status: 409, .. }));
    h.at("a").hang_up("anna");
    h.settle();
    h.at("b").lamp_shows("carl", "701", 0, 0).lamp_shows("ben", "700", 0, 0);
    h.tidy();
}

#[test]
fn a_phone_is_told_of_what_is_parked_for_it_at_another_node() {
    let mut h = two();
    h.at("a").talk("anna", "ben").transfer("ben", "*68102");
    h.settle();
    assert_eq!(h.places(), ["102@a"]);
    h.at("b").shows_parked("carl", "anna");
    h.at("b").dial("carl", "*88");
    h.settle();
    assert!(h.places().is_empty());
    h.at("b").shows_nothing_parked("carl");
    h.tidy();
}

#[test]
fn of_fifty_parks_of_three_nodes_into_one_place_one_stands() {
    let names: Vec<String> = (0..17).map(|n| format!("p{n}")).collect();
    let others: Vec<String> = (0..17).map(|n| format!("c{n}")).collect();
    let mut h = Houses::new(&["a", "b", "c"], |w| {
        one_each(w);
        w.phones(names.iter().map(String::as_str)).callers(others.iter().map(String::as_str));
    });
    for house in ["a", "b", "c"] {
        for (phone, caller) in names.iter().zip(&others) {
            h.at(house).talk(caller, phone);
        }
    }
    h.settle();
    let mut parkers = Vec::new();
    for (n, phone) in names.iter().enumerate() {
        for house in ["a", "b", "c"] {
            if parkers.len() < 50 {
                parkers.push((house, phone, &others[n]));
                h.at(house).transfer(phone, "701");
            }
        }
    }
    h.settle().agrees(1);
    assert_eq!(h.places().len(), 1);
    let mut talk_on = 0;
    for (house, phone, caller) in parkers {
        if h.at(house).phone(phone).is_up() {
            h.at(house).talking(caller, phone).transfer_came_to(phone, 486);
            talk_on += 1;
        }
    }
    assert_eq!(talk_on, 49);
    h.tidy();
}

#[test]
fn parks_into_any_slot_at_two_nodes_in_one_moment_find_a_slot_each() {
    let mut h = Houses::new(&["a", "b"], |w| {
        one_each(w);
        w.phones(["ben"]).callers(["anna"]);
    });
    for house in ["a", "b"] {
        h.at(house).talk("anna", "ben");
    }
    h.settle();
    for house in ["a", "b"] {
        h.at(house).transfer("ben", "700");
    }
    h.settle().agrees(1);
    let places = h.places();
    assert!(places == ["701@a", "702@b"] || places == ["701@b", "702@a"], "{places:?}");
    h.tidy();
}

#[test]
fn of_two_retrievers_at_two_nodes_one_has_the_call() {
    let mut h = two_that_sound();
    h.at("a").talk("anna", "ben").transfer("ben", "701");
    h.settle();
    h.at("a").dial("carl", "701");
    h.at("b").dial("carl", "701");
    h.settle();
    h.at("b").refused_with("carl", &[404, 480]);
    h.talking(("a", "anna"), ("a", "carl"));
    h.tidy();
}

#[test]
fn a_retriever_at_another_node_that_hangs_up_early_leaves_the_call_parked() {
    let mut h = two_that_sound();
    h.at("a").talk("anna", "ben").transfer("ben", "701");
    h.settle();
    h.at("b").dial("carl", "701").hang_up("carl");
    h.settle();
    if h.places().is_empty() {
        // The answer was faster; then the call has ended with the retriever's.
        h.at("a").ended("anna");
    } else {
        h.waits("a", "anna").agrees(5);
    }
    h.tidy();
}

#[test]
fn while_the_store_is_away_shared_places_are_refused_and_all_else_goes_on() {
    let mut h = Houses::new(&["a", "b"], |w| {
        w.with_real_media();
        w.lot(|lot| {
            let own = OwnSettings { shared: Some(false), ..OwnSettings::default() };
            lot.places = vec![PlaceSettings { numbers: vec![(703, 703, 3)], own }];
        });
        w.phones(["ben", "carl", "dora"]).callers(["anna", "axel"]).speak(true);
    });
    h.at("a").talk("anna", "ben").transfer("ben", "701");
    h.settle();
    h.store_away().pass(seconds(1));
    assert_eq!(told(&mut h, "a", |what| matches!(what, ClusterFact::StoreAway { .. })), 1);
    h.waits("a", "anna");
    // What was seen of other nodes lately can still be had.
    h.at("b").dial("carl", "701");
    h.settle().talking(("a", "anna"), ("b", "carl"));
    h.at("a").talk("axel", "carl").transfer("carl", "702");
    h.settle();
    h.at("a").transfer_came_to("carl", 503).talking("axel", "carl");
    // Any slot is one that is this node's own.
    h.at("a").transfer("carl", "700");
    h.settle();
    assert_eq!(h.places(), ["703@a"]);
    h.at("a").dial("dora", "703");
    h.settle().talking(("a", "axel"), ("a", "dora"));
    h.store_back().pass(seconds(2)).agrees(5);
    h.at("a").transfer("dora", "702");
    h.settle().agrees(5);
    assert_eq!(h.places(), ["702@a"]);
    h.tidy();
}

#[test]
fn a_park_whose_answer_is_lost_is_undone_and_leaves_nothing_behind() {
    let mut h = two();
    h.at("a").talk("anna", "ben");
    h.settle().lose_an_answer("a");
    h.at("a").transfer("ben", "701");
    h.settle().pass(seconds(2)).agrees(5);
    h.at("a").transfer_came_to("ben", 503).talking("anna", "ben");
    h.at("a").transfer("ben", "701");
    h.settle().agrees(5);
    assert_eq!(h.places(), ["701@a"]);
    h.tidy();
}

#[test]
fn a_call_is_parked_on_though_its_parker_has_gone_and_the_store_does_not_answer() {
    let mut h = two();
    h.at("a").talk("anna", "ben");
    h.settle().cut("a");
    h.at("a").transfer("ben", "701").pass(Duration::from_millis(50)).hang_up("ben");
    h.settle();
    assert_eq!(h.places(), ["701@a"]);
    h.at("a").waits("anna");
    h.heal("a").pass(seconds(2)).agrees(5);
    h.at("b").dial("carl", "701");
    h.settle();
    assert!(h.places().is_empty());
    h.tidy();
}

#[test]
fn after_a_partition_the_older_call_has_the_slot_and_the_other_moves() {
    let mut h = Houses::new(&["a", "b"], |w| {
        one_each(w);
        w.phones(["ben", "carl"]).callers(["anna", "axel"]);
    });
    h.at("a").talk("anna", "ben").transfer("ben", "701");
    h.settle().cut("a").pass(seconds(12));
    assert_eq!(told(&mut h, "b", |what| matches!(what, ClusterFact::NodeLost { .. })), 1);
    h.at("b").talk("anna", "ben").transfer("ben", "701");
    h.settle();
    assert_eq!(h.places(), ["701@a", "701@b"]);
    h.heal("a").pass(seconds(2)).agrees(1);
    assert_eq!(h.places(), ["701@a", "702@b"]);
    assert_eq!(told(&mut h, "b", |what| matches!(what, ClusterFact::Displaced { .. })), 1);
    h.at("b").was_told(|fact| matches!(fact, Fact::Moved { from, .. } if from == "701"));
    for house in ["a", "b"] {
        h.at(house).waits("anna");
    }
    h.tidy();
}

#[test]
fn a_call_that_has_lost_its_slot_stays_where_no_other_is_free() {
    let mut h = Houses::new(&["a", "b"], |w| {
        w.lot(|lot| {
            lot.max_calls_per_slot = 1;
            lot.slots = vec![(701, 701, 3)];
        });
        w.phones(["ben", "carl"]).callers(["anna", "axel"]);
    });
    h.at("a").talk("anna", "ben").transfer("ben", "701");
    h.settle().cut("a").pass(seconds(12));
    h.at("b").talk("anna", "ben").transfer("ben", "701");
    h.settle().heal("a").settle();
    for house in ["a", "b"] {
        h.at(house).waits("anna");
    }
    h.at("b").dial("carl", "701");
    h.settle();
    h.at("b").talking("anna", "carl");
    h.agrees(1);
    assert_eq!(h.places(), ["701@a"]);
    h.tidy();
}

#[test]
fn a_store_that_has_forgotten_everything_learns_it_again() {
    let mut h = two();
    h.at("a").talk("anna", "ben").transfer("ben", "701");
    h.at("b").talk("anna", "ben").transfer("ben", "702");
    h.settle().store_away().pass(seconds(1)).store_back_empty().pass(seconds(2)).agrees(5);
    assert_eq!(h.places(), ["701@a", "702@b"]);
    h.at("a").dial("carl", "702");
    h.settle().agrees(5);
    assert_eq!(h.places(), ["701@a"]);
    h.tidy();
}

#[test]
fn a_node_that_dies_is_taken_over_with_its_calls() {
    let mut h = two_that_sound();
    h.at("a").talk("anna", "ben").transfer("ben", "701");
    h.settle().kill("a").pass(seconds(3));
    h.at("b").talk("anna", "ben").transfer("ben", "700");
    h.settle();
    h.open_again("a").settle().waits("a", "anna").agrees(5);
    h.at("b").dial("carl", "701");
    h.settle().talking(("a", "anna"), ("b", "carl"));
    h.tidy();
}

#[test]
fn a_call_at_a_node_that_does_not_answer_is_refused_soon() {
    let mut h = two();
    h.at("a").talk("anna", "ben").transfer("ben", "701");
    h.settle().kill("a");
    h.at("b").dial("carl", "701");
    h.pass(seconds(5));
    h.at("b").refused("carl", 503);
    assert!(!h.at("b").facts().any(|fact| matches!(fact, Fact::PbxSilent { .. })));
    h.open_again("a").settle();
    h.at("b").dial("carl", "701");
    h.settle();
    assert!(h.places().is_empty());
    h.tidy();
}

#[test]
fn a_node_that_comes_back_late_has_its_slots_again() {
    let mut h = two();
    h.at("a").talk("anna", "ben").transfer("ben", "701");
    h.settle().kill("a").pass(seconds(15));
    h.at("b").dial("carl", "701");
    h.settle();
    h.at("b").refused("carl", 404);
    h.open_again("a").settle().agrees(5);
    assert_eq!(h.places(), ["701@a"]);
    h.tidy();
}

#[test]
fn a_call_that_an_operator_moves_has_its_new_slot_at_all_nodes() {
    let mut h = two();
    h.at("a").talk("anna", "ben").transfer("ben", "701");
    h.settle();
    let park = h.parked()[0].1.at.park.clone();
    let order = Command::Move { park, slot: "702".into() };
    assert_eq!(h.at("a").command(order), Reply::Done);
    h.settle().agrees(5);
    assert_eq!(h.places(), ["702@a"]);
    h.at("b").dial("carl", "702");
    h.settle();
    assert!(h.places().is_empty());
    h.tidy();
}

#[test]
fn a_phone_that_speaks_as_a_node_is_refused() {
    let mut h = two();
    h.at("a").talk("anna", "ben").transfer("ben", "701");
    h.settle();
    let park = h.parked()[0].1.at.park.clone();
    let line = format!(
        "X-Parkade-Node: b;to=a;time=10;nonce=n;user=102;domain=pbx.example;park={park};mac=00"
    );
    h.at("a").ask("carl", "INVITE", "701", &[&line], None);
    h.settle();
    h.at("a")
        .was_told(|fact| matches!(fact, Fact::Cluster { what: ClusterFact::NotBelieved { .. } }));
    assert_eq!(h.places(), ["701@a"]);
    h.tidy();
}
