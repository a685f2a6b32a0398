//! What a packet costs: forwarded as it is, forwarded on a switched stream, and a packet of music; and the
//! same with SRTP, of which the ratio to what goes in the clear is printed at the end.
#![allow(missing_docs, reason = "criterion's macro writes a public function")]

use std::hint::black_box;
use std::net::SocketAddr;

use base::{Chance, Moment};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rtp_flow::{
    Codec, Component, Door, Hears, Master, PairId, PayloadMap, Plan, Relay, Srtp, SrtpSender,
    StreamKind, StreamPlan, Suite, Tune, Tunes,
};

/// Calls that are up while one packet is measured: the machine's caches are not ours alone.
const CALLS: u32 = 1_000;

fn far(pair: u32) -> SocketAddr {
    SocketAddr::from(([10, 0, (pair >> 8) as u8, pair as u8], 4_000))
}

fn plan(pair: u32, hears: Hears) -> Plan {
    plan_with(pair, hears, None)
}

fn plan_with(pair: u32, hears: Hears, srtp: Option<Srtp>) -> Plan {
    Plan::Stream(StreamPlan {
        pair: PairId(pair),
        kind: StreamKind::Rtp,
        srtp: srtp.map(Box::new),
        far: Some(far(pair)),
        far_rtcp: None,
        rtcp_mux: false,
        guard: [far(pair).ip()].into_iter().collect(),
        keys: None,
        silence: None,
        hears,
        opening: None,
    })
}

fn stream(from: u32) -> Hears {
    Hears::Stream { from: PairId(from), payloads: PayloadMap::new() }
}

fn relay(hears: impl Fn(u32) -> Hears) -> Relay {
    relay_with(hears, |_| None)
}

fn keys(pair: u32, suite: Suite) -> Srtp {
    let mut chance = Chance::from_seed(u64::from(pair));
    let inbound = Master::random(suite, &mut chance);
    Srtp { inbound, outbound: Master::random(suite, &mut chance) }
}

fn relay_with(hears: impl Fn(u32) -> Hears, srtp: impl Fn(u32) -> Option<Srtp>) -> Relay {
    let pcm: Vec<i16> = (0..480_000).map(|n| (n % 24_000) as i16 - 12_000).collect();
    let tunes = Tunes::new(vec![Tune::encode(&pcm, &[Codec::Pcma]).unwrap_or_default()]);
    let mut relay = Relay::new(tunes, Chance::from_seed(1));
    for pair in 0..2 * CALLS {
        relay.plan(Moment::ZERO, plan_with(pair, hears(pair), srtp(pair)));
    }
    relay
}

fn music() -> Hears {
    Hears::Music { tune: 0, codec: Codec::Pcma, payload_type: 8, ptime: 20 }
}

