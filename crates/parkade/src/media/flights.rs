//! Packets on their way out by an io_uring: what the kernel reads of each must stay where it is until
//! it says that it is done with it.

use std::net::SocketAddr;

use bytes::Bytes;
use libc::{c_void, iovec, msghdr};
use rtp_flow::Outgoing;
use socket2::SockAddr;

/// What has to be kept of a packet until it is sent.
#[derive(Debug)]
enum Load {
    /// Nothing flies here.
    None,
    /// A packet that was passed on, in this room.
    Room(u16),
    /// The payload of one of music, which all who hear it share.
    Music(Bytes),
}

/// One packet.
struct Flight {
    message: msghdr,
    to: SockAddr,
    parts: [iovec; 2],
    header: [u8; 12],
    load: Load,
}

/// All that are under way; they never move.
pub(super) struct Flights {
    flights: Box<[Flight]>,
    free: Vec<u16>,
}

// SAFETY: the pointers in it lead to memory of its own, and to payloads that it keeps.
unsafe impl Send for Flights {}

/// A packet that is ready to be sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ready {
    /// By which [`Flights::landed`] knows it.
    pub(super) number: u16,
    /// What the system call wants.
    pub(super) message: *const msghdr,
}

impl Flights {
    /// Room for so many at a time.
    pub(super) fn new(most: u16) -> Flights {
        let nowhere = || SockAddr::from(SocketAddr::from(([0, 0, 0, 0], 0)));
        let empty = iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
        let flights = (0..most).map(|_| Flight {
            // SAFETY: all-zero is a valid msghdr.
            message: unsafe { std::mem::zeroed() },
            to: nowhere(),
            parts: [empty; 2],
            header: [0; 12],
            load: Load::None,
        });
        Flights { flights: flights.collect(), free: (0..most).rev().collect() }
    }

    /// How many are under way.
    pub(super) fn flying(&self) -> usize {
        self.flights.len() - self.free.len()
    }

    /// A packet that lies in a room, which it keeps; none if too many are under way.
    pub(super) fn packet(&mut self, room: u16, bytes: &mut [u8], to: SocketAddr) -> Option<Ready> {
        let number = self.free.pop()?;
        let flight = &mut self.flights[usize::from(number)];
        flight.load = Load::Room(room);
        flight.parts[0] = part(bytes.as_mut_ptr(), bytes.len());
        Some(flight.ready(number, to, 1))
    }

    /// A packet of music; back if too many are under way.
    pub(super) fn music(&mut self, outgoing: Outgoing, to: SocketAddr) -> Result<Ready, Outgoing> {
        let Some(number) = self.free.pop() else { return Err(outgoing) };
        let flight = &mut self.flights[usize::from(number)];
        let Outgoing { header, payload, .. } = outgoing;
        flight.header = header;
        // It is only read: the parts of a message have one type for both ways.
        let bytes = payload.as_ptr().cast_mut();
        flight.parts =
            [part(flight.header.as_mut_ptr(), flight.header.len()), part(bytes, payload.len())];
        flight.load = Load::Music(payload);
        Ok(flight.ready(number, to, 2))
    }

    /// Never gives the memory back, since the kernel may still use it.
    pub(super) fn leave(&mut self) {
        std::mem::forget(std::mem::take(&mut self.flights));
    }

    /// One has been sent, or not; the room that it kept.
    pub(super) fn landed(&mut self, number: u16) -> Option<u16> {
        let flight = self.flights.get_mut(usize::from(number))?;
        let load = std::mem::replace(&mut flight.load, Load::None);
        if !matches!(load, Load::None) {
            self.free.push(number);
        }
        match load {
            Load::Room(room) => Some(room),
            Load::Music(payload) => {
                drop(payload);
                None
            }
            Load::None => None,
        }
    }
}

impl Flight {
    fn ready(&mut self, number: u16, to: SocketAddr, parts: usize) -> Ready {
        self.to = to.into();
        self.message.msg_name = self.to.as_ptr().cast_mut().cast::<c_void>();
        self.message.msg_namelen = self.to.len();
        self.message.msg_iov = self.parts.as_mut_ptr();
        self.message.msg_iovlen = parts as _;
        Ready { number, message: &raw const self.message }
    }
}

fn part(bytes: *mut u8, len: usize) -> iovec {
    iovec { iov_base: bytes.cast(), iov_len: len }
}
