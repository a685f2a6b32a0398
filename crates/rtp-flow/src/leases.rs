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

/// How many pairs of one worker a side should have before a further call comes to it, as long as more can be had:
/// one for each media line of most calls, and for what cannot wait: lines that are added, answers, phones that are rung.
const MARGIN: usize = 4;

/// Why a side has no pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dry {
    /// The whole port range is in use.
    UsedUp,
    /// The system lets no more be bound.
    NotBound,
    /// More are ordered, and have not come yet.
    Coming,
}

#[derive(Debug, Default)]
struct Stock {
    /// By worker.
    ready: Vec<VecDeque<Pair>>,
    resting: VecDeque<(Moment, Pair)>,
    leased: usize,
    ordered: bool,
    /// Why nothing more is ordered.
    ended: Option<Dry>,
    /// A worker had none left, however many the others have.
    short: bool,
}

impl Stock {
    fn of(&mut self, worker: WorkerId) -> &mut VecDeque<Pair> {
        let at = usize::from(worker.0);
        if self.ready.len() <= at {
            self.ready.resize_with(at + 1, VecDeque::new);
        }
        &mut self.ready[at]
    }

    fn ready_at(&self, worker: usize) -> usize {
        self.ready.get(worker).map_or(0, VecDeque::len)
    }

    fn ready(&self) -> usize {
        self.ready.iter().map(VecDeque::len).sum()
    }

    /// What has rested long enough is ready.
    fn wake(&mut self, now: Moment) {
        while let Some((_, pair)) = self.resting.front().copied().filter(|(until, _)| *until <= now)
        {
            self.resting.pop_front();
            // Used pairs go first: fewer ports are ever opened.
            self.of(pair.worker).push_front(pair);
        }
    }

