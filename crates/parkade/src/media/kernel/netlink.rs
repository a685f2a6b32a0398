//! The socket by which nf_tables is spoken to, and the batches in which it is told what to do.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use netlink_bindings::builtin::Nlmsghdr;
use netlink_bindings::consts::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST};
use netlink_bindings::nftables::{Chained, Nfgenmsg, Request};
use netlink_bindings::traits::{NetlinkRequest, Protocol};
use nix::errno::Errno;
use nix::sys::socket::sockopt::{RcvBufForce, SndBufForce};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, setsockopt, socket,
};

/// The family of our table, which is IPv4 and IPv6 in one.
pub(super) const INET: u8 = 1;
/// The subsystem, as the messages around a batch name it.
const NFTABLES: u16 = 10;
/// Kinds of netlink messages that end an answer.
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// The kernel gives no more than this at once.
const READ: usize = 32 * 1024;
/// A table that is made anew goes in one piece, and what has been removed comes back in one.
const BUFFERS: usize = 16 * 1024 * 1024;

/// Messages that take effect together or not at all.
#[derive(Debug)]
pub(super) struct Batch {
    messages: Chained<'static>,
}

impl Batch {
    /// Nothing yet.
    pub(super) fn begin() -> Batch {
        let mut messages = Chained::new(1);
        messages.request().op_batch_begin_do(&around());
        Batch { messages }
    }

    /// One more message.
    pub(super) fn message(&mut self) -> Request<'_> {
        self.messages.request()
    }

    fn end(mut self) -> Vec<u8> {
        self.messages.request().op_batch_end_do(&around());
        self.without_end()
    }

    fn without_end(self) -> Vec<u8> {
        let mut bytes = self.messages.finalize().into_chained().into_buf();
        // All of it has been done when it has been sent; only what is wrong need be told.
        let mut at = 0;
        while let Some(header) = header(&bytes[at..]) {
            let flags = header.flags & !(NLM_F_ACK as u16);
            bytes[at + 6..at + 8].copy_from_slice(&flags.to_ne_bytes());
            at += aligned(header.len);
        }
        bytes
    }
}

fn around() -> Nfgenmsg {
    let mut around = Nfgenmsg::new();
    around.set_res_id(NFTABLES);
    around
}

/// What precedes the attributes of a message.
pub(super) fn family(family: u8) -> Nfgenmsg {
    Nfgenmsg { nfgen_family: family, ..Nfgenmsg::new() }
}

/// An open socket.
#[derive(Debug)]
pub(super) struct Nftables {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl Nftables {
    /// Opens it; no privilege is needed for that.
    ///
    /// # Errors
    /// If there is no netlink or no netfilter here.
    pub(super) fn open() -> io::Result<Nftables> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkNetFilter,
        )?;
        // Only who may have a table may have large buffers too.
        let _ = setsockopt(&socket, SndBufForce, &BUFFERS);
        let _ = setsockopt(&socket, RcvBufForce, &BUFFERS);
        Ok(Nftables { socket, buffer: vec![0; READ] })
    }

    /// Has a batch done. It is in effect when this returns. `echoed` gets what was asked back.
    ///
    /// # Errors
    /// The first that the kernel says; nothing has been done then.
    pub(super) fn transact(&mut self, batch: Batch, echoed: impl FnMut(&[u8])) -> io::Result<()> {
        self.say(&batch.end(), echoed)
    }

    /// Asks whether a batch could be done: one without an end is checked whole, and not done.
    ///
    /// # Errors
    /// The first that the kernel says.
    pub(super) fn try_out(&mut self, batch: Batch) -> io::Result<()> {
        self.say(&batch.without_end(), |_| {})
    }

    fn say(&mut self, batch: &[u8], mut echoed: impl FnMut(&[u8])) -> io::Result<()> {
        send(self.socket.as_raw_fd(), batch, MsgFlags::empty())?;
        let mut wrong = None;
        loop {
            let len = match recv(self.socket.as_raw_fd(), &mut self.buffer, MsgFlags::MSG_DONTWAIT)
            {
                Ok(len) => len,
                Err(Errno::EAGAIN) => break,
                Err(Errno::EINTR) => continue,
                Err(error) => return Err(error.into()),
            };
            for (kind, payload) in Messages(&self.buffer[..len]) {
                match kind {
                    ERROR => wrong = wrong.or_else(|| error(payload)),
                    _ => echoed(payload),
                }
            }
        }
        wrong.map_or(Ok(()), Err)
    }

    /// Has all of something told.
    ///
    /// # Errors
    /// What the kernel says.
    pub(super) fn dump<R: NetlinkRequest>(
        &mut self,
        request: &R,
        mut told: impl FnMut(&[u8]),
    ) -> io::Result<()> {
        ask(&self.socket, &mut self.buffer, NLM_F_DUMP, request, &mut told)
    }
}

