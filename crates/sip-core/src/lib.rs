//! SIP as machines: transactions (RFC 3261 §17, RFC 6026).
//!
//! This crate owns what the RFCs say about who answers whom, and when something is said again. It
//! reads no bytes and opens no socket: messages come in checked, with the time at which they came;
//! what is to be sent and when to be woken comes out.
//! [`Layer`] is the door to the transactions: every request that the house sends or is sent goes
//! through it; it owns Vias, branches, retransmissions, CANCEL, and the ACK of a refusal, and
//! says what it [`Heard`].
#![forbid(unsafe_code)]

mod dialog;
mod txn;

pub use dialog::{Dialog, Fork, NotOurs, Party, ahead};
pub use txn::{
    ClientKey, Failure, Heard, KeptClient, KeptServer, Layer, Oversize, ServerKey, Timing,
    TxnCounts,
};
