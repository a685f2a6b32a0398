//! Random walks: anybody does anything at any time on a bad wire, and whatever comes of it the
//! invariants hold and nothing is left behind.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use base::Chance;
use park_core::{
    Anchor, Command, Courtesy, Fact, GroupSettings, OwnSettings, PlaceSettings, RecallThen,
    RecallTo, Reply,
};
use simnet::{CallState, Fault, World};

const PHONES: [&str; 4] = ["ben", "carl", "dora", "emil"];
const CALLERS: [&str; 3] = ["anna", "axel", "amy"];
const NUMBERS: [&str; 16] = [
    "701",
    "702",
    "700",
    "*68",
    "*68102",
    "*68103",
    "*58",
    "*88",
    "*88101",
    "*88102",
    "101",
    "102",
    "103",
    "104",
    "199",
    "+33176000001",
];

/// Whom a REFER apart from its call is addressed to.
const SERVERS: [&str; 5] = ["park", "sip:park@pbx.example;orbit=701", "700", "*68103", "104"];

fn any<'a>(chance: &mut Chance, from: &[&'a str]) -> &'a str {
    from[chance.below(from.len() as u64) as usize]
}

fn furnish(w: &mut World, chance: &mut Chance) {
    w.lot(|lot| {
        lot.max_calls_per_slot = 1 + chance.below(3) as usize;
        lot.recall.after = Duration::from_secs(chance.below(20));
        lot.recall.ring = Duration::from_secs(1 + chance.below(6));
        lot.recall.pause = Duration::from_secs(1 + chance.below(6));
        lot.recall.reminder = Duration::from_secs(7 * chance.below(2));
        lot.recall.attempts = 1 + chance.below(3) as u32;
        lot.recall.to = [RecallTo::Parker, RecallTo::ParkerThenGroup, RecallTo::Group]
            [chance.below(3) as usize];
        lot.recall.group = vec!["102".into(), "103".into(), "+33176000002".into()];
        lot.recall.then =
            [RecallThen::Stay, RecallThen::Hangup, RecallThen::Transfer("104".into())]
                [chance.below(3) as usize]
                .clone();
        lot.dtmf = chance.below(3) == 0;
        lot.courtesy = [Courtesy::None, Courtesy::Both][chance.below(2) as usize];
        lot.groups = vec![GroupSettings {
            name: "sales".into(),
            members: ["101".into(), "102".into(), "103".into()].to_vec(),
            own: OwnSettings::default(),
        }];
    });
    // Somebody must end the leg of whoever has transferred, or it is heard beside the next.
    let leaves_it_to_the_pbx = chance.below(2) == 0;
    if chance.below(3) == 0 && !leaves_it_to_the_pbx {
        w.behind_a_proxy();
    }
    w.pbx_settings(|pbx| pbx.byes_after_transfer = leaves_it_to_the_pbx);
    if chance.below(4) == 0 {
        w.settings(|s| s.anchor = Anchor::Parked);
    }
    w.pbx_settings(|pbx| pbx.digest = chance.below(4) == 0);
    w.phones(PHONES).second_phone("benny", "ben").callers(CALLERS);
    for name in PHONES.iter().chain(&CALLERS) {
        w.habits(name, |h| {
            h.offers_late = chance.below(6) == 0;
            // Who rings with sound while a transfer goes on is heard beside the call.
            h.early_media = false;
            h.reliable = chance.below(4) == 0;
            h.no_refer_subscription = chance.below(4) == 0;
            h.byes_after_transfer = !leaves_it_to_the_pbx || chance.below(2) == 0;
            h.holds_to_transfer = chance.below(4) == 0;
            h.holds_inactive = chance.below(4) == 0;
            h.session_expires = (chance.below(4) == 0).then_some(90);
            h.formats =
                [vec![8, 0], vec![0, 8], vec![8], vec![0]][chance.below(4) as usize].clone();
            h.answers_after =
                (chance.below(2) == 0).then(|| Duration::from_millis(chance.below(3_000)));
        });
    }
    // Some are told by a subscription, some by another notice than the first.
    for name in PHONES {
        match chance.below(6) {
            0 => w.watch_line(name, name).settle(),
            1 => w.habits(name, |h| h.notice_statuses = vec![("park-info", 481)]),
            2 => {
                w.habits(name, |h| h.notice_statuses = vec![("park-info", 489), ("call-info", 405)])
            }
            _ => continue,
        };
    }
}

fn one_step(w: &mut World, chance: &mut Chance) {
    let all: Vec<&str> = PHONES.iter().chain(&CALLERS).chain(&["benny"]).copied().collect();
    let name = any(chance, &all);
    let phone = w.phone(name);
    let up = phone.calls().iter().filter(|c| c.state == CallState::Up).count();
    let held = phone.calls().iter().any(|c| c.state == CallState::Up && c.holds());
    let free = phone.calls().iter().any(|c| c.state == CallState::Up && !c.holds());
    let (rings, living) = (phone.rings(), phone.living_calls());
    match chance.below(15) {
        0..=2 if living < 2 => {
            w.dial(name, any(chance, &NUMBERS));
        }
        3..=4 if rings => {
            w.answer(name);
        }
        5 if rings => {
            w.decline(name, 486);
        }
        6 if free => {
            w.hold(name);
        }
        7 if held => {
            w.resume(name);
        }
        8 if up > 0 && !CALLERS.contains(&name) && chance.below(2) == 0 => {
            w.ask_park_server(name, any(chance, &SERVERS));
        }
        8..=10 if up > 0 => {
            w.transfer(name, any(chance, &NUMBERS));
        }
        11 if up > 1 => {
            w.transfer_attended(name);
        }
        12 if phone.calls().iter().any(|c| c.is_alive() && !c.given_up) => {
            w.hang_up(name);
        }
        13 if chance.below(4) == 0 && !CALLERS.contains(&name) => {
            w.reboot(name).register(name, 3600);
        }
        _ => {
            w.pass(Duration::from_millis(chance.below(8_000)));
        }
    }
    w.pass(Duration::from_millis([0, 0, 5, 15, 40, 300, 2_000][chance.below(7) as usize]));
}

