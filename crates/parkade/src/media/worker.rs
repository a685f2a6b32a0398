//! One worker: a thread that waits for its sockets, its orders and the next music, and does what the
//! relay says. Nothing is allocated per packet.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::time::{Duration, Instant};

use base::Moment;
use nix::sys::eventfd::{EfdFlags, EventFd};
use rtp_flow::{Door, MediaNotice, PairId, Plan, Relay, Tunes, Verdict};

use crate::media::counts::Published;
use crate::media::past::Past;
use crate::media::ports::{BoundPair, Numbering};
use crate::media::wire::{Came, Wire};

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
    waker: Arc<EventFd>,
    /// Whether it has been woken and has not looked yet.
    woken: Arc<AtomicBool>,
}

impl Post {
    /// Hands over an order; a worker that has ended takes none.
    pub(super) fn send(&self, order: WorkerOrder) {
        if self.orders.send(order).is_ok()
            && !self.woken.swap(true, Ordering::SeqCst)
            && let Err(error) = self.waker.write(1)
        {
            tracing::error!(%error, "a media worker cannot be woken");
        }
    }
}

/// What all workers are told of how they are numbered and to whom they speak.
pub(super) struct Standing {
    pub(super) number: u32,
    pub(super) numbering: Numbering,
    pub(super) notify: Notify,
    pub(super) published: Arc<Published>,
    /// What goes past it, if anything may.
    pub(super) past: Option<Past>,
}

/// One worker's own.
pub(super) struct Worker<W> {
    wire: W,
    relay: Relay,
    orders: Receiver<WorkerOrder>,
    woken: Arc<AtomicBool>,
    standing: Standing,
    /// The addresses of the RTP sockets, by the places of their pairs.
    sockets: Vec<Option<(IpAddr, u16)>>,
    opened: Instant,
}

/// What wakes a worker that waits.
///
/// # Errors
/// What the system says.
pub(super) fn waker() -> io::Result<Arc<EventFd>> {
    let flags = EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC;
    Ok(Arc::new(EventFd::from_value_and_flags(0, flags)?))
}

/// The worker has been told to end.
struct Stopped;

impl<W: Wire> Worker<W> {
    /// A worker without sockets, and the way to it. The wire is to wake at `waker`.
    pub(super) fn new(
        wire: W,
        waker: Arc<EventFd>,
        relay: Relay,
        standing: Standing,
    ) -> (Worker<W>, Post) {
        let (sender, orders) = channel();
        let woken = Arc::new(AtomicBool::new(false));
        let post = Post { orders: sender, waker, woken: woken.clone() };
        (
            Worker {
                wire,
                relay,
                orders,
                woken,
                standing,
                sockets: Vec::new(),
                opened: Instant::now(),
            },
            post,
        )
    }

    /// Works until it is told to stop.
    pub(super) fn run(mut self) {
        if let Err(error) = self.work() {
            tracing::error!(%error, "a media worker cannot wait for its sockets");
        }
    }

    fn work(&mut self) -> io::Result<()> {
        self.wire.begin()?;
        loop {
            self.wire.wait(self.patience())?;
            if self.take_orders().is_err() {
                return Ok(());
            }
            self.turn();
        }
    }

    /// One turn: all packets and all music of it are decided on, and only then is anything sent.
    fn turn(&mut self) {
        let now = self.now();
        while let Some(came) = self.wire.next() {
            self.judge(now, came);
        }
        let now = self.now();
        while let Some(outgoing) = self.relay.due(now) {
            self.wire.play(self.standing.numbering.place(outgoing.pair), outgoing);
        }
        // What orders and packets of this turn have changed stands, and nothing of our own has left
        // since.
        self.settle(now);
        self.wire.send();
        while let Some(notice) = self.relay.notice() {
            (self.standing.notify)(notice);
        }
        let (counts, in_use) = (self.relay.counts(), self.relay.len());
        let (troubles, fast) = (self.wire.troubles(), self.relay.fast_paths());
        self.standing.published.publish(&counts, troubles, in_use, fast);
    }

    /// Looks, if that is due, and has the kernel do what is left to it.
    fn settle(&mut self, now: Moment) {
        let past = &mut self.standing.past;
        if self.relay.next_look().is_some_and(|at| at <= now) {
            if let (true, Some(past)) = (self.relay.wants_counts(now), past.as_mut()) {
                past.look(now, &mut self.relay);
            }
            self.relay.look(now);
        }
        self.obey(now);
    }

    /// Has whoever forwards beside the relay do what it orders.
    fn obey(&mut self, now: Moment) {
        let Standing { past, numbering, .. } = &mut self.standing;
        if let Some(past) = past {
            let sockets = &self.sockets;
            let socket = |door: Door| *sockets.get(numbering.place(door.pair))?;
            past.settle(now, &mut self.relay, socket);
        }
    }

    fn now(&self) -> Moment {
        Moment::ZERO + self.opened.elapsed()
    }

    /// How long to wait for packets: until music is due, for ever if there is none.
    fn patience(&self) -> Option<Duration> {
        let both = [self.relay.next(), self.relay.next_look()];
        both.into_iter().flatten().min().map(|at| at.since(self.now()))
    }

    /// Does all that has been ordered.
    fn take_orders(&mut self) -> Result<(), Stopped> {
        // Before looking: what is ordered from now on wakes again.
        self.woken.store(false, Ordering::SeqCst);
        loop {
            match self.orders.try_recv() {
                Ok(WorkerOrder::Plan(mut plan)) => {
                    let now = self.now();
                    if self.relay.make_way(&mut plan) {
                        self.obey(now);
                    }
                    self.relay.plan(now, plan);
                }
                Ok(WorkerOrder::Bound(pairs)) => {
                    for (id, pair) in pairs {
                        let place = self.standing.numbering.place(id);
                        let needed = self.sockets.len().max(place + 1);
                        self.sockets.resize(needed, None);
                        self.sockets[place] = Some((pair.address, pair.port));
                        self.wire.take_in(place, pair);
                    }
                }
                Ok(WorkerOrder::Retune(tunes)) => self.relay.retune(tunes),
                Err(TryRecvError::Empty) => return Ok(()),
                Ok(WorkerOrder::Stop) | Err(TryRecvError::Disconnected) => return Err(Stopped),
            }
        }
    }

    /// Has a packet passed on to whoever hears it.
    fn judge(&mut self, now: Moment, came: Came) {
        let Standing { number, numbering, .. } = &self.standing;
        let (numbering, id) = (*numbering, numbering.pair(*number, came.place));
        let at = Door { pair: id, component: came.component };
        let (from, len) = (came.from, usize::from(came.len));
        let mut verdict = self.relay.on_datagram(now, at, from, self.wire.room(&came), len);
        if verdict == Verdict::Again {
            self.obey(now);
            verdict = self.relay.on_datagram(now, at, from, self.wire.room(&came), len);
        }
        match verdict {
            Verdict::Forward { pair, component, to, len } => {
                self.wire.pass_on(came, len, (numbering.place(pair), component), to);
            }
            Verdict::Drop(_) | Verdict::Again => self.wire.let_go(came),
        }
    }
}
