//! The media workers' one door.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::{io, iter};

use base::Chance;
use rtp_flow::{MediaNotice, PairId, Plan, Relay, Tunes};

use crate::config::MediaIo;
use crate::kept_sockets::KeptSockets;
use crate::lock::lock;
use crate::media::counts::{MediaCounts, Published};
use crate::media::forwarder::Forwarder;
use crate::media::past::Past;
use crate::media::ports::{Numbering, bind};
use crate::media::stock::{StockOrder, Stocker};
use crate::media::threads::{Ways, cores, run_on};
use crate::media::worker::{Notify, Post, Standing, WorkerOrder};

/// More workers than this are of no use to a machine that has one network.
const MOST_WORKERS: usize = 64;

/// Where media is carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MediaConfig {
    /// The address to bind towards the phones; may be a wildcard.
    pub(crate) phones: IpAddr,
    /// The address to bind towards the PBX; may be a wildcard.
    pub(crate) pbx: IpAddr,
    /// The ports, both ends in it.
    pub(crate) ports: RangeInclusive<u16>,
    /// How many threads; none: as many as the machine has cores beside the one for signalling.
    pub(crate) workers: Option<usize>,
    /// The cores that they run on, one each; none: any.
    pub(crate) pin: Vec<usize>,
    /// By which way they have their sockets.
    pub(crate) io: MediaIo,
}

/// Why media cannot be carried.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CannotCarry {
    /// Nothing can be bound on an address.
    #[error("media cannot be carried on {address}: {error}; is it an address of this machine?")]
    Address {
        /// The address.
        address: IpAddr,
        /// What the system says.
        error: io::Error,
    },
    /// A worker is to run on a core that there is not, or not for us.
    #[error("media.pin: there is no core {core} for this process; it may run on {}", list(.cores))]
    Core {
        /// The core.
        core: usize,
        /// Those that there are.
        cores: Vec<usize>,
    },
    /// The kernel has no io_uring for us, and nothing else is wanted.
    #[error(
        "media.io: the kernel refuses io_uring: {0}; it takes Linux 6.1 and a sandbox that allows it. \
         Write \"auto\" to do without where it must be"
    )]
    Ring(io::Error),
    /// A thread cannot be started.
    #[error("media threads cannot be started: {0}")]
    Threads(io::Error),
}

/// The running workers. Dropping them stops them.
#[derive(Debug)]
pub(crate) struct MediaWorkers {
    posts: Arc<[Post]>,
    numbering: Numbering,
    stock: Option<Sender<StockOrder>>,
    published: Vec<Arc<Published>>,
    threads: Vec<JoinHandle<()>>,
}

impl MediaWorkers {
    /// Starts the workers; with a forwarder, what needs no look goes past them. Ports are had from those that are
    /// `kept`, where they are there. `notify` is called from
    /// their threads, never often, and must not wait.
    ///
    /// # Errors
    /// If an address is not this machine's, or a thread cannot be had.
    pub(crate) fn start(
        config: &MediaConfig,
        tunes: &Tunes,
        forwarder: Option<Arc<Forwarder>>,
        kept: Arc<KeptSockets>,
        notify: impl Fn(MediaNotice) + Send + 'static,
    ) -> Result<MediaWorkers, CannotCarry> {
        for address in [config.phones, config.pbx] {
            bind(address, 0).map_err(|error| CannotCarry::Address { address, error })?;
        }
        let cores = cores();
        if let Some(core) = config.pin.iter().find(|core| !cores.contains(core)) {
            return Err(CannotCarry::Core { core: *core, cores });
        }
        let notify = shared(notify);
        let usual = if config.pin.is_empty() { beside_signalling() } else { config.pin.len() };
        let count = config.workers.unwrap_or(usual).clamp(1, MOST_WORKERS);
        let numbering = Numbering { workers: count as u32 };
        let mut ways = Ways { io: config.io, sockets: most_sockets(&config.ports, count) };
        let (mut workers, mut posts, mut published) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..numbering.workers {
            let relay = Relay::new(tunes.clone(), chance(number));
            let relay = match &forwarder {
                Some(forwarder) => forwarder.beside(relay),
                None => relay,
            };
            let past = forwarder.clone().map(Past::new);
            let counts = Arc::new(Published::default());
            let (notify, counted) = (notify.clone(), counts.clone());
            let standing = Standing { number, numbering, notify, published: counted, past };
            let (worker, post) = ways.worker(relay, standing).map_err(|error| match config.io {
                MediaIo::IoUring => CannotCarry::Ring(error),
                MediaIo::Auto | MediaIo::Epoll => CannotCarry::Threads(error),
            })?;
            workers.push(worker);
            posts.push(post);
            published.push(counts);
        }
        let (stock, orders) = channel();
        let mut running = MediaWorkers {
            posts: posts.into(),
            numbering,
            stock: Some(stock),
            published,
            threads: Vec::new(),
        };
        let posts = running.posts.clone();
        let stocker = Stocker::new((config.phones, config.pbx), &config.ports, posts, kept, notify);
        running.spawn("media-ports", move || stocker.run(&orders))?;
        let pins = config.pin.iter().copied().map(Some).chain(iter::repeat(None));
        for (worker, pin) in workers.into_iter().zip(pins) {
            running.spawn("media", move || {
                pin.into_iter().for_each(run_on);
                worker();
            })?;
        }
        Ok(running)
    }

