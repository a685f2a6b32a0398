//! Rooms that the kernel fills as packets come: memory shared with an io_uring by a ring of its own
//! (`io_uring_register_buf_ring(3)`), in which rooms that have been read stand for the next packets.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::Submitter;
use io_uring::types::BufRingEntry;

use crate::media::wire::ROOM;

/// How many rooms there are: 12 ms of packets at the pace of 400 calls. A power of two.
pub(super) const ROOMS: u16 = 512;
/// The group by which requests name these rooms.
pub(super) const GROUP: u16 = 0;
/// The longest socket address: IPv6's.
pub(super) const NAME: usize = 28;
/// What the kernel writes first (`io_uring_recvmsg_out`): four lengths.
const LENGTHS: usize = 16;
/// Where a packet begins in its room.
const HEAD: usize = LENGTHS + NAME;
/// One room, in whole cache lines.
const WHOLE: usize = (HEAD + ROOM).next_multiple_of(64);
/// The ring of free rooms, before them.
const ENTRIES: usize = ROOMS as usize * size_of::<BufRingEntry>();
/// It begins on a page; there are none larger.
const PAGE: usize = 65_536;

/// The rooms and the ring of those that are free.
#[derive(Debug)]
pub(super) struct Provided {
    /// First the ring, then the rooms.
    memory: NonNull<u8>,
    layout: Layout,
    /// How many rooms have ever been put into the ring.
    tail: u16,
    /// Whether it is never given back.
    left: bool,
}

// SAFETY: the memory is this value's alone.
unsafe impl Send for Provided {}

/// What lies in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Letter {
    /// A packet of so many bytes, and who sent it.
    Packet(SocketAddr, u16),
    /// One that was longer than the room.
    Huge,
    /// Nothing that can be read.
    Unreadable,
}

impl Provided {
    /// Rooms, all of them in the ring, which the kernel does not know yet.
    pub(super) fn new() -> io::Result<Provided> {
        let layout = Layout::from_size_align(ENTRIES + usize::from(ROOMS) * WHOLE, PAGE)
            .map_err(io::Error::other)?;
        // SAFETY: the layout has a size.
        let memory = unsafe { alloc_zeroed(layout) };
        let memory = NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout));
        let mut provided = Provided { memory, layout, tail: 0, left: false };
        for room in 0..ROOMS {
            provided.give_back(room);
        }
        provided.publish();
        Ok(provided)
    }

    /// Makes them known to a ring, which must let go of them before they are dropped.
    pub(super) fn register(&self, submitter: &Submitter<'_>) -> io::Result<()> {
        let ring = self.memory.as_ptr() as u64;
        // SAFETY: so many entries begin there, on a page, and they stay as long as the io_uring knows
        // them.
        unsafe { submitter.register_buf_ring_with_flags(ring, ROOMS, GROUP, 0) }
    }

    fn room(&self, room: u16) -> *mut u8 {
        let room = usize::from(room % ROOMS);
        // SAFETY: the memory goes on for ROOMS rooms after the entries.
        unsafe { self.memory.as_ptr().add(ENTRIES + room * WHOLE) }
    }

    /// What lies in a room, of which the kernel says that it wrote so many bytes.
    pub(super) fn read(&self, room: u16, written: usize) -> Letter {
        let written = written.min(WHOLE);
        // SAFETY: a room has WHOLE bytes, which were zero at first; the kernel does not write into
        // a room that is not in its ring.
        let bytes = unsafe { std::slice::from_raw_parts(self.room(room), written) };
        let Some((head, packet)) = bytes.split_at_checked(HEAD) else { return Letter::Unreadable };
        if packet.len() >= ROOM {
            return Letter::Huge;
        }
        match name_of(&head[LENGTHS..]) {
            Some(from) => Letter::Packet(from, packet.len() as u16),
            None => Letter::Unreadable,
        }
    }

    /// The first `len` bytes of the packet in a room.
    pub(super) fn packet(&mut self, room: u16, len: u16) -> &mut [u8] {
        let len = usize::from(len).min(ROOM);
        // SAFETY: as above; and nobody else has it, since `self` is borrowed.
        unsafe { std::slice::from_raw_parts_mut(self.room(room).add(HEAD), len) }
    }

    /// A room has been read; the kernel may have it from [`Provided::publish`] on.
    pub(super) fn give_back(&mut self, room: u16) {
        let address = self.room(room) as u64;
        let place = usize::from(self.tail % ROOMS);
        // SAFETY: there are ROOMS entries. The kernel does not read this one before it is published.
        let entry = unsafe { &mut *self.memory.as_ptr().cast::<BufRingEntry>().add(place) };
        entry.set_addr(address);
        entry.set_len((HEAD + ROOM) as u32);
        entry.set_bid(room);
        self.tail = self.tail.wrapping_add(1);
    }

    /// Never gives the memory back, since the kernel may still use it.
    pub(super) fn leave(&mut self) {
        self.left = true;
    }

    /// Has the kernel see all that was given back.
    pub(super) fn publish(&mut self) {
        // SAFETY: the entries begin there, and the tail is a u16 within the first, aligned as such.
        // The kernel reads it at the same time, so it is atomic.
        unsafe {
            let tail = BufRingEntry::tail(self.memory.as_ptr().cast()).cast_mut();
            AtomicU16::from_ptr(tail).store(self.tail, Ordering::Release);
        }
    }
}

