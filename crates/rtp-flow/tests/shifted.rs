//! One stream towards a far side whose packets are rewritten where nobody looks at them: how it goes on.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use base::Moment;
use proptest::prelude::*;
use rig::{MUSIC, PARKEE, PARKER, RETRIEVER, Rtp, Source, far, ms, music, plan, relay, stream, us};
use rtp_flow::{
    Component, FastPath, MediaNotice, PairId, Passed, PathOrder, Plan, Relay, Sent, Shift,
    StreamPlan, Through, Verdict, Why,
};

/// The longest pause at a switch, in microseconds: a frame, and 5 ms.
const PAUSE: u128 = 25_000;
/// The headers of IPv4, UDP and RTP.
const HEADERS: u64 = 40;

/// A path as whoever forwards has it.
#[derive(Debug)]
struct Open {
    path: FastPath,
    newest: u16,
    passed: Passed,
}

/// A relay, and one beside it who forwards as it orders.
struct House {
    relay: Relay,
    open: BTreeMap<PairId, Open>,
    /// What the parkee hears, and when.
    heard: Vec<(Moment, Rtp)>,
}

impl House {
    fn talking() -> House {
        let relay = relay().by_shifting_paths();
        let mut house = House { relay, open: BTreeMap::new(), heard: Vec::new() };
        house.join(us(0), PARKER);
        house
    }

    fn order(&mut self, now: Moment, mut plan: Plan) {
        if self.relay.make_way(&mut plan) {
            self.obey();
        }
        self.relay.plan(now, plan);
        self.obey();
    }

    fn join(&mut self, now: Moment, other: PairId) {
        self.order(now, Plan::Stream(plan(PARKEE, stream(other))));
        self.order(now, Plan::Stream(plan(other, stream(PARKEE))));
    }

    fn park(&mut self, now: Moment, other: PairId) {
        self.order(now, Plan::Stream(plan(PARKEE, MUSIC)));
        self.order(now, Plan::release(other));
    }

    fn obey(&mut self) {
        while let Some(order) = self.relay.path_order() {
            match order {
                PathOrder::Open(path) => {
                    let shift = path.shift.unwrap();
                    let newest = shift.last.sequence.wrapping_sub(shift.sequence);
                    let passed = Passed { last: Some(shift.last), ..Passed::default() };
                    let before = self.open.insert(path.at.pair, Open { path, newest, passed });
                    assert!(before.is_none());
                }
                PathOrder::Close(path) => {
                    let open = self.open.remove(&path.at.pair).unwrap();
                    assert_eq!(open.path, path);
                    self.relay.closed(&path, open.passed);
                }
            }
        }
    }

    /// A packet has come from `from` to a pair.
    fn arrive(
        &mut self,
        now: Moment,
        pair: PairId,
        from: SocketAddr,
        packet: Rtp,
    ) -> Result<Rtp, Why> {
        let open = self.open.get_mut(&pair).filter(|open| open.path.from == from);
        if let Some(gone) = open.and_then(|open| open.forward(now, packet)) {
            return Ok(gone);
        }
        let mut bytes = packet.bytes();
        let mut verdict = self.relay.on_packet(now, pair, Component::Rtp, from, &mut bytes);
        if verdict == Verdict::Again {
            self.obey();
            verdict = self.relay.on_packet(now, pair, Component::Rtp, from, &mut bytes);
        }
        self.obey();
        match verdict {
            Verdict::Forward { len, .. } => Ok(Rtp::read(&bytes[..len])),
            Verdict::Drop(why) => Err(why),
            Verdict::Again => panic!("it has been told all"),
        }
    }

    fn send(&mut self, now: Moment, source: &mut Source) -> Result<Rtp, Why> {
        let packet = source.packet();
        self.arrive(now, source.pair, far(source.pair), packet)
    }

    fn play(&mut self, until: Moment) {
        let played = music(&mut self.relay, until).into_iter();
        self.heard.extend(played.map(|(at, out)| (at, Rtp::read(&out.header))));
    }

    /// A far side speaks to the parkee, who answers, each 20 ms from one moment on for so many frames,
    /// with music between; gives the moment after.
    fn talk(&mut self, source: &mut Source, parkee: &mut Source, from: u64, frames: u64) -> u64 {
        for frame in 0..frames {
            let now = us(from + 20_000 * frame);
            self.play(now);
            let heard = self.send(now, source).unwrap();
            self.heard.push((now, heard));
            self.send(now, parkee).unwrap();
        }
        from + 20_000 * frames
    }

