//! The keys by which the layer's user names a transaction. A key that has outlived its transaction
//! opens nothing.

/// A row of a table and which of its successive tenants is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub(super) row: u32,
    pub(super) generation: u32,
}

/// A request that we sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientKey(pub(super) Key);

/// A request that we were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerKey(pub(super) Key);
