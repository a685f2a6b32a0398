//! The thread that carries out orders at the store, one after the other, and keeps this node's lease. When the
//! server is away it says so, and tries again until it is back; what was ordered meanwhile the engine orders anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use park_core::{ClusterNews, ClusterOrder};
use redis::{ConnectionLike, FromRedisValue, RedisError, RedisResult};
use tokio::sync::mpsc::UnboundedSender;

use crate::cluster::changes;
use crate::cluster::membership::Membership;
use crate::cluster::news::{NodeAt, StoreNews, pairs, shared_call};
use crate::cluster::scripts::{Joined, Said, Scripts};

/// How long until the next attempt to reach the server.
const AGAIN: Duration = Duration::from_millis(500);

/// What waits for the thread.
#[derive(Debug)]
pub(super) enum Work {
    /// The engine orders something.
    Order(ClusterOrder),
    /// Something has changed at the store. What is of an earlier session is passed over.
    Changed { session: u64, news: ClusterNews },
    /// A node has come, maybe this one.
    Joined { session: u64 },
    /// Changes are not read any more.
    Deaf { session: u64, why: Option<String> },
    /// The program ends.
    End,
}

/// What the thread has done.
#[derive(Debug, Default)]
struct Done {
    connected: AtomicBool,
    commands: AtomicU64,
    failures: AtomicU64,
    /// When the lease was last renewed, in milliseconds from the start.
    renewed: AtomicU64,
}

/// The same, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoreFigures {
    /// Whether the server is reached.
    pub(crate) connected: bool,
    /// Commands so far.
    pub(crate) commands: u64,
    /// Connections that failed or were lost so far.
    pub(crate) failures: u64,
    /// How long ago the lease was renewed; none: never.
    pub(crate) lease_age: Option<Duration>,
}

/// The way to the store. Dropping it ends the thread.
#[derive(Debug)]
pub(crate) struct Link {
    work: Sender<Work>,
    done: Arc<Done>,
    since: Instant,
    thread: Option<JoinHandle<()>>,
}

impl Link {
    /// Starts the thread; `news` hears of everything.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(crate) fn start(
        own: Arc<Membership>,
        news: UnboundedSender<StoreNews>,
    ) -> std::io::Result<Link> {
        let (work, taken) = channel();
        let (done, since) = (Arc::new(Done::default()), Instant::now());
        let session = Session {
            own,
            scripts: Scripts::new(),
            news,
            work: work.clone(),
            done: done.clone(),
            since,
            number: 0,
            nodes: Vec::new(),
            told_away: false,
            listening: Arc::default(),
        };
        let thread = thread::Builder::new().name("store".into()).spawn(move || session.run(&taken));
        Ok(Link { work, done, since, thread: Some(thread?) })
    }

    /// Takes an order; never waits.
    pub(crate) fn order(&self, order: ClusterOrder) {
        // It ends only with us.
        let _ = self.work.send(Work::Order(order));
    }

    /// What it has done so far.
    pub(crate) fn figures(&self) -> StoreFigures {
        let renewed = self.done.renewed.load(Ordering::Relaxed);
        let age = || self.since.elapsed().saturating_sub(Duration::from_millis(renewed));
        StoreFigures {
            connected: self.done.connected.load(Ordering::Relaxed),
            commands: self.done.commands.load(Ordering::Relaxed),
            failures: self.done.failures.load(Ordering::Relaxed),
            lease_age: (renewed > 0).then(age),
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.work.send(Work::End);
        if let Some(thread) = self.thread.take() {
            // It has told what went wrong with it.
            let _ = thread.join();
        }
    }
}

/// Why a session is over.
enum Over {
    /// The program ends.
    Ended,
    /// Another instance is this node.
    Fenced,
    /// The server has forgotten this node: it joins anew, at once.
    Forgotten,
    /// The server cannot be reached.
    Away(String),
}

impl From<RedisError> for Over {
    fn from(error: RedisError) -> Over {
        Over::Away(error.to_string())
    }
}

/// The thread's own.
struct Session {
    own: Arc<Membership>,
    scripts: Scripts,
    news: UnboundedSender<StoreNews>,
    work: Sender<Work>,
    done: Arc<Done>,
    since: Instant,
    number: u64,
    nodes: Vec<NodeAt>,
    told_away: bool,
    /// Whether changes are still read along for this session.
    listening: Arc<AtomicBool>,
}

impl Session {
    fn run(mut self, taken: &Receiver<Work>) {
        loop {
            let over = self.serve(taken);
            self.done.connected.store(false, Ordering::Relaxed);
            self.listening.store(false, Ordering::Relaxed);
            match over {
                Over::Ended => return,
                Over::Forgotten => self.away("it had forgotten this node"),
                Over::Fenced => {
                    self.own.fence();
                    self.tell(StoreNews::Other(ClusterNews::Fenced));
                    return;
                }
                Over::Away(why) => {
                    self.done.failures.fetch_add(1, Ordering::Relaxed);
                    self.away(&why);
                    if waits(taken, AGAIN) {
                        return;
                    }
                }
            }
        }
    }

