//! What gets where.

use std::net::UdpSocket;

use rtp_flow::Passed;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::media::kernel::tests::stream::claim;
use crate::media::kernel::{Dropping, Kernel, NotHere, Way, WayOrder, WhyNot, dropping};
use crate::media::tests::datagrams::datagram;
use crate::media::tests::net::{at, heard, ip, net, nft, silent, sysctl};
use crate::media::tests::stream::{OURS, PBX, PHONE, Stream};

#[test]
fn a_call_goes_through_between_two_networks_and_nothing_of_it_comes_to_us() {
    let Some(net) = net() else { return };
    let kernel = Kernel::open(&claim()).unwrap();
    let rtp = Stream::usual(&net);
    let rtcp_ours = ["192.0.2.1:30001", "198.51.100.1:30003"];
    let rtcp =
        Stream::between(&net, "192.0.2.10:4001", rtcp_ours, (&net.pbx, "198.51.100.20:5001"));
    rtp.order(&kernel, WayOrder::Open);
    rtcp.order(&kernel, WayOrder::Open);
    rtp.goes_through(OURS);
    rtcp.goes_through(rtcp_ours);
    let passed = kernel.passed().unwrap();
    assert_eq!(passed.len(), 4);
    for (way, passed) in passed {
        // 20 bytes of IP, 8 of UDP.
        assert_eq!(passed, Passed { came: 3, left: 3, bytes: 3 * 200, last: None }, "{way:?}");
    }
}

#[test]
fn ipv6_goes_through_too() {
    let Some(net) = net() else { return };
    let kernel = Kernel::open(&claim()).unwrap();
    let ours = ["[2001:db8:1::1]:30000", "[2001:db8:2::1]:30002"];
    let pbx = (&net.pbx, "[2001:db8:2::20]:5000");
    let stream = Stream::between(&net, "[2001:db8:1::10]:4000", ours, pbx);
    stream.order(&kernel, WayOrder::Open);
    stream.goes_through(ours);
    let passed = kernel.passed().unwrap();
    assert_eq!(passed.len(), 2);
    assert!(passed.iter().all(|(_, p)| (p.came, p.left) == (3, 3)), "{passed:?}");
}

#[test]
fn phones_and_pbx_may_be_on_one_side_of_one_address() {
    let Some(net) = net() else { return };
    net.within(&net.phones, || ip("address add 192.0.2.30/24 dev eth0")).unwrap();
    let kernel = Kernel::open(&claim()).unwrap();
    let ours = ["192.0.2.1:30000", "192.0.2.1:30002"];
    let stream = Stream::between(&net, PHONE, ours, (&net.phones, "192.0.2.30:5000"));
    stream.order(&kernel, WayOrder::Open);
    stream.goes_through(ours);
}

#[test]
fn the_pbx_may_be_on_this_host_and_then_nothing_need_be_forwarded() {
    let Some(net) = net() else { return };
    let kernel = Kernel::open(&claim()).unwrap();
    sysctl("net/ipv4/ip_forward", "0");
    let ours = ["192.0.2.1:30000", "192.0.2.1:30002"];
    let stream = Stream::between(&net, PHONE, ours, (&net.host, "192.0.2.1:5000"));
    stream.order(&kernel, WayOrder::Open);
    stream.goes_through(ours);
    let passed = kernel.passed().unwrap();
    assert!(passed.iter().all(|(_, p)| (p.came, p.left) == (3, 3)), "{passed:?}");
}

#[test]
fn all_of_it_may_be_on_the_loopback() {
    let Some(net) = net() else { return };
    let kernel = Kernel::open(&claim()).unwrap();
    let [phone, pbx] =
        ["127.0.0.1:4000", "127.0.0.1:5000"].map(|address| UdpSocket::bind(address).unwrap());
    let [from, to] = [&phone, &pbx].map(|socket| socket.local_addr().unwrap());
    let way = Way { from, at: at("0.0.0.0:30000"), by: at("0.0.0.0:30002"), to };
    assert_eq!(kernel.apply(&[WayOrder::Open(way)]).unwrap().refused, []);
    phone.send_to(b"here", "127.0.0.1:30000").unwrap();
    assert_eq!(heard(&pbx), (b"here".to_vec(), at("127.0.0.1:30002")));
    drop(net);
}

#[test]
fn what_a_stranger_sends_comes_to_us() {
    let Some(net) = net() else { return };
    let kernel = Kernel::open(&claim()).unwrap();
    let stream = Stream::usual(&net);
    stream.order(&kernel, WayOrder::Open);
    net.within(&net.phones, || ip("address add 192.0.2.66/24 dev eth0")).unwrap();
    // Another port of the phone, and another phone with the same port.
    for stranger in ["192.0.2.10:4002", "192.0.2.66:4000"] {
        let socket = net.socket(&net.phones, stranger);
        socket.send_to(b"strange", OURS[0]).unwrap();
        assert_eq!(heard(&stream.ours[0]), (b"strange".to_vec(), at(stranger)));
    }
    silent(&stream.pbx);
}

#[test]
fn what_comes_in_pieces_comes_to_us_whole() {
    let Some(net) = net() else { return };
    let kernel = Kernel::open(&claim()).unwrap();
    let stream = Stream::usual(&net);
    stream.order(&kernel, WayOrder::Open);
    let picture = vec![7; 4_000];
    stream.phone.send_to(&picture, OURS[0]).unwrap();
    assert_eq!(heard(&stream.ours[0]), (picture, at(PHONE)));
    silent(&stream.pbx);
}

