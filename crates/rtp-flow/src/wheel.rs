//! The pacing of music: a wheel of 120 slots, one each millisecond, on which every stream stands as
//! often as its packet time goes into 120 ms. A stream takes the emptiest slots, so that the packets
//! of many streams are spread evenly; slots are absolute, so that nothing drifts.

use base::Moment;

/// The least common multiple of all packet times, in milliseconds.
pub(crate) const TURN: usize = 120;
/// The length of a slot, in microseconds.
const SLOT: u64 = 1_000;
/// How many slots a wheel that was not turned catches up; older ones are skipped: a burst of stale
/// music helps nobody.
const CATCH_UP: u64 = 100;
/// How much later than it should a stream may begin, in slots, so that the packets of many are spread:
/// what was fed by something else before must not be heard to pause.
const NEAR: usize = 4;

/// A stream's place on the wheel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    first: usize,
    period: usize,
}

/// Keys standing on slots, and how far the wheel has turned.
#[derive(Debug)]
pub(crate) struct Wheel {
    slots: Vec<Vec<usize>>,
    /// The slot that is being emptied or comes next, counted from the opening …
    tick: u64,
    /// … and how many of its keys have been handed out.
    handed_out: usize,
    standing: usize,
}

impl Default for Wheel {
    fn default() -> Self {
        Wheel { slots: vec![Vec::new(); TURN], tick: 0, handed_out: 0, standing: 0 }
    }
}

/// The moment at which a tick begins.
pub(crate) fn moment_of(tick: u64) -> Moment {
    Moment::from_micros(tick.saturating_mul(SLOT))
}

fn slot_of(tick: u64) -> usize {
    (tick % TURN as u64) as usize
}

impl Wheel {
    /// Puts `key` on the wheel, due every `period` milliseconds (a divisor of 120) from after `now`. It
    /// takes the emptiest place; where what was fed by something else before is to go on in step, the
    /// emptiest of the few from `wish` on.
    pub(crate) fn stand(
        &mut self,
        now: Moment,
        wish: Option<Moment>,
        key: usize,
        period: u8,
    ) -> Place {
        let period = usize::from(period).clamp(1, TURN);
        if self.standing == 0 {
            self.tick = now.as_micros() / SLOT + 1;
            self.handed_out = 0;
        }
        self.standing += 1;
        let load = |first: &usize| -> usize {
            (*first..TURN).step_by(period).map(|slot| self.slots[slot].len()).sum()
        };
        let earliest = now.as_micros() / SLOT + 1;
        let wished = wish.map_or(0, |wish| wish.as_micros().div_ceil(SLOT));
        let start = slot_of(wished.max(earliest));
        let places = if wish.is_some() { period.min(NEAR) } else { period };
        let first = (0..places).map(|ahead| (start + ahead) % period).min_by_key(load);
        let place = Place { first: first.unwrap_or(0), period };
        for slot in (place.first..TURN).step_by(period) {
            self.slots[slot].push(key);
        }
        place
    }

    /// Takes `key` off its place.
    pub(crate) fn leave(&mut self, key: usize, place: Place) {
        self.standing = self.standing.saturating_sub(1);
        for slot in (place.first..TURN).step_by(place.period) {
            let keys = &mut self.slots[slot];
            let Some(at) = keys.iter().position(|k| *k == key) else { continue };
            keys.remove(at);
            if slot == slot_of(self.tick) && at < self.handed_out {
                self.handed_out -= 1;
            }
        }
    }

    /// The next key that is due at `now`, with its tick.
    pub(crate) fn due(&mut self, now: Moment) -> Option<(usize, u64)> {
        if self.standing == 0 {
            return None;
        }
        let until = now.as_micros() / SLOT;
        if until.saturating_sub(self.tick) > CATCH_UP {
            self.tick = until - CATCH_UP;
            self.handed_out = 0;
        }
        while self.tick <= until {
            if let Some(key) = self.slots[slot_of(self.tick)].get(self.handed_out) {
                self.handed_out += 1;
                return Some((*key, self.tick));
            }
            self.tick += 1;
            self.handed_out = 0;
        }
        None
    }