    /// That the parkee hears one stream, without a gap and without anything twice.
    fn is_unbroken(&self) -> Result<(), TestCaseError> {
        for two in self.heard.windows(2) {
            let [(before, one), (after, other)] = [two[0], two[1]];
            prop_assert_eq!(other.ssrc, one.ssrc);
            prop_assert_eq!(other.seq, one.seq.wrapping_add(1), "at {:?}", after);
            let ahead = other.timestamp.wrapping_sub(one.timestamp);
            prop_assert!((160..=400).contains(&ahead), "{} at {:?}", ahead, after);
            prop_assert!(after.since(before).as_micros() <= PAUSE, "{:?} to {:?}", before, after);
        }
        Ok(())
    }

    fn came(&self, pair: PairId) -> u64 {
        self.open.get(&pair).map_or(0, |open| open.passed.came)
    }
}

impl Open {
    /// The packet as it goes out; none if it is left to the relay.
    fn forward(&mut self, now: Moment, packet: Rtp) -> Option<Rtp> {
        let shift = self.path.shift.unwrap();
        let ahead = packet.seq.wrapping_sub(self.newest);
        let behind = self.newest.wrapping_sub(packet.seq);
        if packet.ssrc != shift.from_ssrc || (ahead > Shift::AHEAD && behind > Shift::BEHIND) {
            return None;
        }
        let sequence = packet.seq.wrapping_add(shift.sequence);
        let timestamp = packet.timestamp.wrapping_add(shift.timestamp);
        let Passed { came, left, bytes, last } = &mut self.passed;
        (*came, *left, *bytes) = (*came + 1, *left + 1, *bytes + 160 + HEADERS);
        if ahead <= Shift::AHEAD {
            self.newest = packet.seq;
            let before = last.unwrap();
            let newer = (1..u32::MAX / 2).contains(&timestamp.wrapping_sub(before.timestamp));
            let (timestamp, at) =
                if newer { (timestamp, now) } else { (before.timestamp, before.at) };
            *last = Some(Sent { sequence, timestamp, at });
        }
        Some(Rtp { seq: sequence, timestamp, ssrc: shift.to_ssrc, ..packet })
    }
}

/// Parkee and parker have talked for long enough; both go without the relay.
fn apart() -> (House, Source, Source, u64) {
    let mut house = House::talking();
    let (mut parker, mut parkee) = (Source::at(PARKER, 65_500, 77), Source::at(PARKEE, 900, 5));
    let now = house.talk(&mut parker, &mut parkee, 0, 150);
    assert!(house.came(PARKER) > 30 && house.came(PARKEE) > 30);
    (house, parker, parkee, now)
}

#[test]
fn a_source_goes_without_us_once_what_is_out_of_order_cannot_be_older_than_it() {
    let mut house = House::talking();
    let (mut parker, mut parkee) = (Source::at(PARKER, 1, 1), Source::at(PARKEE, 1, 1));
    let now = house.talk(&mut parker, &mut parkee, 0, 100);
    assert!(house.open.is_empty());
    house.talk(&mut parker, &mut parkee, now, 1);
    let paths: Vec<&FastPath> = house.open.values().map(|open| &open.path).collect();
    assert_eq!(paths.len(), 2);
    // Nothing came before it: it goes on as it came.
    let newest = parker.next;
    let last = Sent { sequence: newest.seq - 1, timestamp: newest.timestamp - 160, at: us(now) };
    let (ssrc, shift) = (newest.ssrc, house.open[&PARKER].path.shift);
    let none = Shift { from_ssrc: ssrc, to_ssrc: ssrc, sequence: 0, timestamp: 0, last };
    assert_eq!(shift, Some(none));
}

#[test]
fn who_comes_after_music_is_moved_to_where_the_music_ended() {
    let (mut house, parker, mut parkee, now) = apart();
    house.park(us(now), PARKER);
    assert!(house.open.is_empty(), "before the first packet of the music");
    house.play(us(now + 1_000_000));
    house.join(us(now + 1_000_000), RETRIEVER);
    let mut retriever = Source::at(RETRIEVER, 4_711, 1_000_000);
    house.talk(&mut retriever, &mut parkee, now + 1_003_000, 150);
    house.is_unbroken().unwrap();
    let shift = house.open[&RETRIEVER].path.shift.unwrap();
    assert_eq!((shift.from_ssrc, shift.to_ssrc), (0x1000 * RETRIEVER.0, parker.next.ssrc));
    assert!(shift.sequence != 0 && shift.timestamp != 0);
    assert!(house.came(RETRIEVER) > 30);
    // The parkee is the first that the retriever hears.
    assert_eq!(house.open[&PARKEE].path.shift.unwrap().sequence, 0);
}

