//! RTCP that fits the streams it is about.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::net::SocketAddr;

use base::Moment;
use rig::{MUSIC, PARKEE, PARKER, RETRIEVER, Source, far, ms, music, plan, stream, talking};
use rtp_flow::{Component, PairId, Plan, Relay, StreamPlan, Verdict, Why};

const PARKEES_OWN: u32 = 0x1000;
const PARKERS_OWN: u32 = 0x2000;
const RETRIEVERS_OWN: u32 = 0x3000;

fn words(head: [u8; 2], words: &[u32]) -> Vec<u8> {
    let mut bytes = head.to_vec();
    bytes.extend((words.len() as u16).to_be_bytes());
    bytes.extend(words.iter().flat_map(|w| w.to_be_bytes()));
    bytes
}

fn sender_report(ssrc: u32, timestamp: u32, blocks: &[[u32; 6]]) -> Vec<u8> {
    let mut all = vec![ssrc, 0x1234_5678, 0x9abc_def0, timestamp, 77, 7_700];
    all.extend(blocks.iter().flatten());
    words([0x80 | blocks.len() as u8, 200], &all)
}

fn receiver_report(ssrc: u32, blocks: &[[u32; 6]]) -> Vec<u8> {
    let mut all = vec![ssrc];
    all.extend(blocks.iter().flatten());
    words([0x80 | blocks.len() as u8, 201], &all)
}

fn description(ssrc: u32) -> Vec<u8> {
    words([0x81, 202], &[ssrc, 0x0103_6162, 0x6300_0000])
}

fn bye(ssrc: u32) -> Vec<u8> {
    words([0x81, 203], &[ssrc])
}

/// A report block about `ssrc` with this highest sequence number.
fn block(ssrc: u32, highest: u32) -> [u32; 6] {
    [ssrc, 0, highest, 3, 4, 5]
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[4 * at..4 * at + 4].try_into().unwrap())
}

fn rtcp_of(pair: PairId) -> SocketAddr {
    SocketAddr::new(far(pair).ip(), far(pair).port() + 1)
}

fn report(relay: &mut Relay, now: Moment, pair: PairId, compound: &[u8]) -> Result<Vec<u8>, Why> {
    let mut bytes = compound.to_vec();
    match relay.on_packet(now, pair, Component::Rtcp, rtcp_of(pair), &mut bytes) {
        Verdict::Forward { component, len, .. } => {
            assert_eq!(component, Component::Rtcp);
            Ok(bytes[..len].to_vec())
        }
        Verdict::Again => panic!("no path is open here"),
        Verdict::Drop(why) => Err(why),
    }
}

/// The parkee has talked to the parker, heard music, and now talks to the retriever. Returns what
/// has been added to the retriever's sequence numbers and timestamps for the parkee.
fn retrieved() -> (Relay, u16, u32) {
    let mut relay = talking();
    let (mut parker, mut parkee) = (Source::at(PARKER, 100, 1_000), Source::at(PARKEE, 5, 50));
    parker.send(&mut relay, ms(0)).unwrap();
    parkee.send(&mut relay, ms(0)).unwrap();
    relay.plan(ms(10), Plan::Stream(plan(PARKEE, MUSIC)));
    relay.plan(ms(10), Plan::release(PARKER));
    music(&mut relay, ms(100));
    relay.plan(ms(100), Plan::Stream(plan(PARKEE, stream(RETRIEVER))));
    relay.plan(ms(100), Plan::Stream(plan(RETRIEVER, stream(PARKEE))));
    let mut retriever = Source::at(RETRIEVER, 9_000, 800_000);
    let sent = retriever.next;
    let got = retriever.send(&mut relay, ms(120)).unwrap();
    parkee.send(&mut relay, ms(120)).unwrap();
    (relay, got.seq.wrapping_sub(sent.seq), got.timestamp.wrapping_sub(sent.timestamp))
}

#[test]
fn reports_pass_untouched_until_something_is_switched() {
    let mut relay = talking();
    Source::at(PARKER, 100, 1_000).send(&mut relay, ms(0)).unwrap();
    let mut compound = sender_report(PARKERS_OWN, 1_000, &[block(PARKEES_OWN, 5)]);
    compound.extend(description(PARKERS_OWN));
    compound.extend(words([0x80, 207], &[PARKERS_OWN, 0x0400_0001, 1]));
    assert_eq!(report(&mut relay, ms(1), PARKER, &compound), Ok(compound.clone()));
}

#[test]
fn the_end_of_one_source_is_not_told_as_the_end_of_the_stream() {
    let mut relay = talking();
    Source::at(PARKER, 100, 1_000).send(&mut relay, ms(0)).unwrap();
    let rr = receiver_report(PARKERS_OWN, &[]);
    let compound = [rr.clone(), bye(PARKERS_OWN)].concat();
    assert_eq!(report(&mut relay, ms(1), PARKER, &compound), Ok(rr));
    assert_eq!(report(&mut relay, ms(1), PARKER, &bye(PARKERS_OWN)), Err(Why::Unrelated));
}

#[test]
fn after_a_switch_a_sender_reports_in_the_streams_name_time_and_counts() {
    let (mut relay, _, added) = retrieved();
    let mut compound = sender_report(RETRIEVERS_OWN, 800_000, &[]);
    compound.extend(description(RETRIEVERS_OWN));
    let told = report(&mut relay, ms(130), RETRIEVER, &compound).unwrap();
    assert_eq!(told.len(), compound.len());
    assert_eq!(word(&told, 1), PARKERS_OWN, "the name of the parkee's first source");
    assert_eq!(told[8..16], compound[8..16], "the wall clock stays");
    assert_eq!(word(&told, 4), 800_000u32.wrapping_add(added));
    let music_and_two = 2 + 5;
    assert_eq!((word(&told, 5), word(&told, 6)), (music_and_two, 160 * music_and_two));
    assert_eq!(word(&told, 8), PARKERS_OWN, "in the description too");
}