fn packet(seq: u16) -> [u8; 172] {
    let mut packet = [0x55; 172];
    packet[..12].copy_from_slice(&[0x80, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    packet[2..4].copy_from_slice(&seq.to_be_bytes());
    packet[4..8].copy_from_slice(&(u32::from(seq) * 160).to_be_bytes());
    packet
}

fn forward(c: &mut Criterion, name: &str, mut relay: Relay) {
    let (mut seq, mut pair) = (0u16, 0);
    c.bench_function(name, |b| {
        b.iter(|| {
            pair = (pair + 2) % (2 * CALLS);
            seq = if pair == 0 { seq.wrapping_add(1) } else { seq };
            let now = Moment::from_micros(u64::from(seq) * 20_000);
            let mut buffer = packet(seq);
            let from = far(pair);
            black_box(relay.on_packet(now, PairId(pair), Component::Rtp, from, &mut buffer))
        });
    });
}

fn on_packet(c: &mut Criterion) {
    forward(c, "on_packet/as it is", relay(|pair| stream(pair ^ 1)));
    let mut switched = relay(|_| music());
    let until = Moment::from_micros(40_000);
    while switched.due(until).is_some() {}
    for pair in 0..2 * CALLS {
        switched.plan(until, plan(pair, stream(pair ^ 1)));
    }
    forward(c, "on_packet/on a switched stream", switched);
}

/// Decrypted, rewritten and encrypted with another key: what a retriever and a parkee with SRTP cost.
fn on_srtp(c: &mut Criterion) {
    for suite in Suite::ALL {
        let mut relay = relay_with(|pair| stream(pair ^ 1), |pair| Some(keys(pair, suite)));
        let ends = (0..2 * CALLS).step_by(2);
        let mut senders: Vec<SrtpSender> = ends
            .map(|pair| SrtpSender::new(&keys(pair, suite).inbound, &mut Chance::from_seed(1)))
            .collect();
        let (mut seq, mut pair) = (0u16, 0);
        c.bench_function(&format!("on_packet/{}", suite.name()), |b| {
            b.iter_batched(
                || {
                    pair = (pair + 2) % (2 * CALLS);
                    seq = if pair == 0 { seq.wrapping_add(1) } else { seq };
                    let mut room = [0; 240];
                    room[..172].copy_from_slice(&packet(seq));
                    let sealed = senders[(pair / 2) as usize].rtp(&mut room, 172);
                    (pair, seq, room, sealed.unwrap_or_default())
                },
                |(pair, seq, mut room, len)| {
                    let now = Moment::from_micros(u64::from(seq) * 20_000);
                    let at = Door { pair: PairId(pair), component: Component::Rtp };
                    black_box(relay.on_datagram(now, at, far(pair), &mut room, len))
                },
                BatchSize::SmallInput,
            );
        });
    }
}

fn due(c: &mut Criterion) {
    let mut group = c.benchmark_group("due");
    // One millisecond of music for two thousand parkees.
    group.throughput(Throughput::Elements(u64::from(2 * CALLS) / 20));
    let suites = Suite::ALL.into_iter().map(Some);
    for suite in std::iter::once(None).chain(suites) {
        let mut relay = relay_with(|_| music(), |pair| Some(keys(pair, suite?)));
        let name = suite.map_or("a packet of music", Suite::name);
        group.bench_function(name, |b| {
            b.iter(|| {
                let now = relay.next().unwrap_or_default();
                while let Some(outgoing) = relay.due(now) {
                    black_box(&outgoing);
                }
            });
        });
    }
    group.finish();
}

/// What music with SRTP costs, as a multiple of music in the clear: both are played in turn, so that what
/// else the machine does falls on both.
fn ratio(_: &mut Criterion) {
    const ROUNDS: usize = 41;
    const PACKETS: usize = 20_000;
    let mut plain = relay(|_| music());
    println!("music by SRTP against music in the clear (median of {ROUNDS} rounds):");
    for suite in Suite::ALL {
        let mut locked = relay_with(|_| music(), |pair| Some(keys(pair, suite)));
        let mut ratios: Vec<f64> = Vec::new();
        let mut each = Vec::new();
        for _ in 0..ROUNDS {
            let (clear, sealed) = (played(&mut plain, PACKETS), played(&mut locked, PACKETS));
            ratios.push(sealed / clear);
            each.push(sealed - clear);
        }
        ratios.sort_by(f64::total_cmp);
        each.sort_by(f64::total_cmp);
        let (ratio, more) = (ratios[ROUNDS / 2], each[ROUNDS / 2]);
        println!("  {:<24} {ratio:.1} times, {more:.0} ns more a packet", suite.name());
    }
}

/// Nanoseconds for a packet of music, of so many.
#[expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "a benchmark has a clock")]
fn played(relay: &mut Relay, packets: usize) -> f64 {
    let began = std::time::Instant::now();
    let mut played = 0;
    while played < packets {
        let now = relay.next().unwrap_or_default();
        while let Some(outgoing) = relay.due(now) {
            black_box(&outgoing);
            played += 1;
        }
    }
    began.elapsed().as_nanos() as f64 / played as f64
}

criterion_group!(benches, on_packet, on_srtp, due, ratio);
criterion_main!(benches);
