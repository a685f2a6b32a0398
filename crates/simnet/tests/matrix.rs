//! Every way to ask, every way to learn of it, every way to retrieve, in all their combinations: a
//! phone parks, another sees it, takes the call, and sees that it has gone.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use simnet::{CallState, Fault, World, run_with};

mod shared;

use shared::{COMMAND, lamp_of, press, replaces, soft_key, with_a_rule};

/// How ben asks to park his call at a number.
type Ask = fn(&mut World, &str);
/// How somebody retrieves the call at a number.
type Retrieve = fn(&mut World, &str, &str);

/// Where a call is parked, and who takes it.
#[derive(Clone, Copy)]
struct Place {
    at: &'static str,
    who: &'static str,
    /// The User-Agent of whoever takes it, if it matters.
    make: Option<&'static str>,
}

/// A slot, which dora empties.
const SLOT: Place = Place { at: "701", who: "dora", make: None };
/// An extension, which its own phone relieves.
const OWN: Place = Place { at: "102", who: "carl", make: None };
/// The same, which another phone relieves.
const ANOTHERS: Place = Place { at: "102", who: "dora", make: None };

/// How somebody learns what is parked at a number.
#[derive(Clone, Copy)]
enum Learn {
    /// The screen of the phone whose number it is, unasked.
    Screen,
    /// The same, where these notices are refused first.
    ScreenAfter(&'static [&'static str]),
    /// The same screen, by a subscription to what is parked for the extension.
    List,
    /// A lamp that watches this, with `#` for the number.
    Lamp(&'static str),
    /// The same, and the watch begins when the call is parked already.
    LampLater(&'static str),
}

fn by_code(w: &mut World, at: &str) {
    w.transfer("ben", &format!("*68{at}")).settle();
}

fn by_number(w: &mut World, at: &str) {
    w.transfer("ben", at).settle();
}

fn by_location(w: &mut World, at: &str) {
    w.transfer("ben", &format!("prk{at}")).settle();
}

fn by_attended_transfer(w: &mut World, at: &str) {
    w.hold("ben").settle();
    let is_up = |w: &World| w.phone("ben").current().is_some_and(|c| c.state == CallState::Up);
    w.dial("ben", &format!("*68{at}")).pass_until(Duration::from_millis(800), is_up);
    w.transfer_attended("ben").settle();
}

fn by_dialling(w: &mut World, at: &str) {
    w.hold("ben").settle();
    w.dial("ben", &format!("*68{at}")).settle();
}

fn by_orbit(w: &mut World, at: &str) {
    w.refer("ben", &format!("<sip:callpark@pbx.example;orbit={at}>")).settle();
}

fn by_orbit_key(w: &mut World, at: &str) {
    w.refer("ben", &format!("<sip:park+{at}@pbx.example>")).settle();
}

fn by_keys(w: &mut World, at: &str) {
    press(w, "ben", &format!("*68{at}"));
    w.pass(Duration::from_secs(5)).settle();
}

fn by_rule(w: &mut World, at: &str) {
    let body = format!("park {at}");
    w.ask_in_call("ben", "INFO", &[], Some(("application/x-desk", body.as_bytes()))).settle();
}

fn by_command(w: &mut World, _: &str) {
    w.ask_in_call("ben", "INFO", &[], Some(("application/json", COMMAND))).settle();
}

fn by_soft_key(w: &mut World, _: &str) {
    soft_key(w, "ben", "Park");
    w.pass(Duration::from_secs(3));
}

fn by_monitored_soft_key(w: &mut World, _: &str) {
    soft_key(w, "ben", "ParkMonitor");
    w.pass(Duration::from_secs(3));
}

fn by_keys_in_the_sound(w: &mut World, at: &str) {
    w.press("ben", &format!("*68{at}#"));
    w.settle();
}

fn by_park_server(w: &mut World, at: &str) {
    w.ask_park_server("ben", &format!("sip:park@pbx.example;orbit={at}")).settle();
}

fn by_park_server_of_its_choice(w: &mut World, _: &str) {
    w.ask_park_server("ben", "park").settle();
}

fn dials(w: &mut World, who: &str, number: &str) {
    w.dial(who, number).settle();
}

fn dials_the_number(w: &mut World, who: &str, at: &str) {
    dials(w, who, at);
}

fn dials_the_code(w: &mut World, who: &str, at: &str) {
    dials(w, who, &format!("*88{at}"));
}

fn dials_the_code_for_its_own(w: &mut World, who: &str, _: &str) {
    dials(w, who, "*88");
}

fn picks_up(w: &mut World, who: &str, at: &str) {
    dials(w, who, &format!("**{at}"));
}

fn presses_the_orbit_key(w: &mut World, who: &str, at: &str) {
    dials(w, who, &format!("park+{at}"));
}

fn picks_up_the_orbit(w: &mut World, who: &str, at: &str) {
    dials(w, who, &format!("sip:pickup@pbx.example;orbit={at}"));
}

fn picks_up_the_fifo(w: &mut World, who: &str, at: &str) {
    dials(w, who, &format!("sip:parking@pbx.example;fifo={at}"));
}

fn takes_by_ids(w: &mut World, who: &str, at: &str) {
    let ids = replaces(w, who, &lamp_of(w, who));
    w.dial_replacing(who, at, &ids).settle();
}

fn dials_the_lamps_target(w: &mut World, who: &str, _: &str) {
    let lamp = lamp_of(w, who);
    let body = w.phone(who).watched(&lamp).unwrap().last().unwrap().clone();
    let remote = body.split("<remote>").nth(1).unwrap();
    let target = remote.split("target uri=\"").nth(1).unwrap().split('"').next().unwrap();
    dials(w, who, target);
}

/// Asks that say where.
const ASKS: [(&str, Ask); 9] = [
    ("a code", by_code),
    ("a location", by_location),
    ("an attended transfer", by_attended_transfer),
    ("a dialled code", by_dialling),
    ("an orbit", by_orbit),
    ("an orbit key", by_orbit_key),
    ("keys", by_keys),
    ("a configured INFO", by_rule),
    ("a park server", by_park_server),
];
/// Asks that name a slot, or leave it to the house, which takes the first.
const ASKS_FOR_SLOTS: [(&str, Ask); 5] = [
    ("a number", by_number),
    ("a command", by_command),
    ("a soft key", by_soft_key),
    ("a monitored soft key", by_monitored_soft_key),
    ("a park server that chooses", by_park_server_of_its_choice),
];
/// Asks that are heard, so that the sound must be there.
const ASKS_IN_THE_SOUND: [(&str, Ask); 1] = [("keys in the sound", by_keys_in_the_sound)];
const RETRIEVES: [(&str, Retrieve); 5] = [
    ("the code", dials_the_code),
    ("pickup", picks_up),
    ("the orbit key", presses_the_orbit_key),
    ("an orbit", picks_up_the_orbit),
    ("a fifo", picks_up_the_fifo),
];
const RETRIEVES_FROM_SLOTS: [(&str, Retrieve); 1] = [("the number", dials_the_number)];
const RETRIEVES_ONES_OWN: [(&str, Retrieve); 1] = [("the code alone", dials_the_code_for_its_own)];
const RETRIEVES_BY_LAMP: [(&str, Retrieve); 2] =
    [("its ids", takes_by_ids), ("its target", dials_the_lamps_target)];

/// One combination, as a story.
fn park_learn_retrieve(w: &mut World, place: Place, ask: Ask, learn: Learn, take: Retrieve) {
    let Place { at, who, make } = place;
    with_a_rule(w);
    w.lot(|lot| lot.dtmf = true);
    w.new_phones(["ben", "carl", "dora"]);
    if let Some(make) = make {
        w.account(who, |account| account.user_agent = make.to_owned());
    }
    if let Learn::ScreenAfter(refused) = learn {
        let statuses = refused.iter().map(|event| (*event, 481)).collect();
        w.habits(who, |habits| habits.notice_statuses = statuses);
    }
    w.phones([]).callers(["anna"]);
    let lamp = |of: &str| of.replace('#', at);
    match learn {
        Learn::Lamp(of) => drop(w.subscribe(who, "dialog", &lamp(of)).settle()),
        Learn::List => drop(w.watch_line(who, at).settle()),
        Learn::Screen | Learn::ScreenAfter(_) | Learn::LampLater(_) => {}
    }
    w.speak(true).talk("anna", "ben");
    ask(w, at);
    w.parked_at(&[at]).waits("anna").ended("ben");
    if let Learn::LampLater(of) = learn {
        w.subscribe(who, "dialog", &lamp(of)).settle();
    }
    match learn {
        Learn::Screen | Learn::ScreenAfter(_) | Learn::List => w.shows_parked(who, "anna"),
        Learn::Lamp(of) | Learn::LampLater(of) => w.lamp_shows(who, &lamp(of), 1, 0),
    };
    take(w, who, at);
    w.talking("anna", who).nothing_parked();
    match learn {
        Learn::Screen | Learn::ScreenAfter(_) | Learn::List => w.shows_nothing_parked(who),
        Learn::Lamp(of) | Learn::LampLater(of) => w.lamp_shows(who, &lamp(of), 0, 0),
    };
}

/// Plays all combinations, each clean and with one fault, which is another each time.
fn play_all(
    place: Place,
    asks: &[(&str, Ask)],
    learns: &[(&str, Learn)],
    takes: &[(&str, Retrieve)],
) {
    let mut played = 0;
    let mut wrong = Vec::new();
    for (ask_name, ask) in asks {
        for (learn_name, learn) in learns {
            for (take_name, take) in takes {
                let story = |w: &mut World| {
                    if ASKS_IN_THE_SOUND.iter().any(|(name, _)| name == ask_name) {
                        w.with_real_media();
                    }
                    park_learn_retrieve(w, place, *ask, *learn, *take);
                };
                if let Err(why) = play_twice(played, story) {
                    wrong.push(format!("{ask_name}, {learn_name}, {take_name}: {why}"));
                }
                played += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {played}:\n{}", wrong.len(), wrong.join("\n"));
}

/// Plays a story clean, and then with one fault.
fn play_twice(no: u64, story: impl Fn(&mut World)) -> Result<(), String> {
    let (mut datagrams, mut wanted) = (0, String::new());
    let clean = catch_unwind(AssertUnwindSafe(|| {
        let mut clean = World::new();
        story(&mut clean);
        (datagrams, wanted) = (clean.datagrams(), clean.standing());
        clean.tidy();
    }));
    clean.map_err(|panic| panic.downcast_ref::<String>().cloned().unwrap_or_default())?;
    // Without a factor in common with small numbers this wanders through all datagrams.
    let (k, fault) = (no * 1_009 % datagrams, Fault::ALL[(no % 4) as usize]);
    run_with(story, k, fault, &wanted).map_err(|why| format!("{fault:?} of datagram {k}: {why}"))
}

fn all<T: Copy>(lists: &[&[T]]) -> Vec<T> {
    lists.concat()
}

#[test]
fn a_slot_and_an_extension_are_parked_at_by_keys_in_the_sound() {
    let lamps = [("a lamp", Learn::Lamp("#"))];
    play_all(SLOT, &ASKS_IN_THE_SOUND, &lamps, &all(&[&RETRIEVES, &RETRIEVES_BY_LAMP]));
    play_all(ANOTHERS, &ASKS_IN_THE_SOUND, &lamps, &all(&[&RETRIEVES, &RETRIEVES_BY_LAMP]));
}

#[test]
fn a_slot_is_parked_into_seen_and_emptied_in_every_way() {
    let lamps = [
        ("a lamp of the slot", Learn::Lamp("#")),
        ("a lamp of its retrieve code", Learn::Lamp("*88#")),
        ("a lamp of its orbit", Learn::Lamp("park+#")),
        ("a lamp of the lot", Learn::Lamp("700")),
        ("a lamp that comes later", Learn::LampLater("#")),
    ];
    let asks = all(&[&ASKS, &ASKS_FOR_SLOTS]);
    let takes = all(&[&RETRIEVES, &RETRIEVES_FROM_SLOTS, &RETRIEVES_BY_LAMP]);
    play_all(SLOT, &asks, &lamps, &takes);
}

#[test]
fn an_extension_is_parked_at_and_relieved_by_its_own_phone_in_every_way() {
    let takes = all(&[&RETRIEVES, &RETRIEVES_ONES_OWN]);
    let screens = [
        ("its screen", Learn::Screen),
        ("its screen, by call-info", Learn::ScreenAfter(&["park-info"])),
        ("its screen, by dialogs", Learn::ScreenAfter(&["park-info", "call-info"])),
        ("its list", Learn::List),
    ];
    play_all(OWN, &ASKS, &screens, &takes);
}

#[test]
fn an_extension_is_parked_at_and_relieved_by_another_phone_in_every_way() {
    let lamps = [
        ("a lamp of the extension", Learn::Lamp("#")),
        ("a lamp that comes later", Learn::LampLater("#")),
    ];
    let takes = all(&[&RETRIEVES, &RETRIEVES_BY_LAMP]);
    play_all(ANOTHERS, &ASKS, &lamps, &takes);
}

#[test]
fn phones_of_every_make_see_a_parked_call_and_take_it() {
    let makes = [
        "Fanvil X4U 2.12.16.17",
        "snomD785/10.1.204.0",
        "Yealink SIP-T46U 108.86.0.118",
        "Grandstream GRP2612 1.0.5.68",
        "Htek UC926 V2.42.6.6.1R22",
        "Dinstar C64GP 2.60.6.9.7",
        "PolyEdge-E350-UA/8.2.0",
        "Cisco/SPA504G-7.6.2",
        "Cisco-CP8811/14.2.1",
        "Aastra 6757i/3.3.1",
        "Panasonic-KX-HDV230/07.001",
    ];
    let lamps = [("a lamp", Learn::Lamp("#")), ("a later lamp", Learn::LampLater("#"))];
    let by_transfer: [(&str, Ask); 1] = [("a code", by_code)];
    for make in makes {
        let of = |place: Place| Place { make: Some(make), ..place };
        play_all(of(SLOT), &by_transfer, &lamps, &RETRIEVES_BY_LAMP);
        play_all(of(ANOTHERS), &by_transfer, &lamps, &RETRIEVES_BY_LAMP);
        // A Cisco's status line shows nothing but where.
        if !make.starts_with("Cisco-") {
            let screens = [("its screen", Learn::Screen), ("its list", Learn::List)];
            play_all(of(OWN), &by_transfer, &screens, &RETRIEVES_ONES_OWN);
        }
    }
}
