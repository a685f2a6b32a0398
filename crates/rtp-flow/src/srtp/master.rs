//! Master keys with their salts, as `a=crypto` lines carry them. They are never printed.

use std::fmt;

use base::Chance;
use serde::{Deserialize, Serialize};

use crate::srtp::suite::Suite;

/// The longest key identifier that is worth its bytes in each packet.
const LONGEST_MKI: usize = 8;

/// A master key and its salt, for one direction.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Master {
    suite: Suite,
    /// The key, then the salt.
    bytes: Box<[u8]>,
    /// The key identifier that each packet carries (RFC 3711 §3.1); empty: none.
    mki: Box<[u8]>,
}

/// Why no key can be made of what a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadMaster {
    /// Key and salt have not as many bytes as the suite wants.
    Length,
    /// The key identifier is longer than eight bytes.
    Mki,
}

impl Master {
    /// From the key and the salt behind it. `mki` goes with each packet, if it is not empty.
    ///
    /// # Errors
    /// Lengths that do not fit.
    pub fn new(suite: Suite, key_and_salt: &[u8], mki: &[u8]) -> Result<Master, BadMaster> {
        if key_and_salt.len() != suite.key_len() + suite.salt_len() {
            return Err(BadMaster::Length);
        }
        if mki.len() > LONGEST_MKI {
            return Err(BadMaster::Mki);
        }
        Ok(Master { suite, bytes: key_and_salt.into(), mki: mki.into() })
    }

    /// A new one, which must be of a source that nobody can guess.
    pub fn random(suite: Suite, chance: &mut Chance) -> Master {
        let len = suite.key_len() + suite.salt_len();
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            bytes.extend_from_slice(&chance.u64().to_be_bytes());
        }
        bytes.truncate(len);
        Master { suite, bytes: bytes.into(), mki: Box::default() }
    }

    /// Its suite.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// The key and the salt behind it: for the line that tells the far side, and nothing else.
    pub fn key_and_salt(&self) -> &[u8] {
        &self.bytes
    }

    /// The key identifier; empty: packets carry none.
    pub fn mki(&self) -> &[u8] {
        &self.mki
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.bytes[..self.suite.key_len()]
    }

    pub(super) fn salt(&self) -> &[u8] {
        &self.bytes[self.suite.key_len()..]
    }
}

impl fmt::Debug for Master {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Master").field("suite", &self.suite).finish_non_exhaustive()
    }
}

/// The keys of a pair whose far side speaks SRTP with us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Srtp {
    /// What the far side encrypts with.
    pub inbound: Master,
    /// What it expects from us.
    pub outbound: Master,
}
