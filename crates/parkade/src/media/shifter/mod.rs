//! The fast path where each far side is to hear one stream (`media.one_ssrc`): a program of ours at the
//! ingress of the interfaces by which calls come. It sends RTP on from there, and adds to SSRC,
//! sequence number and timestamp what makes it go on in the stream that the far side hears. It takes
//! what goes on from where its source was; all else comes to our sockets, as everything does of whoever
//! has no way open. Forwarding of the host and its firewalls have no part in it.
//!
//! Nothing of it outlasts the process: what is attached, and the maps, end with it (tcx, Linux 6.6).
//! - `shift.bpf.c`: the program; the build script compiles it; `slots`: what it knows of each way, and
//!   what it says of it, in memory that both see; `links`: by which interface a peer is reached;
//! - `open`: the one door, [`Shifter`].

mod links;
mod open;
mod slots;

#[cfg(test)]
mod tests;

pub(crate) use open::{NoShifter, Shifted, Shifter};
