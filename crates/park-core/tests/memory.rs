//! What a call takes of memory while it is up, and a subscription while it lasts; and what they leave
//! behind: nothing.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "the world is the bench's")]
#![allow(dead_code, missing_docs, reason = "the world is the bench's")]

#[path = "../benches/world/mod.rs"]
mod world;

use std::alloc::System;
use std::time::Duration;

use park_core::{Anchor, Input};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use world::World;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What is allocated and not given back, in bytes.
fn in_use() -> isize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated as isize - stats.bytes_deallocated as isize
}

/// Long enough for every transaction to be forgotten (64·T1 and more).
fn rest(world: &mut World) {
    for _ in 0..400 {
        world.at += Duration::from_millis(250);
        world.turn(Input::Wake);
        world.settle();
    }
    world.heard = Vec::new();
}

fn calls(world: &mut World, count: usize, one: fn(&mut World)) {
    for _ in 0..count {
        world.at += Duration::from_millis(2);
        one(world);
        world.heard.clear();
    }
    rest(world);
}

/// What each of so many thousand calls leaves behind. A table that grows for good does so rarely:
/// what leaks, leaks always, so the least of several rounds counts.
fn left_by(anchor: Anchor, one: fn(&mut World)) -> isize {
    let mut world = World::new(anchor);
    let round = |world: &mut World| {
        let before = in_use();
        calls(world, 1_000, one);
        in_use() - before
    };
    round(&mut world);
    (0..5).map(|_| round(&mut world)).min().unwrap()
}

fn held(anchor: Anchor) -> isize {
    const CALLS: usize = 1_000;
    let mut world = World::new(anchor);
    for _ in 0..CALLS {
        world.dial(103, "200");
    }
    rest(&mut world);
    let few = in_use();
    for _ in 0..CALLS {
        world.dial(103, "200");
    }
    rest(&mut world);
    (in_use() - few) / CALLS as isize
}

/// What each of many subscriptions to one lot takes, in bytes, and what thousands leave behind when their
/// time is up.
fn watched() -> (isize, isize) {
    const PHONES: std::ops::Range<u64> = 1_000..3_000;
    let mut world = World::new(Anchor::Always);
    for extension in PHONES {
        world.register(extension);
    }
    let mut round = || {
        rest(&mut world);
        let before = in_use();
        for extension in PHONES {
            world.subscribe(extension);
            world.heard.clear();
        }
        rest(&mut world);
        assert_eq!(world.counts().watches, PHONES.count());
        let taken = (in_use() - before) / PHONES.count() as isize;
        world.at += Duration::from_secs(3600);
        rest(&mut world);
        assert_eq!(world.counts().watches, 0);
        (taken, in_use() - before)
    };
    // The tables have grown for good in the first round: what they take is in it.
    let (taken, _) = round();
    (taken, (0..5).map(|_| round().1).min().unwrap())
}

// One test: the allocator counts for the whole process.
#[test]
fn calls_and_subscriptions_take_little_memory_and_give_all_of_it_back() {
    let (call, park) = (left_by(Anchor::Always, World::call), left_by(Anchor::Always, World::park));
    assert_eq!((call, park), (0, 0), "bytes that 1,000 calls leave");
    let (anchored, direct) = (held(Anchor::Always), held(Anchor::Parked));
    println!("bytes a call: {anchored} anchored, {direct} direct");
    assert!(anchored < 5_000 && direct < 5_000, "{anchored} anchored, {direct} direct");
    let (subscription, left) = watched();
    println!("bytes a subscription: {subscription}");
    assert!(subscription <= 2048, "{subscription}");
    assert_eq!(left, 0, "bytes that 2,000 subscriptions leave");
}
