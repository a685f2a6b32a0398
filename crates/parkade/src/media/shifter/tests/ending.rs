//! A way that is closed is so for the very next packet, and it is known how far its stream has gone. What
//! is left of a process that ends: nothing.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use base::Moment;

use crate::media::kernel::WayOrder;
use crate::media::shifter::tests::stream::{SSRC, moved, rtp, shifter};
use crate::media::tests::doomed::{Doomed, is_doomed, wait_for_the_end};
use crate::media::tests::net::{at, heard, net, silent};
use crate::media::tests::stream::{OURS, PHONE, Stream, way};

/// Between two packets of a source that is a hundred times as fast as one of sound.
const BETWEEN: Duration = Duration::from_micros(200);

#[test]
fn while_packets_come_the_last_that_went_is_known_whenever_it_is_closed() {
    let (Some(net), Some(shifter)) = (net(), shifter()) else { return };
    let stream = Stream::usual(&net);
    let (over, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|threads| {
        threads.spawn(|| {
            let mut seq = 100u16;
            while !over.load(Ordering::SeqCst) {
                stream.phone.send_to(&rtp(SSRC, seq, b"on and on"), OURS[0]).unwrap();
                seq = seq.wrapping_add(1);
                sent.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(BETWEEN);
            }
        });
        for round in 0..200 {
            // Where the source is just now: the newest of what has come to us.
            stream.ours[0].set_nonblocking(true).unwrap();
            let mut buffer = [0; 2_048];
            while stream.ours[0].recv_from(&mut buffer).is_ok() {}
            stream.ours[0].set_nonblocking(false).unwrap();
            let (packet, _) = heard(&stream.ours[0]);
            let newest = u16::from_be_bytes([packet[2], packet[3]]);
            let mut shift = moved();
            shift.last.sequence = newest.wrapping_add(shift.sequence);
            shift.last.timestamp =
                u32::from_be_bytes(packet[4..8].try_into().unwrap()).wrapping_add(shift.timestamp);
            let orders = [(WayOrder::Open(stream.ways[0]), Some(shift))];
            assert_eq!(shifter.apply(Moment::ZERO, &orders).refused, []);
            let before = sent.load(Ordering::SeqCst);
            while sent.load(Ordering::SeqCst) < before + 3 {
                std::thread::yield_now();
            }
            let passed = stream.close(&shifter, Moment::ZERO);
            assert_eq!(passed.came, passed.left);
            // What has left is there, or on its way.
            let heard: Vec<u16> = (0..passed.came)
                .map(|_| heard(&stream.pbx).0)
                .map(|packet| u16::from_be_bytes([packet[2], packet[3]]))
                .collect();
            if let Some(last) = passed.last {
                assert_eq!(heard.last(), Some(&last.sequence), "round {round}");
            }
        }
        over.store(true, Ordering::SeqCst);
    });
    silent(&stream.pbx);
}

#[test]
fn a_closed_way_is_opened_again_with_another_aim() {
    let (Some(net), Some(shifter)) = (net(), shifter()) else { return };
    let stream = Stream::usual(&net);
    for _ in 0..20 {
        stream.open(&shifter);
        stream.goes_through_as_one(OURS);
        stream.close(&shifter, Moment::ZERO);
        stream.phone.send_to(&rtp(SSRC, 103, b"to us"), OURS[0]).unwrap();
        assert_eq!(heard(&stream.ours[0]), (rtp(SSRC, 103, b"to us"), at(PHONE)));
        let back = (WayOrder::Close(stream.ways[1]), None);
        assert_eq!(shifter.apply(Moment::ZERO, &[back]).ended.len(), 1);
        assert_eq!(shifter.apply(Moment::ZERO, &[back]).ended.len(), 0, "once is enough");
    }
    assert_eq!(shifter.passed(), []);
}

#[test]
fn two_instances_are_not_in_each_others_way() {
    let (Some(net), Some(one), Some(other)) = (net(), shifter(), shifter()) else { return };
    let theirs = ["192.0.2.1:31000", "198.51.100.1:31002"];
    let first = Stream::usual(&net);
    let second = Stream::between(&net, "192.0.2.10:4100", theirs, (&net.pbx, "198.51.100.20:5100"));
    first.open(&one);
    second.open(&other);
    first.goes_through_as_one(OURS);
    second.goes_through_as_one(theirs);
    drop(one);
    first.phone.send_to(&rtp(SSRC, 103, b"to us"), OURS[0]).unwrap();
    assert_eq!(heard(&first.ours[0]).0, rtp(SSRC, 103, b"to us"));
    second.open(&other);
    second.goes_through_as_one(theirs);
}

#[test]
fn a_killed_process_leaves_nothing_behind() {
    if is_doomed() {
        let shifter = shifter().unwrap();
        let orders = [(WayOrder::Open(way()), Some(moved()))];
        assert_eq!(shifter.apply(Moment::ZERO, &orders).refused, []);
        wait_for_the_end();
    }
    let (Some(net), Some(_)) = (net(), shifter()) else { return };
    let doomed = Doomed::start();
    let stream = Stream::usual(&net);
    stream.phone.send_to(&rtp(SSRC, 100, b"there"), OURS[0]).unwrap();
    assert_eq!(heard(&stream.pbx).1, at(OURS[1]));
    doomed.kill();
    // The kernel takes it off a moment after the process has ended.
    let mut seq = 101;
    stream.ours[0].set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    while {
        stream.phone.send_to(&rtp(SSRC, seq, b"gone?"), OURS[0]).unwrap();
        stream.ours[0].recv_from(&mut [0; 2_048]).is_err()
    } {
        seq += 1;
        assert!(seq < 200, "it still forwards");
    }
}