#[test]
fn after_a_switch_a_receiver_reports_about_what_the_sender_sent() {
    let (mut relay, added, _) = retrieved();
    let highest = 0x0001_0000 | u32::from(9_000u16.wrapping_add(added));
    let about = [block(PARKERS_OWN, highest), block(0xdead, 1)];
    let told = report(&mut relay, ms(130), PARKEE, &receiver_report(PARKEES_OWN, &about)).unwrap();
    assert_eq!(told[0] & 0x1f, 1, "what is not about the retriever is left out");
    assert_eq!(told.len(), 32);
    assert_eq!(usize::from(u16::from_be_bytes([told[2], told[3]])), told.len() / 4 - 1);
    assert_eq!(word(&told, 1), PARKEES_OWN, "the retriever knows the parkee by its own name");
    assert_eq!(word(&told, 2), RETRIEVERS_OWN);
    assert_eq!(word(&told, 4) & 0xffff, 9_000);
    assert_eq!(told[20..32], receiver_report(0, &about)[20..32], "the rest stays");
}

#[test]
fn a_sender_whose_stream_is_not_heard_yet_reports_only_what_it_hears() {
    let (mut relay, _, _) = retrieved();
    let compound = sender_report(0xffff, 9, &[block(PARKEES_OWN, 6)]);
    let told = report(&mut relay, ms(130), RETRIEVER, &compound).unwrap();
    assert_eq!(told[1], 201);
    assert_eq!((told.len(), word(&told, 2)), (32, PARKEES_OWN));
}

#[test]
fn a_lost_packet_is_asked_for_by_the_number_that_the_sender_gave_it() {
    let (mut relay, added, _) = retrieved();
    let number = u32::from(9_000u16.wrapping_add(added));
    let nack = words([0x81, 205], &[PARKEES_OWN, PARKERS_OWN, number << 16 | 0xff]);
    let told = report(&mut relay, ms(130), PARKEE, &nack).unwrap();
    assert_eq!((word(&told, 2), word(&told, 3)), (RETRIEVERS_OWN, 9_000 << 16 | 0xff));
    let picture = words([0x84, 206], &[PARKEES_OWN, 0, PARKERS_OWN, 0x0100_0000]);
    let told = report(&mut relay, ms(130), PARKEE, &picture).unwrap();
    assert_eq!(word(&told, 3), RETRIEVERS_OWN);
}

#[test]
fn reports_of_the_parkee_about_music_go_nowhere() {
    let (mut relay, _, _) = retrieved();
    relay.plan(ms(140), Plan::Stream(plan(PARKEE, MUSIC)));
    relay.plan(ms(140), Plan::release(RETRIEVER));
    let rr = receiver_report(PARKEES_OWN, &[block(PARKERS_OWN, 1)]);
    assert_eq!(report(&mut relay, ms(150), PARKEE, &rr), Err(Why::Unheard));
}

#[test]
fn what_is_cut_short_or_of_another_version_is_dropped() {
    let mut relay = talking();
    let whole = sender_report(PARKERS_OWN, 1, &[]);
    for bad in [&whole[..6], &whole[..20], &[0x40; 28][..], &[][..]] {
        assert_eq!(report(&mut relay, ms(0), PARKER, bad), Err(Why::NotRtp), "{bad:?}");
    }
}

#[test]
fn reports_change_ports_between_a_side_that_multiplexes_and_one_that_does_not() {
    let mut relay = talking();
    let one_port = StreamPlan { rtcp_mux: true, ..plan(PARKER, stream(PARKEE)) };
    relay.plan(ms(0), Plan::Stream(one_port));
    let mut rr = receiver_report(PARKERS_OWN, &[]);
    let on_rtp = relay.on_packet(ms(0), PARKER, Component::Rtp, far(PARKER), &mut rr);
    let (to, component, len) = (rtcp_of(PARKEE), Component::Rtcp, rr.len());
    assert_eq!(on_rtp, Verdict::Forward { pair: PARKEE, component, to, len });
    let on_rtcp = relay.on_packet(ms(0), PARKEE, Component::Rtcp, rtcp_of(PARKEE), &mut rr);
    let (to, component) = (far(PARKER), Component::Rtp);
    assert_eq!(on_rtcp, Verdict::Forward { pair: PARKER, component, to, len });
}

#[test]
fn reports_go_where_they_were_signalled_to_or_beside_the_source_behind_a_translator() {
    let mut relay = talking();
    let signalled: SocketAddr = "192.0.2.2:7777".parse().unwrap();
    let elsewhere = StreamPlan { far_rtcp: Some(signalled), ..plan(PARKER, stream(PARKEE)) };
    relay.plan(ms(0), Plan::Stream(elsewhere.clone()));
    let sent_to = |relay: &mut Relay| {
        let mut rr = receiver_report(PARKEES_OWN, &[]);
        match relay.on_packet(ms(1), PARKEE, Component::Rtcp, rtcp_of(PARKEE), &mut rr) {
            Verdict::Forward { to, .. } => to,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(sent_to(&mut relay), signalled);
    let source: SocketAddr = "203.0.113.7:6000".parse().unwrap();
    let guard = [source.ip()].into_iter().collect();
    relay.plan(ms(2), Plan::Stream(StreamPlan { guard, ..elsewhere }));
    let mut speech = Source::at(PARKER, 1, 1).packet().bytes();
    relay.on_packet(ms(3), PARKER, Component::Rtp, source, &mut speech);
    assert_eq!(sent_to(&mut relay), SocketAddr::new(source.ip(), 6001));
}
