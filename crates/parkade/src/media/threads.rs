//! A worker made ready for its thread: by which way it has its sockets, and on which core it runs.

use std::io;
use std::sync::Arc;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::eventfd::EventFd;
use nix::unistd::Pid;
use rtp_flow::Relay;

use crate::config::MediaIo;
use crate::media::polled::Polled;
use crate::media::ring::Ring;
use crate::media::wire::Wire;
use crate::media::worker::{Post, Standing, Worker, waker};

/// What a worker's thread does until it is told to stop.
pub(super) type Work = Box<dyn FnOnce() + Send>;

/// The ways to the sockets that are open to the workers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ways {
    /// Which is wanted, and from the first worker on which it is.
    pub(super) io: MediaIo,
    /// How many sockets a worker may get.
    pub(super) sockets: u32,
}

impl Ways {
    /// A worker without sockets, and the way to it. What the kernel refuses is told once.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn worker(&mut self, relay: Relay, standing: Standing) -> io::Result<(Work, Post)> {
        let waker = waker()?;
        if self.io != MediaIo::Epoll {
            match Ring::new(waker.clone(), self.sockets) {
                Ok(ring) => {
                    if standing.number == 0 {
                        tracing::info!("media sockets by io_uring");
                    }
                    self.io = MediaIo::IoUring;
                    return Ok(work(ring, waker, relay, standing));
                }
                Err(error) if self.io == MediaIo::IoUring => return Err(error),
                Err(error) => {
                    tracing::info!(%error, "media sockets by epoll: the kernel refuses io_uring");
                    self.io = MediaIo::Epoll;
                }
            }
        }
        Ok(work(Polled::new(waker.clone())?, waker, relay, standing))
    }
}

/// Whether the kernel has io_uring for this process as media takes it. Nothing is left open.
///
/// # Errors
/// Why not.
pub(crate) fn try_io_uring() -> io::Result<()> {
    const A_FEW: u32 = 64;
    Ring::new(waker()?, A_FEW).map(drop)
}

fn work(
    wire: impl Wire + Send + 'static,
    waker: Arc<EventFd>,
    relay: Relay,
    standing: Standing,
) -> (Work, Post) {
    let (worker, post) = Worker::new(wire, waker, relay, standing);
    (Box::new(move || worker.run()), post)
}

/// Has the thread that calls it run on this core only.
pub(super) fn run_on(core: usize) {
    let mut only = CpuSet::new();
    let pinned = only.set(core).and_then(|()| sched_setaffinity(Pid::from_raw(0), &only));
    if let Err(error) = pinned {
        tracing::error!(%error, core, "a media worker cannot be kept on its core");
    }
}

/// The cores that this process may run on.
pub(super) fn cores() -> Vec<usize> {
    let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap_or_default();
    (0..CpuSet::count()).filter(|core| allowed.is_set(*core).unwrap_or(false)).collect()
}
