//! What the workers carry, bind and refuse.

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::Side;
use rtp_flow::{Codec, MediaNotice, PairId, Plan, Why};

use crate::config::MediaIo;
use crate::media::tests::world::{MUSIC, World, both_ways, free_ports, receive, rtp, soon, tunes};
use crate::media::threads::cores;
use crate::media::{CannotCarry, MediaConfig, MediaWorkers};

both_ways! {
    two_parties_hear_each_other_and_each_others_reports,
    the_first_packet_is_told_and_a_stranger_is_not_heard,
    the_parkee_hears_talk_then_music_then_talk_in_one_stream,
    what_comes_after_the_end_is_drained_and_dropped,
    pairs_are_shared_out_among_the_workers_and_busy_ports_are_passed_over,
    both_sides_share_the_ports_of_one_address_and_neither_takes_them_all,
    the_wildcard_of_ipv6_serves_both_families,
    stopping_closes_the_ports,
}

fn two_parties_hear_each_other_and_each_others_reports(io: MediaIo) {
    let mut world = World::on("127.0.0.1", "127.0.0.2", io);
    for worker in [0, 1] {
        let phone = world.party(Side::Phones, worker, "127.0.0.1");
        let pbx = world.party(Side::Pbx, worker, "127.0.0.3");
        world.join(&phone, &pbx);
        for seq in 1..=5 {
            phone.say(seq, b"from the phone");
            assert_eq!(pbx.hear().2, b"from the phone");
            pbx.say(seq, b"from the PBX");
            let (heard, ssrc, payload) = phone.hear();
            assert_eq!(
                (heard, ssrc, &payload[..]),
                (seq, 0x1000 + pbx.pair.id.0, &b"from the PBX"[..])
            );
        }
        let report = [0x80, 201, 0, 1, 0, 0, 0, 9];
        let rtcp_port = (phone.house.ip(), phone.house.port() + 1);
        phone.rtcp.send_to(&report, rtcp_port).unwrap();
        assert_eq!(receive(&pbx.rtcp), report);
    }
    soon(|| world.workers.counts().forwarded == 22);
}

fn the_first_packet_is_told_and_a_stranger_is_not_heard(io: MediaIo) {
    let mut world = World::on("127.0.0.1", "127.0.0.1", io);
    let phone = world.party(Side::Phones, 0, "127.0.0.1");
    let pbx = world.party(Side::Pbx, 0, "127.0.0.1");
    world.join(&phone, &pbx);
    let stranger = UdpSocket::bind("127.0.0.9:0").unwrap();
    stranger.send_to(&rtp(PairId(9), 1, b"listen to me"), phone.house).unwrap();
    phone.say(1, b"hello");
    assert_eq!(pbx.hear().2, b"hello");
    let from = phone.rtp.local_addr().unwrap();
    assert_eq!(world.notice(), MediaNotice::Latched { pair: phone.pair.id, from });
    soon(|| world.workers.counts().dropped[Why::Stranger as usize] == 1);
}

fn the_parkee_hears_talk_then_music_then_talk_in_one_stream(io: MediaIo) {
    let mut world = World::on("127.0.0.1", "127.0.0.2", io);
    let parkee = world.party(Side::Pbx, 1, "127.0.0.1");
    let parker = world.party(Side::Phones, 1, "127.0.0.1");
    let retriever = world.party(Side::Phones, 1, "127.0.0.1");
    world.join(&parkee, &parker);
    parker.say(700, b"please hold");
    let (mut seq, ssrc, _) = parkee.hear();

    world.hears(&parkee, MUSIC);
    world.workers.order(Plan::release(parker.pair.id));
    let tunes = tunes();
    let tune = tunes.encoded(0, Codec::Pcma).unwrap();
    let began = Instant::now();
    for n in 0..25u64 {
        let (next, name, payload) = parkee.hear();
        seq = seq.wrapping_add(1);
        assert_eq!((next, name), (seq, ssrc));
        assert_eq!(tune.position_of(&payload, 20), Some(2 * n));
    }
    assert!(began.elapsed() >= Duration::from_millis(24 * 20 - 25), "music is paced");

    world.join(&parkee, &retriever);
    retriever.say(9, b"hello?");
    let (last, name, _) = parkee.hear_until(|payload| payload == b"hello?");
    assert_eq!(name, ssrc);
    let music_after = last.wrapping_sub(seq).wrapping_sub(1);
    assert!(music_after < 50, "{music_after} packets between");
    soon(|| world.workers.counts().paced == 25 + u64::from(music_after));
}

fn what_comes_after_the_end_is_drained_and_dropped(io: MediaIo) {
    let mut world = World::on("127.0.0.1", "127.0.0.1", io);
    let phone = world.party(Side::Phones, 0, "127.0.0.1");
    world.hears(&phone, MUSIC);
    phone.hear();
    soon(|| world.workers.counts().pairs == 1);
    world.workers.order(Plan::release(phone.pair.id));
    soon(|| world.workers.counts().pairs == 0);
    for seq in 0..100 {
        phone.say(seq, b"still talking");
    }
    soon(|| world.workers.counts().dropped[Why::Idle as usize] == 100);
}

