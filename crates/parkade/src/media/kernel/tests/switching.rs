//! A way that is opened, changed or closed is so for the very next packet.

use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rtp_flow::Passed;

use crate::media::kernel::tests::stream::claim;
use crate::media::kernel::{Kernel, Way, WayOrder};
use crate::media::tests::net::{at, heard, ip, net, nft, silent};
use crate::media::tests::stream::{OURS, PBX, PHONE, Stream};

/// A host that tracks connections, and lets in and out only what belongs to one or begins at us.
const TRACKING: &str = "
    add table inet walls
    add chain inet walls input { type filter hook input priority 0; policy drop; }
    add rule inet walls input ct state established,related accept
    add rule inet walls input udp dport 30000-39999 accept
    add chain inet walls forward { type filter hook forward priority 0; policy drop; }
    add rule inet walls forward ct state established,related,untracked accept
    add chain inet walls nat { type nat hook postrouting priority 100; }
    add rule inet walls nat oifname \"pbx\" masquerade";

#[test]
fn a_switch_holds_from_the_next_packet_on_and_no_far_side_ever_sees_a_foreign_port() {
    let Some(net) = net() else { return };
    nft(TRACKING);
    let kernel = Kernel::open(&claim()).unwrap();
    let stream = Stream::usual(&net);
    let ours = OURS.map(at);
    let [to_phone, to_pbx] = &stream.ours;
    for round in 0..50u8 {
        // User space first: connections are remembered of all four.
        stream.phone.send_to(&[round], OURS[0]).unwrap();
        assert_eq!(heard(to_phone), (vec![round], at(PHONE)));
        to_pbx.send_to(&[round], PBX).unwrap();
        assert_eq!(heard(&stream.pbx), (vec![round], ours[1]));
        stream.pbx.send_to(&[round], OURS[1]).unwrap();
        assert_eq!(heard(to_pbx), (vec![round], at(PBX)));
        to_phone.send_to(&[round], PHONE).unwrap();
        assert_eq!(heard(&stream.phone), (vec![round], ours[0]));
        // Then the kernel.
        stream.order(&kernel, WayOrder::Open);
        stream.phone.send_to(&[round, 1], OURS[0]).unwrap();
        assert_eq!(heard(&stream.pbx), (vec![round, 1], ours[1]));
        stream.pbx.send_to(&[round, 2], OURS[1]).unwrap();
        assert_eq!(heard(&stream.phone), (vec![round, 2], ours[0]));
        // Then music, at once.
        let applied = stream.order(&kernel, WayOrder::Close);
        assert_eq!(applied.ended.len(), 2);
        assert!(applied.ended.iter().all(|(_, came)| (came.packets, came.bytes) == (1, 30)));
        to_pbx.send_to(b"music", PBX).unwrap();
        assert_eq!(heard(&stream.pbx), (b"music".to_vec(), ours[1]));
        stream.pbx.send_to(&[round, 3], OURS[1]).unwrap();
        assert_eq!(heard(to_pbx), (vec![round, 3], at(PBX)));
    }
    silent(&stream.phone);
    silent(&stream.pbx);
}

#[test]
fn no_packet_that_is_under_way_while_its_path_is_opened_or_closed_leaves_with_a_foreign_source() {
    let Some(net) = net() else { return };
    let kernel = Kernel::open(&claim()).unwrap();
    let stream = Stream::usual(&net);
    let (over, came) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|threads| {
        // The thread that sends does all that the kernel does with it.
        threads.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                stream.phone.send_to(&[7; 172], OURS[0]).unwrap();
            }
        });
        let hearing = threads.spawn(|| {
            stream.pbx.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
            let mut foreign = Vec::new();
            while !over.load(Ordering::SeqCst) {
                let Ok((_, from)) = stream.pbx.recv_from(&mut [0; 2_048]) else { continue };
                came.fetch_add(1, Ordering::SeqCst);
                if from != at(OURS[1]) {
                    foreign.push(from);
                }
            }
            foreign
        });
        let begun = Instant::now();
        for _ in 0..300 {
            stream.order(&kernel, WayOrder::Open);
            let before = came.load(Ordering::SeqCst);
            while came.load(Ordering::SeqCst) == before && begun.elapsed() < Duration::from_secs(20)
            {
                std::thread::yield_now();
            }
            stream.order(&kernel, WayOrder::Close);
        }
        over.store(true, Ordering::SeqCst);
        assert_eq!(hearing.join().unwrap(), []);
    });
    assert!(came.into_inner() >= 300);
}

