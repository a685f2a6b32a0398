//! Packets at the relay: any bytes from anywhere, while plans change and time goes on.

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Duration;

use base::{Chance, Moment, Side};
use rtp_flow::{
    Codec, Component, Door, Hears, KeyWatch, Label, Master, PairId, PayloadMap, Plan, Relay,
    SilenceWatch, Srtp, SrtpSender, StreamKind, StreamPlan, Suite, Tune, Tunes, Verdict,
};

use crate::bytes::Choices;

/// How much longer encryption makes a packet, at the most.
const MOST_ADDED: usize = 64;
/// No packet is longer.
const LONGEST: usize = 1_500;
/// How much music one step of time may bring for each pair.
const MOST_DUE: usize = 1_000;

fn tunes() -> Tunes {
    static TUNES: OnceLock<Tunes> = OnceLock::new();
    let made = || {
        let pcm: Vec<i16> = (0..4_800i16).map(|n| n.wrapping_mul(7)).collect();
        Tunes::new(Tune::encode(&pcm, &[Codec::Pcma]).into_iter().collect())
    };
    TUNES.get_or_init(made).clone()
}

fn far(number: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, number], 4_000))
}

fn plan(choices: &mut Choices<'_>) -> Option<Plan> {
    let (pair, other) = (choices.byte()? % 4, choices.byte()?);
    let flags = choices.byte()?;
    let payloads: PayloadMap = match flags & 1 {
        0 => PayloadMap::new(),
        _ => [(other & 0x7f, flags & 0x7f)].into_iter().collect(),
    };
    let hears = match other % 5 {
        0 => Hears::Nothing,
        1 | 2 => Hears::Stream { from: PairId(u32::from(other / 5 % 4)), payloads },
        3 => {
            Hears::Music { tune: u16::from(flags), codec: Codec::Pcma, payload_type: 8, ptime: 20 }
        }
        _ => Hears::Silence { payload_type: 13, clock: 8_000 },
    };
    if flags == 0xff {
        let label = Label { call: "c".into(), side: Side::Phones };
        return Some(Plan::Release { pair: PairId(u32::from(pair)), label: Some(Box::new(label)) });
    }
    let (after, mark) = (Duration::from_secs(30), 7);
    Some(Plan::Stream(StreamPlan {
        pair: PairId(u32::from(pair)),
        kind: if flags & 2 == 0 { StreamKind::Rtp } else { StreamKind::Opaque },
        srtp: (flags & 128 != 0).then(|| {
            let key = master(other);
            Box::new(Srtp { inbound: key.clone(), outbound: key })
        }),
        far: (flags & 4 == 0).then(|| far(pair)),
        far_rtcp: (flags & 8 != 0).then(|| far(pair.wrapping_add(9))),
        rtcp_mux: flags & 16 != 0,
        guard: [far(pair).ip()].into_iter().collect(),
        keys: (flags & 32 != 0)
            .then(|| KeyWatch { payload_types: [101].into_iter().collect(), mark }),
        silence: (flags & 64 != 0).then_some(SilenceWatch { after, mark }),
        hears,
        opening: None,
    }))
}

/// The one key of a suite.
fn master(number: u8) -> Master {
    let suite = Suite::ALL[usize::from(number) % Suite::ALL.len()];
    Master::random(suite, &mut Chance::from_seed(7))
}

/// What has the first bytes of a room, sealed with a key that a plan may name; as it is where it cannot be.
fn sealed(number: u8, component: Component, room: &mut [u8], len: usize) -> usize {
    let mut sender = SrtpSender::new(&master(number), &mut Chance::from_seed(8));
    let sealed = match component {
        Component::Rtp => sender.rtp(room, len),
        Component::Rtcp => sender.rtcp(room, len),
    };
    sealed.unwrap_or(len)
}

/// Packets and plans in any order. What is dropped or sent on is bounded by what came.
///
/// # Panics
/// If a promise is broken.
pub fn rtp(bytes: &[u8]) {
    let mut choices = Choices::of(bytes);
    let mut relay = Relay::new(tunes(), Chance::from_seed(1));
    let mut now = Moment::ZERO;
    for pair in 0..4u32 {
        let start = [pair as u8, 1 + 5 * ((pair as u8) ^ 1), 32];
        relay.plan(now, plan(&mut Choices::of(&start)).unwrap_or(Plan::release(PairId(pair))));
    }
    while step(&mut choices, &mut relay, &mut now).is_some() {
        while relay.notice().is_some() {}
    }
    assert!(relay.len() <= 4);
}

fn step(choices: &mut Choices<'_>, relay: &mut Relay, now: &mut Moment) -> Option<()> {
    match choices.byte()? {
        0..=15 => {
            let plan = plan(choices)?;
            relay.plan(*now, plan);
        }
        16..=31 => {
            *now += Duration::from_millis(u64::from(choices.byte()?));
            let mut left = 4 * MOST_DUE;
            while relay.next().is_some_and(|due| due <= *now) && relay.due(*now).is_some() {
                left -= 1;
                assert!(left > 0, "music without an end");
            }
            if relay.next_look().is_some_and(|due| due <= *now) {
                relay.look(*now);
            }
        }
        kind => {
            let pair = PairId(u32::from(kind & 3));
            let from = if kind & 4 == 0 { far(kind & 3) } else { far(choices.byte()?) };
            let component = if kind & 8 == 0 { Component::Rtp } else { Component::Rtcp };
            let piece = choices.piece()?;
            let mut packet = piece[..piece.len().min(LONGEST)].to_vec();
            let length = packet.len();
            packet.resize(length + MOST_ADDED, 0);
            // By its tag nobody gets further: some are sealed with the right key.
            let length = match kind & 16 {
                0 => length,
                _ => sealed(kind >> 5, component, &mut packet, length),
            };
            let at = Door { pair, component };
            packet.resize(length + MOST_ADDED, 0);
            if let Verdict::Forward { len, .. } =
                relay.on_datagram(*now, at, from, &mut packet, length)
            {
                assert!(len <= length + MOST_ADDED, "{len} bytes of {length}");
            }
            // Time goes on by a little with each.
            *now += Duration::from_millis(u64::from(kind >> 6));
        }
    }
    Some(())
}
