//! Port pairs: bound by the workers ahead of need, leased during the climb so that nothing can fail
//! on the way down, and quarantined after use so that the next call cannot hear a stranger.

use std::collections::VecDeque;
use std::time::Duration;

use base::{Moment, Side};

use crate::plan::{Pair, PairId, Plan, WorkerId};

/// How long a released pair rests: longer than a packet can be under way.
const QUARANTINE: Duration = Duration::from_secs(2);
/// Below this many ready pairs, more are ordered.
const LOW_WATER: usize = 128;
/// How many are ordered at a time.
const ORDER: u16 = 128;

/// No pair is left on this side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dry;

#[derive(Debug, Default)]
struct Stock {
    ready: VecDeque<Pair>,
    resting: VecDeque<(Moment, Pair)>,
    leased: usize,
    ordered: bool,
    exhausted: bool,
    /// A worker had none left, however many the others have.
    short: bool,
}

/// How many pairs a side has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// In use.
    pub leased: usize,
    /// Bound, and ready to be leased.
    pub ready: usize,
    /// Not leased again yet.
    pub resting: usize,
}

/// Which pairs are ready, leased or resting, per side.
#[derive(Debug, Default)]
pub struct Leases {
    phones: Stock,
    pbx: Stock,
}

impl Leases {
    fn stock(&mut self, side: Side) -> &mut Stock {
        match side {
            Side::Phones => &mut self.phones,
            Side::Pbx => &mut self.pbx,
        }
    }

    /// Pairs that a worker has bound on one side or both.
    pub fn stocked(&mut self, pairs: Vec<Pair>) {
        for pair in pairs {
            let stock = self.stock(pair.side);
            (stock.ordered, stock.short) = (false, false);
            stock.ready.push_back(pair);
        }
    }

    /// The range is used up: nothing more is ordered on this side.
    pub fn exhausted(&mut self, side: Side) {
        let stock = self.stock(side);
        stock.ordered = false;
        stock.exhausted = true;
    }

    /// Leases a pair on `side`, on `beside`'s worker if it is given: all streams of a call share one.
    ///
    /// # Errors
    /// [`Dry`] if none is ready and none has rested long enough.
    pub fn lease(
        &mut self,
        now: Moment,
        side: Side,
        beside: Option<WorkerId>,
    ) -> Result<Pair, Dry> {
        let stock = self.stock(side);
        while let Some((until, pair)) = stock.resting.front().copied() {
            if until > now {
                break;
            }
            stock.resting.pop_front();
            // Used pairs go first: fewer ports are ever opened.
            stock.ready.push_front(pair);
        }
        let fits = |pair: &Pair| beside.is_none_or(|worker| pair.worker == worker);
        let Some(at) = stock.ready.iter().position(fits) else {
            stock.short = true;
            return Err(Dry);
        };
        let pair = stock.ready.remove(at).ok_or(Dry)?;
        stock.leased += 1;
        Ok(pair)
    }

    /// A pair is in use that was leased in an earlier run of the program.
    pub fn retaken(&mut self, pair: Pair) {
        self.stock(pair.side).leased += 1;
    }

    /// Gives a pair back; it rests before it is leased again.
    pub fn release(&mut self, now: Moment, pair: Pair) {
        let stock = self.stock(pair.side);
        stock.leased = stock.leased.saturating_sub(1);
        stock.resting.push_back((now + QUARANTINE, pair));
    }

    /// What should be ordered now, if anything.
    pub fn order(&mut self, side: Side) -> Option<Plan> {
        let stock = self.stock(side);
        let enough = stock.ready.len() >= LOW_WATER && !stock.short;
        if stock.ordered || stock.exhausted || enough {
            return None;
        }
        stock.ordered = true;
        Some(Plan::Stock { side, count: ORDER })
    }

    /// Whether pairs are ordered on a side that have not come yet.
    pub fn awaits(&self, side: Side) -> bool {
        match side {
            Side::Phones => self.phones.ordered,
            Side::Pbx => self.pbx.ordered,
        }
    }

    /// How many pairs are in use on both sides.
    pub fn leased(&self) -> usize {
        self.phones.leased + self.pbx.leased
    }

    /// How many pairs a side has.
    pub fn usage(&self, side: Side) -> Usage {
        let stock = match side {
            Side::Phones => &self.phones,
            Side::Pbx => &self.pbx,
        };
        let (ready, resting) = (stock.ready.len(), stock.resting.len());
        Usage { leased: stock.leased, ready, resting }
    }

    /// Whether a pair of this number is resting or ready, that is, not in use.
    pub fn is_idle(&self, id: PairId) -> bool {
        [&self.phones, &self.pbx].iter().any(|stock| {
            stock.ready.iter().any(|pair| pair.id == id)
                || stock.resting.iter().any(|(_, pair)| pair.id == id)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use base::{Moment, Side};

    use super::{Dry, Leases};
    use crate::plan::{Pair, PairId, WorkerId};

    fn pair(id: u32, worker: u8) -> Pair {
        let port = 30_000 + 2 * id as u16;
        Pair { id: PairId(id), side: Side::Phones, worker: WorkerId(worker), port }
    }

    #[test]
    fn a_released_pair_rests_before_it_is_leased_again() {
        let mut leases = Leases::default();
        leases.stocked(vec![pair(1, 0)]);
        let leased = leases.lease(Moment::ZERO, Side::Phones, None).unwrap();
        leases.release(Moment::ZERO, leased);
        assert_eq!(leases.lease(Moment::ZERO, Side::Phones, None), Err(Dry));
        let later = Moment::ZERO + Duration::from_secs(2);
        assert_eq!(leases.lease(later, Side::Phones, None), Ok(leased));
    }

    #[test]
    fn the_second_pair_of_a_call_is_on_the_worker_of_the_first() {
        let mut leases = Leases::default();
        leases.stocked(vec![pair(1, 0), pair(2, 1)]);
        let second = leases.lease(Moment::ZERO, Side::Phones, Some(WorkerId(1))).unwrap();
        assert_eq!(second.id, PairId(2));
    }

    #[test]
    fn more_pairs_are_ordered_when_one_worker_has_none_left() {
        let mut leases = Leases::default();
        leases.stocked((0..500).map(|id| pair(id, 0)).collect());
        assert!(leases.order(Side::Phones).is_none());
        assert_eq!(leases.lease(Moment::ZERO, Side::Phones, Some(WorkerId(1))), Err(Dry));
        assert!(leases.order(Side::Phones).is_some());
    }

    #[test]
    fn more_pairs_are_ordered_once_until_they_come() {
        let mut leases = Leases::default();
        assert!(leases.order(Side::Phones).is_some());
        assert!(leases.order(Side::Phones).is_none());
        leases.exhausted(Side::Phones);
        assert!(leases.order(Side::Phones).is_none());
    }
}
