//! Alarms as data: a set of deadlines, at most one per key, that answers "who is due, and when next?".

use std::collections::BTreeSet;
use std::hash::Hash;

use rustc_hash::FxHashMap;

use crate::time::Moment;

/// Deadlines by key. Equal moments fire in the order in which they were set, so that runs replay.
#[derive(Debug, Clone)]
pub struct Deadlines<K> {
    due: BTreeSet<(Moment, u64, K)>,
    by_key: FxHashMap<K, (Moment, u64)>,
    set_so_far: u64,
}

impl<K: Copy + Ord + Hash> Default for Deadlines<K> {
    fn default() -> Self {
        Deadlines { due: BTreeSet::new(), by_key: FxHashMap::default(), set_so_far: 0 }
    }
}

impl<K: Copy + Ord + Hash> Deadlines<K> {
    /// Arms `key` for `at`, in place of any deadline that it had.
    pub fn set(&mut self, key: K, at: Moment) {
        self.stop(key);
        self.set_so_far += 1;
        self.due.insert((at, self.set_so_far, key));
        self.by_key.insert(key, (at, self.set_so_far));
    }

    /// Disarms `key`; says whether it was armed.
    pub fn stop(&mut self, key: K) -> bool {
        match self.by_key.remove(&key) {
            Some((at, order)) => self.due.remove(&(at, order, key)),
            None => false,
        }
    }

    /// When `key` is due, if it is armed.
    pub fn at(&self, key: K) -> Option<Moment> {
        self.by_key.get(&key).map(|(at, _)| *at)
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<(Moment, K)> {
        self.due.first().map(|(at, _, key)| (*at, *key))
    }

    /// Takes out one key that is due at `now`.
    pub fn expired(&mut self, now: Moment) -> Option<K> {
        let (at, key) = self.next()?;
        if at > now {
            return None;
        }
        self.stop(key);
        Some(key)
    }

    /// How many are armed.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether none is armed.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// All armed keys with their moments, earliest first.
    pub fn iter(&self) -> impl Iterator<Item = (Moment, K)> + '_ {
        self.due.iter().map(|(at, _, key)| (*at, *key))
    }
}

#[cfg(test)]
mod tests {
    use super::Deadlines;
    use crate::time::Moment;

    #[test]
    fn the_earliest_deadline_fires_first_and_equal_ones_in_the_order_set() {
        let mut deadlines = Deadlines::default();
        deadlines.set('b', Moment::from_micros(5));
        deadlines.set('a', Moment::from_micros(5));
        deadlines.set('c', Moment::from_micros(1));
        let now = Moment::from_micros(5);
        let fired: Vec<char> = std::iter::from_fn(|| deadlines.expired(now)).collect();
        assert_eq!(fired, ['c', 'b', 'a']);
        assert!(deadlines.is_empty());
    }

    #[test]
    fn setting_again_moves_a_deadline_and_stopping_disarms_it() {
        let mut deadlines = Deadlines::default();
        deadlines.set(1, Moment::from_micros(5));
        deadlines.set(1, Moment::from_micros(9));
        assert_eq!(deadlines.expired(Moment::from_micros(8)), None);
        assert_eq!(deadlines.next(), Some((Moment::from_micros(9), 1)));
        assert!(deadlines.stop(1));
        assert!(!deadlines.stop(1));
        assert_eq!(deadlines.len(), 0);
    }
}
