//! Orbits as phones name them, in files, and what they mean in a lot.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod shared;

use base::{Extension, SlotName};
use bytes::Bytes;
use dialects::{BadAsk, Codes, Dialled, Invite, OrbitAsk, Place, Refer, orbit_uri};
use proptest::prelude::*;
use sip_msg::Message;

use shared::{invite, refer};

fn office() -> Codes {
    shared::office("^[1-9][0-9]{1,3}$")
}

/// A lot whose numbers are written with a star.
fn starred() -> Codes {
    Codes { any_slot: Some("*5900".into()), slots: vec![(5901, 5999, 4)], ..office() }
}

fn parks(number: &str) -> Option<OrbitAsk> {
    Some(OrbitAsk::Park(number.into()))
}

fn retrieves(number: &str) -> Option<OrbitAsk> {
    Some(OrbitAsk::Retrieve(number.into()))
}

fn names(number: &str) -> Option<OrbitAsk> {
    Some(OrbitAsk::Number(number.into()))
}

fn slot(number: &str) -> Place {
    Place::Slot(SlotName::from(number))
}

#[test]
fn a_transfer_to_an_orbit_parks_there_in_every_spelling() {
    assert_eq!(refer!("orbit-linksys").unwrap().orbit, parks("705"));
    // The parameter of a bare URI is the header's (RFC 8217), but this word asks for an orbit.
    assert_eq!(refer!("orbit-linksys-bare").unwrap().orbit, parks("705"));
    assert_eq!(refer!("orbit-snom").unwrap().orbit, parks("705"));
    assert_eq!(refer!("orbit-snom-escaped").unwrap().orbit, parks("*5901"));
    assert_eq!(refer!("orbit-star").unwrap().orbit, parks("*5901"));
    assert_eq!(refer!("orbit-whole-lot").unwrap().orbit, parks("*5900"));
    assert_eq!(refer!("orbit-any-user").unwrap().orbit, parks("705"));
    assert_eq!(refer!("orbit-private").unwrap().orbit, parks("705"));
}

#[test]
fn a_transfer_to_the_park_word_without_a_number_parks_anywhere() {
    let ask = refer!("orbit-linksys-without-number").unwrap().orbit;
    assert_eq!(ask, Some(OrbitAsk::ParkAnywhere));
}

#[test]
fn a_transfer_to_a_retrieve_word_does_not_park() {
    let ask = refer!("orbit-pickup").unwrap().orbit.unwrap();
    assert_eq!(ask, OrbitAsk::Retrieve("705".into()));
    assert_eq!(office().orbit(&ask).unwrap().parks_at(), None);
}

#[test]
fn a_transfer_to_a_code_or_to_somebody_names_no_orbit() {
    for refer in [refer!("blind-to-code"), refer!("attended"), refer!("content-id"), refer!("tel")]
    {
        assert_eq!(refer.unwrap().orbit, None);
    }
}

#[test]
fn a_park_server_is_asked_outside_the_call_that_the_target_names() {
    let refer = refer!("park-server").unwrap();
    assert_eq!(refer.orbit, parks("705"));
    assert_eq!(refer.replaces.unwrap().call_id, "p1@192.0.2.103");
    assert_eq!(refer!("park-server-orbit-in-to").unwrap().orbit, parks("705"));
    let anywhere = Some(OrbitAsk::ParkAnywhere);
    assert_eq!(refer!("park-server-without-orbit").unwrap().orbit, anywhere);
    assert_eq!(refer!("park-server-orbit-of-letters").unwrap().orbit, anywhere);
    let standard = refer!("park-server-of-the-standard").unwrap();
    assert_eq!((standard.server.as_deref(), standard.orbit), (Some("park"), anywhere));
    let by_number = refer!("park-server-by-number").unwrap();
    assert_eq!((by_number.server.as_deref(), by_number.orbit), (Some("700"), None));
    let other = refer!("replaces-to-somebody").unwrap();
    assert_eq!((other.server.as_deref(), other.orbit), (Some("104"), None));
}

#[test]
fn what_is_asked_of_somebody_else_outside_a_call_is_no_ask() {
    assert_eq!(refer!("orbit-for-somebody-else").unwrap().orbit, None);
}

