//! Three far sides at one relay, and a listener's view of what each of them gets.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;
use std::time::Duration;

use base::{Chance, Moment, Side};
use rtp_flow::{
    Codec, Component, Hears, Label, Outgoing, PairId, PayloadMap, Plan, Relay, StreamKind,
    StreamPlan, Tune, Tunes, Verdict, Why,
};

/// The parkee, on the PBX's side.
pub(crate) const PARKEE: PairId = PairId(1);
/// The parker's phone.
pub(crate) const PARKER: PairId = PairId(2);
/// The retriever's phone.
pub(crate) const RETRIEVER: PairId = PairId(3);

pub(crate) const MUSIC: Hears =
    Hears::Music { tune: 0, codec: Codec::Pcma, payload_type: 8, ptime: 20 };
pub(crate) const NOISE: Hears = Hears::Silence { payload_type: 13, clock: 8_000 };

pub(crate) fn ms(ms: u64) -> Moment {
    Moment::ZERO + Duration::from_millis(ms)
}

pub(crate) fn us(us: u64) -> Moment {
    Moment::from_micros(us)
}

pub(crate) fn far(pair: PairId) -> SocketAddr {
    format!("192.0.2.{}:4000", pair.0 % 250).parse().unwrap()
}

pub(crate) fn stream(from: PairId) -> Hears {
    Hears::Stream { from, payloads: PayloadMap::new() }
}

pub(crate) fn plan(pair: PairId, hears: Hears) -> StreamPlan {
    let guard: [IpAddr; 1] = [far(pair).ip()];
    StreamPlan {
        pair,
        kind: StreamKind::Rtp,
        srtp: None,
        far: Some(far(pair)),
        far_rtcp: None,
        rtcp_mux: false,
        guard: guard.into_iter().collect(),
        keys: None,
        silence: None,
        hears,
        opening: None,
    }
}

/// A good second of noise: every packet of it is another.
pub(crate) fn tunes() -> Tunes {
    static TUNES: OnceLock<Tunes> = OnceLock::new();
    let encoded = TUNES.get_or_init(|| {
        let noise = |n: u32| (n.wrapping_mul(2_654_435_761) >> 18) as i16 - 8_192;
        let pcm: Vec<i16> = (0..57_600).map(noise).collect();
        let codecs = [Codec::Pcma, Codec::Pcmu, Codec::Opus];
        Tunes::new(vec![Tune::encode(&pcm, &codecs).unwrap()])
    });
    encoded.clone()
}

pub(crate) fn relay() -> Relay {
    Relay::new(tunes(), Chance::from_seed(1))
}

/// The call of a pair is over, and what it was like is to be told.
pub(crate) fn end(pair: PairId) -> Plan {
    let label = Label { call: "call".into(), side: Side::Phones };
    Plan::Release { pair, label: Some(Box::new(label)) }
}

/// The parkee and the parker talk.
pub(crate) fn talking() -> Relay {
    let mut relay = relay();
    relay.plan(ms(0), Plan::Stream(plan(PARKEE, stream(PARKER))));
    relay.plan(ms(0), Plan::Stream(plan(PARKER, stream(PARKEE))));
    relay
}

/// An RTP packet as a phone sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rtp {
    pub(crate) marker: bool,
    pub(crate) payload_type: u8,
    pub(crate) seq: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
}

impl Rtp {
    pub(crate) fn bytes(self) -> Vec<u8> {
        let mut bytes = vec![0x80, self.payload_type | u8::from(self.marker) << 7];
        bytes.extend(self.seq.to_be_bytes());
        bytes.extend(self.timestamp.to_be_bytes());
        bytes.extend(self.ssrc.to_be_bytes());
        bytes.extend([0x55; 160]);
        bytes
    }

    pub(crate) fn read(bytes: &[u8]) -> Rtp {
        let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!(bytes[0] >> 6, 2);
        Rtp {
            marker: bytes[1] & 0x80 != 0,
            payload_type: bytes[1] & 0x7f,
            seq: u16::from_be_bytes([bytes[2], bytes[3]]),
            timestamp: word(4),
            ssrc: word(8),
        }
    }
}

/// A phone's own stream: PCMA, 20 ms.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) pair: PairId,
    pub(crate) next: Rtp,
}

impl Source {
    pub(crate) fn at(pair: PairId, seq: u16, timestamp: u32) -> Source {
        let ssrc = 0x1000 * pair.0;
        Source { pair, next: Rtp { marker: false, payload_type: 8, seq, timestamp, ssrc } }
    }

    pub(crate) fn packet(&mut self) -> Rtp {
        let packet = self.next;
        self.next.seq = self.next.seq.wrapping_add(1);
        self.next.timestamp = self.next.timestamp.wrapping_add(160);
        packet
    }

    /// Sends the next packet; what the listener gets of it.
    pub(crate) fn send(&mut self, relay: &mut Relay, now: Moment) -> Result<Rtp, Why> {
        let packet = self.packet();
        send(relay, now, self.pair, packet)
    }
}

/// Sends a packet from a pair's far side; what its listener gets.
pub(crate) fn send(relay: &mut Relay, now: Moment, pair: PairId, packet: Rtp) -> Result<Rtp, Why> {
    let mut bytes = packet.bytes();
    match relay.on_packet(now, pair, Component::Rtp, far(pair), &mut bytes) {
        Verdict::Forward { len, component: Component::Rtp, .. } => Ok(Rtp::read(&bytes[..len])),
        Verdict::Forward { .. } => panic!("RTP went out of the RTCP port"),
        Verdict::Again => panic!("what went without us is to be told first"),
        Verdict::Drop(why) => Err(why),
    }
}

/// All music until `until`, each packet at its time.
pub(crate) fn music(relay: &mut Relay, until: Moment) -> Vec<(Moment, Outgoing)> {
    let mut came = Vec::new();
    while let Some(at) = relay.next().filter(|at| *at <= until) {
        while let Some(outgoing) = relay.due(at) {
            came.push((at, outgoing));
        }
    }
    came
}
