//! The sockets of all phones, with the buffers that the system gives to any.

use std::io;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use mio::net::UdpSocket;
use mio::{Interest, Poll, Token};
use sip_msg::{Draft, Message};

/// Orders have come.
pub(crate) const ORDERS: Token = Token(usize::MAX);

/// All sockets, by number.
pub(crate) struct Wire {
    pub(crate) poll: Poll,
    here: IpAddr,
    sockets: Vec<UdpSocket>,
    addresses: Vec<SocketAddr>,
    room: Box<[u8; 65_536]>,
    number: u64,
}

impl Wire {
    pub(crate) fn new(here: IpAddr) -> Wire {
        let (poll, room) = (Poll::new().unwrap(), Box::new([0; 65_536]));
        Wire { poll, here, sockets: Vec::new(), addresses: Vec::new(), room, number: 0 }
    }

    /// Opens a socket; at a port of the system's choice if none is given.
    pub(crate) fn open(&mut self, at: Option<SocketAddr>) -> usize {
        let at = at.unwrap_or_else(|| SocketAddr::new(self.here, 0));
        let mut socket = UdpSocket::bind(at).unwrap();
        let number = self.sockets.len();
        self.poll.registry().register(&mut socket, Token(number), Interest::READABLE).unwrap();
        self.addresses.push(socket.local_addr().unwrap());
        self.sockets.push(socket);
        number
    }

    pub(crate) fn address(&self, socket: usize) -> SocketAddr {
        self.addresses[socket]
    }

    /// A number that no other message has: for branches, tags and Call-IDs.
    pub(crate) fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// The next message that lies at a socket.
    pub(crate) fn take(&mut self, socket: usize) -> Option<(SocketAddr, Message)> {
        loop {
            match self.sockets[socket].recv_from(&mut self.room[..]) {
                Ok((length, from)) => {
                    let bytes = Bytes::copy_from_slice(&self.room[..length]);
                    return Some((from, Message::read(bytes).unwrap()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                // What was sent before has met a closed port.
                Err(_) => {}
            }
        }
    }

    pub(crate) fn send(&self, socket: usize, to: SocketAddr, bytes: &[u8]) {
        while let Err(error) = self.sockets[socket].send_to(bytes, to) {
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{error}");
            std::thread::yield_now();
        }
    }

    /// A request of ours, with a Via of its own; it is not sent yet.
    pub(crate) fn request(&mut self, socket: usize, draft: &Draft) -> Bytes {
        let (at, number) = (self.address(socket), self.next_number());
        draft.with_vias(&[format!("SIP/2.0/UDP {at};branch=z9hG4bK{at}.{number}")])
    }

    /// Answers a request with its own Vias.
    pub(crate) fn answer(&self, socket: usize, to: SocketAddr, request: &Message, answer: &Draft) {
        let vias: Vec<&str> = request.vias().map(|via| via.as_str()).collect();
        self.send(socket, to, &answer.with_vias(&vias));
    }
}
