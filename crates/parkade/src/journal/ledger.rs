//! Which batch of the log has a record as it is now, and which batches are to go.

use std::collections::VecDeque;

use park_core::RecordKey;
use rustc_hash::FxHashMap;

/// How large the log may be, in bytes, however little of it still holds.
const SMALL: u64 = 4 << 20;

/// Where a record is.
#[derive(Debug, Clone, Copy)]
struct Place {
    batch: u64,
    size: u32,
}

/// What is in the log. Batches go in the order in which they came: what takes a record out outlives what
/// had put it in.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    places: FxHashMap<RecordKey, Place>,
    /// Numbers and sizes.
    batches: VecDeque<(u64, u64)>,
    /// Bytes of all batches.
    size: u64,
    /// Bytes of the records that hold.
    live: u64,
    next: u64,
}

impl Ledger {
    /// Whether nothing has ever been written.
    pub(super) fn is_new(&self) -> bool {
        self.next == 0
    }

    /// A batch has been read.
    pub(super) fn found(&mut self, number: u64, size: usize) {
        self.batches.push_back((number, size as u64));
        self.size += size as u64;
        self.next = self.next.max(number + 1);
    }

    /// The number of a new batch of this size.
    pub(super) fn add(&mut self, size: usize) -> u64 {
        let number = self.next;
        self.found(number, size);
        number
    }

    /// The number of the batch that is added next.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// The record with this key is in that batch from now on.
    pub(super) fn put(&mut self, key: RecordKey, batch: u64, size: usize) {
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        self.live += u64::from(size);
        if let Some(before) = self.places.insert(key, Place { batch, size }) {
            self.live -= u64::from(before.size);
        }
    }

    /// There is no such record any more; says whether there was.
    pub(super) fn remove(&mut self, key: RecordKey) -> bool {
        let before = self.places.remove(&key);
        self.live -= before.map_or(0, |place| u64::from(place.size));
        before.is_some()
    }

    /// Whether that batch has this record as it is now.
    pub(super) fn holds(&self, batch: u64, key: RecordKey) -> bool {
        self.places.get(&key).is_some_and(|place| place.batch == batch)
    }

    /// The oldest batch, if more than half of a log that is not small holds no longer. What holds of it is to
    /// be put into a new one.
    pub(super) fn take_oldest(&mut self) -> Option<u64> {
        if self.size <= SMALL.max(2 * self.live) {
            return None;
        }
        let (number, size) = self.batches.pop_front()?;
        self.size -= size;
        Some(number)
    }
}
