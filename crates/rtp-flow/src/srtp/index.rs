//! Packet indices (RFC 3711 §3.3.1): a sequence number with the rollover counter before it; and which of
//! them there have been (§3.3.2).

/// The highest index there is; a key that has come so far is used up.
const LAST: u64 = (1 << 48) - 1;
/// How many indices below the newest are remembered. RFC 3711 asks for 64 at least.
const REMEMBERED: u64 = 128;

/// The indices of one source that there have been.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    newest: u64,
    /// Bit n: `newest - n` has been.
    recent: u128,
}

impl Seen {
    /// Only this one has been.
    pub(super) fn first(index: u64) -> Seen {
        Seen { newest: index, recent: 1 }
    }

    /// The index that a sequence number most likely means: the nearest to the newest. None beyond the
    /// last and before the first.
    pub(super) fn index_of(&self, seq: u16) -> Option<u64> {
        let ahead = seq.wrapping_sub(self.newest as u16) as i16;
        let index = self.newest.checked_add_signed(i64::from(ahead))?;
        (index <= LAST).then_some(index)
    }

    /// Whether an index has been, or is too old to tell.
    pub(super) fn has(&self, index: u64) -> bool {
        match self.newest.checked_sub(index) {
            None => false,
            Some(behind) => behind >= REMEMBERED || self.recent >> behind & 1 == 1,
        }
    }

    /// Takes note of one.
    pub(super) fn note(&mut self, index: u64) {
        match index.checked_sub(self.newest) {
            Some(ahead) => {
                let shift = u32::try_from(ahead).unwrap_or(u32::MAX);
                self.recent = self.recent.checked_shl(shift).unwrap_or(0) | 1;
                self.newest = index;
            }
            None => {
                let behind = self.newest - index;
                self.recent |= 1u128.checked_shl(behind as u32).unwrap_or(0);
            }
        }
    }

    pub(super) fn newest(&self) -> u64 {
        self.newest
    }
}

/// The rollover counter of an index.
pub(super) fn rollovers(index: u64) -> u32 {
    (index >> 16) as u32
}

#[cfg(test)]
mod tests {
    use super::{LAST, Seen};

    #[test]
    fn a_sequence_number_means_the_nearest_index() {
        let seen = Seen::first(0x1_fff0);
        assert_eq!(seen.index_of(0xfff1), Some(0x1_fff1));
        assert_eq!(seen.index_of(2), Some(0x2_0002));
        assert_eq!(seen.index_of(0xff00), Some(0x1_ff00));
        let early = Seen::first(2);
        assert_eq!(early.index_of(0xffff), None, "there is none before the first");
        assert_eq!(Seen::first(LAST).index_of(0), None, "the key is used up");
    }

    #[test]
    fn what_has_been_is_known_and_what_is_too_old_counts_as_known() {
        let mut seen = Seen::first(1_000);
        seen.note(1_002);
        assert!(seen.has(1_000) && seen.has(1_002) && !seen.has(1_001) && !seen.has(1_003));
        seen.note(1_001);
        assert!(seen.has(1_001));
        seen.note(1_129);
        assert!(seen.has(1_001) && seen.has(1_002) && !seen.has(1_003));
        assert!(seen.has(1), "too old");
        seen.note(5_000);
        assert!(!seen.has(4_999) && seen.has(5_000) && seen.newest() == 5_000);
    }
}
