//! What must not disturb anybody: floods, packets that are too long, far sides that are not there.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use base::Side;
use rtp_flow::{PairId, Plan, Why};

use crate::config::MediaIo;
use crate::media::tests::world::{MUSIC, World, both_ways, free_ports, rtp, soon, stream};

both_ways! {
    more_than_there_are_rooms_for_waits_at_the_sockets,
    a_packet_that_is_too_long_is_counted_and_never_passed_on_cut,
    a_far_side_that_is_not_there_disturbs_nobody,
    a_flood_on_one_port_takes_nothing_from_the_others,
    every_one_of_many_workers_carries_its_own,
    stopping_in_the_middle_of_everything_leaves_no_file_open,
}

fn a_packet_that_is_too_long_is_counted_and_never_passed_on_cut(io: MediaIo) {
    let mut world = World::on("127.0.0.1", "127.0.0.2", io);
    let phone = world.party(Side::Phones, 0, "127.0.0.1");
    let pbx = world.party(Side::Pbx, 0, "127.0.0.3");
    world.join(&phone, &pbx);
    let longest = vec![0x55; 1_900];
    for (seq, payload) in [(1, &longest[..]), (2, &[0x55; 2_036]), (3, &[0x55; 60_000])] {
        phone.say(seq, payload);
    }
    phone.say(4, b"short");
    assert_eq!(pbx.hear().2, longest);
    assert_eq!(pbx.hear().2, b"short");
    soon(|| world.workers.counts().huge == 2);
}

fn a_far_side_that_is_not_there_disturbs_nobody(io: MediaIo) {
    let mut world = World::on("127.0.0.1", "127.0.0.2", io);
    let gone = world.party(Side::Phones, 0, "127.0.0.1");
    let parkee = world.party(Side::Pbx, 0, "127.0.0.3");
    let phone = world.party(Side::Phones, 0, "127.0.0.1");
    let pbx = world.party(Side::Pbx, 0, "127.0.0.3");
    world.hears(&gone, MUSIC);
    gone.hear();
    // From now on every packet to it is answered by ICMP.
    let (pair, house) = (gone.pair, gone.house);
    drop(gone);
    world.hears(&parkee, MUSIC);
    world.join(&phone, &pbx);
    let first = parkee.hear().0;
    for n in 1..25 {
        phone.say(n, b"hello");
        assert_eq!(pbx.hear().2, b"hello");
        assert_eq!(parkee.hear().0, first.wrapping_add(n));
    }
    // Its port is still read.
    let late = UdpSocket::bind("127.0.0.1:0").unwrap();
    world.workers.order(Plan::release(pair.id));
    soon(|| {
        late.send_to(&rtp(pair.id, 1, b"here I am"), house).unwrap();
        world.workers.counts().dropped[Why::Idle as usize] > 0
    });
}

fn a_flood_on_one_port_takes_nothing_from_the_others(io: MediaIo) {
    let mut world = World::on("127.0.0.1", "127.0.0.2", io);
    let flooded = world.party(Side::Phones, 0, "127.0.0.1");
    let parkee = world.party(Side::Pbx, 0, "127.0.0.3");
    let phone = world.party(Side::Phones, 0, "127.0.0.1");
    let pbx = world.party(Side::Pbx, 0, "127.0.0.3");
    world.hears(&flooded, MUSIC);
    world.hears(&parkee, MUSIC);
    world.join(&phone, &pbx);
    let flooding = Arc::new(AtomicBool::new(true));
    let (until, house) = (flooding.clone(), flooded.house);
    let flood = thread::spawn(move || {
        let stranger = UdpSocket::bind("127.0.0.9:0").unwrap();
        let packet = rtp(PairId(9), 1, &[0x55; 160]);
        while until.load(Ordering::Relaxed) {
            stranger.send_to(&packet, house).unwrap();
        }
    });
    soon(|| world.workers.counts().dropped[Why::Stranger as usize] > 1_000);
    let first = parkee.hear().0;
    for n in 1..25 {
        phone.say(n, b"can you hear me?");
        assert_eq!(pbx.hear().2, b"can you hear me?");
        assert_eq!(parkee.hear().0, first.wrapping_add(n));
    }
    flooding.store(false, Ordering::Relaxed);
    flood.join().unwrap();
}

fn more_than_there_are_rooms_for_waits_at_the_sockets(io: MediaIo) {
    const CALLS: u16 = 10;
    const EACH: u16 = 120;
    let first = free_ports(64);
    let mut world = World::with(("127.0.0.1", "127.0.0.2"), first..=first + 63, 1, io);
    let calls: Vec<_> = (0..CALLS)
        .map(|_| {
            let phone = world.party(Side::Phones, 0, "127.0.0.1");
            let pbx = world.party(Side::Pbx, 0, "127.0.0.3");
            world.join(&phone, &pbx);
            (phone, pbx)
        })
        .collect();
    let gate = world.gate.clone();
    let shut = gate.shut();
    // The first packet is told, and the worker held at it.
    calls[0].0.say(0, b"hello");
    soon(|| gate.holds());
    for seq in 1..=EACH {
        for (phone, _) in &calls {
            phone.say(seq, b"are you there?");
        }
    }
    drop(shut);
    assert_eq!(calls[0].1.hear().0, 0);
    for (_, pbx) in &calls {
        for seq in 1..=EACH {
            assert_eq!(pbx.hear().0, seq);
        }
    }
    soon(|| world.workers.counts().forwarded == u64::from(CALLS * EACH) + 1);
    let full = world.workers.counts().full;
    assert_eq!(full > 0, io == MediaIo::IoUring, "{full} packets found no room");
}

fn every_one_of_many_workers_carries_its_own(io: MediaIo) {
    let first = free_ports(64);
    let mut world = World::with(("127.0.0.1", "127.0.0.2"), first..=first + 63, 4, io);
    let calls = [0, 1, 2, 3].map(|worker| {
        let phone = world.party(Side::Phones, worker, "127.0.0.1");
        let pbx = world.party(Side::Pbx, worker, "127.0.0.3");
        world.join(&phone, &pbx);
        (phone, pbx)
    });
    for seq in 1..10 {
        for (phone, pbx) in &calls {
            phone.say(seq, b"from the phone");
            pbx.say(seq, b"from the PBX");
        }
        for (phone, pbx) in &calls {
            assert_eq!(pbx.hear().1, 0x1000 + phone.pair.id.0);
            assert_eq!(phone.hear().1, 0x1000 + pbx.pair.id.0);
        }
    }
}

fn stopping_in_the_middle_of_everything_leaves_no_file_open(io: MediaIo) {
    if std::env::var_os("NEXTEST").is_none() {
        eprintln!(
            "skipped: it counts the open files of a process of its own, as nextest gives one"
        );
        return;
    }
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let before = open();
    let first = free_ports(64);
    let mut world = World::with(("127.0.0.1", "127.0.0.2"), first..=first + 63, 2, io);
    let parties: Vec<_> = (0..2)
        .map(|worker| {
            let phone = world.party(Side::Phones, worker, "127.0.0.1");
            let pbx = world.party(Side::Pbx, worker, "127.0.0.3");
            world.hears(&phone, MUSIC);
            world.hears(&pbx, stream(phone.pair.id));
            phone.hear();
            pbx.say(1, b"nobody reads this");
            (phone, pbx)
        })
        .collect();
    assert!(open() > before + 32);
    let ports: Vec<_> = parties.iter().map(|(phone, _)| phone.house).collect();
    drop(parties);
    world.workers.stop();
    assert_eq!(open(), before);
    for port in ports {
        UdpSocket::bind(port).unwrap();
    }
}
