//! Workers past which the kernel forwards, between network namespaces: what needs no look does not come
//! to them, and a switch is theirs at once.

use std::fs::File;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use base::Side;
use rtp_flow::{Codec, Why};

use crate::config::MediaIo;
use crate::media::kernel::{Claim, Kernel};
use crate::media::tests::net::{Net, at, heard, net, nft};
use crate::media::tests::world::{MUSIC, Party, World, both_ways, soon, tunes};

both_ways! {
    talk_goes_past_us_and_music_and_a_retriever_are_heard_at_once,
    where_the_host_lets_nothing_through_talk_is_carried_here,
}

/// Between two packets of a stream.
const FRAME: Duration = Duration::from_millis(20);
/// A switch takes a frame; the machine may have more to do than this test.
const AT_ONCE: Duration = Duration::from_millis(200);
/// After so many frames a call has settled.
const SETTLED: u16 = 250;

/// What the workers bind, past which the kernel forwards.
fn beside(io: MediaIo) -> World {
    let any = at("0.0.0.0:0").ip();
    let claim = Claim { ports: 30_000..=30_099, phones: any, pbx: any };
    let kernel = Arc::new(Kernel::open(&claim).unwrap());
    World::beside(Some(kernel), ("0.0.0.0", "0.0.0.0"), claim.ports, 1, io)
}

/// A party in one of the networks, and our address that it speaks to.
fn party(world: &mut World, net: &Net, side: Side, there: &File, port: u16) -> Party {
    let (own, ours) = match side {
        Side::Phones => ("192.0.2.10", "192.0.2.1"),
        Side::Pbx => ("198.51.100.20", "198.51.100.1"),
    };
    let pair = world.pair(side, 0);
    let socket = |port: u16| net.socket(there, &format!("{own}:{port}"));
    let house = SocketAddr::new(at(&format!("{ours}:1")).ip(), pair.port);
    Party { pair, rtp: socket(port), rtcp: socket(port + 1), house }
}

/// The payload of the next packet, which must come from our port.
#[track_caller]
fn payload(party: &Party) -> Vec<u8> {
    let (packet, from) = heard(&party.rtp);
    assert_eq!(from, party.house);
    packet[12..].to_vec()
}

/// The two talk until the workers have nothing to do with it; says at which frame that began.
fn talk_past(world: &World, [one, other]: [&Party; 2], mut seq: u16) -> u16 {
    let mut quiet = 0;
    let mut forwarded = world.workers.counts().forwarded;
    let last = seq + SETTLED;
    while quiet < 25 {
        assert!(seq < last, "they still come to us");
        let begun = Instant::now();
        one.say(seq, b"one");
        assert_eq!(payload(other), b"one");
        other.say(seq, b"other");
        assert_eq!(payload(one), b"other");
        thread::sleep(FRAME.saturating_sub(begun.elapsed()));
        seq += 1;
        let now = world.workers.counts().forwarded;
        quiet = if now == forwarded { quiet + 1 } else { 0 };
        forwarded = now;
    }
    seq
}

/// Takes all that has come; says how many packets that were.
fn drained(party: &Party) -> u16 {
    party.rtp.set_nonblocking(true).unwrap();
    let mut came = 0;
    while party.rtp.recv_from(&mut [0; 2_048]).is_ok() {
        came += 1;
    }
    party.rtp.set_nonblocking(false).unwrap();
    came
}

fn talk_goes_past_us_and_music_and_a_retriever_are_heard_at_once(io: MediaIo) {
    let Some(net) = net() else { return };
    let mut world = beside(io);
    let parker = party(&mut world, &net, Side::Phones, &net.phones, 4_000);
    let parkee = party(&mut world, &net, Side::Pbx, &net.pbx, 5_000);
    world.join(&parker, &parkee);
    let seq = talk_past(&world, [&parker, &parkee], 1);
    soon(|| world.workers.counts().fast > 0);

    // The parkee hears music, and nothing more of the parker, who still talks.
    world.hears(&parkee, MUSIC);
    let ordered = Instant::now();
    let tunes = tunes();
    let tune = tunes.encoded(0, Codec::Pcma).unwrap();
    assert!(tune.position_of(&payload(&parkee), 20).is_some());
    assert!(ordered.elapsed() < AT_ONCE, "{:?}", ordered.elapsed());
    let unheard = world.workers.counts().dropped[Why::Unheard as usize];
    for more in 0..10 {
        parker.say(seq + more, b"talking on");
        assert!(tune.position_of(&payload(&parkee), 20).is_some());
    }
    soon(|| world.workers.counts().dropped[Why::Unheard as usize] == unheard + 10);

    // A retriever is heard, and goes past us soon as well.
    let retriever = party(&mut world, &net, Side::Phones, &net.phones, 4_100);
    world.join(&parkee, &retriever);
    let ordered = Instant::now();
    loop {
        retriever.say(1, b"here I am");
        if payload(&parkee) == b"here I am" {
            break;
        }
    }
    assert!(ordered.elapsed() < AT_ONCE, "{:?}", ordered.elapsed());
    drained(&parkee);
    talk_past(&world, [&retriever, &parkee], 10);
}

fn where_the_host_lets_nothing_through_talk_is_carried_here(io: MediaIo) {
    let Some(net) = net() else { return };
    nft(
        "add table inet walls; add chain inet walls forward { type filter hook forward priority 0; policy drop; }",
    );
    let mut world = beside(io);
    let phone = party(&mut world, &net, Side::Phones, &net.phones, 4_000);
    let pbx = party(&mut world, &net, Side::Pbx, &net.pbx, 5_000);
    world.join(&phone, &pbx);
    for seq in 0..SETTLED {
        phone.say(seq, b"hello?");
        pbx.say(seq, b"hello!");
        thread::sleep(FRAME);
    }
    let came = drained(&pbx);
    // It was tried once, and given up at the first look.
    assert!((SETTLED - 50..SETTLED).contains(&came), "{came} came");
    for seq in SETTLED..SETTLED + 25 {
        phone.say(seq, b"hello!");
        assert_eq!(payload(&pbx), b"hello!");
    }
}
