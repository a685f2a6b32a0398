//! What one turn of the engine costs: whole calls, a registration, a park with its retrieve, and a
//! wake with nothing to do. The clock runs only while the engine has the turn, from the bytes of a
//! message to [`Output::Idle`]; phones and PBX are played outside of it. Beside each: the same
//! messages only read and printed again, so that the ratio shows what the engine adds.
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a bench reads the clock; what it measures does not"
)]
#![expect(missing_docs, reason = "what criterion_group! writes has none")]

mod world;

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use park_core::{Anchor, Command, Input, Reply};
use sip_msg::{Edit, Message};
use world::World;

const VIA: &str = "SIP/2.0/UDP 198.51.100.1:5080;branch=z9hG4bK0123456789abcdef;rport";
/// At 500 a second.
const BETWEEN_CALLS: Duration = Duration::from_millis(2);
/// So many that the transactions of the first are forgotten (32 s) when the measuring begins: from
/// then on as much goes as comes.
const BEFORE: u64 = 17_000;

/// How long each sample took per round, in nanoseconds.
#[derive(Default)]
struct Samples(Vec<f64>);

impl Samples {
    fn take(&mut self, spent: Duration, rounds: u64) -> Duration {
        self.0.push(spent.as_nanos() as f64 / rounds as f64);
        spent
    }

    fn median(&mut self) -> Option<f64> {
        self.0.sort_by(f64::total_cmp);
        self.0.get(self.0.len() / 2).copied()
    }
}

/// Only reading and printing: what the engine cannot do without.
fn read_and_print(messages: &[Bytes]) {
    for bytes in messages {
        let message = Message::read(black_box(bytes.clone())).unwrap();
        black_box(Edit::of(&message).finish().with_vias(&[VIA]));
    }
}

/// Measures `round` and its peer on the same messages, and says what is between them.
fn beside(c: &mut Criterion, what: &str, anchor: Anchor, mut round: impl FnMut(&mut World)) {
    let mut world = World::new(anchor);
    world.heard.clear();
    round(&mut world);
    let messages = std::mem::take(&mut world.heard);
    let (mut engine, mut peer) = (Samples::default(), Samples::default());
    let mut group = c.benchmark_group(what);
    group.throughput(Throughput::Elements(messages.len() as u64));
    let mut play = |world: &mut World, rounds: u64| {
        for _ in 0..rounds {
            world.at += BETWEEN_CALLS;
            world.heard.clear();
            round(world);
            assert_eq!(world.heard.len(), messages.len(), "every round is the same");
        }
    };
    let mut before = BEFORE;
    group.bench_function("engine", |b| {
        // Once, and only if it is measured at all.
        play(&mut world, std::mem::take(&mut before));
        b.iter_custom(|rounds| {
            world.spent = Duration::ZERO;
            play(&mut world, rounds);
            engine.take(world.spent, rounds)
        });
    });
    group.bench_function("only read and print", |b| {
        b.iter_custom(|rounds| {
            let begun = Instant::now();
            for _ in 0..rounds {
                read_and_print(&messages);
            }
            peer.take(begun.elapsed(), rounds)
        });
    });
    group.finish();
    let counts = world.counts();
    assert_eq!((counts.parked, counts.bugs, counts.dropped), (0, 0, 0), "{counts:?}");
    assert_eq!(world.parked, world.retrieved);
    if let (Some(ours), Some(theirs)) = (engine.median(), peer.median()) {
        let (ours, theirs, each) = (ours / 1e3, theirs / 1e3, messages.len() as f64);
        println!(
            "{what}: {each} messages, {ours:.1} µs, {:.2} µs a message; only read and printed \
             {theirs:.1} µs, {:.2} µs a message: {:.1} times; {} transactions, {} legs stand\n",
            ours / each,
            theirs / each,
            ours / theirs,
            counts.transactions,
            counts.legs
        );
    }
}

fn turns(c: &mut Criterion) {
    beside(c, "a call, media anchored", Anchor::Always, World::call);
    beside(c, "a call, media direct", Anchor::Parked, World::call);
    let mut next = 0;
    beside(c, "a REGISTER of one of 1000 phones", Anchor::Always, |world| {
        next = (next + 1) % 1000;
        world.register(1000 + next);
    });
    beside(c, "a call, parked and retrieved", Anchor::Always, |world| {
        let before = world.parked;
        world.park();
        assert_eq!((world.parked, world.retrieved), (before + 1, before + 1));
    });
}

fn idle(c: &mut Criterion) {
    let mut world = None;
    c.bench_function("a wake with nothing due, 1000 calls up", |b| {
        let world = world.get_or_insert_with(|| {
            let mut world = World::new(Anchor::Always);
            for _ in 0..1000 {
                world.dial(103, "200");
            }
            world
        });
        b.iter(|| {
            world.engine.handle(world.at, Input::Wake);
            black_box(world.engine.poll())
        });
    });
}

/// What operators ask for while 5,000 calls are parked.
fn lists(c: &mut Criterion) {
    const CALLS: u32 = 5_000;
    let mut world = None;
    for (what, command) in [
        ("the list of 5,000 parked calls", Command::Parked),
        ("5,000 parked calls as calls in progress", Command::Calls { call: None }),
    ] {
        c.bench_function(what, |b| {
            let world = world.get_or_insert_with(|| {
                let mut world = World::with_slots(CALLS);
                for slot in 0..CALLS {
                    world.at += BETWEEN_CALLS;
                    world.park_at(&(10_000 + slot).to_string());
                    world.heard.clear();
                }
                assert_eq!(world.counts().parked, CALLS as usize);
                world
            });
            b.iter(|| match black_box(world.order(command.clone())) {
                Reply::Parked { calls, .. } => assert_eq!(calls.len(), CALLS as usize),
                Reply::Calls { calls } => assert!(calls.len() >= CALLS as usize),
                other => panic!("{other:?}"),
            });
        });
    }
}

criterion_group!(benches, turns, idle, lists);
criterion_main!(benches);
