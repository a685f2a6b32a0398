//! What the program knows of each way, and what it says of it: an array that both have in memory. It is
//! `struct way` of `shift.bpf.c`, field by field.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::os::fd::AsFd;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use rtp_flow::Shift;

use crate::media::kernel::Way;

/// Set in `taken` when a way is closed: nothing more is taken on.
const CLOSED: u64 = 1 << 63;
/// For how long packets are waited for that had been taken on when their way was closed. The program has
/// done with one in a microsecond, unless the machine's host has taken its core away.
const UNDER_WAY: Duration = Duration::from_millis(2);

/// One way. Addresses, ports and SSRCs are as in packets.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Slot {
    by: [AtomicU32; 4],
    to: [AtomicU32; 4],
    by_port: AtomicU16,
    to_port: AtomicU16,
    from_port: AtomicU16,
    at_port: AtomicU16,
    interface: AtomicU32,
    from_ssrc: AtomicU32,
    to_ssrc: AtomicU32,
    timestamp: AtomicU32,
    sequence: AtomicU16,
    ahead: AtomicU16,
    behind: AtomicU16,
    is_rtp: AtomicU16,
    taken: AtomicU64,
    done: AtomicU64,
    bytes: AtomicU64,
    at: AtomicU64,
    last: AtomicU32,
    newest: AtomicU16,
    mtu: AtomicU16,
    unused: [AtomicU64; 3],
}

const _: () = assert!(size_of::<Slot>() == 128);

/// What has gone a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gone {
    /// Packets that came, …
    pub(super) came: u64,
    /// … those that left, …
    pub(super) left: u64,
    /// … and their bytes, IP headers with them.
    pub(super) bytes: u64,
}

/// How far the source of a way had come when it was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Newest {
    /// Its newest sequence number, …
    pub(super) sequence: u16,
    /// … the newest timestamp as it was sent, …
    pub(super) timestamp: u32,
    /// … and when, in nanoseconds of the monotonic clock.
    pub(super) at: u64,
}

impl Slot {
    /// Writes what is to become of a way's packets, which go out by that interface. `at` is when the
    /// newest before them was sent, in nanoseconds. The way must not be open.
    pub(super) fn write(
        &self,
        way: &Way,
        shift: Option<(&Shift, u64)>,
        (interface, mtu): (u32, u16),
    ) {
        for (field, address) in [(&self.by, way.by), (&self.to, way.to)] {
            for (word, value) in field.iter().zip(words(address.ip())) {
                word.store(value, Relaxed);
            }
        }
        let port = |field: &AtomicU16, socket: SocketAddr| {
            field.store(socket.port().to_be(), Relaxed);
        };
        port(&self.by_port, way.by);
        port(&self.to_port, way.to);
        port(&self.from_port, way.from);
        port(&self.at_port, way.at);
        self.interface.store(interface, Relaxed);
        self.mtu.store(mtu, Relaxed);
        self.is_rtp.store(shift.is_some().into(), Relaxed);
        if let Some((shift, at)) = shift {
            self.from_ssrc.store(shift.from_ssrc.to_be(), Relaxed);
            self.to_ssrc.store(shift.to_ssrc.to_be(), Relaxed);
            self.timestamp.store(shift.timestamp, Relaxed);
            self.sequence.store(shift.sequence, Relaxed);
            self.ahead.store(Shift::AHEAD, Relaxed);
            self.behind.store(Shift::BEHIND, Relaxed);
            self.last.store(shift.last.timestamp, Relaxed);
            self.newest.store(shift.last.sequence.wrapping_sub(shift.sequence), Relaxed);
            self.at.store(at, Relaxed);
        }
        self.done.store(0, Relaxed);
        self.bytes.store(0, Relaxed);
        self.taken.store(0, Relaxed);
    }

    /// What has gone it so far.
    pub(super) fn gone(&self) -> Gone {
        let left = self.done.load(Acquire);
        let came = self.taken.load(Relaxed) & !CLOSED;
        Gone { came, left, bytes: self.bytes.load(Relaxed) }
    }

    /// Closes it: from now on no packet goes it. What has gone it in all, and how far.
    pub(super) fn close(&self) -> (Gone, Newest) {
        let came = self.taken.fetch_or(CLOSED, AcqRel) & !CLOSED;
        let begun = Instant::now();
        while self.done.load(Acquire) < came && begun.elapsed() < UNDER_WAY {
            thread::yield_now();
        }
        let newest = Newest {
            sequence: self.newest.load(Relaxed),
            timestamp: self.last.load(Relaxed),
            at: self.at.load(Relaxed),
        };
        (Gone { came, ..self.gone() }, newest)
    }
}

/// An address as a packet has it; the rest is zero.
fn words(ip: IpAddr) -> [u32; 4] {
    match ip {
        IpAddr::V4(ip) => [u32::from_ne_bytes(ip.octets()), 0, 0, 0],
        IpAddr::V6(ip) => {
            let bits = ip.to_bits();
            [96, 64, 32, 0].map(|shift| ((bits >> shift) as u32).to_be())
        }
    }
}

/// All slots of a map.
#[derive(Debug)]
pub(super) struct Slots {
    first: NonNull<Slot>,
    count: usize,
}

// SAFETY: all that is behind the pointer are atomics, which any thread may read and write, and which
// the pointer alone keeps in memory.
unsafe impl Send for Slots {}
// SAFETY: as above.
unsafe impl Sync for Slots {}

impl Slots {
    /// Takes `count` slots of an array that may be mapped into memory.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn map(array: impl AsFd, count: usize) -> io::Result<Slots> {
        let length = count.checked_mul(size_of::<Slot>()).and_then(NonZeroUsize::new);
        let length = length.ok_or(io::ErrorKind::InvalidInput)?;
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice touches no other memory.
        let at = unsafe { mmap(None, length, access, MapFlags::MAP_SHARED, array, 0) }?;
        Ok(Slots { first: at.cast(), count })
    }
}

impl Deref for Slots {
    type Target = [Slot];

    fn deref(&self) -> &[Slot] {
        // SAFETY: so many slots were mapped, on a page of their own, and stay until the drop. Any bits
        // are a slot, and who else writes them, the program, does so by whole aligned fields.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.count) }
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        // SAFETY: it was mapped at that address in that length, and nobody has it any more.
        let unmapped = unsafe { munmap(self.first.cast(), self.count * size_of::<Slot>()) };
        if let Err(error) = unmapped {
            tracing::error!(%error, "the fast path's memory cannot be given back");
        }
    }
}
