//! What a stream takes of memory.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::alloc::System;

use rig::{MUSIC, PARKEE, Source, ms, music, plan, send, stream};
use rtp_flow::{Hears, PairId, Plan, Relay};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What is allocated and not given back, in bytes.
fn in_use() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

/// Bytes for each of so many streams that hear this, all of which have heard somebody.
fn each(relay: Relay, hears: impl Fn(u32) -> Hears) -> usize {
    const STREAMS: u32 = 2_048;
    let mut relay = relay;
    let before = in_use();
    for n in 0..STREAMS {
        relay.plan(ms(0), Plan::Stream(plan(PairId(n), hears(n))));
        let packet = Source::at(PairId(n), 1, 1).packet();
        let _ = send(&mut relay, ms(0), PairId(n), packet);
        while relay.notice().is_some() {}
    }
    drop(music(&mut relay, ms(200)));
    (in_use() - before) / STREAMS as usize
}

#[test]
fn a_stream_of_music_takes_less_than_2_kib() {
    let music = each(rig::relay(), |_| MUSIC);
    let talk = each(rig::relay().by_fast_paths(), |n| stream(PairId(n ^ 1)));
    println!("a stream of music: {music} bytes; one of talk: {talk} bytes");
    assert!(music < 2_048, "{music} bytes");
    assert!(talk < 2_048, "{talk} bytes");
}

#[test]
fn what_has_ended_leaves_nothing() {
    let mut relay = rig::relay();
    let round = |relay: &mut Relay| {
        let before = in_use();
        for n in 0..1_000 {
            relay.plan(ms(n), Plan::Stream(plan(PARKEE, MUSIC)));
            drop(music(relay, ms(n)));
            relay.plan(ms(n), rig::end(PARKEE));
            while relay.notice().is_some() {}
        }
        in_use() as isize - before as isize
    };
    round(&mut relay);
    assert_eq!(round(&mut relay), 0);
}