#[test]
fn a_way_that_leads_elsewhere_from_now_on_does_so_in_one_step() {
    let Some(net) = net() else { return };
    let kernel = Kernel::open(&claim()).unwrap();
    let stream = Stream::usual(&net);
    stream.order(&kernel, WayOrder::Open);
    stream.phone.send_to(b"first", OURS[0]).unwrap();
    assert_eq!(heard(&stream.pbx), (b"first".to_vec(), at(OURS[1])));
    let retriever = net.socket(&net.phones, "192.0.2.10:4100");
    let way = Way { by: at("0.0.0.0:30004"), to: at("192.0.2.10:4100"), ..stream.ways[0] };
    let applied = kernel.apply(&[WayOrder::Open(way)]).unwrap();
    assert_eq!(applied.ended.len(), 1);
    stream.phone.send_to(b"second", OURS[0]).unwrap();
    assert_eq!(heard(&retriever), (b"second".to_vec(), at("192.0.2.1:30004")));
    silent(&stream.pbx);
    // And what counted for the old one does not count for it.
    let passed = kernel.passed().unwrap();
    let of_way = passed.iter().find(|(way, _)| way.from == at(PHONE)).unwrap().1;
    assert_eq!(of_way, Passed { came: 1, left: 1, bytes: 34, last: None });
}

#[test]
fn a_way_is_closed_whatever_has_become_of_the_routes() {
    let Some(net) = net() else { return };
    let kernel = Kernel::open(&claim()).unwrap();
    let stream = Stream::usual(&net);
    stream.order(&kernel, WayOrder::Open);
    ip("address add 192.0.2.2/24 dev phones").unwrap();
    ip("route replace 192.0.2.0/24 dev phones src 192.0.2.2").unwrap();
    ip("route add unreachable 198.51.100.20/32").unwrap();
    assert_eq!(stream.order(&kernel, WayOrder::Close).ended.len(), 2);
    stream.phone.send_to(b"to us", OURS[0]).unwrap();
    assert_eq!(heard(&stream.ours[0]).0, b"to us");
}

