//! What a packet costs: forwarded as it is, forwarded on a switched stream, and a packet of music.
#![allow(missing_docs, reason = "criterion's macro writes a public function")]

use std::hint::black_box;
use std::net::SocketAddr;

use base::{Chance, Moment};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rtp_flow::{
    Codec, Component, Hears, PairId, PayloadMap, Plan, Relay, StreamKind, StreamPlan, Tune, Tunes,
};

/// Calls that are up while one packet is measured: the machine's caches are not ours alone.
const CALLS: u32 = 1_000;

fn far(pair: u32) -> SocketAddr {
    SocketAddr::from(([10, 0, (pair >> 8) as u8, pair as u8], 4_000))
}

fn plan(pair: u32, hears: Hears) -> Plan {
    Plan::Stream(StreamPlan {
        pair: PairId(pair),
        kind: StreamKind::Rtp,
        srtp: None,
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
    let pcm: Vec<i16> = (0..480_000).map(|n| (n % 24_000) as i16 - 12_000).collect();
    let tunes = Tunes::new(vec![Tune::encode(&pcm, &[Codec::Pcma]).unwrap_or_default()]);
    let mut relay = Relay::new(tunes, Chance::from_seed(1));
    for pair in 0..2 * CALLS {
        relay.plan(Moment::ZERO, plan(pair, hears(pair)));
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

fn due(c: &mut Criterion) {
    let mut relay = relay(|_| music());
    let mut group = c.benchmark_group("due");
    // One millisecond of music for two thousand parkees.
    group.throughput(Throughput::Elements(u64::from(2 * CALLS) / 20));
    group.bench_function("a packet of music", |b| {
        b.iter(|| {
            let now = relay.next().unwrap_or_default();
            while let Some(outgoing) = relay.due(now) {
                black_box(&outgoing);
            }
        });
    });
    group.finish();
}

criterion_group!(benches, on_packet, due);
criterion_main!(benches);
