//! What a lot decides: which slot a call gets, who may take it, whose phone rings when its time is up.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use base::{Domain, LotName};
use dialects::{ProfileText, Profiles};
use park_core::{
    Fact, FindSlot, GroupSettings, LotSettings, OwnSettings, PlaceSettings, RecallThen,
};
use simnet::{MUSIC, World, stories};

/// Some slots of the first lot have this of their own.
fn place(w: &mut World, numbers: (u32, u32), own: OwnSettings) {
    w.lot(|lot| lot.places.push(PlaceSettings { numbers: vec![(numbers.0, numbers.1, 3)], own }));
}

/// ben, carl and dora are the group sales, which has this of its own.
fn sales(w: &mut World, own: OwnSettings) {
    let members = ["101".into(), "102".into(), "103".into()].to_vec();
    w.lot(|lot| lot.groups.push(GroupSettings { name: "sales".into(), members, own }));
}

/// What somebody's phone has been told of parked calls, in all.
fn all_told(w: &World, name: &str) -> String {
    let phone = w.phone(name);
    let notices = phone.notices().iter().map(|notice| notice.body.clone());
    let lamps = phone.watches().map(|(.., body)| body.to_owned());
    notices.chain(lamps).collect()
}

stories! {
    fn the_park_number_takes_the_slot_after_the_last_one_where_the_lot_says_next(w) {
        w.is_not_restarted();
        w.lot(|lot| { lot.find_slot = FindSlot::Next; lot.slots = vec![(701, 702, 3)]; });
        w.phones(["ben"]).callers(["anna", "axel", "amy"]);
        w.talk("anna", "ben").transfer("ben", "700").settle();
        w.parked_at(&["701"]).hang_up("anna").settle();
        w.talk("axel", "ben").transfer("ben", "700").settle();
        w.parked_at(&["702"]).hang_up("axel").settle();
        w.talk("amy", "ben").transfer("ben", "700").settle();
        w.parked_at(&["701"]);
    }

    fn the_park_number_takes_the_first_free_slot(w) {
        w.phones(["ben"]).callers(["anna", "axel"]);
        w.talk("anna", "ben").transfer("ben", "700").settle();
        w.parked_at(&["701"]).hang_up("anna").settle();
        w.talk("axel", "ben").transfer("ben", "700").settle();
        w.parked_at(&["701"]);
    }

    fn who_is_not_named_may_not_retrieve(w) {
        w.lot(|lot| lot.retrievers = vec!["102".into()]);
        w.phones(["ben", "carl", "dora"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.dial("dora", "701").settle();
        w.refused("dora", 403).hears("anna", MUSIC).dial("carl", "701").settle();
        w.talking("anna", "carl");
    }

    fn a_recall_rings_the_very_phone_that_parked_where_the_lot_says_so(w) {
        w.lot(|lot| {
            lot.recall.same_phone = true;
            lot.recall.after = Duration::from_secs(20);
        });
        w.phones(["ben"]).second_phone("benny", "ben").callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.pass(Duration::from_secs(22)).rings("ben").is_quiet("benny");
        w.answer("ben").settle();
        w.talking("anna", "ben");
    }

    fn a_slot_has_room_for_as_many_calls_as_it_says_itself(w) {
        place(w, (701, 701), OwnSettings { max_calls_per_slot: Some(1), ..OwnSettings::default() });
        w.phones(["ben"]).callers(["anna", "axel", "amy"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.talk("axel", "ben").transfer("ben", "701").settle();
        w.transfer_came_to("ben", 486).talking("axel", "ben").transfer("ben", "702").settle();
        w.talk("amy", "ben").transfer("ben", "702").settle();
        w.parked_at(&["701", "702", "702"]);
    }

    fn a_slot_and_an_extension_say_themselves_who_may_retrieve(w) {
        w.lot(|lot| lot.retrievers = vec!["102".into()]);
        let of_dora = || OwnSettings { retrievers: Some(vec!["103".into()]), ..OwnSettings::default() };
        place(w, (702, 705), of_dora());
        place(w, (102, 102), of_dora());
        w.phones(["ben", "carl", "dora"]).callers(["anna", "axel", "amy"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.talk("axel", "ben").transfer("ben", "702").settle();
        w.talk("amy", "ben").transfer("ben", "*68102").settle();
        w.dial("carl", "702").settle();
        w.refused("carl", 403).dial("carl", "*88").settle();
        w.refused("carl", 403).dial("dora", "701").settle();
        w.refused("dora", 403).parked_at(&["701", "702", "102"]);
        w.dial("dora", "702").settle();
        w.talking("axel", "dora").dial("carl", "701").settle();
        w.talking("anna", "carl");
    }

    fn a_call_is_not_taken_by_its_ids_either_where_its_slot_does_not_let(w) {
        let nobody_else = OwnSettings { retrievers: Some(vec!["101".into()]), ..OwnSettings::default() };
        place(w, (701, 701), nobody_else);
        w.phones(["ben", "carl"]).callers(["anna"]);
        w.talk("anna", "ben");
        w.transfer("ben", "701").settle();
        let id = w.parked_calls()[0].call_id.clone();
        let call = w.phone("ben").latest().unwrap().dialog.clone();
        let ids = format!("{id};to-tag={};from-tag={}", call.local_tag, call.remote_tag.unwrap());
        w.dial_replacing("carl", "701", &ids).settle();
        w.refused("carl", 403).waits("anna");
    }

    fn a_slot_has_a_recall_of_its_own(w) {
        w.lot(|lot| lot.recall.after = Duration::from_secs(200));
        let mut recall = park_core::RecallSettings::default();
        (recall.after, recall.attempts) = (Duration::from_secs(20), 1);
        recall.then = RecallThen::Hangup;
        place(w, (702, 702), OwnSettings { recall: Some(recall), ..OwnSettings::default() });
        w.phones(["ben"]).callers(["anna", "axel"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.talk("axel", "ben").transfer("ben", "702").settle();
        w.pass(Duration::from_secs(22)).rings("ben").decline("ben", 486).settle();
        w.ended("axel").waits("anna").parked_at(&["701"]);
    }

    fn a_slot_and_a_group_have_music_of_their_own_and_the_slots_goes_first(w) {
        place(w, (701, 701), OwnSettings { tune: Some(2), ..OwnSettings::default() });
        place(w, (103, 103), OwnSettings { tune: Some(3), ..OwnSettings::default() });
        sales(w, OwnSettings { tune: Some(1), ..OwnSettings::default() });
        w.phones(["ben", "carl", "dora"]).callers(["anna", "axel", "amy", "arno"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.talk("axel", "ben").transfer("ben", "*58").settle();
        w.talk("amy", "ben").transfer("ben", "*58").settle();
        w.talk("arno", "ben").transfer("ben", "702").settle();
        w.parked_at(&["701", "702", "102", "103"]);
        w.hears_tune("anna", 2).hears_tune("axel", 1).hears_tune("amy", 3).hears_tune("arno", 0);
    }

    fn a_group_has_room_and_retrievers_of_its_own(w) {
        sales(w, OwnSettings {
            max_calls_per_slot: Some(1),
            retrievers: Some(vec!["103".into()]),
            ..OwnSettings::default()
        });
        w.phones(["ben", "carl", "dora"]).callers(["anna", "axel", "amy", "arno"]);
        for caller in ["anna", "axel", "amy"] {
            w.talk(caller, "ben").transfer("ben", "*58").settle();
        }
        w.parked_at(&["102", "103", "101"]);
        w.talk("arno", "ben").transfer("ben", "*58").settle();
        w.transfer_came_to("ben", 404).talking("arno", "ben").transfer("ben", "*68102").settle();
        // What is parked at an extension by itself is for whoever the lot lets.
        w.parked_at(&["102", "102", "103", "101"]).dial("carl", "*88").settle();
        w.talking("arno", "carl").dial("dora", "*88102").settle();
        w.talking("anna", "dora");
    }

    fn new_settings_hold_for_what_is_parked_already(w) {
        w.phones(["ben", "carl", "dora"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.hears_tune("anna", 0);
        w.reload(|s| { s.lots[0].retrievers = vec!["103".into()]; s.lots[0].tune = 1; });
        w.settle().hears_tune("anna", 1).dial("carl", "701").settle();
        w.refused("carl", 403).dial("dora", "701").settle();
        w.talking("anna", "dora");
    }

    fn new_slots_and_a_new_time_to_the_recall_hold_from_the_next_park_on(w) {
        w.phones(["ben", "carl"]).callers(["anna", "axel"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.reload(|s| {
            s.lots[0].slots = vec![(801, 802, 3)];
            s.lots[0].recall.after = Duration::from_secs(20);
        });
        w.talk("axel", "ben").transfer("ben", "801").settle();
        w.parked_at(&["701", "801"]).free_slots(1).pass(Duration::from_secs(20));
        w.rings("ben").answer("ben").settle();
        w.talking("axel", "ben").waits("anna");
    }

    fn the_lots_number_takes_what_waits_longest_for_who_has_no_call(w) {
        w.phones(["ben", "carl", "dora"]).callers(["anna", "axel", "amy"]);
        w.talk("amy", "ben").transfer("ben", "*68102").settle();
        w.talk("anna", "ben").transfer("ben", "702").settle();
        w.talk("axel", "ben").transfer("ben", "700").settle();
        w.parked_at(&["102", "701", "702"]).dial("carl", "700").settle();
        w.talking("anna", "carl").dial("dora", "*88700").settle();
        w.talking("axel", "dora").hang_up("axel").settle();
        // What waits at an extension is for that extension.
        w.dial("dora", "700").settle();
        w.refused("dora", 404).parked_at(&["102"]);
    }

    fn a_lot_says_how_many_slots_it_has_left_and_when_it_is_full(w) {
        w.lot(|lot| lot.slots = vec![(701, 702, 3)]);
        w.phones(["ben"]).callers(["anna", "axel", "amy"]);
        w.free_slots(2).talk("anna", "ben").transfer("ben", "700").settle();
        w.was_told(|fact| matches!(fact, Fact::Parked { free: Some(1), .. })).free_slots(1);
        w.talk("axel", "ben").transfer("ben", "700").settle();
        w.was_told(|fact| matches!(fact, Fact::Parked { free: Some(0), .. })).free_slots(0);
        w.talk("amy", "ben").transfer("ben", "700").settle();
        w.transfer_came_to("ben", 486).talking("amy", "ben");
        w.was_told(|fact| matches!(fact, Fact::Refused { status: 486, .. }));
        w.transfer("ben", "*68").settle();
        w.was_told(|fact| matches!(fact, Fact::Parked { free: None, .. })).free_slots(0);
        w.hang_up("anna").settle();
        w.free_slots(1);
    }

    fn who_is_to_be_paged_is_told_once_when_the_park_stands(w) {
        w.lot(|lot| lot.page = "zone 1".into());
        place(w, (702, 702), OwnSettings { page: Some(String::new()), ..OwnSettings::default() });
        w.phones(["ben"]).callers(["anna", "axel"]);
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.talk("axel", "ben").transfer("ben", "702").settle();
        let pages: Vec<Fact> =
            w.facts().filter(|fact| matches!(fact, Fact::Page { .. })).cloned().collect();
        let call = w.parked_calls().remove(0);
        let of = call.at;
        assert_eq!(pages, [Fact::Page {
            of,
            page: "zone 1".into(),
            retrieve: "701".into(),
            name: Some("Anna".into()),
            parkee: w.number("anna"),
            parker: "101".into(),
        }]);
    }

    fn lamps_and_notices_hide_who_is_parked_where_the_lot_says_so(w) {
        w.lot(|lot| lot.names_parkee = false);
        w.phones(["ben", "carl"]).callers(["anna", "axel"]);
        w.subscribe("carl", "dialog", "701").settle();
        w.subscribe("carl", "dialog", "101").settle();
        w.talk("anna", "ben").transfer("ben", "701").settle();
        w.talk("axel", "ben").transfer("ben", "*68").settle();
        w.lamp_shows("carl", "701", 1, 0).lamp_shows("carl", "101", 1, 0);
        assert!(w.phone("ben").parked_shown().unwrap().contains("anonymous"));
        for told in [all_told(w, "ben"), all_told(w, "carl")] {
            assert!(!told.contains("+3317600") && !told.contains("Axel"), "{told}");
        }
        w.dial("carl", "701").settle();
        w.is_shown("carl", "anna").dial("ben", "*88").settle();
        w.is_shown("ben", "axel").nothing_parked();
    }

    fn lamps_and_notices_hide_who_is_parked_from_the_phones_of_a_profile(w) {
        w.settings(|s| {
            s.profiles = Profiles::new(&[ProfileText {
                name: "hall".into(),
                user_agent: "^Hall phone".into(),
                names_parkee: Some(false),
                ..ProfileText::default()
            }])
            .unwrap();
        });
        w.new_phones(["ben", "carl", "dora"]);
        w.account("carl", |account| account.user_agent = "Hall phone 1.0".into());
        w.phones([]).callers(["anna"]);
        for name in ["carl", "dora"] {
            w.subscribe(name, "dialog", "102").settle();
        }
        w.talk("anna", "ben").transfer("ben", "*68102").settle();
        w.lamp_shows("carl", "102", 1, 0).lamp_shows("dora", "102", 1, 0);
        assert!(w.phone("carl").parked_shown().unwrap().contains("anonymous"));
        assert!(!all_told(w, "carl").contains("+3317600"));
        assert!(all_told(w, "dora").contains("+3317600"));
        w.dial("carl", "*88").settle();
        w.is_shown("carl", "anna").nothing_parked();
    }

    fn several_calls_of_a_slot_are_listed_in_the_order_in_which_they_came(w) {
        w.phones(["ben", "carl"]).callers(["anna", "axel", "amy"]);
        w.subscribe("ben", "dialog", "*88102").settle();
        for caller in ["axel", "anna", "amy"] {
            w.talk(caller, "ben").transfer("ben", "*68102").settle();
        }
        let wanted = ["axel", "anna", "amy"].map(|name| w.number(name));
        let listed: Vec<String> = w.parked_calls().into_iter().map(|call| call.parked.parkee).collect();
        assert_eq!(listed, wanted);
        let lamp = w.phone("ben").watched("*88102").unwrap().last().unwrap().clone();
        let screen = w.phone("carl").parked_shown().unwrap().to_owned();
        for shown in [lamp, screen] {
            let places: Vec<usize> =
                wanted.iter().map(|number| shown.find(number.as_str()).unwrap()).collect();
            assert!(places.is_sorted(), "{shown}");
        }
    }

    fn one_lot_is_a_lot_of_its_own_for_each_domain(w) {
        w.new_phones(["ben", "carl"]);
        w.account("carl", |account| account.domain = "other.example".into());
        w.phones([]).callers(["anna", "axel"]);
        w.subscribe("ben", "dialog", "701").settle();
        w.talk("anna", "ben").talk("axel", "carl");
        w.transfer("ben", "701").settle();
        w.transfer("carl", "701").settle();
        w.parked_at(&["701", "701"]).lamp_shows("ben", "701", 1, 0);
        assert_eq!(w.lot_views().iter().map(|lot| (lot.parked, lot.free)).collect::<Vec<_>>(), [(1, 19), (1, 19)]);
        w.dial("carl", "701").settle();
        w.talking("axel", "carl").waits("anna").dial("ben", "701").settle();
        w.talking("anna", "ben");
    }

    fn several_lots_of_one_domain_have_slots_and_groups_of_their_own(w) {
        w.settings(|s| {
            let group = |name: &str, member: &str| GroupSettings {
                name: name.into(),
                members: vec![member.into(), "109".into()],
                own: OwnSettings::default(),
            };
            s.lots[0].groups = vec![group("sales", "101")];
            s.lots.push(LotSettings {
                name: LotName::from("support"),
                slots: vec![(801, 809, 3)],
                any_slot: Some("800".into()),
                groups: vec![group("second line", "102")],
                ..LotSettings::default()
            });
        });
        w.phones(["ben", "carl"]).callers(["anna", "axel", "amy"]);
        w.subscribe("ben", "dialog", "800").settle();
        w.talk("anna", "ben").transfer("ben", "*68803").settle();
        w.talk("axel", "ben").refer("ben", "<sip:callpark@pbx.example;orbit=804>").settle();
        // 102 is of the second lot, and so is its group.
        w.talk("amy", "carl").transfer("carl", "*58").settle();
        let lots: Vec<String> = w.parked_calls().into_iter().map(|call| call.at.lot).collect();
        assert_eq!(lots, ["support"; 3]);
        w.lamp_shows("ben", "800", 2, 0).dial("ben", "800").settle();
        w.talking("anna", "ben").hang_up("ben").settle();
        w.dial("ben", "804").settle();
        w.talking("axel", "ben").dial("carl", "*88").settle();
        w.talking("amy", "carl").nothing_parked();
    }

    fn lots_of_several_domains_have_numbers_of_their_own(w) {
        w.settings(|s| {
            s.lots[0].domains = vec![Domain::from("pbx.example")];
            s.lots.push(LotSettings {
                name: LotName::from("elsewhere"),
                domains: vec![Domain::from("other.example")],
                park: "#8".into(),
                retrieve: "#9".into(),
                slots: vec![(10, 12, 2)],
                any_slot: Some("9000".into()),
                ..LotSettings::default()
            });
        });
        w.new_phones(["ben", "carl"]);
        w.account("carl", |account| account.domain = "other.example".into());
        w.phones([]).callers(["anna", "axel", "amy"]);
        w.talk("axel", "carl").transfer("carl", "9000").settle();
        w.talk("anna", "carl").transfer("carl", "#8").settle();
        // The numbers of the one are nothing in the other.
        w.talk("amy", "carl").transfer("carl", "701").settle();
        w.transfer_came_to("carl", 404).talking("amy", "carl").hang_up("amy").settle();
        w.parked_at(&["10", "102"]).dial("carl", "#9").settle();
        w.talking("anna", "carl").hang_up("carl").settle();
        w.dial("carl", "10").settle();
        w.talking("axel", "carl");
    }

    fn the_park_number_takes_any_free_slot_where_the_lot_says_random(w) {
        w.is_not_restarted();
        w.lot(|lot| { lot.find_slot = FindSlot::Random; lot.slots = vec![(701, 703, 3)]; });
        w.phones(["ben"]).callers(["anna", "axel", "amy", "arno"]);
        for caller in ["anna", "axel", "amy"] {
            w.talk(caller, "ben").transfer("ben", "700").settle();
        }
        w.parked_at(&["701", "702", "703"]);
        w.talk("arno", "ben").transfer("ben", "700").settle();
        w.transfer_came_to("ben", 486).talking("arno", "ben");
    }

    fn a_group_says_itself_whether_its_parkers_are_told(w) {
        sales(w, OwnSettings { notify_parker: Some(true), ..OwnSettings::default() });
        w.phones(["ben", "carl", "dora"]).callers(["anna"]);
        w.talk("anna", "ben").transfer("ben", "*58").settle();
        w.shows_parked("ben", "anna").shows_parked("dora", "anna").dial("carl", "*88").settle();
        w.talking("anna", "carl").shows_nothing_parked("ben").nothing_parked();
    }

    fn the_next_slot_is_reckoned_for_each_domain_by_itself(w) {
        w.lot(|lot| lot.find_slot = FindSlot::Next);
        w.new_phones(["ben", "carl"]);
        w.account("carl", |account| account.domain = "other.example".into());
        w.phones([]).callers(["anna", "axel"]);
        w.talk("anna", "ben").talk("axel", "carl");
        w.transfer("ben", "700").settle();
        w.transfer("carl", "700").settle();
        w.parked_at(&["701", "701"]);
    }
}
