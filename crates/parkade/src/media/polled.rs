//! The sockets of a worker by epoll: what every Linux has, and no sandbox forbids. Each port is a
//! socket of its own on which a packet comes every 20 ms or so, so there is nothing to be had from
//! taking several at a time of one; what counts is how often the thread is woken.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::EventFd;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use rtp_flow::{Component, Outgoing};
use socket2::SockRef;

use crate::media::ports::BoundPair;
use crate::media::rooms::Rooms;
use crate::media::wire::{
    At, Came, Collected, GATHER, ROOM, TURN, Troubles, Wire, at_of, number_of,
};

/// What epoll calls the waker, …
const WAKER: u64 = u64::MAX;
/// … and the timer; sockets have the numbers of [`number_of`].
const TIMER: u64 = u64::MAX - 1;

/// Sockets that are watched by epoll.
pub(super) struct Polled {
    epoll: Epoll,
    timer: TimerFd,
    /// Keeps it open as long as it is watched.
    _waker: Arc<EventFd>,
    places: Vec<Option<BoundPair>>,
    /// What epoll has told, …
    ready: Box<[EpollEvent; TURN]>,
    /// … how much of it, …
    told: usize,
    /// … and how much of that has been looked at.
    seen: usize,
    /// How many sockets have been read in this turn, …
    read: usize,
    /// … and how many of them before epoll was asked last.
    read_before: usize,
    /// Whether an order has come since the last wait.
    woken: bool,
    rooms: Rooms,
    outbox: Vec<Collected>,
    troubles: Troubles,
}

impl Polled {
    /// No sockets yet; `waker` ends a wait.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn new(waker: Arc<EventFd>) -> io::Result<Polled> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        // Told once each time: neither need be read.
        let once = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
        epoll.add(&*waker, EpollEvent::new(once, WAKER))?;
        epoll.add(&timer, EpollEvent::new(once, TIMER))?;
        Ok(Polled {
            epoll,
            timer,
            _waker: waker,
            places: Vec::new(),
            ready: Box::new([EpollEvent::empty(); TURN]),
            told: 0,
            seen: 0,
            read: 0,
            read_before: 0,
            woken: false,
            rooms: Rooms::new(TURN as u16),
            outbox: Vec::with_capacity(2 * TURN),
            troubles: Troubles::default(),
        })
    }

    /// Asks which sockets have something, and waits for them if it may.
    fn look(&mut self, timeout: EpollTimeout) -> io::Result<()> {
        (self.told, self.seen, self.read_before) = (0, 0, self.read);
        match self.epoll.wait(&mut *self.ready, timeout) {
            Ok(told) => self.told = told,
            Err(nix::Error::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Reads one packet. One that fills its room may have been cut.
    fn receive(&mut self, (place, component): At) -> Option<Came> {
        let socket = self.places.get(place)?.as_ref()?.socket(component);
        let room = self.rooms.take()?;
        match socket.recv_from(self.rooms.bytes(room)) {
            Ok((len, from)) if len < ROOM => {
                return Some(Came { place, component, from, room, len: len as u16 });
            }
            Ok(_) => self.troubles.huge += 1,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.troubles.errors += 1,
        }
        self.rooms.give_back(room);
        None
    }
}

impl Wire for Polled {
    fn begin(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn take_in(&mut self, place: usize, pair: BoundPair) {
        // As long as there is something to read, it is told: a packet is read by one call.
        let event = |component| EpollEvent::new(EpollFlags::EPOLLIN, number_of((place, component)));
        let watched = self
            .epoll
            .add(&pair.rtp, event(Component::Rtp))
            .and_then(|()| self.epoll.add(&pair.rtcp, event(Component::Rtcp)));
        if let Err(error) = watched {
            tracing::error!(%error, port = pair.port, "a bound port cannot be watched");
        }
        if self.places.len() <= place {
            self.places.resize_with(place + 1, || None);
        }
        self.places[place] = Some(pair);
    }

    fn wait(&mut self, patience: Option<Duration>) -> io::Result<()> {
        let busy = self.read > 1;
        (self.read, self.read_before) = (0, 0);
        if std::mem::take(&mut self.woken) || self.seen < self.told {
            return Ok(());
        }
        if busy {
            thread::sleep(patience.map_or(GATHER, |patience| patience.min(GATHER)));
            return self.look(EpollTimeout::ZERO);
        }
        match patience {
            Some(Duration::ZERO) => return self.look(EpollTimeout::ZERO),
            Some(patience) => {
                let at = Expiration::OneShot(TimeSpec::from_duration(patience));
                self.timer.set(at, TimerSetTimeFlags::empty())?;
            }
            None => {}
        }
        self.look(EpollTimeout::NONE)
    }

    fn next(&mut self) -> Option<Came> {
        loop {
            while self.seen < self.told {
                if self.read == TURN {
                    return None;
                }
                let number = self.ready[self.seen].data();
                self.seen += 1;
                if number >= TIMER {
                    self.woken |= number == WAKER;
                    continue;
                }
                self.read += 1;
                if let Some(came) = self.receive(at_of(number)) {
                    return Some(came);
                }
            }
            // Where much comes, more has come meanwhile; who sends a lot gets one turn in each round.
            let quiet = self.read == self.read_before || self.read == 1;
            if quiet || self.look(EpollTimeout::ZERO).is_err() || self.told == 0 {
                return None;
            }
        }
    }

    fn room(&mut self, came: &Came) -> &mut [u8] {
        self.rooms.bytes(came.room)
    }

    fn pass_on(&mut self, came: Came, len: usize, by: At, to: SocketAddr) {
        let len = len.min(ROOM) as u16;
        self.outbox.push(Collected::Packet { room: came.room, len, by, to });
    }

    fn let_go(&mut self, came: Came) {
        self.rooms.give_back(came.room);
    }

    fn play(&mut self, place: usize, outgoing: Outgoing) {
        self.outbox.push(Collected::Music { place, outgoing });
    }

    fn send(&mut self) {
        let Polled { outbox, places, rooms, troubles, .. } = self;
        let pair_at = |place: usize| places.get(place).and_then(Option::as_ref);
        for collected in outbox.drain(..) {
            let sent = match collected {
                Collected::Packet { room, len, by: (place, component), to } => {
                    let bytes = &rooms.bytes(room)[..usize::from(len)];
                    let sent = pair_at(place).is_some_and(|pair| {
                        pair.socket(component).send_to(bytes, pair.as_named(to)).is_ok()
                    });
                    rooms.give_back(room);
                    sent
                }
                Collected::Music { place, outgoing } => pair_at(place).is_some_and(|pair| {
                    let parts = [&outgoing.header[..], &outgoing.payload].map(io::IoSlice::new);
                    let to = pair.as_named(outgoing.to).into();
                    SockRef::from(&pair.rtp).send_to_vectored(&parts, &to).is_ok()
                }),
            };
            troubles.unsent += u64::from(!sent);
        }
    }

    fn troubles(&self) -> Troubles {
        self.troubles
    }
}
