//! Far sides that speak SRTP with us: what they hear and send, and what is not let through.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use base::{Chance, Moment};
use rig::{MUSIC, PARKEE, PARKER, RETRIEVER, Rtp, Source, far, ms, music, plan, relay, stream};
use rtp_flow::{
    Component, Door, Hears, Master, PairId, Plan, Rejected, Relay, Srtp, SrtpReceiver, SrtpSender,
    StreamKind, StreamPlan, Suite, Verdict, Why,
};

/// A far side with keys of its own.
struct End {
    pair: PairId,
    keys: Srtp,
    sender: SrtpSender,
    receiver: SrtpReceiver,
    source: Source,
    chance: Chance,
}

impl End {
    fn new(pair: PairId, suite: Suite) -> End {
        let mut chance = Chance::from_seed(u64::from(pair.0));
        let inbound = Master::random(suite, &mut chance);
        let outbound = Master::random(suite, &mut chance);
        End::with(pair, Srtp { inbound, outbound }, chance)
    }

    fn with(pair: PairId, keys: Srtp, mut chance: Chance) -> End {
        let sender = SrtpSender::new(&keys.inbound, &mut chance);
        let receiver = SrtpReceiver::new(&keys.outbound);
        End { pair, keys, sender, receiver, source: Source::at(pair, 60_000, 7), chance }
    }

    fn plan(&self, hears: Hears) -> Plan {
        Plan::Stream(StreamPlan {
            srtp: Some(Box::new(self.keys.clone())),
            ..plan(self.pair, hears)
        })
    }

    /// The next packet as it goes over the wire.
    fn sealed(&mut self) -> Vec<u8> {
        let mut room = self.source.packet().bytes();
        let len = room.len();
        room.resize(len + 40, 0);
        let len = self.sender.rtp(&mut room, len).unwrap();
        room.truncate(len);
        room
    }

    fn open(&mut self, now: Moment, packet: &[u8]) -> Result<Rtp, Rejected> {
        let mut packet = packet.to_vec();
        let len = self.receiver.rtp(now, &mut packet)?;
        Ok(Rtp::read(&packet[..len]))
    }
}

/// What a packet from a pair's far side becomes.
fn arrive(relay: &mut Relay, now: Moment, from: PairId, packet: &[u8]) -> Result<Vec<u8>, Why> {
    arrive_at(relay, now, from, Component::Rtp, packet)
}

fn arrive_at(
    relay: &mut Relay,
    now: Moment,
    from: PairId,
    component: Component,
    packet: &[u8],
) -> Result<Vec<u8>, Why> {
    let mut room = packet.to_vec();
    room.resize(packet.len() + 60, 0);
    let mut source = far(from);
    source.set_port(source.port() + u16::from(component == Component::Rtcp));
    let at = Door { pair: from, component };
    match relay.on_datagram(now, at, source, &mut room, packet.len()) {
        Verdict::Forward { len, .. } => {
            room.truncate(len);
            Ok(room)
        }
        Verdict::Again => panic!("nothing went without us"),
        Verdict::Drop(why) => Err(why),
    }
}

/// Two with keys of their own who talk.
fn talking(suite: Suite) -> (Relay, End, End) {
    let (parkee, phone) = (End::new(PARKEE, suite), End::new(PARKER, suite));
    let mut relay = relay();
    relay.plan(ms(0), parkee.plan(stream(PARKER)));
    relay.plan(ms(0), phone.plan(stream(PARKEE)));
    (relay, parkee, phone)
}

#[test]
fn two_with_other_keys_hear_each_other_with_every_suite() {
    for suite in Suite::ALL {
        let (mut relay, mut parkee, mut phone) = talking(suite);
        let mut last = None;
        for n in 0..200 {
            let now = ms(20 * n);
            let packet = phone.sealed();
            let heard = parkee.open(now, &arrive(&mut relay, now, PARKER, &packet).unwrap());
            let heard = heard.unwrap();
            if let Some(Rtp { seq, timestamp, ssrc, .. }) = last {
                assert_eq!((heard.seq, heard.ssrc), (seq + 1, ssrc));
                assert_eq!(heard.timestamp, u32::wrapping_add(timestamp, 160));
            }
            last = Some(heard);
            let packet = parkee.sealed();
            phone.open(now, &arrive(&mut relay, now, PARKEE, &packet).unwrap()).unwrap();
        }
        assert_ne!(last.unwrap().ssrc, phone.source.next.ssrc, "the key is not ours alone");
    }
}

