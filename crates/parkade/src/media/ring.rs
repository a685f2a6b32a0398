//! The sockets of a worker by io_uring, where the kernel has it and lets us: every socket is asked once
//! for all packets that will ever come, which lie ready in rooms of ours when the thread looks, and one
//! system call a turn sends all that goes out and waits for what comes in.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use io_uring::types::{CancelBuilder, Fd, Fixed, SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring, cqueue, opcode, squeue};
use nix::sys::eventfd::EventFd;
use nix::sys::resource::{Resource, getrlimit};
use rtp_flow::{Component, Outgoing};

use crate::media::flights::{Flights, Ready};
use crate::media::ports::BoundPair;
use crate::media::provided::{GROUP, Letter, NAME, Provided, ROOMS};
use crate::media::wire::{
    At, Came, Collected, GATHER, ROOM, TURN, Troubles, Wire, at_of, number_of,
};

/// How many requests go to the kernel at once, at most, and how many packets are under way.
const REQUESTS: u16 = 512;
/// How many answers may wait to be read.
const ANSWERS: u32 = 8 * REQUESTS as u32;
/// How many packets end the time that they are left to gather.
const GATHERED: usize = 64;
/// What a request is named: a socket that is read by its number, …
const SENT: u64 = 1 << 62;
/// … a packet that is sent by its number and this, …
const WAKER: u64 = 2 << 62;
/// … and the order to end all of them.
const END: u64 = WAKER + 1;
/// How many sockets are told to end before their answers are read: there is room for those.
const ENDED_AT_ONCE: usize = 64;
/// How long requests may take to end.
const ENDING: Duration = Duration::from_secs(1);

/// Sockets whose packets come and go through one ring.
pub(super) struct Ring {
    /// First: it must be closed before the memory that it knows is given back.
    ring: IoUring,
    known: Known,
    waker: Arc<EventFd>,
    /// How the system call is to wait.
    entering: EnterFlags,
    places: Vec<Option<BoundPair>>,
    /// Packets that have come and were not looked at: socket, room, bytes written.
    inbox: VecDeque<(u64, u16, usize)>,
    /// Sockets that are to be asked again.
    unasked: Vec<u64>,
    outbox: Vec<Collected>,
    /// How many requests will be answered yet, beside packets that are sent.
    open: usize,
    /// Whether the waker is watched.
    watched: bool,
    /// Whether a socket has answered with an error since the last wait.
    failed: bool,
    /// How many packets have been looked at in this turn.
    taken: usize,
    woken: bool,
    troubles: Troubles,
}

/// The memory that the kernel knows.
struct Known {
    provided: Provided,
    flights: Flights,
    /// What every socket is asked for: room for the sender's address.
    wanted: Box<libc::msghdr>,
}

// SAFETY: the pointers of `wanted` are null, and it is never written again.
unsafe impl Send for Known {}

