//! The table, and who has it: a process that is killed, one that follows, others on the host.

use std::time::Duration;

use crate::media::kernel::tests::stream::claim;
use crate::media::kernel::{Claim, Kernel, Way, WayOrder, WhyNot};
use crate::media::tests::doomed::{Doomed, is_doomed, wait_for_the_end};
use crate::media::tests::net::{at, heard, net, nft, silent};
use crate::media::tests::stream::{OURS, PBX, PHONE, Stream, way};

#[test]
fn what_a_killed_process_forwarded_is_forwarded_until_another_takes_the_table_over() {
    if is_doomed() {
        let kernel = Kernel::open(&claim()).unwrap();
        kernel.apply(&[WayOrder::Open(way())]).unwrap();
        wait_for_the_end();
    }
    let Some(net) = net() else { return };
    let doomed = Doomed::start();
    // While it runs the table is its own.
    assert!(matches!(Kernel::open(&claim()), Err(WhyNot::Taken)));
    doomed.kill();
    let phone = net.socket(&net.phones, PHONE);
    let pbx = net.socket(&net.pbx, PBX);
    for _ in 0..3 {
        phone.send_to(b"still there", OURS[0]).unwrap();
        assert_eq!(heard(&pbx), (b"still there".to_vec(), at(OURS[1])));
    }
    let kernel = Kernel::open(&claim()).unwrap();
    let stream_ends =
        Stream::between(&net, "192.0.2.10:4002", OURS, (&net.pbx, "198.51.100.20:5002"));
    phone.send_to(b"to the new one", OURS[0]).unwrap();
    assert_eq!(heard(&stream_ends.ours[0]), (b"to the new one".to_vec(), at(PHONE)));
    silent(&pbx);
    stream_ends.order(&kernel, WayOrder::Open);
    stream_ends.goes_through(OURS);
}

#[test]
fn what_a_killed_process_forwarded_is_forwarded_while_its_calls_are_taken_up() {
    if is_doomed() {
        let kernel = Kernel::open(&claim()).unwrap();
        kernel.apply(&[WayOrder::Open(way())]).unwrap();
        wait_for_the_end();
    }
    let Some(net) = net() else { return };
    Doomed::start().kill();
    let phone = net.socket(&net.phones, PHONE);
    let pbx = net.socket(&net.pbx, PBX);
    let goes_on = || {
        phone.send_to(b"still there", OURS[0]).unwrap();
        assert_eq!(heard(&pbx), (b"still there".to_vec(), at(OURS[1])));
    };
    let kernel = Kernel::take_over(&claim(), Duration::from_secs(600)).unwrap();
    goes_on();
    assert_eq!(kernel.passed().unwrap(), []);
    goes_on();
    // The first way of our own is the end of theirs.
    let other = Way { from: at("192.0.2.10:4004"), ..way() };
    assert_eq!(kernel.apply(&[WayOrder::Open(other)]).unwrap().refused, []);
    let listed = nft("list ruleset");
    assert!(listed.contains("192.0.2.10 . 192.0.2.1 . 4004 . 30000"), "{listed}");
    assert!(!listed.contains("192.0.2.10 . 192.0.2.1 . 4000 . 30000"), "{listed}");
}

#[test]
fn what_a_process_leaves_to_the_next_is_forwarded_until_that_has_had_its_time() {
    let Some(net) = net() else { return };
    let kernel = Kernel::open(&claim()).unwrap();
    kernel.apply(&[WayOrder::Open(way())]).unwrap();
    kernel.stay();
    drop(kernel);
    let phone = net.socket(&net.phones, PHONE);
    let pbx = net.socket(&net.pbx, PBX);
    phone.send_to(b"between the two", OURS[0]).unwrap();
    assert_eq!(heard(&pbx), (b"between the two".to_vec(), at(OURS[1])));
    let kernel = Kernel::take_over(&claim(), Duration::ZERO).unwrap();
    while nft("list ruleset").contains("192.0.2.10") {
        std::thread::yield_now();
    }
    assert!(nft("list ruleset").contains("table inet parkade-30000-39999 {"));
    // Here nothing is forwarded, so there is nothing to be left.
    kernel.stay();
    drop(kernel);
    assert_eq!(nft("list ruleset"), "");
}

#[test]
fn whether_there_could_be_a_table_is_asked_without_making_one() {
    let Some(_net) = net() else { return };
    Kernel::try_out().unwrap();
    assert_eq!(nft("list ruleset"), "");
}

#[test]
fn a_clean_end_removes_our_table_and_no_other() {
    let Some(_net) = net() else { return };
    nft("add table inet walls; add table ip parkade-other; add table inet parkade-music");
    let before = nft("list ruleset");
    let kernel = Kernel::open(&claim()).unwrap();
    kernel.apply(&[WayOrder::Open(way())]).unwrap();
    assert!(nft("list ruleset").contains("table inet parkade-30000-39999 {"));
    drop(kernel);
    assert_eq!(nft("list ruleset"), before);
}

#[test]
fn a_dead_instance_leaves_no_table_behind_and_a_live_one_is_left_alone() {
    let Some(_net) = net() else { return };
    let ports = |first, last| Claim { ports: first..=last, ..claim() };
    nft("add table inet parkade-35000-35999; add table inet parkade-50000-50099-192.0.2.1");
    let live = Kernel::open(&ports(38_000, 38_999)).unwrap();
    let kernel = Kernel::open(&claim()).unwrap();
    let listed = nft("list tables");
    assert!(!listed.contains("parkade-35000") && !listed.contains("parkade-50000"), "{listed}");
    assert!(listed.contains("parkade-38000-38999"), "{listed}");
    drop((live, kernel));
    assert_eq!(nft("list tables"), "");
    nft("add table inet parkade-35000-35999; add table inet parkade-music");
    assert_eq!(Kernel::remove_dead().unwrap(), ["parkade-35000-35999"]);
    assert_eq!(nft("list tables"), "table inet parkade-music\n");
}

#[test]
fn a_table_that_somebody_has_removed_is_made_anew_with_all_that_is_open() {
    let Some(net) = net() else { return };
    let kernel = Kernel::open(&claim()).unwrap();
    let stream = Stream::usual(&net);
    stream.order(&kernel, WayOrder::Open);
    // As a firewall does that is loaded again. We are asked then, and carry on by ourselves.
    nft("flush ruleset");
    stream.phone.send_to(b"to us", OURS[0]).unwrap();
    assert_eq!(heard(&stream.ours[0]).0, b"to us");
    kernel.passed().unwrap();
    stream.goes_through(OURS);
    nft("flush ruleset");
    stream.order(&kernel, WayOrder::Close);
    let other = Way { from: at("192.0.2.10:4004"), ..way() };
    nft("flush ruleset");
    assert_eq!(kernel.apply(&[WayOrder::Open(other)]).unwrap().refused, []);
    assert!(nft("list ruleset").contains("192.0.2.10 . 192.0.2.1 . 4004 . 30000"));
    stream.phone.send_to(b"closed", OURS[0]).unwrap();
    assert_eq!(heard(&stream.ours[0]).0, b"closed");
}
