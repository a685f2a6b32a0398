//! What is sent on, and what is left to us.

use std::net::UdpSocket;

use base::Moment;
use rtp_flow::Passed;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::media::kernel::{NotHere, Way, WayOrder};
use crate::media::shifter::Shifted;
use crate::media::shifter::tests::stream::{SSRC, STREAM, moved, rtp, shifted, shifter};
use crate::media::tests::datagrams::datagram;
use crate::media::tests::net::{at, heard, ip, net, nft, silent, sysctl};
use crate::media::tests::stream::{OURS, PBX, PHONE, Stream};

#[test]
fn a_call_goes_through_in_one_stream_between_two_networks_and_nothing_of_it_comes_to_us() {
    let (Some(net), Some(shifter)) = (net(), shifter()) else { return };
    // Nothing of the host's own forwarding has a part in it.
    sysctl("net/ipv4/ip_forward", "0");
    nft(
        "add table inet walls; add chain inet walls forward { type filter hook forward priority 0; policy drop; }",
    );
    let stream = Stream::usual(&net);
    stream.open(&shifter);
    stream.goes_through_as_one(OURS);
    let passed = shifter.passed();
    assert_eq!(passed.len(), 2);
    for (way, passed) in passed {
        // 20 bytes of IP, 8 of UDP, 12 of RTP.
        assert_eq!(passed, Passed { came: 3, left: 3, bytes: 3 * 200, last: None }, "{way:?}");
    }
    // So far the stream has gone.
    let now = Moment::from_micros(10_000_000);
    let last = stream.close(&shifter, now).last.unwrap();
    assert_eq!((last.sequence, last.timestamp), (102 + 777, 0xffff_ff00u32.wrapping_add(3 * 160)));
    assert!((1..5_000_000).contains(&now.since(last.at).as_micros()), "{last:?}");
}

#[test]
fn ipv6_goes_through_too() {
    let (Some(net), Some(shifter)) = (net(), shifter()) else { return };
    let ours = ["[2001:db8:1::1]:30000", "[2001:db8:2::1]:30002"];
    let pbx = (&net.pbx, "[2001:db8:2::20]:5000");
    let stream = Stream::between(&net, "[2001:db8:1::10]:4000", ours, pbx);
    stream.open(&shifter);
    stream.goes_through_as_one(ours);
    let passed = shifter.passed();
    // 40 bytes of IP.
    let expected = Passed { came: 3, left: 3, bytes: 3 * 220, last: None };
    assert!(passed.len() == 2 && passed.iter().all(|(_, p)| *p == expected), "{passed:?}");
}

#[test]
fn phones_and_pbx_may_be_on_one_side_of_one_address() {
    let (Some(net), Some(shifter)) = (net(), shifter()) else { return };
    net.within(&net.phones, || ip("address add 192.0.2.30/24 dev eth0")).unwrap();
    let ours = ["192.0.2.1:30000", "192.0.2.1:30002"];
    let stream = Stream::between(&net, PHONE, ours, (&net.phones, "192.0.2.30:5000"));
    stream.open(&shifter);
    stream.goes_through_as_one(ours);
}

#[test]
fn ways_that_it_cannot_take_are_left_to_us() {
    let (Some(net), Some(shifter)) = (net(), shifter()) else { return };
    let stream = Stream::usual(&net);
    let way = stream.ways[0];
    let refused = |way: Way| {
        let orders = [(WayOrder::Open(way), Some(moved()))];
        let Shifted { refused, ended } = shifter.apply(Moment::ZERO, &orders);
        assert_eq!((refused.len(), ended.len()), (1, 0), "{way:?}");
        refused[0].1
    };
    assert_eq!(refused(Way { to: at("192.0.2.1:5000"), ..way }), NotHere::ThisMachine);
    assert_eq!(refused(Way { from: at("198.51.100.1:5000"), ..way }), NotHere::ThisMachine);
    let mixed = Way { to: at("[2001:db8:2::20]:5000"), by: at("[::]:30002"), ..way };
    assert_eq!(refused(mixed), NotHere::Families);
    ip("route add unreachable 203.0.113.0/24").unwrap();
    assert_eq!(refused(Way { to: at("203.0.113.9:5000"), ..way }), NotHere::NoRoute);
    if ip("tuntap add dev tube mode tun").is_ok() {
        ip("link set tube up").unwrap();
        ip("address add 203.0.113.129/25 dev tube").unwrap();
        ip("route add 203.0.113.200/32 dev tube").unwrap();
        assert_eq!(refused(Way { from: at("203.0.113.200:1"), ..way }), NotHere::NoEthernet);
    } else {
        eprintln!("SKIPPED in part: this machine makes no interfaces without Ethernet");
    }
}