#[test]
fn one_in_the_clear_hears_one_with_keys_and_the_other_way_round() {
    let phone = End::new(PARKER, Suite::AeadAes128Gcm);
    let (mut relay, mut phone) = (relay(), phone);
    relay.plan(ms(0), Plan::Stream(plan(PARKEE, stream(PARKER))));
    relay.plan(ms(0), phone.plan(stream(PARKEE)));
    let mut plain = Source::at(PARKEE, 1, 1);
    for n in 0..50 {
        let packet = phone.sealed();
        let heard = arrive(&mut relay, ms(20 * n), PARKER, &packet).unwrap();
        assert_eq!(heard[12..], [0x55; 160]);
        let heard = arrive(&mut relay, ms(20 * n), PARKEE, &plain.packet().bytes()).unwrap();
        phone.open(ms(20 * n), &heard).unwrap();
    }
}

#[test]
fn rollovers_are_counted_in_both_directions() {
    let (mut relay, mut parkee, mut phone) = talking(Suite::AesCm128HmacSha1_32);
    for n in 0..140_000u64 {
        let now = ms(20 * n);
        let packet = phone.sealed();
        let heard = arrive(&mut relay, now, PARKER, &packet).unwrap();
        parkee.open(now, &heard).unwrap();
    }
    let heard = arrive(&mut relay, ms(2_800_000), PARKER, &phone.sealed()).unwrap();
    let heard = parkee.open(ms(2_800_000), &heard).unwrap();
    assert_eq!(parkee.receiver.rollovers(heard.ssrc), Some(2));
}

#[test]
fn who_has_sent_for_long_before_he_is_heard_here_is_found_by_his_tags() {
    for suite in Suite::ALL {
        let (mut relay, mut parkee, mut phone) = talking(suite);
        for _ in 0..200_000 {
            phone.sealed();
        }
        let packet = phone.sealed();
        let heard = arrive(&mut relay, ms(0), PARKER, &packet).unwrap();
        parkee.open(ms(0), &heard).unwrap();
        // What follows needs no search.
        let packet = phone.sealed();
        arrive(&mut relay, ms(1), PARKER, &packet).unwrap();
    }
}

#[test]
fn forged_packets_are_dropped_latch_nobody_and_have_us_search_only_now_and_then() {
    let (mut relay, _, mut phone) = talking(Suite::AesCm128HmacSha1_80);
    for _ in 0..70_000 {
        phone.sealed();
    }
    let mut forged = Source::at(PARKER, 5, 5).packet().bytes();
    forged.extend([0; 10]);
    assert_eq!(arrive(&mut relay, ms(0), PARKER, &forged), Err(Why::Forged));
    assert_eq!(relay.counts().dropped(Why::Forged), 1);
    assert!(relay.notice().is_none(), "nobody has latched");
    // The search was for the forged one; the next is due a little later.
    let packet = phone.sealed();
    assert_eq!(arrive(&mut relay, ms(10), PARKER, &packet), Err(Why::Forged));
    arrive(&mut relay, ms(50), PARKER, &phone.sealed()).unwrap();
    arrive(&mut relay, ms(51), PARKER, &phone.sealed()).unwrap();
}

#[test]
fn a_packet_that_comes_again_is_dropped_also_after_a_rollover() {
    let (mut relay, _, mut phone) = talking(Suite::AesCm128HmacSha1_80);
    let mut kept = Vec::new();
    for n in 0..66_000u64 {
        let packet = phone.sealed();
        arrive(&mut relay, ms(20 * n), PARKER, &packet).unwrap();
        if n % 6_000 == 0 {
            kept.push(packet);
        }
    }
    for packet in &kept {
        let again = arrive(&mut relay, ms(1_320_000), PARKER, packet);
        assert!(matches!(again, Err(Why::Replayed | Why::Forged)), "{again:?}");
    }
    // In disorder, but for the first time.
    let (first, second) = (phone.sealed(), phone.sealed());
    arrive(&mut relay, ms(1_320_020), PARKER, &second).unwrap();
    arrive(&mut relay, ms(1_320_020), PARKER, &first).unwrap();
    assert_eq!(arrive(&mut relay, ms(1_320_021), PARKER, &first), Err(Why::Replayed));
}

#[test]
fn a_number_that_a_source_in_the_clear_repeats_is_not_encrypted_twice() {
    let mut phone = End::new(PARKER, Suite::AesCm128HmacSha1_80);
    let mut relay = relay();
    relay.plan(ms(0), Plan::Stream(plan(PARKEE, stream(PARKER))));
    relay.plan(ms(0), phone.plan(stream(PARKEE)));
    let mut plain = Source::at(PARKEE, 1, 1);
    for n in 0..5 {
        let heard = arrive(&mut relay, ms(20 * n), PARKEE, &plain.packet().bytes()).unwrap();
        phone.open(ms(20 * n), &heard).unwrap();
    }
    let mut other = Rtp { seq: 3, ..plain.next }.bytes();
    other[20..].fill(0);
    assert_eq!(arrive(&mut relay, ms(110), PARKEE, &other), Err(Why::Replayed));
    let old = Rtp { seq: 0, ..plain.next }.bytes();
    assert!(arrive(&mut relay, ms(120), PARKEE, &old).is_err());
}