proptest! {
    /// Talk past us, music, talk past us, music: one stream, and no pause at any switch.
    #[test]
    fn switches_between_talk_past_us_and_music_make_one_stream(
        frames in 120u64..400, more in 0u64..20_000, parked in 30_000u64..2_000_000,
        delay in 0u64..90_000, first in any::<u16>(), timestamp in any::<u32>()
    ) {
        let mut house = House::talking();
        let mut parkee = Source::at(PARKEE, 900, 5);
        let mut parker = Source::at(PARKER, first, timestamp);
        let spoke = house.talk(&mut parker, &mut parkee, 0, frames);
        // Some time between two packets: the next would have come 20 ms after the last.
        let park = spoke - 20_000 + more;
        house.park(us(park), PARKER);
        let retrieve = park + parked;
        house.play(us(retrieve));
        house.join(us(retrieve), RETRIEVER);
        let mut retriever = Source::at(RETRIEVER, first.wrapping_mul(7), timestamp ^ 0x8000_0000);
        let spoke = house.talk(&mut retriever, &mut parkee, retrieve + delay, frames);
        prop_assert!(house.came(RETRIEVER) > 0);
        house.park(us(spoke - 20_000 + more), RETRIEVER);
        house.play(us(spoke + 200_000));
        house.is_unbroken()?;
        prop_assert_eq!(house.open.len(), 0);
    }
}

#[test]
fn after_an_hour_past_us_the_music_goes_on_at_the_very_next_number() {
    let (mut house, mut parker, mut parkee, now) = apart();
    // More than twice round the sequence numbers.
    let now = house.talk(&mut parker, &mut parkee, now, 180_000);
    house.park(us(now), PARKER);
    house.play(us(now + 100_000));
    house.is_unbroken().unwrap();
}

#[test]
fn a_source_that_changes_its_ssrc_stays_on_the_stream_and_loses_nothing() {
    let (mut house, mut parker, mut parkee, now) = apart();
    parker.next = Rtp { ssrc: 0xabcd, seq: 7, timestamp: 3, ..parker.next };
    let now = house.talk(&mut parker, &mut parkee, now, 1);
    assert!(!house.open.contains_key(&PARKER), "it is looked at");
    house.talk(&mut parker, &mut parkee, now, 500);
    house.is_unbroken().unwrap();
    assert_eq!(house.open[&PARKER].path.shift.unwrap().from_ssrc, 0xabcd);
}

#[test]
fn a_source_that_jumps_in_its_numbers_stays_on_the_stream_and_loses_nothing() {
    for jump in [3_001u16, 30_000, 65_434] {
        let (mut house, mut parker, mut parkee, now) = apart();
        parker.next.seq = parker.next.seq.wrapping_add(jump);
        parker.next.timestamp = parker.next.timestamp.wrapping_add(u32::from(jump) * 160);
        house.talk(&mut parker, &mut parkee, now, 500);
        house.is_unbroken().unwrap();
        assert!(house.came(PARKER) > 0, "it goes without us again");
    }
}

#[test]
fn loss_and_disorder_stay_as_they_are() {
    let (mut house, mut parker, mut parkee, now) = apart();
    let (lost, late) = (parker.packet(), parker.packet());
    let now = house.talk(&mut parker, &mut parkee, now, 50);
    let gone = house.arrive(us(now), PARKER, far(PARKER), late).unwrap();
    let newest = house.heard.last().unwrap().1;
    assert_eq!(gone.seq, newest.seq.wrapping_sub(50), "out of order, as it came");
    assert_eq!(lost.seq.wrapping_add(1), late.seq);
    // What is older than the source is not its own any more.
    house.park(us(now), PARKER);
    house.play(us(now + 100_000));
    let after: Vec<u16> =
        house.heard.iter().skip_while(|(at, _)| *at < us(now)).map(|h| h.1.seq).collect();
    assert_eq!(after[0], newest.seq.wrapping_add(1));
}

#[test]
fn what_waited_at_our_socket_when_the_path_was_opened_goes_on_and_leaves_it_open() {
    let mut house = House::talking();
    let (mut parker, mut parkee) = (Source::at(PARKER, 1, 1), Source::at(PARKEE, 1, 1));
    let now = house.talk(&mut parker, &mut parkee, 0, 101);
    let (waiting, next) = (parker.packet(), parker.packet());
    // The next one has overtaken it, past us.
    let gone = house.arrive(us(now), PARKER, far(PARKER), next).unwrap();
    let mut bytes = waiting.bytes();
    let verdict = house.relay.on_packet(us(now), PARKER, Component::Rtp, far(PARKER), &mut bytes);
    assert!(matches!(verdict, Verdict::Forward { .. }), "{verdict:?}");
    assert_eq!(Rtp::read(&bytes).seq.wrapping_add(1), gone.seq);
    assert_eq!(house.relay.path_order(), None);
    house.heard.clear();
    house.heard.push((us(now), gone));
    house.park(us(now + 5_000), PARKER);
    house.play(us(now + 100_000));
    house.is_unbroken().unwrap();
}