fn pairs_are_shared_out_among_the_workers_and_busy_ports_are_passed_over(io: MediaIo) {
    let first = free_ports(12);
    let _busy = UdpSocket::bind(("127.0.0.1", first + 3)).unwrap();
    let mut world = World::with(("127.0.0.1", "127.0.0.2"), first..=first + 11, 2, io);
    let pairs = world.stock(Side::Phones, 256);
    let ports: Vec<u16> = pairs.iter().map(|pair| pair.port - first).collect();
    assert_eq!(ports, [0, 4, 6, 8, 10]);
    let workers: Vec<u8> = pairs.iter().map(|pair| pair.worker.0).collect();
    assert_eq!(workers, [0, 1, 0, 1, 0]);
    assert_eq!(world.notice(), MediaNotice::Exhausted { side: Side::Phones, refused: false });
    // The other side has an address, and so ports, of its own.
    assert_eq!(world.stock(Side::Pbx, 6).len(), 6);
    world.workers.order(Plan::Stock { side: Side::Pbx, count: 1 });
    assert_eq!(world.notice(), MediaNotice::Exhausted { side: Side::Pbx, refused: false });
}

fn both_sides_share_the_ports_of_one_address_and_neither_takes_them_all(io: MediaIo) {
    let first = free_ports(32);
    let mut world = World::with(("0.0.0.0", "127.0.0.2"), first..=first + 31, 1, io);
    let mut ports = Vec::new();
    for (side, fair) in [(Side::Phones, 4), (Side::Pbx, 3), (Side::Phones, 3), (Side::Pbx, 2)] {
        let pairs = world.stock(side, 128);
        assert_eq!(pairs.len(), fair);
        ports.extend(pairs.iter().map(|pair| pair.port));
    }
    assert_eq!(ports, (0..12).map(|n| first + 2 * n).collect::<Vec<_>>());
}

fn the_wildcard_of_ipv6_serves_both_families(io: MediaIo) {
    if UdpSocket::bind("[::1]:0").is_err() {
        eprintln!("skipped: this machine has no IPv6");
        return;
    }
    let mut world = World::on("::", "::", io);
    let old = world.party(Side::Phones, 0, "127.0.0.1");
    let new = world.party(Side::Pbx, 0, "::1");
    world.join(&old, &new);
    old.say(1, b"from IPv4");
    assert_eq!(new.hear().2, b"from IPv4");
    new.say(1, b"from IPv6");
    assert_eq!(old.hear().2, b"from IPv6");
    let notices = [world.notice(), world.notice()];
    let from = old.rtp.local_addr().unwrap();
    assert!(notices.contains(&MediaNotice::Latched { pair: old.pair.id, from }), "{notices:?}");
}

#[test]
fn an_address_of_another_machine_is_refused_at_the_start() {
    let config = MediaConfig {
        phones: "127.0.0.1".parse().unwrap(),
        pbx: "192.0.2.1".parse().unwrap(),
        ports: 30_000..=30_010,
        workers: None,
        pin: Vec::new(),
        io: MediaIo::Auto,
    };
    let refused = MediaWorkers::start(&config, &tunes(), None, Arc::default(), |_| {}).unwrap_err();
    assert!(matches!(refused, CannotCarry::Address { .. }), "{refused}");
    assert!(refused.to_string().contains("192.0.2.1"), "{refused}");
}

fn stopping_closes_the_ports(io: MediaIo) {
    let first = free_ports(4);
    let mut world = World::with(("127.0.0.1", "127.0.0.2"), first..=first + 3, 1, io);
    world.stock(Side::Phones, 2);
    assert!(UdpSocket::bind(("127.0.0.1", first)).is_err());
    world.workers.stop();
    assert!(UdpSocket::bind(("127.0.0.1", first)).is_ok());
}

#[test]
fn a_worker_stays_on_its_core_and_a_core_that_is_not_ours_is_refused() {
    let cores = cores();
    let [first, .., last] = cores[..] else {
        eprintln!("skipped: this process may run on one core only, so that nothing can be told");
        return;
    };
    let first_port = free_ports(4);
    let mut config = MediaConfig {
        phones: "127.0.0.1".parse().unwrap(),
        pbx: "127.0.0.2".parse().unwrap(),
        ports: first_port..=first_port + 3,
        workers: None,
        pin: vec![last, first],
        io: MediaIo::Auto,
    };
    let running = MediaWorkers::start(&config, &tunes(), None, Arc::default(), |_| {}).unwrap();
    for core in [first, last] {
        soon(|| threads_on(core) > 0);
    }
    running.stop();
    config.pin = vec![first, 1_023];
    let refused = MediaWorkers::start(&config, &tunes(), None, Arc::default(), |_| {}).unwrap_err();
    assert!(refused.to_string().starts_with("media.pin: there is no core 1023"), "{refused}");
}

/// How many of the media workers of this process are kept on this core.
fn threads_on(core: usize) -> usize {
    let threads = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let kept = threads.filter(|thread| {
        let status = std::fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        let says = |line: &str| status.lines().any(|l| l == line);
        says("Name:\tmedia") && says(&format!("Cpus_allowed_list:\t{core}"))
    });
    kept.count()
}