    /// Whether a further call should come to this worker.
    fn serves(&self, worker: usize) -> bool {
        self.ready_at(worker) >= if self.ended.is_some() { 1 } else { MARGIN }
    }
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
            stock.of(pair.worker).push_back(pair);
        }
    }

    /// No more can be had: nothing more is ordered on this side.
    pub fn exhausted(&mut self, side: Side, why: Dry) {
        let stock = self.stock(side);
        stock.ordered = false;
        stock.ended = Some(why);
    }

    /// Whether a call that comes now had better wait, as few pairs are left and more can be had. Orders for those are
    /// due then.
    pub fn is_short(&mut self, now: Moment) -> bool {
        let both = [&mut self.phones, &mut self.pbx];
        let workers = both.iter().map(|stock| stock.ready.len()).max().unwrap_or(0);
        both.into_iter().for_each(|stock| stock.wake(now));
        let is_served = |worker| self.phones.serves(worker) && self.pbx.serves(worker);
        if (0..workers).any(is_served) {
            return false;
        }
        let both = [&mut self.phones, &mut self.pbx];
        if both.iter().any(|stock| stock.ended.is_some() && stock.ready() == 0) {
            // Whatever the other side gets would not help.
            return false;
        }
        let lacks = |stock: &Stock| !(0..workers).any(|worker| stock.serves(worker));
        // Each may have enough, but not of the same worker.
        let neither = !both.iter().any(|stock| lacks(stock));
        let mut more = false;
        for stock in both {
            if stock.ended.is_none() && (neither || lacks(stock)) {
                (stock.short, more) = (true, true);
            }
        }
        more
    }

    /// Leases a pair on `side`, on `beside`'s worker if it is given: all streams of a call share one. Else on the
    /// worker that has most left for both sides.
    ///
    /// # Errors
    /// None is ready, and none has rested long enough.
    pub fn lease(
        &mut self,
        now: Moment,
        side: Side,
        beside: Option<WorkerId>,
    ) -> Result<Pair, Dry> {
        self.stock(side).wake(now);
        let worker = beside.or_else(|| self.widest(side)).unwrap_or(WorkerId(0));
        let stock = self.stock(side);
        let Some(pair) = stock.of(worker).pop_front() else {
            stock.short = true;
            return Err(stock.ended.unwrap_or(Dry::Coming));
        };
        stock.leased += 1;
        Ok(pair)
    }

    fn widest(&self, side: Side) -> Option<WorkerId> {
        let (own, other) = match side {
            Side::Phones => (&self.phones, &self.pbx),
            Side::Pbx => (&self.pbx, &self.phones),
        };
        let room = |worker: &usize| {
            let own = own.ready_at(*worker);
            (own.min(other.ready_at(*worker)), own, std::cmp::Reverse(*worker))
        };
        (0..own.ready.len()).max_by_key(room).map(|worker| WorkerId(worker as u8))
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
        let enough = stock.ready() >= LOW_WATER && !stock.short;
        if stock.ordered || stock.ended.is_some() || enough {
            return None;
        }
        stock.ordered = true;
        Some(Plan::Stock { side, count: ORDER })
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
        let (ready, resting) = (stock.ready(), stock.resting.len());
        Usage { leased: stock.leased, ready, resting }
    }

    /// Whether a pair of this number is resting or ready, that is, not in use.
    pub fn is_idle(&self, id: PairId) -> bool {
        [&self.phones, &self.pbx].iter().any(|stock| {
            stock.ready.iter().flatten().any(|pair| pair.id == id)
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
        assert_eq!(leases.lease(Moment::ZERO, Side::Phones, None), Err(Dry::Coming));
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

    fn pairs_of_both(ids: std::ops::Range<u32>, worker: u8) -> Vec<Pair> {
        let both = |id| {
            [Side::Phones, Side::Pbx]
                .map(|side| Pair { side, ..pair(2 * id + side as u32, worker) })
        };
        ids.flat_map(both).collect()
    }

    #[test]
    fn more_pairs_are_ordered_when_one_worker_has_none_left() {
        let mut leases = Leases::default();
        leases.stocked((0..500).map(|id| pair(id, 0)).collect());
        assert!(leases.order(Side::Phones).is_none());
        let beside = Some(WorkerId(1));
        assert_eq!(leases.lease(Moment::ZERO, Side::Phones, beside), Err(Dry::Coming));
        assert!(leases.order(Side::Phones).is_some());
    }

    #[test]
    fn more_pairs_are_ordered_once_until_they_come() {
        let mut leases = Leases::default();
        assert!(leases.order(Side::Phones).is_some());
        assert!(leases.order(Side::Phones).is_none());
        leases.exhausted(Side::Phones, Dry::UsedUp);
        assert!(leases.order(Side::Phones).is_none());
    }

    #[test]
    fn a_call_goes_to_the_worker_that_has_most_for_both_sides() {
        let mut leases = Leases::default();
        leases.stocked(pairs_of_both(0..3, 0));
        leases.stocked(pairs_of_both(3..9, 1));
        leases.stocked((100..120).map(|id| pair(id, 2)).collect());
        let first = leases.lease(Moment::ZERO, Side::Phones, None).unwrap();
        assert_eq!(first.worker, WorkerId(1));
    }

    #[test]
    fn who_comes_while_few_are_left_waits_as_long_as_more_can_be_had() {
        let mut leases = Leases::default();
        assert!(leases.is_short(Moment::ZERO));
        leases.stocked(pairs_of_both(0..4, 0));
        assert!(!leases.is_short(Moment::ZERO));
        leases.lease(Moment::ZERO, Side::Pbx, None).unwrap();
        assert!(leases.is_short(Moment::ZERO));
        leases.exhausted(Side::Phones, Dry::UsedUp);
        assert!(leases.is_short(Moment::ZERO), "the other side can have more");
        leases.exhausted(Side::Pbx, Dry::NotBound);
        assert!(!leases.is_short(Moment::ZERO));
    }

    #[test]
    fn nobody_waits_where_one_side_has_none_and_gets_none() {
        let mut leases = Leases::default();
        leases.exhausted(Side::Phones, Dry::UsedUp);
        assert!(!leases.is_short(Moment::ZERO));
        assert_eq!(leases.lease(Moment::ZERO, Side::Phones, None), Err(Dry::UsedUp));
    }

    #[test]
    fn pairs_of_different_workers_on_the_two_sides_are_too_few() {
        let mut leases = Leases::default();
        leases.stocked((0..200).map(|id| pair(id, 0)).collect());
        leases.stocked((200..400).map(|id| Pair { side: Side::Pbx, ..pair(id, 1) }).collect());
        assert!(leases.is_short(Moment::ZERO));
        assert!(leases.order(Side::Phones).is_some() && leases.order(Side::Pbx).is_some());
    }
}
