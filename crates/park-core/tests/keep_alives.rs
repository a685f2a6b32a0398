//! Keep-alives at the engine's door.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use base::{Chance, Flow, Moment, Side, Transport};
use bytes::Bytes;
use park_core::{Engine, Input, Output, Settings};

const PING: &[u8] = b"\x00\x01\x00\x00\x21\x12\xa4\x42parkade-ping";

/// What the engine sends for these bytes of a phone, and what it drops.
fn sent_for(bytes: &'static [u8], transport: Transport) -> (Vec<Bytes>, usize) {
    let mut engine = Engine::new(Settings::default(), Chance::from_seed(1), Moment::ZERO);
    while !matches!(engine.poll(), Output::Idle { .. }) {}
    let local = "198.51.100.1:5060".parse().unwrap();
    let peer = "192.0.2.103:5062".parse().unwrap();
    let flow = Flow { side: Side::Phones, transport, local, peer, conn: None };
    engine.handle(Moment::ZERO, Input::Sip { flow, bytes: Bytes::from_static(bytes) });
    let (mut sent, mut told) = (Vec::new(), 0);
    loop {
        match engine.poll() {
            Output::Send { flow: to, bytes } => {
                assert_eq!(to, flow);
                sent.push(bytes);
            }
            Output::Told(_) => told += 1,
            Output::Idle { .. } => return (sent, told),
            _ => {}
        }
    }
}

#[test]
fn a_phone_that_pings_by_stun_is_told_its_address() {
    let (sent, told) = sent_for(PING, Transport::Udp);
    assert_eq!((sent.len(), told), (1, 0));
    assert!(sent[0].starts_with(b"\x01\x01\x00\x0c\x21\x12\xa4\x42parkade-ping"));
}

#[test]
fn line_ends_are_no_message() {
    assert_eq!(sent_for(b"\r\n\r\n", Transport::Udp), (vec![], 0));
}

#[test]
fn stun_in_a_stream_is_dropped_and_told() {
    assert_eq!(sent_for(PING, Transport::Tcp), (vec![], 1));
}
