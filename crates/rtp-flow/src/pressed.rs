//! Keys in a stream of RTP: telephone-events (RFC 4733), each told once however many packets it has.

use std::time::Duration;

use base::Moment;

use crate::packet::Header;

/// The highest event that is a key: the flash of the hook (RFC 4733 §3.2).
const LAST_KEY: u8 = 16;
/// A key that is held for longer than a packet can say goes on in another segment, which begins this
/// much later (RFC 4733 §2.5.1.3).
const SEGMENT: u32 = 0xffff;
/// A timestamp that is behind the newest by no more than this is an old packet; further off the
/// source counts anew. Ten seconds of the fastest clock.
const OLD: u32 = 480_000;
/// More keys than this in a second are noise.
const MOST_A_SECOND: u8 = 20;
const SECOND: Duration = Duration::from_secs(1);

/// What has been pressed so far in one stream.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pressed {
    last: Option<Event>,
    /// When the present second of counting began, and how many keys there were in it.
    since: Moment,
    in_it: u8,
}

/// One telephone-event, as its packets name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Event {
    ssrc: u32,
    timestamp: u32,
    number: u8,
    /// A packet with the E bit has come.
    ended: bool,
}

impl Pressed {
    /// The number of the key that a packet begins, if it does. Any packet of an event begins it: the
    /// first may be lost. `payload` is the packet's, without the header.
    pub(crate) fn hear(&mut self, now: Moment, header: &Header, payload: &[u8]) -> Option<u8> {
        let &[number, flags, _, _, ..] = payload else { return None };
        if number > LAST_KEY {
            return None;
        }
        let (ssrc, timestamp) = (header.ssrc, header.timestamp);
        let mut event = Event { ssrc, timestamp, number, ended: flags & 0x80 != 0 };
        let last = self.last.filter(|last| last.ssrc == ssrc);
        if let Some(last) = last {
            let ahead = timestamp.wrapping_sub(last.timestamp);
            if ahead == 0 {
                event.ended |= last.ended;
                // What a later packet of the same event says otherwise is its sender's mistake.
                event.number = last.number;
                self.last = Some(event);
                return None;
            }
            if ahead.wrapping_neg() <= OLD {
                return None;
            }
            if number == last.number && !last.ended && ahead.is_multiple_of(SEGMENT) {
                self.last = Some(event);
                return None;
            }
        }
        self.last = Some(event);
        if now.since(self.since) >= SECOND {
            (self.since, self.in_it) = (now, 0);
        }
        self.in_it = self.in_it.saturating_add(1);
        (self.in_it <= MOST_A_SECOND).then_some(number)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use base::Moment;
    use proptest::prelude::*;

    use super::{MOST_A_SECOND, Pressed};
    use crate::packet::Header;

    fn at(ms: u64) -> Moment {
        Moment::ZERO + Duration::from_millis(ms)
    }

    fn header(timestamp: u32) -> Header {
        Header { marker: false, payload_type: 101, seq: 0, timestamp, ssrc: 7, payload_len: 4 }
    }

    /// What is told of packets (timestamp, event, has ended), 20 ms apart.
    fn told(packets: &[(u32, u8, bool)]) -> Vec<u8> {
        let mut pressed = Pressed::default();
        let hear = |(n, (timestamp, event, ended)): (usize, &(u32, u8, bool))| {
            let payload = [*event, if *ended { 0x8a } else { 0x0a }, 0, 160];
            pressed.hear(at(20 * n as u64), &header(*timestamp), &payload)
        };
        packets.iter().enumerate().filter_map(hear).collect()
    }

    #[test]
    fn a_key_is_told_once_however_many_packets_it_has() {
        let mut packets = vec![(1_000, 5, false); 8];
        packets.extend([(1_000, 5, true); 3]);
        packets.extend([(3_000, 5, false), (3_000, 5, true), (3_000, 5, true)]);
        assert_eq!(told(&packets), [5, 5]);
    }

    #[test]
    fn a_key_of_which_one_packet_arrives_is_a_key() {
        assert_eq!(told(&[(1_000, 10, true), (3_000, 6, false), (5_000, 8, true)]), [10, 6, 8]);
    }

    #[test]
    fn a_late_packet_of_the_key_before_is_no_new_key() {
        let packets = [(1_000, 1, false), (3_000, 2, false), (1_000, 1, true), (3_000, 2, true)];
        assert_eq!(told(&packets), [1, 2]);
    }

    #[test]
    fn a_key_that_is_held_for_long_is_one_key_in_all_its_segments() {
        let second = 1_000 + 0xffff;
        let packets = [
            (1_000, 1, false),
            (second, 1, false),
            (second + 0xffff, 1, false),
            (second + 0xffff, 1, true),
            (second + 2 * 0xffff, 1, true),
        ];
        assert_eq!(told(&packets), [1, 1]);
    }

    #[test]
    fn a_source_that_counts_anew_is_heard() {
        assert_eq!(told(&[(4_000_000_000, 1, true), (2_000, 2, true)]), [1, 2]);
        assert_eq!(told(&[(u32::MAX - 5, 1, true), (2_000, 2, true)]), [1, 2]);
        assert_eq!(told(&[(900_000, 1, true), (2_000, 2, true)]), [1, 2]);
        let mut pressed = Pressed::default();
        assert_eq!(pressed.hear(at(0), &header(9_000), &[1, 0, 0, 0]), Some(1));
        let other = Header { ssrc: 8, ..header(8_000) };
        assert_eq!(pressed.hear(at(20), &other, &[1, 0, 0, 0]), Some(1));
    }

    #[test]
    fn what_is_no_key_is_not_told() {
        let mut pressed = Pressed::default();
        for payload in [&b""[..], &[5], &[5, 0x80, 0], &[17, 0, 0, 0], &[255, 0x80, 1, 2]] {
            assert_eq!(pressed.hear(at(0), &header(1), payload), None, "{payload:?}");
        }
        assert_eq!(pressed.hear(at(0), &header(1), &[16, 0, 0, 0]), Some(16));
    }

    #[test]
    fn a_flood_of_keys_is_cut_short() {
        let mut pressed = Pressed::default();
        let mut told = |from: u64| {
            (0..500)
                .filter(|n| {
                    let stamp = (from + n) as u32 * 400;
                    pressed.hear(at(from + n), &header(stamp), &[3, 0, 0, 0]).is_some()
                })
                .count()
        };
        assert_eq!(told(1_000), usize::from(MOST_A_SECOND));
        assert_eq!(told(1_500), 0);
        assert_eq!(told(2_000), usize::from(MOST_A_SECOND));
    }

    proptest! {
        /// However packets are lost, repeated and overtaken within a key, each key of which any packet
        /// comes is told once, in order.
        #[test]
        fn each_key_is_told_once_in_order(
            keys in prop::collection::vec((0u8..=16, prop::collection::vec(any::<bool>(), 1..12)), 0..12),
            first: u32,
        ) {
            let mut packets = Vec::new();
            for (n, (event, ends)) in keys.iter().enumerate() {
                let stamp = first.wrapping_add(2_400 * n as u32);
                packets.extend(ends.iter().map(|ended| (stamp, *event, *ended)));
            }
            let wanted: Vec<u8> = keys.iter().map(|(event, _)| *event).collect();
            prop_assert_eq!(told(&packets), wanted);
        }

        #[test]
        fn nothing_makes_it_panic_or_tell_what_is_no_key(
            packets in prop::collection::vec((any::<u32>(), any::<u32>(), prop::collection::vec(any::<u8>(), 0..8)), 0..60),
        ) {
            let mut pressed = Pressed::default();
            for (n, (timestamp, ssrc, payload)) in packets.iter().enumerate() {
                let header = Header { ssrc: ssrc % 3, ..header(*timestamp) };
                let key = pressed.hear(at(n as u64), &header, payload);
                prop_assert!(key.is_none_or(|key| key <= 16 && payload.first() == Some(&key)));
            }
        }
    }
}