/// The socket by which routes and interfaces are asked for.
#[derive(Debug)]
pub(in crate::media) struct Rtnetlink {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl Rtnetlink {
    /// Opens it; no privilege is needed for that.
    ///
    /// # Errors
    /// If there is no netlink here.
    pub(in crate::media) fn open() -> io::Result<Rtnetlink> {
        let kind = (AddressFamily::Netlink, SockType::Raw, SockProtocol::NetlinkRoute);
        let socket = socket(kind.0, kind.1, SockFlag::SOCK_CLOEXEC, kind.2)?;
        Ok(Rtnetlink { socket, buffer: vec![0; READ] })
    }

    /// Has one thing told.
    ///
    /// # Errors
    /// What the kernel says.
    pub(in crate::media) fn ask<R: NetlinkRequest>(
        &mut self,
        request: &R,
        mut told: impl FnMut(&[u8]),
    ) -> io::Result<()> {
        ask(&self.socket, &mut self.buffer, NLM_F_ACK, request, &mut told)
    }
}

/// Asks, and has all told until the answer's end.
fn ask<R: NetlinkRequest>(
    socket: &OwnedFd,
    buffer: &mut [u8],
    flags: i32,
    request: &R,
    told: &mut dyn FnMut(&[u8]),
) -> io::Result<()> {
    let Protocol::Raw { request_type, .. } = request.protocol() else {
        return Err(io::ErrorKind::Unsupported.into());
    };
    let header = Nlmsghdr {
        len: (Nlmsghdr::len() + request.payload().len()) as u32,
        r#type: request_type,
        flags: request.flags() | (NLM_F_REQUEST | flags) as u16,
        seq: 1,
        pid: 0,
    };
    let message = [header.as_slice(), request.payload()].concat();
    send(socket.as_raw_fd(), &message, MsgFlags::empty())?;
    loop {
        let len = match recv(socket.as_raw_fd(), buffer, MsgFlags::empty()) {
            Err(Errno::EINTR) => continue,
            came => came?,
        };
        for (kind, payload) in Messages(&buffer[..len]) {
            match kind {
                ERROR | DONE => return error(payload).map_or(Ok(()), Err),
                _ => told(payload),
            }
        }
    }
}

/// The error that ends an answer; zero is none.
fn error(payload: &[u8]) -> Option<io::Error> {
    let code = i32::from_ne_bytes(*payload.first_chunk()?);
    (code != 0).then(|| io::Error::from_raw_os_error(-code))
}

/// Messages one after the other: kind and payload.
struct Messages<'b>(&'b [u8]);

impl<'b> Iterator for Messages<'b> {
    type Item = (u16, &'b [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let header = header(self.0)?;
        let payload = self.0.get(Nlmsghdr::len()..header.len as usize)?;
        self.0 = self.0.get(aligned(header.len)..).unwrap_or_default();
        Some((header.r#type, payload))
    }
}

fn header(bytes: &[u8]) -> Option<Nlmsghdr> {
    Nlmsghdr::new_from_slice(bytes.get(..Nlmsghdr::len())?)
}

fn aligned(len: u32) -> usize {
    (len as usize).next_multiple_of(4).max(Nlmsghdr::len())
}
