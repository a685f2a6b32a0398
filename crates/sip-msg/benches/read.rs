//! What a message costs: read, edited, composed; beside rsip 0.4 on the same INVITE.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench fails by panicking")]

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use sip_msg::{Compose, Description, Draft, Edit, Framer, Message, Name, Rewrite, via_seen_from};

const VIA: &str = "SIP/2.0/UDP 198.51.100.1:5080;branch=z9hG4bK0123456789abcdef;rport";

fn invite() -> Bytes {
    include_str!("invite.txt").replace('\n', "\r\n").into()
}

// What passing an INVITE on changes.
fn passed_on(message: &Message) -> Draft {
    let contact = message.contacts().next().unwrap();
    Edit::of(message)
        .request_line("sip:105@192.0.2.50:5060;user=phone")
        .set(Name::Contact, contact.with_uri("sip:0123456789abcdef@198.51.100.1:5080"))
        .set(Name::MaxForwards, "69")
        .remove(Name::Route)
        .finish()
}

fn read(c: &mut Criterion) {
    let bytes = invite();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let mut group = c.benchmark_group("read an INVITE");
    group.bench_function("ours", |b| b.iter(|| Message::read(black_box(bytes.clone())).unwrap()));
    group.bench_function("ours, from a socket's buffer", |b| {
        b.iter(|| Message::read(Bytes::copy_from_slice(black_box(&bytes))).unwrap());
    });
    group.bench_function("ours, folded", |b| {
        let folded: Bytes = text.replace("talk,hold,", "talk,hold,\r\n ").into();
        b.iter(|| Message::read(black_box(folded.clone())).unwrap());
    });
    group.bench_function("rsip", |b| {
        b.iter(|| rsip::SipMessage::try_from(black_box(&text[..])).unwrap());
    });
    group.finish();
    c.bench_function("refuse an INVITE, with its answer", |b| {
        let bad: Bytes = text.replace("CSeq: 1 INVITE", "CSeq: 1 BYE").into();
        b.iter(|| Message::read(black_box(bad.clone())).unwrap_err().answer());
    });
    c.bench_function("cut an INVITE from a stream", |b| {
        let mut framer = Framer::new();
        b.iter(|| {
            framer.push(black_box(&bytes));
            framer.next().unwrap()
        });
    });
}

fn write(c: &mut Criterion) {
    let message = Message::read(invite()).unwrap();
    let theirs = rsip::SipMessage::try_from(&invite()[..]).unwrap();
    let mut group = c.benchmark_group("write an INVITE");
    group.bench_function("edit", |b| b.iter(|| passed_on(black_box(&message))));
    let draft = passed_on(&message);
    group.bench_function("put the Via in", |b| b.iter(|| black_box(&draft).with_vias(&[VIA])));
    group.bench_function("rsip, unchanged", |b| b.iter(|| black_box(&theirs).to_string()));
    group.finish();
    c.bench_function("compose a 180", |b| {
        b.iter(|| {
            Compose::response_to(black_box(&message), 180, None)
                .to_tag("0123456789")
                .line(Name::Contact, "<sip:0123456789abcdef@198.51.100.1:5060>")
                .finish()
        });
    });
    c.bench_function("note where a Via came from", |b| {
        let source = "192.0.2.103:5060".parse().unwrap();
        b.iter(|| via_seen_from(black_box(message.via().as_str()), source).unwrap());
    });
}

fn sdp(c: &mut Criterion) {
    let sdp = Message::read(invite()).unwrap().sdp().unwrap();
    c.bench_function("read a description", |b| {
        b.iter(|| Description::read(black_box(&sdp)).unwrap().media().len());
    });
    let description = Description::read(&sdp).unwrap();
    c.bench_function("anchor a description", |b| {
        let ip = "198.51.100.1".parse().unwrap();
        b.iter(|| Rewrite::of(black_box(&description)).anchor(0, ip, 30000).finish());
    });
}

criterion_group!(benches, read, write, sdp);
criterion_main!(benches);
