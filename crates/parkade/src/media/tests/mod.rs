//! The workers over real sockets on loopback and between networks, and music from real files.

mod carrying;
pub(in crate::media) mod datagrams;
pub(in crate::media) mod doomed;
mod files;
pub(in crate::media) mod net;
mod past;
mod rough;
pub(in crate::media) mod stream;
mod turns;
mod world;
