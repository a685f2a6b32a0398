//! Media: threads of their own that carry RTP between bound port pairs as the engine plans it, and
//! the music that is loaded for them. Nothing here waits for signalling, and signalling never waits
//! for anything here.
//! - `workers`: the one door: start, order, stop; `worker`: one thread;
//! - `threads`: a worker made ready for its thread, on which core and by which way to its sockets;
//! - `wire`: what a worker asks of its sockets; `polled`: how epoll does it, with `rooms`, where packets
//!   lie meanwhile; `ring`: how io_uring does it, with `provided`, which is the same, and `flights`, what
//!   must stay until it is sent;
//! - `stock`: the thread that binds port pairs ahead of need; `ports`: how one pair is bound;
//! - `past`: what goes past a worker; `forwarder`: who carries it there: a table, `kernel`, or a program that
//!   makes one stream of it, `shifter`; `counts`: what has been carried, readable at any time;
//! - `music`: files, folders and the built-in melody made into tunes; `decode`: one file.

mod counts;
mod decode;
mod flights;
mod forwarder;
mod kernel;
mod music;
mod past;
mod polled;
mod ports;
mod provided;
mod ring;
mod rooms;
mod shifter;
mod stock;
mod threads;
mod wire;
mod worker;
mod workers;

#[cfg(test)]
mod tests;

pub(crate) use counts::MediaCounts;
pub(crate) use forwarder::Forwarder;
pub(crate) use kernel::{
    Claim, Dropping, Family, Forwards, Kernel, WhyNot, dropping, per_interface,
};
pub(crate) use music::{MusicProblem, bad_prompts, load};
pub(crate) use shifter::{NoShifter, Shifter};
pub(crate) use threads::try_io_uring;
pub(crate) use workers::{CannotCarry, MediaConfig, MediaWorkers};
