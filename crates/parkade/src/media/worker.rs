//! One worker: a thread that waits for its sockets, its orders and the next music, and does what the
//! relay says. Nothing is allocated per packet.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::time::{Duration, Instant};

use base::Moment;
use mio::{Events, Interest, Poll, Token, Waker};
use rtp_flow::{Component, MediaNotice, PairId, Plan, Relay, Tunes, Verdict};
use socket2::SockRef;

use crate::media::counts::Published;
use crate::media::ports::{BoundPair, Numbering};

/// How many packets are read from one socket before the others and the music have their turn.
const BURST: usize = 32;
/// How many sockets are looked at in one turn.
const READY: usize = 512;
/// The largest datagram.
const LARGEST: usize = 65_536;
/// The token of the waker; those of sockets are twice the pair's place, plus one for RTCP.
const WAKER: Token = Token(usize::MAX);

/// An order to one worker.
#[derive(Debug)]
pub(super) enum WorkerOrder {
    /// From the engine.
    Plan(Plan),
    /// Pairs that have been bound for it.
    Bound(Vec<(PairId, BoundPair)>),
    /// Other music.
    Retune(Tunes),
    /// The end.
    Stop,
}

/// Who is told of notices; called from any of the threads.
pub(super) type Notify = Arc<dyn Fn(MediaNotice) + Send + Sync>;

/// How orders reach a worker: at once, and without waiting for it.
#[derive(Debug)]
pub(super) struct Post {
    orders: Sender<WorkerOrder>,
    waker: Waker,
    /// Whether it has been woken and has not looked yet.
    woken: Arc<AtomicBool>,
}

impl Post {
    /// Hands over an order; a worker that has ended takes none.
    pub(super) fn send(&self, order: WorkerOrder) {
        if self.orders.send(order).is_ok()
            && !self.woken.swap(true, Ordering::SeqCst)
            && let Err(error) = self.waker.wake()
        {
            tracing::error!(%error, "a media worker cannot be woken");
        }
    }
}

/// A place for a pair.
#[derive(Debug)]
struct Place {
    pair: BoundPair,
    /// Whether the socket stands in the queue of those to be read: RTP's, RTCP's.
    queued: [bool; 2],
}

/// One worker's own.
pub(super) struct Worker {
    number: u32,
    numbering: Numbering,
    poll: Poll,
    orders: Receiver<WorkerOrder>,
    woken: Arc<AtomicBool>,
    notify: Notify,
    published: Arc<Published>,
    opened: Instant,
    places: Vec<Option<Place>>,
    relay: Relay,
    /// Sockets that have something to read.
    unread: VecDeque<(usize, Component)>,
    buffer: Vec<u8>,
    unsent: u64,
}

/// The worker has been told to end.
struct Stopped;