#[test]
fn a_park_server_sends_the_asker_to_another_orbit() {
    let to = |server| orbit_uri(server, "703").unwrap();
    assert_eq!(to("sip:park@pbx.example"), "sip:park@pbx.example;orbit=703");
    assert_eq!(
        to("sip:park@pbx.example:5070;Orbit=9;transport=tcp?Subject=a"),
        "sip:park@pbx.example:5070;transport=tcp;orbit=703"
    );
    assert_eq!(orbit_uri("tel:705", "703"), None);
}

#[test]
fn dialling_an_orbit_retrieves_in_every_spelling() {
    assert_eq!(invite!("orbit-linksys").unwrap().orbit, retrieves("705"));
    assert_eq!(invite!("orbit-linksys-in-to").unwrap().orbit, retrieves("705"));
    assert_eq!(invite!("orbit-snom").unwrap().orbit, retrieves("705"));
    assert_eq!(invite!("orbit-snom-in-uri").unwrap().orbit, retrieves("705"));
}

#[test]
fn a_number_that_is_dialled_may_also_be_where_the_call_on_hold_will_go() {
    assert_eq!(invite!("orbit-snom-dialled").unwrap().orbit, names("705"));
    assert_eq!(invite!("orbit-any-user").unwrap().orbit, names("705"));
    assert_eq!(invite!("orbit-linksys-park").unwrap().orbit, parks("705"));
    let private = invite!("orbit-private").unwrap();
    assert_eq!((private.orbit, private.replaces.unwrap().early_only), (names("705"), true));
}

#[test]
fn an_orbit_that_somebody_was_transferred_to_parks() {
    assert_eq!(invite!("orbit-referred").unwrap().orbit, parks("705"));
}

#[test]
fn what_a_forwarded_call_was_first_dialled_as_is_no_ask() {
    assert_eq!(invite!("orbit-of-forwarded").unwrap().orbit, None);
    assert_eq!(invite!("pickup-without-number").unwrap().orbit, None);
    assert_eq!(invite!("retrieve").unwrap().orbit, None);
}

#[test]
fn two_different_orbits_are_nobodys() {
    let bad = BadAsk { status: 400, why: "Two Orbits" };
    assert_eq!(refer!("orbit-two-numbers").unwrap_err(), bad);
    assert_eq!(refer!("park-server-two-orbits").unwrap_err(), bad);
    assert_eq!(invite!("orbit-two-numbers").unwrap_err(), bad);
}

#[test]
fn an_orbit_is_a_slot_the_whole_lot_or_an_extension() {
    let codes = office();
    let table = [
        (parks("705"), Dialled::Park(slot("705"))),
        (parks("705#"), Dialled::Park(slot("705"))),
        (parks("700"), Dialled::Park(Place::AnySlot)),
        (parks("105"), Dialled::Park(Place::Extension(Extension::from("105")))),
        (retrieves("705"), Dialled::Retrieve(slot("705"))),
        (retrieves("105"), Dialled::Retrieve(Place::Extension(Extension::from("105")))),
        (names("705"), Dialled::Number(SlotName::from("705"))),
        (names("700"), Dialled::AnySlot),
        (names("105"), Dialled::Retrieve(Place::Extension(Extension::from("105")))),
        (Some(OrbitAsk::ParkAnywhere), Dialled::Park(Place::AnySlot)),
    ];
    for (ask, meant) in table {
        assert_eq!(codes.orbit(&ask.unwrap()), Ok(meant));
    }
}

#[test]
fn an_orbit_that_is_none_is_answered_with_404() {
    let none = Err(BadAsk { status: 404, why: "No Such Orbit" });
    let codes = office();
    for number in ["0", "70500", "*705", "0705", "+705", "*68", "*68105", "lobby", "", "#"] {
        for ask in [parks(number), retrieves(number), names(number)] {
            assert_eq!(codes.orbit(&ask.unwrap()), none, "{number}");
        }
    }
    let without_slots = Codes { slots: Vec::new(), any_slot: None, ..codes };
    assert_eq!(without_slots.orbit(&OrbitAsk::ParkAnywhere), none);
}