#[test]
fn what_both_ends_share_the_keys_of_passes_untouched_and_then_music_has_a_source_of_its_own() {
    let mut chance = Chance::from_seed(9);
    let suite = Suite::AesCm128HmacSha1_80;
    let (a, b) = (Master::random(suite, &mut chance), Master::random(suite, &mut chance));
    let phone_keys = Srtp { inbound: a.clone(), outbound: b.clone() };
    let mut phone = End::with(PARKER, phone_keys, chance.clone());
    let mut parkee = End::with(PARKEE, Srtp { inbound: b, outbound: a }, chance.clone());
    let mut relay = relay();
    let opaque =
        |pair, hears| Plan::Stream(StreamPlan { kind: StreamKind::Opaque, ..plan(pair, hears) });
    relay.plan(ms(0), opaque(PARKEE, stream(PARKER)));
    relay.plan(ms(0), opaque(PARKER, stream(PARKEE)));
    for n in 0..70_000u64 {
        let packet = phone.sealed();
        assert_eq!(arrive(&mut relay, ms(20 * n), PARKER, &packet).as_deref(), Ok(&packet[..]));
        parkee.open(ms(20 * n), &packet).unwrap();
        let packet = parkee.sealed();
        assert_eq!(arrive(&mut relay, ms(20 * n), PARKEE, &packet).as_deref(), Ok(&packet[..]));
    }
    let at = 20 * 70_000;
    relay.plan(ms(at), Plan::release(PARKER));
    relay.plan(ms(at), parkee.plan(MUSIC));
    let heard = music(&mut relay, ms(at + 2_000));
    assert!(heard.len() > 95);
    let mut last: Option<Rtp> = None;
    for (now, outgoing) in heard {
        let packet = [&outgoing.header[..], &outgoing.payload].concat();
        let packet = parkee.open(now, &packet).unwrap();
        assert_ne!(packet.ssrc, phone.source.next.ssrc, "the phone has used the key");
        if let Some(last) = last {
            assert_eq!((packet.seq, packet.ssrc), (last.seq + 1, last.ssrc));
        }
        last = Some(packet);
    }
    // Somebody else takes it, with other keys: the same stream goes on.
    let mut retriever = End::new(RETRIEVER, Suite::AeadAes256Gcm);
    let at = at + 2_000;
    relay.plan(ms(at), retriever.plan(stream(PARKEE)));
    relay.plan(ms(at), parkee.plan(stream(RETRIEVER)));
    for n in 1..20 {
        let now = ms(at + 20 * n);
        let packet = retriever.sealed();
        let packet = arrive(&mut relay, now, RETRIEVER, &packet).unwrap();
        let packet = parkee.open(now, &packet).unwrap();
        assert_eq!(packet.ssrc, last.unwrap().ssrc);
        assert!(packet.seq > last.unwrap().seq);
        // The parkee has sent more than 65,536 packets that were not looked at.
        let packet = parkee.sealed();
        let packet = arrive(&mut relay, now, PARKEE, &packet).unwrap();
        retriever.open(now, &packet).unwrap();
    }
}

#[test]
fn a_far_side_with_a_new_key_is_heard_at_once_and_what_was_under_way_too() {
    let (mut relay, mut parkee, mut phone) = talking(Suite::AesCm128HmacSha1_80);
    let first = phone.sealed();
    let heard = arrive(&mut relay, ms(0), PARKER, &first).unwrap();
    let before = parkee.open(ms(0), &heard).unwrap();
    let late = phone.sealed();
    let inbound = Master::random(Suite::AesCm128HmacSha1_80, &mut phone.chance);
    let keys = Srtp { inbound, ..phone.keys.clone() };
    let mut anew = End::with(PARKER, keys, phone.chance.clone());
    anew.source = phone.source.clone();
    relay.plan(ms(20), anew.plan(stream(PARKEE)));
    let heard = arrive(&mut relay, ms(25), PARKER, &late).unwrap();
    assert_eq!(parkee.open(ms(25), &heard).unwrap().seq, before.seq + 1);
    let heard = arrive(&mut relay, ms(40), PARKER, &anew.sealed()).unwrap();
    let after = parkee.open(ms(40), &heard).unwrap();
    assert_eq!((after.seq, after.ssrc), (before.seq + 2, before.ssrc));
    phone.sealed();
    let old = phone.sealed();
    assert_eq!(arrive(&mut relay, ms(33_000), PARKER, &old), Err(Why::Forged));
}