impl Drop for Provided {
    fn drop(&mut self) {
        if !self.left {
            // SAFETY: it was allocated by this layout.
            unsafe { dealloc(self.memory.as_ptr(), self.layout) }
        }
    }
}

/// Reads a socket address as the system writes it (`sockaddr_in`, `sockaddr_in6`).
fn name_of(name: &[u8]) -> Option<SocketAddr> {
    let family = u16::from_ne_bytes(name.get(..2)?.try_into().ok()?);
    let port = u16::from_be_bytes(name.get(2..4)?.try_into().ok()?);
    let ip = match i32::from(family) {
        libc::AF_INET => Ipv4Addr::from(<[u8; 4]>::try_from(name.get(4..8)?).ok()?),
        libc::AF_INET6 => {
            let ip = Ipv6Addr::from(<[u8; 16]>::try_from(name.get(8..24)?).ok()?);
            let scope = u32::from_ne_bytes(name.get(24..28)?.try_into().ok()?);
            return Some(std::net::SocketAddrV6::new(ip, port, 0, scope).into());
        }
        _ => return None,
    };
    Some(SocketAddr::new(IpAddr::V4(ip), port))
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use socket2::SockAddr;

    use super::{HEAD, LENGTHS, Letter, NAME, Provided, ROOMS, name_of};
    use crate::media::wire::ROOM;

    fn as_written(address: &str) -> [u8; NAME] {
        let name = SockAddr::from(address.parse::<SocketAddr>().unwrap());
        let mut bytes = [0; NAME];
        // SAFETY: a socket address has as many bytes as it says.
        let all =
            unsafe { std::slice::from_raw_parts(name.as_ptr().cast::<u8>(), name.len() as usize) };
        bytes[..all.len()].copy_from_slice(all);
        bytes
    }

    #[test]
    fn an_address_is_read_as_the_system_writes_it() {
        for address in ["192.0.2.1:4000", "[2001:db8::1]:65535", "[fe80::1%3]:9"] {
            assert_eq!(name_of(&as_written(address)), Some(address.parse().unwrap()));
        }
        assert_eq!(name_of(&[0; NAME]), None);
        assert_eq!(name_of(&[]), None);
    }

    #[test]
    fn a_room_holds_what_is_written_into_it_and_says_what_does_not_fit() {
        let mut provided = Provided::new().unwrap();
        for room in [0, ROOMS - 1] {
            provided.packet(room, 5).copy_from_slice(b"hello");
            assert_eq!(provided.read(room, 3), Letter::Unreadable);
            assert_eq!(provided.read(room, HEAD + 5), Letter::Unreadable, "without a sender");
            let head = unsafe { std::slice::from_raw_parts_mut(provided.room(room), HEAD) };
            head[LENGTHS..].copy_from_slice(&as_written("192.0.2.1:4000"));
            let from = "192.0.2.1:4000".parse().unwrap();
            assert_eq!(provided.read(room, HEAD + 5), Letter::Packet(from, 5));
            assert_eq!(provided.packet(room, 5), b"hello");
            assert_eq!(provided.read(room, HEAD + ROOM - 1), Letter::Packet(from, 2_047));
            assert_eq!(provided.read(room, HEAD + ROOM), Letter::Huge);
            assert_eq!(provided.read(room, usize::MAX), Letter::Huge);
        }
    }
}