impl Worker {
    /// A worker without sockets, and the way to it.
    pub(super) fn new(
        number: u32,
        numbering: Numbering,
        relay: Relay,
        notify: Notify,
        published: Arc<Published>,
    ) -> io::Result<(Worker, Post)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let (sender, orders) = channel();
        let woken = Arc::new(AtomicBool::new(false));
        let post = Post { orders: sender, waker, woken: woken.clone() };
        let worker = Worker {
            number,
            numbering,
            poll,
            orders,
            woken,
            notify,
            published,
            opened: Instant::now(),
            places: Vec::new(),
            relay,
            unread: VecDeque::with_capacity(READY),
            buffer: vec![0; LARGEST],
            unsent: 0,
        };
        Ok((worker, post))
    }

    /// Works until it is told to stop.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(READY);
        loop {
            if let Err(error) = self.poll.poll(&mut events, self.patience())
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "a media worker cannot wait for its sockets");
                return;
            }
            if self.take_orders().is_err() {
                return;
            }
            for event in events.iter().filter(|event| event.token() != WAKER) {
                self.queue(event.token().0 / 2, component_of(event.token()));
            }
            for _ in 0..self.unread.len() {
                let Some((place, component)) = self.unread.pop_front() else { break };
                self.read(place, component);
                self.play();
            }
            self.play();
            while let Some(notice) = self.relay.notice() {
                (self.notify)(notice);
            }
            self.published.publish(&self.relay.counts(), self.unsent, self.relay.len());
        }
    }

    fn now(&self) -> Moment {
        Moment::ZERO + self.opened.elapsed()
    }

    /// How long to wait for packets: until music is due, for ever if there is none.
    fn patience(&self) -> Option<Duration> {
        if !self.unread.is_empty() {
            return Some(Duration::ZERO);
        }
        self.relay.next().map(|at| at.since(self.now()))
    }

    /// Does all that has been ordered.
    fn take_orders(&mut self) -> Result<(), Stopped> {
        // Before looking: what is ordered from now on wakes again.
        self.woken.store(false, Ordering::SeqCst);
        loop {
            match self.orders.try_recv() {
                Ok(WorkerOrder::Plan(plan)) => self.relay.plan(self.now(), plan),
                Ok(WorkerOrder::Bound(pairs)) => {
                    for (id, pair) in pairs {
                        self.take_in(id, pair);
                    }
                }
                Ok(WorkerOrder::Retune(tunes)) => self.relay.retune(tunes),
                Err(TryRecvError::Empty) => return Ok(()),
                Ok(WorkerOrder::Stop) | Err(TryRecvError::Disconnected) => return Err(Stopped),
            }
        }
    }

    fn take_in(&mut self, id: PairId, mut pair: BoundPair) {
        let place = self.numbering.place(id);
        let registry = self.poll.registry();
        let watched =
            registry.register(&mut pair.rtp, Token(2 * place), Interest::READABLE).and_then(|()| {
                registry.register(&mut pair.rtcp, Token(2 * place + 1), Interest::READABLE)
            });
        if let Err(error) = watched {
            tracing::error!(%error, port = pair.port, "a bound port cannot be watched");
        }
        if self.places.len() <= place {
            self.places.resize_with(place + 1, || None);
        }
        self.places[place] = Some(Place { pair, queued: [false; 2] });
    }

    /// A socket has something to read, or may have.
    fn queue(&mut self, place: usize, component: Component) {
        let Some(Some(at)) = self.places.get_mut(place) else { return };
        let queued = &mut at.queued[component as usize];
        if !*queued {
            *queued = true;
            self.unread.push_back((place, component));
        }
    }

    /// Reads what has come at a socket, and sends on what is to be sent. If more has come than is
    /// fair to the others, it stands in the queue again.
    fn read(&mut self, place: usize, component: Component) {
        let id = self.numbering.pair(self.number, place);
        let Some(Some(at)) = self.places.get_mut(place) else { return };
        at.queued[component as usize] = false;
        for _ in 0..BURST {
            let Some(Some(at)) = self.places.get(place) else { return };
            let (len, from) = match at.pair.socket(component).recv_from(&mut self.buffer) {
                Ok(came) => came,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => continue,
            };
            let now = self.now();
            let packet = &mut self.buffer[..len];
            if let Verdict::Forward { pair, component, to, len } =
                self.relay.on_packet(now, id, component, from, packet)
            {
                self.send(pair, component, to, len);
            }
        }
        self.queue(place, component);
    }

    fn send(&mut self, pair: PairId, component: Component, to: SocketAddr, len: usize) {
        let sent = match self.places.get(self.numbering.place(pair)) {
            Some(Some(Place { pair, .. })) => {
                pair.socket(component).send_to(&self.buffer[..len], pair.as_named(to)).is_ok()
            }
            _ => false,
        };
        self.unsent += u64::from(!sent);
    }

    /// Sends the music that is due.
    fn play(&mut self) {
        let now = self.now();
        while let Some(outgoing) = self.relay.due(now) {
            let sent = match self.places.get(self.numbering.place(outgoing.pair)) {
                Some(Some(Place { pair, .. })) => {
                    let parts = [IoSlice::new(&outgoing.header), IoSlice::new(&outgoing.payload)];
                    let to = pair.as_named(outgoing.to).into();
                    SockRef::from(&pair.rtp).send_to_vectored(&parts, &to).is_ok()
                }
                _ => false,
            };
            self.unsent += u64::from(!sent);
        }
    }
}

fn component_of(token: Token) -> Component {
    if token.0.is_multiple_of(2) { Component::Rtp } else { Component::Rtcp }
}
