//! What transactions cost: one call's worth on one leg each way, a repetition absorbed, and an
//! alarm among many.
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]
#![expect(missing_docs, reason = "what criterion_group! writes has none")]

use std::hint::black_box;
use std::time::Duration;

use base::{Chance, Flow, Moment, Side, Transport};
use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use sip_core::{Heard, Layer, Oversize, Timing};
use sip_msg::{Compose, Draft, Message, Name};

fn flow() -> Flow {
    Flow {
        side: Side::Phones,
        transport: Transport::Udp,
        local: "192.0.2.1:5060".parse().unwrap(),
        peer: "192.0.2.103:5060".parse().unwrap(),
        conn: None,
    }
}

fn layer() -> Layer<u32> {
    Layer::new(Timing::default(), Chance::from_seed(1))
}

fn draft(method: &str) -> Draft {
    Compose::request(method, "sip:103@192.0.2.103:5060")
        .line(Name::From, "\"Ann\" <sip:101@pbx.example>;tag=8a7f1c")
        .line(Name::To, "<sip:103@pbx.example>")
        .line(Name::CallId, "3848276298220188511@atlanta.example.com")
        .line(Name::CSeq, format!("41 {method}"))
        .line(Name::MaxForwards, "70")
        .line(Name::Contact, "<sip:t8a7f1c@192.0.2.1:5060>")
        .body("application/sdp", vec![b'x'; if method == "INVITE" { 250 } else { 0 }])
        .finish()
}

fn request(method: &str, number: u64) -> Message {
    let via = format!("SIP/2.0/UDP 192.0.2.103:5060;branch=z9hG4bK{number};rport");
    Message::read(draft(method).with_vias(&[via])).unwrap()
}

fn answer(bytes: Bytes, status: u16) -> Message {
    let request = Message::read(bytes).unwrap();
    let draft = Compose::response_to(&request, status, None).to_tag("x").finish();
    Message::read(draft.with_vias(&[request.via().as_str()])).unwrap()
}

/// A call that we were sent: INVITE, 100, 180, 200, ACK; BYE, 200.
fn serve(layer: &mut Layer<u32>, at: Moment, number: u64) {
    let Heard::Request { server, request: invite, .. } =
        layer.hear(at, flow(), request("INVITE", number))
    else {
        unreachable!("a new branch")
    };
    layer.adopt(server, 1);
    for status in [180, 200] {
        let draft = Compose::response_to(&invite, status, None).to_tag("x").finish();
        layer.respond(at, server, status, &draft);
    }
    layer.acked(at, server);
    let Heard::Request { server, request: bye, .. } =
        layer.hear(at, flow(), request("BYE", number))
    else {
        unreachable!("a new branch")
    };
    layer.respond(at, server, 200, &Compose::response_to(&bye, 200, None).finish());
    while let Some(out) = layer.poll() {
        black_box(out);
    }
}

/// The same call as we send it.
fn ask(layer: &mut Layer<u32>, at: Moment, invite: &Draft, ack: &Draft, bye: &Draft) {
    let key = layer.request(at, flow(), 1, invite, Oversize::TryTcp);
    let (_, sent) = layer.poll().unwrap();
    for status in [100, 180, 200] {
        black_box(layer.hear(at, flow(), answer(sent.clone(), status)));
    }
    layer.ack(at, key, flow(), ack);
    layer.request(at, flow(), 1, bye, Oversize::TryTcp);
    layer.poll();
    let (_, sent) = layer.poll().unwrap();
    black_box(layer.hear(at, flow(), answer(sent, 200)));
}

/// So many calls that the transactions of the first are forgotten (32 s) when the measuring begins.
const BEFORE: u32 = 17_000;

/// Time goes on at 500 calls a second: what lingers of half a minute of calls stands in the tables.
fn calls(c: &mut Criterion) {
    let pause = Duration::from_millis(2);
    let (mut layer_of_servers, mut at, mut number) = (layer(), Moment::ZERO, 0);
    let mut served = || {
        at += pause;
        number += 1;
        serve(&mut layer_of_servers, at, number);
        while let Some(heard) = layer_of_servers.wake(at) {
            black_box(heard);
        }
    };
    let mut before = BEFORE;
    c.bench_function("a call that we were sent, messages read and composed", |b| {
        (0..std::mem::take(&mut before)).for_each(|_| served());
        b.iter(&mut served);
    });
    let (mut layer_of_clients, mut at) = (layer(), Moment::ZERO);
    let (invite, ack, bye) = (draft("INVITE"), draft("ACK"), draft("BYE"));
    let mut asked = || {
        at += pause;
        ask(&mut layer_of_clients, at, &invite, &ack, &bye);
        while let Some(heard) = layer_of_clients.wake(at) {
            black_box(heard);
        }
    };
    let mut before = BEFORE;
    c.bench_function("a call that we send, answers read and composed", |b| {
        (0..std::mem::take(&mut before)).for_each(|_| asked());
        b.iter(&mut asked);
    });
    c.bench_function("for comparison: those answers alone", |b| {
        let mut layer = layer();
        layer.request(Moment::ZERO, flow(), 1, &draft("INVITE"), Oversize::TryTcp);
        let (_, sent) = layer.poll().unwrap();
        b.iter(|| {
            for status in [100, 180, 200, 200] {
                black_box(answer(sent.clone(), status));
            }
        });
    });
}

fn one_by_one(c: &mut Criterion) {
    c.bench_function("a new request", |b| {
        let mut layer = layer();
        let mut number = 0;
        b.iter_batched(
            || {
                number += 1;
                request("OPTIONS", number)
            },
            |request| black_box(layer.hear(Moment::ZERO, flow(), request)),
            BatchSize::SmallInput,
        );
    });
    c.bench_function("a repeated INVITE, answered with the last provisional", |b| {
        let mut layer = layer();
        let invite = request("INVITE", 1);
        layer.hear(Moment::ZERO, flow(), invite.clone());
        b.iter(|| {
            black_box(layer.hear(Moment::ZERO, flow(), invite.clone()));
            black_box(layer.poll());
        });
    });
    c.bench_function("a stray answer", |b| {
        let mut layer = layer();
        let bytes = draft("OPTIONS").with_vias(&["SIP/2.0/UDP h;branch=z9hG4bK0123456789abcdef"]);
        let stray = answer(bytes, 200);
        b.iter(|| black_box(layer.hear(Moment::ZERO, flow(), stray.clone())));
    });
}

criterion_group!(benches, calls, one_by_one);
criterion_main!(benches);