#[test]
fn under_a_new_key_of_ours_another_stream_begins() {
    let (mut relay, mut parkee, mut phone) = talking(Suite::AeadAes128Gcm);
    let packet = phone.sealed();
    let heard = arrive(&mut relay, ms(0), PARKER, &packet).unwrap();
    let before = parkee.open(ms(0), &heard).unwrap();
    let outbound = Master::random(Suite::AeadAes256Gcm, &mut parkee.chance);
    let keys = Srtp { outbound, ..parkee.keys.clone() };
    let mut anew = End::with(PARKEE, keys, parkee.chance.clone());
    relay.plan(ms(10), anew.plan(stream(PARKER)));
    let heard = arrive(&mut relay, ms(20), PARKER, &phone.sealed()).unwrap();
    let after = anew.open(ms(20), &heard).unwrap();
    assert!(after.marker && after.ssrc != before.ssrc);
}

#[test]
fn reports_are_encrypted_too_and_name_the_stream_that_is_heard() {
    for suite in Suite::ALL {
        let (mut relay, mut parkee, mut phone) = talking(suite);
        let packet = phone.sealed();
        let heard = arrive(&mut relay, ms(0), PARKER, &packet).unwrap();
        let heard = parkee.open(ms(0), &heard).unwrap();
        let mut report = vec![0x80, 200, 0, 6];
        report.extend(phone.source.next.ssrc.to_be_bytes());
        report.extend([0; 20]);
        let len = report.len();
        report.resize(len + 40, 0);
        let whole = phone.sender.rtcp(&mut report, len).unwrap();
        report.truncate(whole);
        let rtcp = Component::Rtcp;
        let mut came = arrive_at(&mut relay, ms(5), PARKER, rtcp, &report).unwrap();
        let len = parkee.receiver.rtcp(&mut came).unwrap();
        assert_eq!(len, 28);
        assert_eq!(came[4..8], heard.ssrc.to_be_bytes());
        let again = arrive_at(&mut relay, ms(6), PARKER, rtcp, &report);
        assert_eq!(again, Err(Why::Replayed));
        report[10] ^= 1;
        let forged = arrive_at(&mut relay, ms(7), PARKER, rtcp, &report);
        assert!(matches!(forged, Err(Why::Forged | Why::Replayed)));
    }
}

#[test]
fn a_packet_without_room_behind_it_is_not_sent_at_all() {
    let (mut relay, _, mut phone) = talking(Suite::AeadAes128Gcm);
    let mut packet = phone.sealed();
    let len = packet.len();
    let at = Door { pair: PARKER, component: Component::Rtp };
    // What the one tag leaves is enough for the other.
    let verdict = relay.on_datagram(ms(0), at, far(PARKER), &mut packet, len);
    assert!(matches!(verdict, Verdict::Forward { .. }));
    let mut relay = rig::relay();
    let phone = End::new(PARKER, Suite::AeadAes128Gcm);
    relay.plan(ms(0), Plan::Stream(plan(PARKEE, stream(PARKER))));
    relay.plan(ms(0), phone.plan(stream(PARKEE)));
    let mut plain = Source::at(PARKEE, 1, 1).packet().bytes();
    let verdict = relay.on_packet(ms(0), PARKEE, Component::Rtp, far(PARKEE), &mut plain);
    assert_eq!(verdict, Verdict::Drop(Why::NoRoom));
}

#[test]
fn what_is_encrypted_never_goes_by_a_fast_path() {
    let (mut relay, _, mut phone) = {
        let (_, parkee, phone) = talking(Suite::AesCm128HmacSha1_80);
        let mut relay = relay().by_fast_paths();
        relay.plan(ms(0), parkee.plan(stream(PARKER)));
        relay.plan(ms(0), phone.plan(stream(PARKEE)));
        (relay, parkee, phone)
    };
    for n in 0..100 {
        arrive(&mut relay, ms(20 * n), PARKER, &phone.sealed()).unwrap();
    }
    assert!(relay.path_order().is_none());
}

#[test]
fn keys_are_never_printed() {
    let end = End::new(PARKER, Suite::AesCm128HmacSha1_80);
    let key = end.keys.inbound.key_and_salt();
    let shown = format!("{:?} {:?} {:?}", end.keys, end.sender, end.receiver);
    assert!(!shown.contains(&format!("{}, {}", key[0], key[1])), "{shown}");
}