    fn spawn(
        &mut self,
        name: &str,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<(), CannotCarry> {
        let thread = thread::Builder::new().name(name.into()).spawn(work);
        self.threads.push(thread.map_err(CannotCarry::Threads)?);
        Ok(())
    }

    /// Takes an order of the engine; never waits.
    pub(crate) fn order(&self, plan: Plan) {
        match plan {
            Plan::Stock { side, count } => {
                if let Some(stock) = &self.stock {
                    // It ends only with us.
                    let _ = stock.send(StockOrder::More { side, count });
                }
            }
            Plan::Rebind { ports } => {
                if let Some(stock) = &self.stock {
                    let _ = stock.send(StockOrder::Again(ports));
                }
            }
            Plan::Stream(ref stream) => self.hand(stream.pair, plan),
            Plan::Release { pair, .. } | Plan::Measure(pair) => self.hand(pair, plan),
        }
    }

    fn hand(&self, pair: PairId, plan: Plan) {
        if let Some(post) = self.posts.get(self.numbering.worker(pair)) {
            post.send(WorkerOrder::Plan(plan));
        }
    }

    /// Other music from now on, also for those who hear music already; never waits.
    pub(crate) fn retune(&self, tunes: &Tunes) {
        for post in self.posts.iter() {
            post.send(WorkerOrder::Retune(tunes.clone()));
        }
    }

    /// What has been carried since the start.
    pub(crate) fn counts(&self) -> MediaCounts {
        let mut sum = MediaCounts::default();
        for published in &self.published {
            published.add_to(&mut sum);
        }
        sum
    }

    /// Stops the workers and closes their ports.
    pub(crate) fn stop(self) {
        drop(self);
    }
}

impl Drop for MediaWorkers {
    fn drop(&mut self) {
        self.stock = None;
        for post in self.posts.iter() {
            post.send(WorkerOrder::Stop);
        }
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a media thread has ended in a panic");
            }
        }
    }
}

/// The one receiver of notices, shared by all threads. They are rare: a lock costs nothing here.
fn shared(notify: impl Fn(MediaNotice) + Send + 'static) -> Notify {
    let notify = Mutex::new(notify);
    Arc::new(move |notice| {
        let notify = lock(&notify);
        notify(notice);
    })
}

fn beside_signalling() -> usize {
    thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).max(1))
}

/// How many sockets one of so many workers gets, if every port of the range is bound on two addresses.
fn most_sockets(ports: &RangeInclusive<u16>, workers: usize) -> u32 {
    let pairs = ports.clone().count().div_ceil(2).div_ceil(workers) + 1;
    4 * pairs as u32
}

/// `0, 1, 2`.
fn list(cores: &[usize]) -> String {
    cores.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}

/// Chance for a worker's SSRCs, which must differ from run to run and be hard to hit upon
/// (RFC 3550 §8.1), but are no secret.
fn chance(worker: u32) -> Chance {
    Chance::from_seed(RandomState::new().hash_one(worker))
}
