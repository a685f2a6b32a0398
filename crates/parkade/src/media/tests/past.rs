//! Workers past which the kernel forwards, between network namespaces: what needs no look does not come
//! to them, and a switch is theirs at once.

use std::fs::File;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use base::Side;
use rtp_flow::{Codec, Why};

use crate::config::MediaIo;
use crate::media::forwarder::Forwarder;
use crate::media::kernel::{Claim, Kernel};
use crate::media::shifter::Shifter;
use crate::media::tests::net::{Net, at, heard, net, nft};
use crate::media::tests::world::{MUSIC, Party, World, both_ways, soon, tunes};

both_ways! {
    talk_goes_past_us_and_music_and_a_retriever_are_heard_at_once,
    where_the_host_lets_nothing_through_talk_is_carried_here,
    talk_past_us_and_music_and_a_retriever_are_one_stream,
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
    let table = Forwarder::Table(Kernel::open(&claim).unwrap());
    with(table, claim.ports, io)
}

fn with(forwarder: Forwarder, ports: RangeInclusive<u16>, io: MediaIo) -> World {
    World::beside(Some(Arc::new(forwarder)), ("0.0.0.0", "0.0.0.0"), ports, 1, io)
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

/// The next packet, which must come from our port.
#[track_caller]
fn packet(party: &Party) -> Vec<u8> {
    let (packet, from) = heard(&party.rtp);
    assert_eq!(from, party.house);
    packet
}

/// The payload of the next packet.
#[track_caller]
fn payload(party: &Party) -> Vec<u8> {
    packet(party)[12..].to_vec()
}

/// The two talk until the workers have nothing to do with it; says at which frame that began.
fn talk_past(world: &World, talkers: [&Party; 2], seq: u16) -> u16 {
    talk_past_and(world, talkers, seq, |_| {})
}

/// The same, and shows what the other hears.
fn talk_past_and(
    world: &World,
    [one, other]: [&Party; 2],
    mut seq: u16,
    mut show: impl FnMut(&[u8]),
) -> u16 {
    let mut quiet = 0;
    let mut forwarded = world.workers.counts().forwarded;
    let last = seq + SETTLED;
    while quiet < 25 {
        assert!(seq < last, "they still come to us");
        let begun = Instant::now();
        one.say(seq, b"one");
        let packet = packet(other);
        assert_eq!(packet[12..], *b"one");
        show(&packet);
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

/// One stream as a far side hears it.
#[derive(Default)]
struct OneStream(Option<(u16, u32, u32)>);

impl OneStream {
    /// That this packet is the next of it: no number is left out, the time goes on, the name stays.
    #[track_caller]
    fn goes_on(&mut self, packet: &[u8]) {
        let word = |at: usize| u32::from_be_bytes(packet[at..at + 4].try_into().unwrap());
        let (seq, timestamp, ssrc) = (word(0) as u16, word(4), word(8));
        if let Some((before, then, name)) = self.0 {
            assert_eq!((seq, ssrc), (before.wrapping_add(1), name));
            let ahead = timestamp.wrapping_sub(then);
            assert!((1..=1_600).contains(&ahead), "{ahead}");
        }
        self.0 = Some((seq, timestamp, ssrc));
    }
}

fn talk_past_us_and_music_and_a_retriever_are_one_stream(io: MediaIo) {
    let Some(net) = net() else { return };
    let shifter = match Shifter::open(100) {
        Ok(shifter) => shifter,
        Err(why) => {
            eprintln!("SKIPPED, no program can be loaded into this kernel: {why}");
            return;
        }
    };
    let mut world = with(Forwarder::Program(Box::new(shifter)), 30_000..=30_099, io);
    let parker = party(&mut world, &net, Side::Phones, &net.phones, 4_000);
    let parkee = party(&mut world, &net, Side::Pbx, &net.pbx, 5_000);
    world.join(&parker, &parkee);
    let mut stream = OneStream::default();
    talk_past_and(&world, [&parker, &parkee], 1, |packet| stream.goes_on(packet));
    soon(|| world.workers.counts().fast > 0);

    world.hears(&parkee, MUSIC);
    let ordered = Instant::now();
    stream.goes_on(&packet(&parkee));
    assert!(ordered.elapsed() < AT_ONCE, "{:?}", ordered.elapsed());
    for _ in 0..20 {
        stream.goes_on(&packet(&parkee));
    }

    // Two who retrieve it in turn: their numbers and times have nothing to do with the parker's.
    for (port, first) in [(4_100, 40_000), (4_200, 7)] {
        let retriever = party(&mut world, &net, Side::Phones, &net.phones, port);
        world.join(&parkee, &retriever);
        for seq in first - 5..first {
            retriever.say(seq, b"here I am");
            thread::sleep(FRAME);
        }
        parkee.rtp.set_nonblocking(true).unwrap();
        let mut came = [0; 2_048];
        while let Ok(len) = parkee.rtp.recv(&mut came) {
            stream.goes_on(&came[..len]);
        }
        parkee.rtp.set_nonblocking(false).unwrap();
        talk_past_and(&world, [&retriever, &parkee], first, |packet| stream.goes_on(packet));
        world.hears(&parkee, MUSIC);
        for _ in 0..20 {
            stream.goes_on(&packet(&parkee));
        }
    }
}
