//! What happened to transactions since the layer was made.

/// Totals; none ever falls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TxnCounts {
    /// Messages that we sent again: requests without an answer yet, and answers to repeated requests.
    pub repeated: u64,
    /// Repeated requests and responses that were absorbed, and responses that nobody waits for.
    pub absorbed: u64,
    /// Requests of ours that had no final answer in time, and 2xx of ours without an ACK.
    pub timed_out: u64,
    /// Requests of ours that could not be delivered.
    pub undelivered: u64,
}
