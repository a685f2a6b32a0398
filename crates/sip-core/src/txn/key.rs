//! The keys by which the layer's user names a transaction. A key that has outlived its transaction
//! opens nothing.

use serde::{Deserialize, Serialize};

/// A row of a table and which of its successive tenants is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Key {
    // First, so that keys are in the order in which their transactions began.
    pub(super) generation: u32,
    pub(super) row: u32,
}

impl Key {
    fn number(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.row)
    }

    fn of_number(number: u64) -> Key {
        Key { generation: (number >> 32) as u32, row: number as u32 }
    }
}

/// A request that we sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClientKey(pub(super) Key);

/// A request that we were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServerKey(pub(super) Key);

impl ClientKey {
    /// It as a number.
    pub fn number(self) -> u64 {
        self.0.number()
    }

    /// The key with this number.
    pub fn of_number(number: u64) -> ClientKey {
        ClientKey(Key::of_number(number))
    }
}

impl ServerKey {
    /// It as a number.
    pub fn number(self) -> u64 {
        self.0.number()
    }

    /// The key with this number.
    pub fn of_number(number: u64) -> ServerKey {
        ServerKey(Key::of_number(number))
    }
}
