//! What a worker has carried, written by it once each turn and read by whoever counts.

use std::sync::atomic::{AtomicU64, Ordering};

use rtp_flow::{Counts, Why};

use crate::media::wire::Troubles;

/// The counts of one worker as it publishes them.
#[derive(Debug, Default)]
pub(super) struct Published {
    forwarded: AtomicU64,
    fast: AtomicU64,
    paced: AtomicU64,
    unsent: AtomicU64,
    huge: AtomicU64,
    errors: AtomicU64,
    full: AtomicU64,
    dropped: [AtomicU64; Why::ALL.len()],
    in_use: AtomicU64,
    fast_paths: AtomicU64,
}

/// What all workers have carried since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct MediaCounts {
    /// Packets forwarded here.
    pub(crate) forwarded: u64,
    /// Packets that the kernel has forwarded, as far as they have been counted.
    pub(crate) fast: u64,
    /// Packets of music and comfort noise.
    pub(crate) paced: u64,
    /// Packets that the system did not take.
    pub(crate) unsent: u64,
    /// Packets that were longer than any packet of sound, and dropped for it.
    pub(crate) huge: u64,
    /// Errors at the sockets, such as that nobody listens where packets were sent.
    pub(crate) errors: u64,
    /// How often a worker was so late that packets waited at their sockets.
    pub(crate) full: u64,
    /// Packets dropped, by reason, in the order of [`Why::ALL`].
    pub(crate) dropped: [u64; Why::ALL.len()],
    /// Pairs in use now.
    pub(crate) pairs: u64,
    /// Directions that the kernel forwards now, RTP and RTCP each.
    pub(crate) fast_paths: u64,
}

impl MediaCounts {
    /// Directions that do not go by the kernel now, RTP and RTCP each.
    pub(crate) fn user_streams(&self) -> u64 {
        (2 * self.pairs).saturating_sub(self.fast_paths)
    }
}

impl Published {
    /// Writes the counts as they are now.
    pub(super) fn publish(&self, counts: &Counts, troubles: Troubles, in_use: usize, fast: usize) {
        self.forwarded.store(counts.forwarded, Ordering::Relaxed);
        self.fast.store(counts.fast, Ordering::Relaxed);
        self.paced.store(counts.paced, Ordering::Relaxed);
        self.unsent.store(troubles.unsent, Ordering::Relaxed);
        self.huge.store(troubles.huge, Ordering::Relaxed);
        self.errors.store(troubles.errors, Ordering::Relaxed);
        self.full.store(troubles.full, Ordering::Relaxed);
        self.in_use.store(in_use as u64, Ordering::Relaxed);
        self.fast_paths.store(fast as u64, Ordering::Relaxed);
        for (published, why) in self.dropped.iter().zip(Why::ALL) {
            published.store(counts.dropped(why), Ordering::Relaxed);
        }
    }

    /// Adds them to a sum.
    pub(super) fn add_to(&self, sum: &mut MediaCounts) {
        sum.forwarded += self.forwarded.load(Ordering::Relaxed);
        sum.fast += self.fast.load(Ordering::Relaxed);
        sum.paced += self.paced.load(Ordering::Relaxed);
        sum.unsent += self.unsent.load(Ordering::Relaxed);
        sum.huge += self.huge.load(Ordering::Relaxed);
        sum.errors += self.errors.load(Ordering::Relaxed);
        sum.full += self.full.load(Ordering::Relaxed);
        sum.fast_paths += self.fast_paths.load(Ordering::Relaxed);
        sum.pairs += self.in_use.load(Ordering::Relaxed);
        for (into, published) in sum.dropped.iter_mut().zip(&self.dropped) {
            *into += published.load(Ordering::Relaxed);
        }
    }
}