#[test]
fn what_is_not_the_source_going_on_comes_to_us() {
    let (Some(net), Some(shifter)) = (net(), shifter()) else { return };
    let stream = Stream::usual(&net);
    stream.open(&shifter);
    stream.goes_through_as_one(OURS);
    let with = |at: usize, byte: u8| {
        let mut packet = rtp(SSRC, 103, b"odd");
        packet[at] = byte;
        packet
    };
    let left = [
        rtp(0x9999, 103, b"another source"),
        with(0, 0x40),
        // RTCP by its packet type, where it shares the port.
        with(1, 200),
        with(1, 206),
        rtp(SSRC, 103 + 3_001, b"begun anew"),
        rtp(SSRC, 102u16.wrapping_sub(101), b"long ago"),
        b"not RTP at all".to_vec(),
        b"short".to_vec(),
        vec![7; 4_000],
        vec![],
    ];
    for packet in left {
        stream.phone.send_to(&packet, OURS[0]).unwrap();
        assert_eq!(heard(&stream.ours[0]), (packet, at(PHONE)));
    }
    net.within(&net.phones, || ip("address add 192.0.2.66/24 dev eth0")).unwrap();
    for stranger in ["192.0.2.10:4002", "192.0.2.66:4000"] {
        let socket = net.socket(&net.phones, stranger);
        socket.send_to(&rtp(SSRC, 103, b"strange"), OURS[0]).unwrap();
        assert_eq!(heard(&stream.ours[0]), (rtp(SSRC, 103, b"strange"), at(stranger)));
    }
    silent(&stream.pbx);
    // Lost and late ones are still of the source.
    for seq in [103 + 2_999, 103, 103 + 2_999 - 100, 103 + 3_000] {
        if seq != 103 {
            stream.phone.send_to(&rtp(SSRC, seq, b"near"), OURS[0]).unwrap();
            assert_eq!(heard(&stream.pbx).0, shifted(seq, b"near"));
        }
    }
    assert_eq!(stream.close(&shifter, Moment::ZERO).came, 3 + 3);
}

#[test]
fn a_packet_too_long_for_the_other_side_is_left_to_the_host() {
    let (Some(net), Some(shifter)) = (net(), shifter()) else { return };
    ip("link set pbx mtu 1280").unwrap();
    let stream = Stream::usual(&net);
    stream.open(&shifter);
    let long = rtp(SSRC, 100, &[7; 1_300]);
    stream.phone.send_to(&long, OURS[0]).unwrap();
    assert_eq!(heard(&stream.ours[0]).0, long);
    stream.goes_through_as_one(OURS);
}

#[test]
fn what_is_not_ours_to_read_goes_as_it_comes() {
    let (Some(net), Some(shifter)) = (net(), shifter()) else { return };
    let stream = Stream::usual(&net);
    let orders = [(WayOrder::Open(stream.ways[0]), None)];
    assert_eq!(shifter.apply(Moment::ZERO, &orders), Shifted::default());
    for packet in [&b"?"[..], &[0x16, 0xfe, 0xff], &rtp(SSRC, 9, b"encrypted")] {
        stream.phone.send_to(packet, OURS[0]).unwrap();
        assert_eq!(heard(&stream.pbx), (packet.to_vec(), at(OURS[1])));
    }
    assert_eq!(stream.close(&shifter, Moment::ZERO).last, None);
}

#[test]
fn checksums_stay_right_and_none_stays_none() {
    let (Some(net), Some(shifter)) = (net(), shifter()) else { return };
    let stream = Stream::usual(&net);
    stream.open(&shifter);
    let raw = |side| {
        net.within(side, || Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::UDP)).unwrap())
    };
    let (sender, wire) = (raw(&net.phones), UdpSocket::from(raw(&net.pbx)));
    let to: SockAddr = at("192.0.2.1:0").into();
    // Written by hand, so that no network card is asked to compute it: the receiving kernel does.
    for (seq, payload) in (100..).zip([&b"even"[..], b"uneven!", &[0xff; 160], b""]) {
        sender.send_to(&datagram(PHONE, OURS[0], &rtp(SSRC, seq, payload)), &to).unwrap();
        assert_eq!(heard(&stream.pbx), (shifted(seq, payload), at(OURS[1])));
        assert_eq!(heard(&wire).0[20..], datagram(OURS[1], PBX, &shifted(seq, payload)));
    }
    let mut without = datagram(PHONE, OURS[0], &rtp(SSRC, 104, b"none"));
    without[6..8].fill(0);
    sender.send_to(&without, &to).unwrap();
    assert_eq!(heard(&stream.pbx), (shifted(104, b"none"), at(OURS[1])));
    assert_eq!(heard(&wire).0[26..28], [0, 0]);
    assert_ne!(SSRC, STREAM);
}
