//! What numbers mean, as a table.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod shared;

use base::{Extension, SlotName};
use dialects::{Codes, Dialled, Place};
use proptest::prelude::*;

fn office() -> Codes {
    shared::office("^[1-9][0-9]{1,5}$")
}

fn park(place: Place) -> Option<Dialled> {
    Some(Dialled::Park(place))
}

fn retrieve(place: Place) -> Option<Dialled> {
    Some(Dialled::Retrieve(place))
}

fn extension(number: &str) -> Place {
    Place::Extension(Extension::from(number))
}

fn slot(number: &str) -> SlotName {
    SlotName::from(number)
}

#[test]
fn every_form_of_every_code_is_understood() {
    let table = [
        ("*68", park(Place::Own)),
        ("%2A68", park(Place::Own)),
        ("%2a68", park(Place::Own)),
        ("*68#", park(Place::Own)),
        ("*68%23", park(Place::Own)),
        ("*68;user=phone", park(Place::Own)),
        ("*68105", park(extension("105"))),
        ("%2A68105%23", park(extension("105"))),
        ("*68105;phone-context=+33", park(extension("105"))),
        ("*68%31%30%35", park(extension("105"))),
        ("*68701", park(Place::Slot(slot("701")))),
        ("*68700", park(Place::AnySlot)),
        ("*68721", park(extension("721"))),
        ("*58", park(Place::Group)),
        ("*58#", park(Place::Group)),
        ("*88", retrieve(Place::Own)),
        ("*88#", retrieve(Place::Own)),
        ("*88105", retrieve(extension("105"))),
        ("*88720", retrieve(Place::Slot(slot("720")))),
        ("*88700", retrieve(Place::AnySlot)),
        ("701", Some(Dialled::Number(slot("701")))),
        ("701#", Some(Dialled::Number(slot("701")))),
        ("700", Some(Dialled::AnySlot)),
        ("**701", retrieve(Place::Slot(slot("701")))),
        ("%2A%2A701", retrieve(Place::Slot(slot("701")))),
        ("**700", retrieve(Place::AnySlot)),
        ("**105", Some(Dialled::PickUp(Extension::from("105")))),
        ("**", None),
        ("**9", None),
    ];
    let codes = office();
    for (user, expected) in table {
        assert_eq!(codes.dialled(user), expected, "{user}");
    }
}

#[test]
fn what_is_not_about_parking_is_left_alone() {
    let codes = office();
    for user in [
        "",
        "#",
        "##",
        "105",
        "*6",
        "*69",
        "*680",
        "*680105",
        "*68##",
        "*68#105",
        "*68105##",
        "*58105",
        "721",
        "0701",
        "+701",
        "7010",
        "68",
        "105*68",
        "*68anna",
        "*68 105",
        "+33176000001",
        "%FF",
        "%",
        "%2",
        "*68%00",
        "99999999999999999999",
        "*88x",
        ";user=phone",
        "park",
    ] {
        assert_eq!(codes.dialled(user), None, "{user}");
    }
}

#[test]
fn the_longest_code_wins_and_a_shorter_one_takes_what_it_leaves() {
    let codes =
        Codes { park: "*6".into(), group_park: "*65".into(), retrieve: "*68".into(), ..office() };
    assert_eq!(codes.dialled("*68"), retrieve(Place::Own));
    assert_eq!(codes.dialled("*68105"), retrieve(extension("105")));
    assert_eq!(codes.dialled("*65"), park(Place::Group));
    assert_eq!(codes.dialled("*65105"), park(extension("5105")));
    assert_eq!(codes.dialled("*6"), park(Place::Own));
}

#[test]
fn a_code_may_end_in_a_hash() {
    let codes = Codes { park: "##".into(), retrieve: "#".into(), ..office() };
    assert_eq!(codes.dialled("%23%23"), park(Place::Own));
    assert_eq!(codes.dialled("%23"), retrieve(Place::Own));
    assert_eq!(codes.dialled("##105#"), park(extension("105")));
}

#[test]
fn slots_keep_their_width() {
    let codes = Codes { slots: vec![(1, 3, 3), (98, 101, 2)], any_slot: None, ..office() };
    assert_eq!(codes.dialled("001"), Some(Dialled::Number(slot("001"))));
    assert_eq!(codes.dialled("1"), None);
    assert_eq!(codes.dialled("0001"), None);
    assert_eq!(codes.dialled("101"), Some(Dialled::Number(slot("101"))));
    let names: Vec<_> = codes.slot_names().map(String::from).collect();
    assert_eq!(names, ["001", "002", "003", "98", "99", "100", "101"]);
}

#[test]
fn empty_codes_and_ranges_match_nothing() {
    let codes = Codes {
        park: String::new(),
        group_park: String::new(),
        retrieve: String::new(),
        any_slot: Some(String::new()),
        slots: vec![(9, 1, 1)],
        ..office()
    };
    for user in ["", "#", "105", "5", "*68"] {
        assert_eq!(codes.dialled(user), None, "{user}");
    }
    assert_eq!(codes.slot_names().count(), 0);
}

#[test]
fn a_retriever_is_told_what_to_dial() {
    let codes = office();
    assert_eq!(codes.retrieve_number(&slot("105")), "*88105");
    assert_eq!(codes.retrieve_number(&slot("701")), "701");
}

#[test]
fn a_slot_number_parks_by_transfer_and_retrieves_by_dialling() {
    let number = Dialled::Number(slot("701"));
    assert_eq!(number.parks_at(), Some(Place::Slot(slot("701"))));
    assert_eq!(number.retrieves_from(), Some(Place::Slot(slot("701"))));
    assert_eq!(Dialled::Park(Place::Own).retrieves_from(), None);
    assert_eq!(Dialled::Retrieve(Place::Own).parks_at(), None);
    assert_eq!(Dialled::AnySlot.parks_at(), Some(Place::AnySlot));
}

proptest! {
    #[test]
    fn no_user_part_makes_it_panic(user in "\\PC*") {
        let _ = office().dialled(&user);
    }

    #[test]
    fn no_number_makes_it_panic(user in "(\\*|#|%2A|%23|[0-9]|;|%){0,12}") {
        let _ = office().dialled(&user);
    }

    #[test]
    fn escapes_change_nothing(user in "[*0-9]{1,8}") {
        let escaped: String = user.bytes().map(|b| format!("%{b:02x}")).collect();
        let codes = office();
        prop_assert_eq!(codes.dialled(&escaped), codes.dialled(&user));
    }

    #[test]
    fn every_retrieve_number_retrieves_from_its_slot(number in 10u32..800) {
        let codes = office();
        prop_assume!(number != 700);
        let name = slot(&number.to_string());
        let from = codes.dialled(&codes.retrieve_number(&name)).and_then(|d| d.retrieves_from());
        let expected = if codes.is_slot(name.as_str()) {
            Place::Slot(name)
        } else {
            extension(&number.to_string())
        };
        prop_assert_eq!(from, Some(expected));
    }
}