/// In every other walk some keys with lamps watch a slot, the lot or an extension.
fn watch(w: &mut World, seed: u64) {
    if !seed.is_multiple_of(2) {
        return;
    }
    let mut chance = Chance::from_seed(seed);
    for name in PHONES {
        w.subscribe(name, "dialog", any(&mut chance, &["701", "702", "700", "101", "102"]));
    }
    w.settle();
}

/// In every third walk an operator does anything with any call.
fn operator(seed: u64) -> Option<Chance> {
    seed.is_multiple_of(3).then(|| Chance::from_seed(seed + 7))
}

/// In every fifth walk the house is killed now and then.
fn killer(seed: u64) -> Option<Chance> {
    (seed % 5 == 2).then(|| Chance::from_seed(seed + 11))
}

fn steer(w: &mut World, chance: &mut Chance) {
    let parks: Vec<String> = w.parked_calls().into_iter().map(|call| call.at.park).collect();
    let Reply::Calls { calls } = w.command(Command::Calls { call: None }) else { return };
    let ids: Vec<String> = calls.into_iter().map(|call| call.id).collect();
    let one = |from: &[String], chance: &mut Chance| {
        from.get(chance.below(from.len() as u64) as usize).cloned().unwrap_or_default()
    };
    let (park, id) = (one(&parks, chance), one(&ids, chance));
    let slot = any(chance, &NUMBERS).to_owned();
    let command = match chance.below(12) {
        0..=2 => Command::Retrieve { park, to: slot },
        3..=4 => Command::Recall { park },
        5..=6 => Command::Move { park, slot },
        7..=8 => Command::Park { id, slot },
        9 => Command::HangUp { park },
        10 => Command::End { id },
        _ => return,
    };
    w.remark(&format!("{command:?}"));
    let said = w.command(command);
    assert!(matches!(said, Reply::Done | Reply::Refused { .. }), "{said:?}");
}

/// Who has one call hears one source, whatever has happened before.
fn nobody_hears_two(w: &mut World) {
    for name in PHONES.iter().chain(&CALLERS) {
        if w.phone(name).living_calls() == 1 {
            w.hears_one_at_most(name);
        }
    }
}

/// Gives how many calls were parked.
fn walk(seed: u64) -> usize {
    let mut chance = Chance::from_seed(seed);
    let mut w = World::new();
    w.lot(|lot| lot.recall.ignore_dnd = !seed.is_multiple_of(3));
    if seed.is_multiple_of(5) {
        let own = OwnSettings { max_calls_per_slot: Some(1), ..OwnSettings::default() };
        w.lot(|lot| lot.places = vec![PlaceSettings { numbers: vec![(701, 701, 3)], own }]);
    }
    furnish(&mut w, &mut chance);
    w.remark(&format!("walk {seed}"));
    watch(&mut w, seed);
    let every = [0, 37, 17, 9, 5][chance.below(5) as usize];
    w.spoil_every(every, Fault::ALL[chance.below(4) as usize]);
    let mut operator = operator(seed);
    let mut killer = killer(seed);
    for _ in 0..60 {
        one_step(&mut w, &mut chance);
        if let Some(chance) = &mut killer
            && chance.below(8) == 0
        {
            w.kill().pass(Duration::from_millis(chance.below(2_000))).open_again();
        }
        if let Some(chance) = &mut operator
            && chance.below(3) == 0
        {
            steer(&mut w, chance);
        }
    }
    w.spoil_every(0, Fault::Drop).pass(Duration::from_secs(200));
    nobody_hears_two(&mut w);
    w.screens_equal_lots().lamps_equal_lots();
    w.everybody_hangs_up();
    // Two phones that have parked each other have left only their parked calls.
    w.command(Command::EndAll);
    w.tidy();
    w.facts().filter(|fact| matches!(fact, Fact::Parked { .. })).count()
}

fn walks(from: u64, count: u64) {
    let count = std::env::var("WALKS").ok().and_then(|n| n.parse().ok()).unwrap_or(count);
    let only = std::env::var("WALK").ok().and_then(|seed| seed.parse().ok());
    let (mut parks, mut wrong) = (0, Vec::new());
    for seed in only.map_or(from..from + count, |seed: u64| seed..seed + 1) {
        match std::panic::catch_unwind(|| walk(seed)) {
            Ok(parked) => parks += parked,
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                wrong.push(format!("WALK={seed}: {text}"));
            }
        }
    }
    println!("{count} walks from {from} on: {parks} calls parked, {} walks failed", wrong.len());
    assert!(wrong.is_empty(), "{} of {count} walks: {}", wrong.len(), wrong.join("\n"));
}

#[test]
fn whatever_anybody_does_nothing_is_lost_or_left_behind() {
    walks(1, 200);
}

#[test]
fn whatever_anybody_does_otherwise_nothing_is_lost_or_left_behind() {
    walks(10_000_001, 200);
}
