//! SRTP (RFC 3711, and RFC 7714 for AES-GCM) with keys by SDES (RFC 4568): one cryptographic context for
//! each direction. Packets are changed in place.

mod index;
mod master;
mod receiver;
mod sender;
mod session;
mod suite;
mod transform;

#[cfg(test)]
mod vectors;

pub use master::{BadMaster, Master, Srtp};
pub use receiver::{Rejected, SrtpReceiver};
pub use sender::{SrtpSender, Unsent};
pub(crate) use session::Session;
pub use suite::Suite;