#[test]
fn checksums_stay_right_and_none_stays_none() {
    let Some(net) = net() else { return };
    let kernel = Kernel::open(&claim()).unwrap();
    let stream = Stream::usual(&net);
    stream.order(&kernel, WayOrder::Open);
    let raw = |side| {
        net.within(side, || Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::UDP)).unwrap())
    };
    let (sender, wire) = (raw(&net.phones), UdpSocket::from(raw(&net.pbx)));
    let to: SockAddr = at("192.0.2.1:0").into();
    let checksum = || {
        let (packet, _) = heard(&wire);
        let udp = &packet[20..];
        (u16::from_be_bytes([udp[6], udp[7]]), udp.to_vec())
    };
    // Written by hand, so that no network card is asked to compute it: the receiving kernel does.
    for payload in [&b"even"[..], b"uneven!", &[0xff; 160]] {
        sender.send_to(&datagram(PHONE, OURS[0], payload), &to).unwrap();
        assert_eq!(heard(&stream.pbx), (payload.to_vec(), at(OURS[1])));
        let expected = datagram(OURS[1], PBX, payload);
        assert_eq!(checksum().1, expected);
    }
    let mut without = datagram(PHONE, OURS[0], b"none");
    without[6..8].fill(0);
    sender.send_to(&without, &to).unwrap();
    assert_eq!(heard(&stream.pbx), (b"none".to_vec(), at(OURS[1])));
    assert_eq!(checksum().0, 0);
}

#[test]
fn ways_that_no_packet_can_go_are_left_to_user_space() {
    let Some(net) = net() else { return };
    let kernel = Kernel::open(&claim()).unwrap();
    let stream = Stream::usual(&net);
    let way = stream.ways[0];
    let refused = |way: Way| kernel.apply(&[WayOrder::Open(way)]).unwrap().refused;
    let mixed = Way { to: at("[2001:db8:2::20]:5000"), by: at("[::]:30002"), ..way };
    assert_eq!(refused(mixed), [(mixed, NotHere::Families)]);
    let inside = Way { to: at("127.0.0.1:5000"), ..way };
    assert_eq!(refused(inside), [(inside, NotHere::Loopback)]);
    let near = Way { to: at("169.254.3.4:5000"), ..way };
    assert_eq!(refused(near), [(near, NotHere::LinkLocal)]);
    ip("route add unreachable 203.0.113.0/24").unwrap();
    let nowhere = Way { to: at("203.0.113.9:5000"), ..way };
    assert_eq!(refused(nowhere), [(nowhere, NotHere::NoRoute)]);
    assert_eq!(refused(way), []);
    // The second map could not tell them apart.
    let twin = Way { at: at("0.0.0.0:30004"), by: at("0.0.0.0:30006"), ..way };
    assert_eq!(refused(twin), [(twin, NotHere::Ambiguous)]);
    stream.phone.send_to(b"still", OURS[0]).unwrap();
    assert_eq!(heard(&stream.pbx), (b"still".to_vec(), at(OURS[1])));
}

#[test]
fn a_host_that_forwards_nothing_has_no_fast_path_and_one_ip_version_may_do_without() {
    let Some(net) = net() else { return };
    sysctl("net/ipv6/conf/all/forwarding", "0");
    let kernel = Kernel::open(&claim()).unwrap();
    let way = Way {
        from: at("[2001:db8:1::10]:4000"),
        at: at("[::]:30000"),
        by: at("[::]:30002"),
        to: at("[2001:db8:2::20]:5000"),
    };
    let applied = kernel.apply(&[WayOrder::Open(way)]).unwrap();
    assert_eq!(applied.refused, [(way, NotHere::NotForwarding)]);
    drop(kernel);
    sysctl("net/ipv4/ip_forward", "0");
    assert!(matches!(Kernel::open(&claim()), Err(WhyNot::NotForwarding)));
    // One interface is enough.
    sysctl("net/ipv4/conf/phones/forwarding", "1");
    assert!(Kernel::open(&claim()).is_ok());
    drop(net);
}

#[test]
fn a_firewall_that_drops_what_is_forwarded_is_seen_in_the_counters() {
    let Some(net) = net() else { return };
    assert_eq!(dropping().unwrap(), []);
    nft(
        "add table inet walls; add chain inet walls forward { type filter hook forward priority 0; policy drop; }",
    );
    let walls = Dropping { table: "inet walls".into(), chain: "forward".into() };
    assert_eq!(dropping().unwrap(), [walls]);
    let kernel = Kernel::open(&claim()).unwrap();
    let stream = Stream::usual(&net);
    stream.order(&kernel, WayOrder::Open);
    for _ in 0..5 {
        stream.phone.send_to(b"hello?", OURS[0]).unwrap();
    }
    silent(&stream.pbx);
    let passed = kernel.passed().unwrap();
    let of_phone = passed.iter().find(|(way, _)| way.from == at(PHONE)).unwrap().1;
    assert_eq!((of_phone.came, of_phone.left), (5, 0));
    // What lets it through: it is not tracked.
    nft("add rule inet walls forward ct state untracked meta l4proto udp accept");
    stream.goes_through(OURS);
}