impl Ring {
    /// No sockets yet, but place for so many; `waker` ends a wait.
    ///
    /// # Errors
    /// If the kernel has no io_uring as it is needed here (6.1), or does not let us.
    pub(super) fn new(waker: Arc<EventFd>, sockets: u32) -> io::Result<Ring> {
        let ring = IoUring::builder()
            .setup_r_disabled()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_submit_all()
            .setup_cqsize(ANSWERS)
            .dontfork()
            .build(REQUESTS.into())?;
        // SAFETY: all-zero is a valid msghdr.
        let mut wanted: Box<libc::msghdr> = Box::new(unsafe { std::mem::zeroed() });
        wanted.msg_namelen = NAME as libc::socklen_t;
        let known = Known { provided: Provided::new()?, flights: Flights::new(REQUESTS), wanted };
        // No more can be open, so no more need a place.
        let (open_files, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
        let sockets = u64::from(sockets).min(open_files) as u32;
        ring.submitter().register_files_sparse(sockets)?;
        known.provided.register(&ring.submitter())?;
        let mut entering = EnterFlags::GETEVENTS | EnterFlags::EXT_ARG;
        // Who waits for packets waits for no disk: without it an idle core would count as one that does.
        entering.set(EnterFlags::NO_IOWAIT, ring.params().is_feature_no_iowait());
        Ok(Ring {
            ring,
            entering,
            known,
            waker,
            places: Vec::new(),
            inbox: VecDeque::with_capacity(ROOMS.into()),
            unasked: Vec::new(),
            outbox: Vec::with_capacity(2 * TURN),
            open: 0,
            watched: false,
            failed: false,
            taken: 0,
            woken: false,
            troubles: Troubles::default(),
        })
    }

    /// Lays a request into the ring; the kernel sees it at the next system call, or at once if there
    /// is no place for it otherwise.
    ///
    /// # Errors
    /// If the kernel takes none.
    fn request(&mut self, request: &squeue::Entry) -> io::Result<()> {
        for _ in 0..2 {
            // SAFETY: what it points to belongs to `known`, which outlives the ring, and is not
            // touched before the request is answered.
            if unsafe { self.ring.submission().push(request) }.is_ok() {
                return Ok(());
            }
            self.ring.submit()?;
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// Asks sockets for packets. Those that are not asked now are asked later.
    fn ask(&mut self) {
        while let Some(number) = self.unasked.pop() {
            let asked = opcode::RecvMsgMulti::new(
                Fixed(number as u32),
                &raw const *self.known.wanted,
                GROUP,
            );
            if self.request(&asked.build().user_data(number)).is_err() {
                self.unasked.push(number);
                return;
            }
            self.open += 1;
        }
    }

    fn ask_waker(&mut self) -> io::Result<()> {
        let waker = Fd(self.waker.as_raw_fd());
        let asked = opcode::PollAdd::new(waker, libc::POLLIN as u32).multi(true);
        self.request(&asked.build().user_data(WAKER))?;
        self.watched = true;
        self.open += 1;
        Ok(())
    }

    /// One system call: hands over all requests, and waits until so many are answered, or so long.
    fn enter(&mut self, answers: usize, patience: Option<Duration>) -> io::Result<()> {
        let limit = patience.map(Timespec::from);
        let mut args = SubmitArgs::new();
        if let Some(limit) = &limit {
            args = args.timespec(limit);
        }
        let requests = self.ring.submission().len() as u32;
        let (answers, flags) = (answers as u32, self.entering.bits());
        // SAFETY: the argument is what EXT_ARG says, and outlives the call.
        let entered = unsafe { self.ring.submitter().enter(requests, answers, flags, Some(&args)) };
        match entered.map_err(|error| (error.raw_os_error(), error)) {
            // The time is up, a signal came, or answers must be read first.
            Ok(_) | Err((Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN), _)) => {
                Ok(())
            }
            Err((_, error)) => Err(error),
        }
    }

    /// Reads what the kernel has answered.
    fn read_answers(&mut self) {
        let Ring { ring, known, inbox, unasked, open, watched, failed, woken, troubles, .. } = self;
        for answer in ring.completion() {
            let (name, result, flags) = (answer.user_data(), answer.result(), answer.flags());
            if name & SENT != 0 {
                troubles.unsent += u64::from(result < 0);
                if let Some(room) = known.flights.landed(name as u16) {
                    known.provided.give_back(room);
                }
                continue;
            }
            let is_last = !cqueue::more(flags);
            *open -= usize::from(is_last);
            if name >= WAKER {
                *woken |= name == WAKER;
                *watched &= !(is_last && name == WAKER);
                continue;
            }
            match (cqueue::buffer_select(flags), usize::try_from(result)) {
                (Some(room), Ok(written)) => inbox.push_back((name, room, written)),
                (Some(room), Err(_)) => known.provided.give_back(room),
                // All rooms were full: what has come waits at the socket.
                (None, _) if result == -libc::ENOBUFS => troubles.full += 1,
                (None, _) => {
                    troubles.errors += 1;
                    *failed = true;
                }
            }
            if is_last {
                unasked.push(name);
            }
        }
    }

    /// Makes a packet ready to be sent, and lays the request into the ring.
    fn fly(&mut self, collected: Collected) -> io::Result<()> {
        if self.known.flights.flying() == usize::from(REQUESTS) {
            self.ring.submit()?;
            self.read_answers();
        }
        let Known { provided, flights, .. } = &mut self.known;
        let pair_at = |place: usize| self.places.get(place).and_then(Option::as_ref);
        let full = io::Error::from(io::ErrorKind::WouldBlock);
        let ready = match collected {
            Collected::Packet { room, len, by, to } => {
                let ready = pair_at(by.0).and_then(|pair| {
                    flights.packet(room, provided.packet(room, len), pair.as_named(to))
                });
                if ready.is_none() {
                    provided.give_back(room);
                }
                (by, ready.ok_or(full)?)
            }
            Collected::Music { place, outgoing } => {
                let pair = pair_at(place).ok_or(io::ErrorKind::NotFound)?;
                let to: SocketAddr = pair.as_named(outgoing.to);
                ((place, Component::Rtp), flights.music(outgoing, to).map_err(|_| full)?)
            }
        };
        let (by, Ready { number, message }) = ready;
        let request = opcode::SendMsg::new(Fixed(number_of(by) as u32), message)
            .flags(libc::MSG_DONTWAIT as u32)
            .build()
            .user_data(SENT | u64::from(number));
        self.request(&request).inspect_err(|_| {
            if let Some(room) = self.known.flights.landed(number) {
                self.known.provided.give_back(room);
            }
        })
    }

    /// Ends all requests and waits until the kernel is done with the memory that it knows. Tells
    /// whether it is.
    fn end(&mut self) -> bool {
        if self.open == 0 && self.known.flights.flying() == 0 {
            return true;
        }
        if self.end_receives().is_err() {
            return false;
        }
        let request = opcode::AsyncCancel2::new(CancelBuilder::any().all());
        if self.request(&request.build().user_data(END)).is_err() {
            return false;
        }
        self.open += 1;
        while self.open + self.known.flights.flying() > 0 {
            let before = self.open + self.known.flights.flying();
            if self.enter(1, Some(ENDING)).is_err() {
                return false;
            }
            self.read_answers();
            self.inbox.clear();
            if self.open + self.known.flights.flying() == before {
                return false;
            }
        }
        true
    }

    /// Ends what asks for packets, each by its name: told to end all, the kernel looks through all of them for each,
    /// which takes a second for ten thousand sockets.
    fn end_receives(&mut self) -> io::Result<()> {
        for place in 0..self.places.len() {
            for component in [Component::Rtp, Component::Rtcp] {
                let request = opcode::AsyncCancel::new(number_of((place, component)));
                self.request(&request.build().user_data(END))?;
                self.open += 1;
            }
            if place.is_multiple_of(ENDED_AT_ONCE) {
                self.enter(1, Some(ENDING))?;
                self.read_answers();
                self.inbox.clear();
            }
        }
        Ok(())
    }
}

impl Wire for Ring {
    fn begin(&mut self) -> io::Result<()> {
        // From now on it is this thread's, and nobody else's.
        self.ring.submitter().register_enable_rings()
    }

    fn take_in(&mut self, place: usize, pair: BoundPair) {
        let numbers = [Component::Rtp, Component::Rtcp].map(|c| number_of((place, c)));
        let sockets = [pair.rtp.as_raw_fd(), pair.rtcp.as_raw_fd()];
        match self.ring.submitter().register_files_update(numbers[0] as u32, &sockets) {
            Ok(_) => self.unasked.extend(numbers),
            Err(error) => {
                tracing::error!(%error, port = pair.port, "a bound port cannot be watched");
            }
        }
        if self.places.len() <= place {
            self.places.resize_with(place + 1, || None);
        }
        self.places[place] = Some(pair);
    }

    fn wait(&mut self, patience: Option<Duration>) -> io::Result<()> {
        let busy = self.taken > 1 || std::mem::take(&mut self.failed);
        self.taken = 0;
        self.known.provided.publish();
        if !self.watched {
            self.ask_waker()?;
        }
        self.ask();
        let flying = self.known.flights.flying();
        if std::mem::take(&mut self.woken) || !self.inbox.is_empty() {
            self.enter(1, Some(Duration::ZERO))?;
        } else if busy {
            let patience = patience.map_or(GATHER, |patience| patience.min(GATHER));
            self.enter(flying + GATHERED, Some(patience))?;
        } else {
            self.enter(flying + 1, patience)?;
        }
        self.read_answers();
        Ok(())
    }

    fn next(&mut self) -> Option<Came> {
        while self.taken < TURN {
            let (number, room, written) = self.inbox.pop_front()?;
            self.taken += 1;
            match self.known.provided.read(room, written) {
                Letter::Packet(from, len) => {
                    let (place, component) = at_of(number);
                    return Some(Came { place, component, from, room, len });
                }
                Letter::Huge => self.troubles.huge += 1,
                Letter::Unreadable => self.troubles.errors += 1,
            }
            self.known.provided.give_back(room);
        }
        None
    }

    fn room(&mut self, came: &Came) -> &mut [u8] {
        self.known.provided.packet(came.room, ROOM as u16)
    }

    fn pass_on(&mut self, came: Came, len: usize, by: At, to: SocketAddr) {
        let len = len.min(ROOM) as u16;
        self.outbox.push(Collected::Packet { room: came.room, len, by, to });
    }

    fn let_go(&mut self, came: Came) {
        self.known.provided.give_back(came.room);
    }

    fn play(&mut self, place: usize, outgoing: Outgoing) {
        self.outbox.push(Collected::Music { place, outgoing });
    }

    fn send(&mut self) {
        let mut outbox = std::mem::take(&mut self.outbox);
        for collected in outbox.drain(..) {
            let unsent = self.fly(collected).is_err();
            self.troubles.unsent += u64::from(unsent);
        }
        self.outbox = outbox;
    }

    fn troubles(&self) -> Troubles {
        self.troubles
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        let ended = self.end();
        let submitter = self.ring.submitter();
        // Sockets are closed only when the ring has let go of them, too.
        let gone = submitter.unregister_files().and_then(|()| submitter.unregister_buf_ring(GROUP));
        if !ended || gone.is_err() {
            tracing::error!("a media worker's requests do not end; its memory stays the kernel's");
            self.known.leave();
        }
    }
}

impl Known {
    /// Never gives the memory back: the kernel may still use it.
    fn leave(&mut self) {
        self.provided.leave();
        self.flights.leave();
        let unused = Box::new(*self.wanted);
        std::mem::forget(std::mem::replace(&mut self.wanted, unused));
    }
}
