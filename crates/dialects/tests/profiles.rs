//! Which phones have which profile, and what operators may say of them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use dialects::{
    BadProfile, Certainty, CiscoSpelling, LampState, NoticeKind, Profile, ProfileText, Profiles,
};
use proptest::prelude::*;

const NAMES: [&str; 12] = [
    "fanvil",
    "snom",
    "yealink",
    "grandstream",
    "htek",
    "dinstar",
    "poly",
    "cisco-mpp",
    "cisco-enterprise",
    "aastra",
    "panasonic",
    "unknown",
];

fn named<'a>(profiles: &'a Profiles, name: &str) -> &'a Profile {
    profiles.iter().find(|profile| profile.name == name).unwrap()
}

fn own(name: &str, user_agent: &str) -> ProfileText {
    ProfileText { name: name.into(), user_agent: user_agent.into(), ..ProfileText::default() }
}

#[test]
fn every_kind_of_phone_is_known_by_what_it_calls_itself() {
    let profiles = Profiles::default();
    for (user_agent, name) in [
        ("Fanvil X303 2.12.18.9 0c383e000001", "fanvil"),
        ("Linkvil W611W 2.12.0", "fanvil"),
        ("snomD785/10.1.84.12", "snom"),
        ("snom370/8.7.5.48", "snom"),
        ("Yealink SIP-T46S 66.86.0.15", "yealink"),
        ("Grandstream GRP2615 1.0.13.13", "grandstream"),
        ("Htek UC924E V3.0.4.5", "htek"),
        ("HTEK UC926", "htek"),
        ("DINSTAR C62U 2.62.6.9.7", "dinstar"),
        ("PolycomVVX-VVX_411-UA/5.9.5.0614", "poly"),
        ("PolyEdge-Edge_E350-UA/8.0.1", "poly"),
        ("OBIHAI/OBi1062-5.1.11", "poly"),
        ("Linksys/SPA942-6.1.5(a)", "cisco-mpp"),
        ("Cisco/SPA504G-7.6.2", "cisco-mpp"),
        ("Cisco-CP-8841-3PCC/11.0 (005600000001)", "cisco-mpp"),
        ("Cisco-CP7861/12.1.1", "cisco-enterprise"),
        ("Cisco-CP8865NR/14.2.1", "cisco-enterprise"),
        ("Cisco-CP7960G/8.0", "cisco-enterprise"),
        ("Aastra 6757i/3.3.1.4365", "aastra"),
        ("Mitel-6920-SIP/6.4.0.140", "aastra"),
        ("Panasonic_KX-HDV230/08.000", "panasonic"),
        ("Linphone/3.12", "unknown"),
        ("Not a Yealink", "unknown"),
        ("", "unknown"),
    ] {
        assert_eq!(profiles.of(Some(user_agent)).name, name, "{user_agent}");
    }
    assert_eq!(profiles.of(None).name, "unknown");
}

#[test]
fn the_built_in_profiles_are_listed_with_their_source_and_unknown_last() {
    let profiles = Profiles::default();
    let names: Vec<&str> = profiles.iter().map(|profile| profile.name.as_str()).collect();
    assert_eq!(names, NAMES);
    for profile in profiles.iter() {
        assert!(!profile.source.is_empty() && !profile.notices.is_empty(), "{}", profile.name);
        assert_ne!(profile.certainty, Certainty::Configured, "{}", profile.name);
        // A guess is called one.
        let is_guess = profile.certainty == Certainty::Assumed && profile.name != "unknown";
        assert!(!is_guess || profile.source.contains("assumed"), "{}", profile.name);
    }
}

#[test]
fn phones_that_refuse_what_they_did_not_ask_for_are_not_told_so() {
    let profiles = Profiles::default();
    for profile in profiles.iter() {
        let expected = ["fanvil", "snom", "yealink", "grandstream", "htek", "dinstar", "unknown"]
            .contains(&profile.name.as_str());
        assert_eq!(profile.notices.contains(&NoticeKind::ParkInfo), expected, "{}", profile.name);
    }
}

#[test]
fn the_lamp_of_a_slot_and_that_of_an_extension_differ() {
    let profiles = Profiles::default();
    let poly = named(&profiles, "poly");
    assert_eq!(poly.slot_style().lamp, LampState::Early);
    assert!(!poly.slot_style().callpark);
    assert_eq!(poly.extension_style().lamp, LampState::Confirmed);
    assert!(poly.extension_style().callpark);
}

#[test]
fn ciscos_enterprise_phones_keep_their_call_until_they_have_been_told() {
    let profiles = Profiles::default();
    let cisco = named(&profiles, "cisco-enterprise");
    assert_eq!(cisco.quirks.bye_grace, Some(Duration::from_secs(1)));
    assert_eq!(cisco.notices[0], NoticeKind::CiscoRemoteCc);
    assert_eq!(cisco.certainty.word(), "seen on the wire");
}