    /// When something is due next.
    pub(crate) fn next(&self) -> Option<Moment> {
        if self.standing == 0 {
            return None;
        }
        if self.handed_out < self.slots[slot_of(self.tick)].len() {
            return Some(moment_of(self.tick));
        }
        let ahead = (1..=TURN as u64).find(|i| !self.slots[slot_of(self.tick + i)].is_empty())?;
        Some(moment_of(self.tick + ahead))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use base::Moment;

    use super::{NEAR, TURN, Wheel};

    #[test]
    fn streams_of_one_packet_time_are_spread_over_it_evenly() {
        let mut wheel = Wheel::default();
        for key in 0..2_000 {
            wheel.stand(Moment::ZERO, None, key, 20);
        }
        assert!(wheel.slots.iter().all(|slot| slot.len() == 100));
    }

    #[test]
    fn streams_of_mixed_packet_times_are_spread_too() {
        let mut wheel = Wheel::default();
        for key in 0..600 {
            wheel.stand(Moment::ZERO, None, key, [10, 20, 30, 40, 60][key % 5]);
        }
        let sizes: Vec<usize> = wheel.slots.iter().map(Vec::len).collect();
        let (min, max) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
        assert!(max - min <= 2, "{sizes:?}");
    }

    #[test]
    fn a_stream_comes_first_within_its_packet_time_and_then_once_each_packet_time() {
        let mut wheel = Wheel::default();
        let start = Moment::from_micros(7_654_321);
        wheel.stand(start, Some(start), 9, 20);
        let mut came = Vec::new();
        while came.len() < 10 {
            let at = wheel.next().unwrap();
            while let Some((key, tick)) = wheel.due(at) {
                assert_eq!(key, 9);
                came.push(tick);
            }
        }
        let first = Moment::from_micros(came[0] * 1_000).since(start);
        assert!(first > Duration::ZERO && first <= Duration::from_millis(2));
        assert!(came.windows(2).all(|two| two[1] - two[0] == 20));
    }

    #[test]
    fn a_stream_takes_the_place_that_it_wishes_or_one_of_the_next() {
        let mut wheel = Wheel::default();
        let now = Moment::from_micros(1_000_000);
        wheel.stand(now, Some(now + Duration::from_micros(13_500)), 9, 20);
        assert_eq!(wheel.next(), Some(now + Duration::from_millis(14)));
        let mut took = Vec::new();
        for key in 0..NEAR {
            let place = wheel.stand(now, Some(now), 10 + key, 20);
            took.push(place.first % 20);
        }
        took.sort_unstable();
        assert_eq!(took, (1..=NEAR).collect::<Vec<_>>(), "however many wish it, none waits long");
    }

    #[test]
    fn leaving_in_the_middle_of_a_slot_neither_skips_nor_repeats_the_others() {
        let mut wheel = Wheel::default();
        let places: Vec<_> =
            (0..TURN * 3).map(|key| wheel.stand(Moment::ZERO, None, key, 120)).collect();
        let mut came = Vec::new();
        for ms in 1..=120 {
            while let Some((key, _)) = wheel.due(Moment::from_micros(ms * 1_000)) {
                came.push(key);
                if came.len() % 2 == 0 {
                    wheel.leave(key, places[key]);
                }
            }
        }
        came.sort_unstable();
        assert_eq!(came, (0..TURN * 3).collect::<Vec<_>>());
    }

    #[test]
    fn a_wheel_that_stood_still_does_not_make_up_for_more_than_a_tenth_of_a_second() {
        let mut wheel = Wheel::default();
        wheel.stand(Moment::ZERO, None, 1, 10);
        let late = Moment::ZERO + Duration::from_secs(60);
        let came = std::iter::from_fn(|| wheel.due(late)).count();
        assert!(came <= 11, "{came}");
        assert!(wheel.next().unwrap() > late);
    }

    #[test]
    fn an_empty_wheel_needs_no_turning() {
        let mut wheel = Wheel::default();
        let place = wheel.stand(Moment::ZERO, None, 1, 60);
        wheel.leave(1, place);
        assert_eq!(wheel.next(), None);
        assert_eq!(wheel.due(Moment::ZERO + Duration::from_secs(9)), None);
    }
}