#[test]
fn a_source_that_moves_within_its_guard_stays_on_the_stream() {
    let (mut house, mut parker, _, now) = apart();
    let moved: SocketAddr = "192.0.2.2:5000".parse().unwrap();
    let refused = house.arrive(us(now), PARKER, moved, parker.next);
    assert_eq!(refused, Err(Why::Stranger), "the first may be speaking unseen");
    assert!(!house.open.contains_key(&PARKER));
    for frame in 0..50 {
        let at = us(now + 320_000 + 20_000 * frame);
        let packet = parker.packet();
        if let Ok(heard) = house.arrive(at, PARKER, moved, packet) {
            house.heard.push((at, heard));
        }
    }
    let latched = MediaNotice::Latched { pair: PARKER, from: moved };
    assert!(std::iter::from_fn(|| house.relay.notice()).any(|notice| notice == latched));
    assert!(house.heard.windows(2).all(|two| two[1].1.seq == two[0].1.seq.wrapping_add(1)));
    assert!(house.heard.windows(2).all(|two| two[1].1.ssrc == two[0].1.ssrc));
}

#[test]
fn what_stands_still_is_closed_and_goes_on_where_it_was() {
    let (mut house, mut parker, mut parkee, mut now) = apart();
    let silent = now;
    while house.open.contains_key(&PARKER) {
        let look = house.relay.next_look().unwrap();
        while us(now) < look {
            house.send(us(now), &mut parkee).unwrap();
            now += 20_000;
        }
        if house.relay.wants_counts(look) {
            for open in house.open.values() {
                let path = open.path;
                assert_eq!(house.relay.passed(look, path.at, path.from, open.passed), Through::Yes);
            }
        }
        house.relay.look(look);
        house.obey();
    }
    assert!((11_000_000..19_000_000).contains(&(now - silent)), "{}", now - silent);
    assert!(house.open.contains_key(&PARKEE));
    // It speaks again as if nothing had been.
    let sent = parker.next;
    let heard = house.send(us(now), &mut parker).unwrap();
    assert_eq!((heard.seq, heard.timestamp, heard.ssrc), (sent.seq, sent.timestamp, sent.ssrc));
}

#[test]
fn reports_come_to_us_and_count_what_went_past() {
    let (mut house, parker, mut parkee, now) = apart();
    // A switch, so that reports are rewritten at all.
    house.park(us(now), PARKER);
    house.play(us(now + 500_000));
    house.join(us(now + 500_000), RETRIEVER);
    let mut retriever = Source::at(RETRIEVER, 4_711, 1_000_000);
    let now = house.talk(&mut retriever, &mut parkee, now + 503_000, 150);
    assert!(house.came(RETRIEVER) > 0);
    let open = &house.open[&RETRIEVER];
    house.relay.passed(us(now), open.path.at, open.path.from, open.passed);
    let mut report = vec![0x80, 200, 0, 6];
    report.extend(retriever.next.ssrc.to_be_bytes());
    report.extend([0; 8]);
    report.extend(retriever.next.timestamp.to_be_bytes());
    report.extend([0; 8]);
    let from = SocketAddr::new(far(RETRIEVER).ip(), far(RETRIEVER).port() + 1);
    let verdict = house.relay.on_packet(us(now), RETRIEVER, Component::Rtcp, from, &mut report);
    assert!(matches!(verdict, Verdict::Forward { .. }), "{verdict:?}");
    let word = |at: usize| u32::from_be_bytes(report[at..at + 4].try_into().unwrap());
    assert_eq!(word(4), parker.next.ssrc);
    let last = house.heard.last().unwrap().1;
    assert_eq!(word(16), last.timestamp.wrapping_add(160));
    let sent = house.heard.len() as u32;
    assert_eq!((word(20), word(24)), (sent, sent * 160));
    assert!(house.open.contains_key(&RETRIEVER), "no report closes a path");
}

#[test]
fn the_same_plan_again_leaves_the_path_open_and_an_opening_closes_it() {
    let (mut house, _, _, now) = apart();
    house.join(us(now), PARKER);
    assert_eq!(house.open.len(), 2);
    let mut changed = Plan::Stream(StreamPlan { rtcp_mux: true, ..plan(PARKER, stream(PARKEE)) });
    assert!(house.relay.make_way(&mut changed));
    house.obey();
    assert!(house.open.is_empty());
    let mut relay = relay().by_fast_paths();
    assert!(!relay.make_way(&mut changed), "who keeps each source's SSRC need not wait");
    relay.plan(ms(0), changed);
}
