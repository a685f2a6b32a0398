//! Several houses with a PBX and phones each, on one clock: they share a store, and reach each other by SIP.

mod houses;
mod store;

pub use houses::Houses;