/// What the counters have said, once they have.
fn counted(kernel: &Kernel) -> Vec<(Way, Passed)> {
    let begun = Instant::now();
    loop {
        let passed = kernel.passed().unwrap();
        if !passed.is_empty() {
            return passed;
        }
        assert!(begun.elapsed() < Duration::from_secs(5));
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn counters_of_many_are_read_without_waiting_and_never_told_of_a_way_that_was_opened_later() {
    let Some(net) = net() else { return };
    let kernel = Kernel::open(&claim()).unwrap();
    let many: Vec<_> = (100..200).map(way).map(WayOrder::Open).collect();
    assert_eq!(kernel.apply(&many).unwrap().refused, []);
    let stream = Stream::usual(&net);
    stream.order(&kernel, WayOrder::Open);
    stream.goes_through(OURS);
    let passed = counted(&kernel);
    assert_eq!(passed.len(), 102);
    let of_phone = |passed: &[(Way, Passed)]| {
        passed.iter().find(|(way, _)| way.from == at(PHONE)).map(|(_, passed)| *passed)
    };
    assert_eq!(of_phone(&passed), Some(Passed { came: 3, left: 3, bytes: 600, last: None }));
    stream.order(&kernel, WayOrder::Close);
    stream.order(&kernel, WayOrder::Open);
    // What is read meanwhile is of the new one.
    let passed = kernel.passed().unwrap();
    assert!(of_phone(&passed).is_none_or(|passed| passed.came == 0));
}

#[test]
fn what_is_ordered_twice_or_in_vain_spoils_nothing() {
    let Some(net) = net() else { return };
    let kernel = Kernel::open(&claim()).unwrap();
    let stream = Stream::usual(&net);
    let [there, back] = stream.ways;
    let (open, close) = (WayOrder::Open, WayOrder::Close);
    let unknown = Way { from: at("192.0.2.10:4900"), ..there };
    for orders in [
        &[close(unknown), open(there), open(there), open(back)][..],
        &[open(there), close(unknown), close(unknown)],
        &[close(there), open(there), close(back), close(back), open(back)],
        &[],
    ] {
        let applied = kernel.apply(orders).unwrap();
        assert_eq!(applied.refused, []);
        stream.goes_through(OURS);
    }
    let applied = kernel.apply(&[close(there), open(there), close(there)]).unwrap();
    assert_eq!(applied.ended.len(), 1);
    stream.phone.send_to(b"closed", OURS[0]).unwrap();
    assert_eq!(heard(&stream.ours[0]).0, b"closed");
}

#[test]
fn what_was_just_between_the_maps_still_leaves_by_our_address() {
    let Some(net) = net() else { return };
    let kernel = Kernel::open(&claim()).unwrap();
    let stream = Stream::usual(&net);
    stream.order(&kernel, WayOrder::Open);
    stream.order(&kernel, WayOrder::Close);
    // The second map has it for a moment, …
    assert!(nft("list ruleset").contains("192.0.2.10 . 198.51.100.20 . 4000 . 5000"));
    // … and no longer, though nobody asks for anything: the two may go on without us.
    let begun = Instant::now();
    while nft("list ruleset").contains("192.0.2.10") {
        assert!(begun.elapsed() < Duration::from_secs(5));
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// One of many.
fn way(n: u16) -> Way {
    Way {
        from: at(&format!("192.0.2.10:{}", 10_000 + n)),
        at: at(&format!("0.0.0.0:{}", 30_000 + 2 * n)),
        by: at(&format!("0.0.0.0:{}", 30_001 + 2 * n)),
        to: at(&format!("198.51.100.20:{}", 10_000 + n)),
    }
}

#[test]
fn two_thousand_ways_are_opened_read_and_closed_while_packets_go() {
    let Some(net) = net() else { return };
    let kernel = Kernel::open(&claim()).unwrap();
    let ways: Vec<Way> = (0..2_000).map(way).collect();
    let open: Vec<_> = ways.iter().copied().map(WayOrder::Open).collect();
    let took = |what: &str, begun: Instant| println!("{what}: {} µs", begun.elapsed().as_micros());
    let begun = Instant::now();
    assert_eq!(kernel.apply(&open).unwrap().refused, []);
    took("2,000 ways opened in one batch", begun);
    let pbx = net.socket(&net.pbx, "198.51.100.20:11999");
    let phone: UdpSocket = net.socket(&net.phones, "192.0.2.10:11999");
    phone.send_to(b"the last", "192.0.2.1:33998").unwrap();
    assert_eq!(heard(&pbx), (b"the last".to_vec(), at("198.51.100.1:33999")));
    let begun = Instant::now();
    assert_eq!(counted(&kernel).len(), 2_000);
    took("their counters read", begun);
    let begun = Instant::now();
    for way in &ways[..500] {
        assert_eq!(kernel.apply(&[WayOrder::Close(*way)]).unwrap().ended.len(), 1);
    }
    took("500 of them closed one by one", begun);
    let begun = Instant::now();
    for order in &open[..500] {
        kernel.apply(&[*order]).unwrap();
    }
    took("500 of them opened one by one", begun);
    let close: Vec<_> = ways.iter().copied().map(WayOrder::Close).collect();
    let begun = Instant::now();
    assert_eq!(kernel.apply(&close).unwrap().ended.len(), 2_000);
    took("2,000 closed in one batch", begun);
}

#[test]
fn the_same_two_ends_meet_again_by_another_socket_of_ours() {
    let Some(net) = net() else { return };
    let kernel = Kernel::open(&claim()).unwrap();
    let stream = Stream::usual(&net);
    stream.order(&kernel, WayOrder::Open);
    stream.goes_through(OURS);
    stream.order(&kernel, WayOrder::Close);
    std::thread::sleep(Duration::from_millis(300));
    // The phone is at another socket of ours now: it retrieves the call that it had parked.
    let [there, back] = stream.ways;
    let another = at("0.0.0.0:30008");
    let there = Way { at: another, ..there };
    let back = Way { by: another, ..back };
    let applied = kernel.apply(&[WayOrder::Open(there), WayOrder::Open(back)]).unwrap();
    assert_eq!(applied.refused, []);
    for round in 0..10u8 {
        stream.pbx.send_to(&[round], OURS[1]).unwrap();
        assert_eq!(heard(&stream.phone), (vec![round], at("192.0.2.1:30008")));
        stream.phone.send_to(&[round], "192.0.2.1:30008").unwrap();
        assert_eq!(heard(&stream.pbx), (vec![round], at(OURS[1])));
    }
    let passed = kernel.passed().unwrap();
    assert!(passed.iter().all(|(_, passed)| (passed.came, passed.left) == (10, 10)), "{passed:?}");
}