    fn away(&mut self, why: &str) {
        if !std::mem::replace(&mut self.told_away, true) {
            let why = format!("{}: {why}", self.own.store);
            self.tell(StoreNews::Other(ClusterNews::Away { why }));
        }
    }

    fn tell(&self, news: StoreNews) {
        // Whoever listened may have gone: then the program ends.
        let _ = self.news.send(news);
    }

    /// From joining to whatever ends it.
    fn serve(&mut self, taken: &Receiver<Work>) -> Over {
        match self.served(taken) {
            Ok(never) => match never {},
            Err(over) => over,
        }
    }

    fn served(&mut self, taken: &Receiver<Work>) -> Result<std::convert::Infallible, Over> {
        if self.own.is_fenced() {
            return Err(Over::Fenced);
        }
        let mut connection = self.own.connect()?;
        // What was ordered before does not hold any more.
        while let Ok(work) = taken.try_recv() {
            if matches!(work, Work::End) {
                return Err(Over::Ended);
            }
        }
        let joined = self.own.join(&self.scripts, &mut *connection)?;
        let Joined { position, nodes, calls } = joined.ok_or(Over::Fenced)?;
        let calls = pairs::<String, Vec<u8>>(calls)?;
        let calls = calls.into_iter().filter_map(|(park, kept)| shared_call(park, &kept));
        let calls = calls.collect();
        self.nodes = pairs(nodes)?;
        self.number += 1;
        self.told_away = false;
        self.renewed();
        self.done.connected.store(true, Ordering::Relaxed);
        self.tell(StoreNews::Joined { nodes: self.nodes.clone(), calls });
        self.listening = Arc::new(AtomicBool::new(true));
        let (own, number, work) = (self.own.clone(), self.number, self.work.clone());
        let listening = self.listening.clone();
        thread::Builder::new()
            .name("store-changes".into())
            .spawn(move || changes::follow(&own, (number, &listening), position, &work))
            .map_err(|error| Over::Away(format!("no thread: {error}")))?;
        let pause = self.own.lease / 3;
        let mut due = Instant::now() + pause;
        loop {
            match taken.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(Work::Order(order)) => self.obey(&mut *connection, order)?,
                Ok(Work::Changed { session, news }) if session == self.number => {
                    self.tell(StoreNews::Other(news));
                }
                Ok(Work::Deaf { session, why }) if session == self.number => {
                    return Err(Over::Away(why.unwrap_or_else(|| "changes ended".into())));
                }
                Ok(Work::Joined { session }) if session == self.number => due = Instant::now(),
                Ok(Work::Changed { .. } | Work::Joined { .. } | Work::Deaf { .. }) => {}
                Ok(Work::End) | Err(RecvTimeoutError::Disconnected) => return Err(Over::Ended),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if Instant::now() >= due {
                self.renew(&mut *connection)?;
                due = Instant::now() + pause;
            }
        }
    }

    fn renewed(&self) {
        let at = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.done.renewed.store(at.max(1), Ordering::Relaxed);
    }

    fn renew(&mut self, connection: &mut dyn ConnectionLike) -> Result<(), Over> {
        let said = self.scripts.renew(connection, &self.own);
        let mut parts = self.answered(said)?.into_iter();
        self.renewed();
        let nodes: Vec<redis::Value> = match parts.next() {
            Some(list) => Vec::from_redis_value(list).map_err(RedisError::from)?,
            None => Vec::new(),
        };
        let nodes = pairs(nodes)?;
        if nodes != self.nodes {
            self.nodes.clone_from(&nodes);
            self.tell(StoreNews::Nodes(nodes));
        }
        Ok(())
    }

    fn obey(
        &mut self,
        connection: &mut dyn ConnectionLike,
        order: ClusterOrder,
    ) -> Result<(), Over> {
        match order {
            ClusterOrder::Release { park } => {
                let said = self.scripts.release(connection, &self.own, &park);
                self.answered(said)?;
            }
            ClusterOrder::Stake { park, place, most, token, record } => {
                let own = &self.own;
                let said = self.scripts.stake(connection, own, &park, &place, most, token, &record);
                let news = match said {
                    Ok(Said::Refused(by)) => ClusterNews::Refused { park, by },
                    said => {
                        let token = self.answered(said)?.into_iter().next();
                        let token = token.unwrap_or(redis::Value::Nil);
                        let token = u64::from_redis_value(token).map_err(RedisError::from)?;
                        ClusterNews::Granted { park, token }
                    }
                };
                self.tell(StoreNews::Other(news));
            }
        }
        Ok(())
    }

    /// What was answered, if it was done.
    fn answered(&self, said: RedisResult<Said>) -> Result<Vec<redis::Value>, Over> {
        self.done.commands.fetch_add(1, Ordering::Relaxed);
        match said? {
            Said::Done(parts) => Ok(parts),
            Said::Nobody | Said::Refused(_) => Err(Over::Forgotten),
            Said::Another => Err(Over::Fenced),
        }
    }
}

/// Waits a while; says whether the program ends.
fn waits(taken: &Receiver<Work>, pause: Duration) -> bool {
    let until = Instant::now() + pause;
    loop {
        match taken.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Work::End) | Err(RecvTimeoutError::Disconnected) => return true,
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout) => return false,
        }
    }
}
