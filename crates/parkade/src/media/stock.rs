//! The thread that binds port pairs ahead of need and shares them out among the workers: binding a
//! few hundred sockets takes longer than music may wait.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};
use std::{io, thread};

use base::Side;
use rtp_flow::{MediaNotice, OldPort, Pair, WorkerId};

use crate::kept_sockets::KeptSockets;
use crate::media::ports::{BoundPair, NoPair, Numbering, Untried, bind_pair, is_busy, overlap};
use crate::media::worker::{Notify, Post, WorkerOrder};

/// How many pairs a worker takes in at a time: it does nothing else meanwhile.
const SHARE: usize = 16;

/// How long ports of the run before may be in use still, and how often they are tried meanwhile.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(2);

/// An order to the thread.
pub(super) enum StockOrder {
    /// Bind some more.
    More { side: Side, count: u16 },
    /// Bind these, which an earlier run of the program had.
    Again(Vec<OldPort>),
}

/// What the thread owns.
pub(super) struct Stocker {
    phones: IpAddr,
    pbx: IpAddr,
    untried: Untried,
    /// The PBX side's own ports, if its address is another: else both sides share them.
    untried_pbx: Option<Untried>,
    posts: Arc<[Post]>,
    numbering: Numbering,
    /// How many pairs have been bound for each worker.
    bound: Vec<usize>,
    /// Whose turn it is, per side: each side's pairs are shared out evenly.
    turn: [usize; 2],
    kept: Arc<KeptSockets>,
    notify: Notify,
}

impl Stocker {
    /// A stocker for ports of `range` on these addresses.
    pub(super) fn new(
        (phones, pbx): (IpAddr, IpAddr),
        range: &RangeInclusive<u16>,
        posts: Arc<[Post]>,
        kept: Arc<KeptSockets>,
        notify: Notify,
    ) -> Stocker {
        Stocker {
            phones,
            pbx,
            untried: Untried::of(range),
            untried_pbx: (!overlap(phones, pbx)).then(|| Untried::of(range)),
            numbering: Numbering { workers: posts.len() as u32 },
            bound: vec![0; posts.len()],
            posts,
            turn: [0; 2],
            kept,
            notify,
        }
    }

    /// Binds what is ordered until nobody can order any more.
    pub(super) fn run(mut self, orders: &Receiver<StockOrder>) {
        while let Ok(order) = orders.recv() {
            match order {
                StockOrder::More { side, count } => self.stock(side, count),
                StockOrder::Again(ports) => self.rebind(&ports),
            }
        }
    }

    /// Ports of one call go to one worker. What cannot be had again is told; a killed program's are free only
    /// when the kernel has ended its io_uring, some time after the process has gone.
    fn rebind(&mut self, ports: &[OldPort]) {
        let (mut pairs, mut lost) = (Vec::with_capacity(ports.len()), Vec::new());
        let mut shares: Vec<Vec<_>> = self.posts.iter().map(|_| Vec::new()).collect();
        let patience = Instant::now() + PATIENCE;
        for OldPort { side, port, call } in ports {
            let address = match side {
                Side::Phones => self.phones,
                Side::Pbx => self.pbx,
            };
            match bind_again(address, *port, &self.kept, patience) {
                Ok(bound) => {
                    let worker = *call as usize % self.posts.len();
                    let id = self.numbering.pair(worker as u32, self.bound[worker]);
                    self.bound[worker] += 1;
                    pairs.push(Pair {
                        id,
                        side: *side,
                        worker: WorkerId(worker as u8),
                        port: *port,
                    });
                    shares[worker].push((id, bound));
                    if shares[worker].len() == SHARE {
                        let share = std::mem::take(&mut shares[worker]);
                        self.posts[worker].send(WorkerOrder::Bound(share));
                    }
                }
                Err(error) => {
                    tracing::warn!(%side, port, %error, "a call's media port cannot be had again");
                    lost.push((*side, *port));
                }
            }
        }
        for (post, share) in self.posts.iter().zip(shares) {
            post.send(WorkerOrder::Bound(share));
        }
        (self.notify)(MediaNotice::Rebound { pairs, lost });
    }

    fn stock(&mut self, side: Side, count: u16) {
        let count = match &self.untried_pbx {
            Some(_) => usize::from(count),
            // Neither side takes so much at once that the other would find nothing.
            None => usize::from(count).min(self.untried.len().div_ceil(4).max(1)),
        };
        let mut pairs = Vec::with_capacity(count);
        let mut shares: Vec<Vec<_>> = self.posts.iter().map(|_| Vec::new()).collect();
        let mut ended = None;
        for _ in 0..count {
            let (address, untried) = match (side, &mut self.untried_pbx) {
                (Side::Phones, _) => (self.phones, &mut self.untried),
                (Side::Pbx, Some(own)) => (self.pbx, own),
                (Side::Pbx, None) => (self.pbx, &mut self.untried),
            };
            let bound = match untried.bind(address, &self.kept) {
                Ok(bound) => bound,
                Err(why) => {
                    ended = Some(why);
                    break;
                }
            };
            let turn = &mut self.turn[side as usize];
            let worker = *turn % self.posts.len();
            *turn += 1;
            let id = self.numbering.pair(worker as u32, self.bound[worker]);
            self.bound[worker] += 1;
            let (port, worker_id) = (bound.port, WorkerId(worker as u8));
            pairs.push(Pair { id, side, worker: worker_id, port });
            shares[worker].push((id, bound));
            if shares[worker].len() == SHARE {
                let share = std::mem::take(&mut shares[worker]);
                self.posts[worker].send(WorkerOrder::Bound(share));
            }
        }
        for (post, share) in self.posts.iter().zip(shares) {
            post.send(WorkerOrder::Bound(share));
        }
        // Only now: a plan for one of them must find it.
        if !pairs.is_empty() {
            (self.notify)(MediaNotice::Stocked { pairs });
        }
        if let Some(why) = ended {
            self.tell(side, &why);
            let refused = matches!(why, NoPair::Refused(_));
            (self.notify)(MediaNotice::Exhausted { side, refused });
        }
    }

    fn tell(&self, side: Side, why: &NoPair) {
        let bound: usize = self.bound.iter().sum();
        match why {
            NoPair::RangeUsedUp => {
                tracing::warn!(%side, "all of media.ports is in use: {bound} port pairs are bound");
            }
            NoPair::Refused(error) => {
                tracing::error!(%side, %error, "no more media ports can be bound: {bound} port pairs are");
            }
        }
    }
}

/// Binds a pair that somebody may have until then.
fn bind_again(
    address: IpAddr,
    port: u16,
    kept: &KeptSockets,
    until: Instant,
) -> io::Result<BoundPair> {
    loop {
        match bind_pair(address, port, kept) {
            Err(error) if is_busy(&error) && Instant::now() < until => thread::sleep(PAUSE),
            other => return other,
        }
    }
}