#[test]
fn an_operators_profile_comes_first_and_says_only_what_differs() {
    let mine = ProfileText {
        like: Some("poly".into()),
        notices: Some(vec!["dialog-info".into(), "park-info".into()]),
        lamp: Some("confirmed".into()),
        extension_lamp: Some("early".into()),
        template: Some("text".into()),
        bye_grace: Some(Duration::from_millis(300)),
        refer_status: Some(200),
        refer_sub: Some(false),
        park_redirect: Some(false),
        early_media: Some(false),
        callpark: Some(false),
        names_parkee: Some(false),
        empty_has_ended: Some(true),
        cisco_spelling: Some("parmams".into()),
        ..own("doors", "^Fanvil i")
    };
    let plain = ProfileText { like: Some("snom".into()), ..own("lobby", "(?i)^fanvil x7") };
    let profiles = Profiles::new(&[mine, plain]).unwrap();
    let doors = profiles.of(Some("Fanvil i16SV 2.4.0"));
    assert_eq!(doors.name, "doors");
    assert_eq!(doors.notices, [NoticeKind::DialogInfo, NoticeKind::ParkInfo]);
    assert_eq!((doors.lamp, doors.quirks.extension_lamp), (LampState::Confirmed, LampState::Early));
    assert_eq!(doors.template, "text");
    assert_eq!(doors.quirks.bye_grace, Some(Duration::from_millis(300)));
    assert_eq!(doors.quirks.refer_status, 200);
    assert!(!doors.quirks.refer_sub && !doors.quirks.early_media && !doors.quirks.callpark);
    assert!(!doors.quirks.park_redirect);
    assert!(!doors.slot_style().names_parkee && doors.slot_style().empty_has_ended);
    assert_eq!(doors.quirks.cisco_spelling, CiscoSpelling::Parmams);
    assert_eq!(doors.certainty, Certainty::Configured);
    assert_eq!(doors.source, "configured, otherwise like poly");

    let lobby = profiles.of(Some("Fanvil X7A"));
    assert_eq!(lobby.name, "lobby");
    assert_eq!(lobby.notices, named(&profiles, "snom").notices);
    assert_eq!(lobby.quirks, named(&profiles, "snom").quirks);
    assert_eq!(profiles.of(Some("Fanvil X3S")).name, "fanvil");
    assert_eq!(profiles.iter().count(), NAMES.len() + 2);
}

#[test]
fn an_operator_may_say_what_unknown_phones_understand() {
    let mine = ProfileText { notices: Some(Vec::new()), ..own("unknown", "") };
    let profiles = Profiles::new(&[mine]).unwrap();
    assert!(profiles.of(None).notices.is_empty());
    assert_eq!(profiles.of(Some("snom370")).name, "snom");
    assert_eq!(profiles.iter().count(), NAMES.len());
    assert_eq!(profiles.iter().last().unwrap().name, "unknown");
}

#[test]
fn everything_that_is_wrong_with_a_profile_is_said() {
    let bad = Profiles::new(&[
        own("fine", "^x"),
        ProfileText {
            like: Some("nokia".into()),
            notices: Some(vec!["smoke".into()]),
            lamp: Some("red".into()),
            extension_lamp: Some("".into()),
            template: Some("postcard".into()),
            cisco_spelling: Some("parms".into()),
            refer_status: Some(204),
            ..own(" ", "(")
        },
        ProfileText {
            notices: Some(vec!["dialog-info".into(), "DIALOG-INFO".into()]),
            ..own("twice", "^y")
        },
    ])
    .unwrap_err();
    let fields: Vec<_> = bad.iter().map(|bad| (bad.index, bad.field)).collect();
    assert_eq!(
        fields,
        [
            (1, "like"),
            (1, "name"),
            (1, "user_agent"),
            (1, "notices"),
            (1, "lamp"),
            (1, "extension_lamp"),
            (1, "template"),
            (1, "cisco_spelling"),
            (1, "refer_status"),
            (2, "notices"),
        ]
    );
    let smoke: &BadProfile = &bad[3];
    assert_eq!(
        smoke.to_string(),
        "notices: \"smoke\" is not one of park-info, call-info, dialog-info, cisco-remotecc"
    );
}

#[test]
fn every_notice_is_called_by_one_word() {
    for kind in NoticeKind::ALL {
        assert_eq!(NoticeKind::read(kind.word()), Some(kind));
    }
    assert_eq!(NoticeKind::read(" Park-Info "), Some(NoticeKind::ParkInfo));
    assert_eq!(NoticeKind::read(""), None);
}

proptest! {
    #[test]
    fn every_user_agent_has_a_profile(user_agent in any::<Option<String>>()) {
        let profiles = Profiles::default();
        prop_assert!(NAMES.contains(&profiles.of(user_agent.as_deref()).name.as_str()));
    }
}
