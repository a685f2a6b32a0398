//! Random lives of three nodes: parks, retrieves, houses cut off, killed and opened again, the store away, back and
//! empty, all at random moments. At the end of each, no call is in two slots, and none is lost.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use base::Chance;
use simnet::{Houses, World};

const NODES: [&str; 3] = ["a", "b", "c"];
const PHONES: [&str; 3] = ["ben", "carl", "dora"];
const CALLERS: [&str; 3] = ["anna", "axel", "alma"];
/// How many lives, and how much happens in each.
const LIVES: u64 = 40;
const DEEDS: usize = 30;

fn pick<'a>(chance: &mut Chance, of: &[&'a str]) -> &'a str {
    of[chance.below(of.len() as u64) as usize]
}

fn is_idle(world: &World, name: &str) -> bool {
    world.phone(name).living_calls() == 0
}

/// A slot, or any.
fn place(chance: &mut Chance) -> String {
    format!("{}", 700 + chance.below(5))
}

/// Somebody calls, and is parked without anybody waiting for what becomes of that.
fn parks(h: &mut Houses, chance: &mut Chance, node: &str) {
    let (phone, caller) = (pick(chance, &PHONES), pick(chance, &CALLERS));
    let world = h.at(node);
    if is_idle(world, phone) && is_idle(world, caller) {
        world.talk(caller, phone).transfer(phone, &place(chance));
    }
}

/// A phone with a call parks it, or hangs up; one without dials a slot.
fn acts(h: &mut Houses, chance: &mut Chance, node: &str) {
    let (phone, place) = (pick(chance, &PHONES), place(chance));
    let world = h.at(node);
    if is_idle(world, phone) {
        world.dial(phone, &place);
    } else if world.phone(phone).is_up() {
        match chance.below(3) {
            0 => world.hang_up(phone),
            _ => world.transfer(phone, &place),
        };
    }
}

fn happens(h: &mut Houses, chance: &mut Chance) {
    let node = pick(chance, &NODES);
    match chance.below(16) {
        0..=5 => parks(h, chance, node),
        6..=10 => acts(h, chance, node),
        11 => {
            h.cut(node);
        }
        12 => {
            h.heal(node);
        }
        13 => {
            h.store_away();
        }
        14 => {
            match chance.below(4) {
                0 => h.store_back_empty(),
                _ => h.store_back(),
            };
        }
        _ => {
            // What is only under way does not outlive a house, whoever shares its lots.
            h.settle().kill(node).pass(Duration::from_millis(chance.below(15_000)));
            h.open_again(node);
        }
    }
    h.pass(Duration::from_millis(chance.below(4_000)));
}

fn life(seed: u64) {
    let mut chance = Chance::from_seed(seed);
    let mut h = Houses::new(&NODES, |w| {
        w.lot(|lot| lot.max_calls_per_slot = 1);
        w.phones(PHONES).callers(CALLERS);
    });
    for _ in 0..DEEDS {
        happens(&mut h, &mut chance);
    }
    NODES.iter().for_each(|node| {
        h.heal(node);
    });
    h.store_back().settle().settle().agrees(1);
    let up = |h: &mut Houses, names: &[&str]| -> usize {
        let at = |node: &&str| {
            let world = h.at(node);
            names.iter().filter(|name| world.phone(name).is_up()).count()
        };
        NODES.iter().map(at).sum()
    };
    let (callers, phones, parked) = (up(&mut h, &CALLERS), up(&mut h, &PHONES), h.parked().len());
    assert_eq!(callers, phones + parked, "somebody hangs on with nobody\n{}", h.ladders());
    h.tidy();
}

#[test]
fn whatever_happens_to_nodes_and_store_no_call_is_lost_or_in_two_slots() {
    for seed in 0..LIVES {
        let lived = std::panic::catch_unwind(|| life(seed));
        assert!(lived.is_ok(), "in the life of seed {seed}");
    }
}
