//! Chance from a seed: tags, branches, Call-IDs and waits. The program seeds it from the system's
//! entropy; a test seeds it with a number, and every run replays exactly.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A seeded source of randomness (ChaCha12: not to be guessed from what it has shown).
#[derive(Debug, Clone)]
pub struct Chance(ChaCha12Rng);

const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

impl Chance {
    /// Chance that replays: for tests and recorded runs.
    pub fn from_seed(seed: u64) -> Chance {
        Chance(ChaCha12Rng::seed_from_u64(seed))
    }

    /// Chance from the system's entropy, which the caller has read.
    pub fn from_entropy(seed: [u8; 32]) -> Chance {
        Chance(ChaCha12Rng::from_seed(seed))
    }

    /// Any 32-bit number.
    pub fn u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// Any 64-bit number.
    pub fn u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound`; zero if `bound` is zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.u64() % bound }
    }

    /// `letters` random letters and digits, five bits each, safe in any SIP token.
    pub fn token(&mut self, letters: usize) -> String {
        let mut text = String::with_capacity(letters);
        let mut bits = 0u64;
        for i in 0..letters {
            if i % 12 == 0 {
                bits = self.u64();
            }
            text.push(char::from(LETTERS[(bits & 31) as usize]));
            bits >>= 5;
        }
        text
    }
}