#[test]
fn slots_may_be_written_with_the_star_of_their_lot() {
    let codes = starred();
    let (park, whole) = (parks("*5901").unwrap(), parks("*5900").unwrap());
    assert_eq!(codes.orbit(&park), Ok(Dialled::Park(slot("5901"))));
    assert_eq!(codes.orbit(&whole), Ok(Dialled::Park(Place::AnySlot)));
    assert_eq!(codes.dialled("*5901"), Some(Dialled::Number(SlotName::from("5901"))));
    assert_eq!(codes.dialled("%2A5900"), Some(Dialled::AnySlot));
    assert_eq!(codes.dialled("5901"), Some(Dialled::Number(SlotName::from("5901"))));
    assert_eq!(codes.dialled("*68*5901"), Some(Dialled::Park(slot("5901"))));
    assert_eq!(codes.dialled("**5901"), Some(Dialled::Retrieve(slot("5901"))));
    // Without such a lot a star before a slot is somebody else's code.
    assert_eq!(office().dialled("*701"), None);
}

#[test]
fn a_uri_by_itself_names_the_slot_that_is_watched() {
    for uri in [
        "sip:park+705@pbx.example",
        "sip:park@pbx.example;orbit=705",
        "sip:105@pbx.example;orbit=705",
        "sip:parking@pbx.example;fifo=705",
    ] {
        assert_eq!(OrbitAsk::of_uri(uri), names("705"), "{uri}");
    }
    for uri in ["sip:705@pbx.example", "sip:park@pbx.example", "tel:705", "sip:park+@pbx.example"] {
        assert_eq!(OrbitAsk::of_uri(uri), None, "{uri}");
    }
}

proptest! {
    #[test]
    fn no_orbit_ever_means_another_slot(
        number in "[*#+]{0,2}[0-9]{0,5}#{0,2}",
        kind in 0..3,
        star in any::<bool>(),
    ) {
        let codes = if star { starred() } else { office() };
        let ask = match kind {
            0 => OrbitAsk::Park(number.clone()),
            1 => OrbitAsk::Retrieve(number.clone()),
            _ => OrbitAsk::Number(number.clone()),
        };
        let digits = number.trim_matches(['*', '#', '+']);
        match codes.orbit(&ask) {
            Ok(Dialled::Park(Place::Slot(slot)) | Dialled::Retrieve(Place::Slot(slot)) | Dialled::Number(slot)) => {
                prop_assert_eq!(slot.as_str(), digits);
            }
            Ok(Dialled::Park(Place::Extension(named)) | Dialled::Retrieve(Place::Extension(named))) => {
                prop_assert_eq!(named.as_str(), digits);
                prop_assert!(!codes.is_slot(digits));
            }
            Ok(found) => prop_assert!(digits == "700" || digits == "5900", "{:?}", found),
            Err(bad) => prop_assert_eq!(bad.status, 404),
        }
    }

    #[test]
    fn no_uri_makes_it_panic(
        user in "(callpark|park\\+|park|pickup|parking|prk|[*#0-9é%;=]){0,4}",
        behind in "(;|orbit|fifo|=|7|05|%|\"|\\?|é){0,12}",
        to in "(;|orbit|fifo|=|7|05|%|>|é){0,12}",
    ) {
        let uri = format!("sip:{user}@pbx.example{behind}");
        let _ = OrbitAsk::of_uri(&uri);
        let _ = orbit_uri(&uri, &to);
        for (sample, old) in [
            (include_str!("samples/refer/orbit-linksys.sip"), "sip:callpark@pbx.example;orbit=705"),
            (include_str!("samples/refer/park-server.sip"), "sip:park@pbx.example;orbit=705"),
            (include_str!("samples/invite/orbit-linksys.sip"), "sip:pickup@192.0.2.10:5060;orbit=705"),
        ] {
            let text = sample.replace(old, &uri).replace("orbit=705>", &format!("{to}>"));
            if let Ok(message) = Message::read(Bytes::from(text.replace('\n', "\r\n"))) {
                let _ = Refer::read(&message);
                let _ = Invite::read(&message);
            }
        }
    }
}
