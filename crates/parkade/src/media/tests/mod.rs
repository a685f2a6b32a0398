//! The workers over real sockets on loopback and between networks, and music from real files.

mod carrying;
pub(in crate::media) mod datagrams;
mod files;
pub(in crate::media) mod net;
mod past;
mod rough;
mod turns;
mod world;
