//! The fast path's one door: what shall be forwarded, and what the kernel was told of it.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use rtp_flow::Passed;
use rustc_hash::FxHashMap;

use crate::media::kernel::claim::{Claim, Lock};
use crate::media::kernel::keys::{Bytes, Family};
use crate::media::kernel::netlink::{Batch, Nftables};
use crate::media::kernel::sysctl::Forwards;
use crate::media::kernel::table::{self, Count, Element, Map};
use crate::media::kernel::way::{NotHere, Way, WayOrder};

/// How long the second map keeps what the first has lost: a packet that is just between the two
/// must not leave with a foreign source.
const IN_BETWEEN: Duration = Duration::from_millis(100);

/// Why there is no fast path.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WhyNot {
    /// The process may not.
    #[error("it may not change the network: it needs the capability CAP_NET_ADMIN")]
    NotAllowed,
    /// The kernel cannot.
    #[error("the kernel has not all of nf_tables that it takes (Linux 5.7 and later do): {0}")]
    NotThere(io::Error),
    /// The host forwards nothing.
    #[error(
        "this machine forwards nothing between others: set net.ipv4.ip_forward = 1 (for IPv6 \
         net.ipv6.conf.all.forwarding = 1)"
    )]
    NotForwarding,
    /// Another process has these ports' table.
    #[error("another parkade on this machine has media.ports of this range")]
    Taken,
}

/// What an order has come to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Applied {
    /// Ways that the kernel does not take, and why.
    pub(crate) refused: Vec<(Way, NotHere)>,
    /// Ways that have ended, and what came by them.
    pub(crate) ended: Vec<(Way, Count)>,
}

/// The kernel would not change the table; the table has been removed, and nothing is forwarded any
/// more but by user space.
#[derive(Debug, thiserror::Error)]
#[error("the kernel does not change its table: {0}")]
pub(crate) struct Refused(io::Error);

/// The table, opened. Dropping it removes the table. It may be shared by threads.
#[derive(Debug)]
pub(crate) struct Kernel {
    made: Arc<Made>,
    /// Tells the thread that tidies up that something has been closed; without it the thread ends.
    closed: Option<Sender<()>>,
    tidier: Option<JoinHandle<()>>,
    /// Reading takes long; changes need not wait for it.
    reader: Mutex<Nftables>,
    forwards: [Forwards; 2],
    _lock: Lock,
}

/// The table, made.
#[derive(Debug)]
struct Made {
    table: String,
    /// How many elements each map has room for.
    size: u32,
    changes: Mutex<Changes>,
}

/// What changes the table.
#[derive(Debug)]
struct Changes {
    nftables: Nftables,
    /// What is forwarded, by its key in the first map.
    ways: FxHashMap<Bytes, Way>,
    /// Whose element of the second map that is: the key in the first.
    between: FxHashMap<Bytes, Bytes>,
    /// What the first map has lost and the second still has.
    leaving: VecDeque<(Instant, Way)>,
    /// The table is gone for good.
    lost: bool,
}

/// What one transaction changes, in the order in which the kernel must see it.
#[derive(Debug, Default)]
struct Turn {
    /// Each way as it was before the turn, by its key in the first map.
    before: FxHashMap<Bytes, Option<Way>>,
    applied: Applied,
}

impl Kernel {
    /// Makes the table, in place of one that an earlier process has left: what that one forwards is
    /// forwarded until then.
    ///
    /// # Errors
    /// If this process, this kernel or this host cannot.
    pub(crate) fn open(claim: &Claim) -> Result<Kernel, WhyNot> {
        let forwards = Family::ALL.map(Forwards::read);
        if !forwards.iter().any(Forwards::at_all) {
            return Err(WhyNot::NotForwarding);
        }
        let table = claim.table();
        let lock = Lock::take(&table).map_err(|_| WhyNot::Taken)?;
        let mut nftables = Nftables::open().map_err(WhyNot::NotThere)?;
        let reader = Nftables::open().map_err(WhyNot::NotThere)?;
        // Elements that leave are still there while others come.
        let size = 2 * claim.sockets();
        let mut batch = Batch::begin();
        for other in table::names(&mut nftables).map_err(why_not)? {
            // What nobody holds any more and has our ports would forward what is ours.
            if other != table && claim.overlaps(&other) && Lock::take(&other).is_ok() {
                table::remove(&mut batch, &other);
            }
        }
        table::make(&mut batch, &table, size);
        nftables.transact(batch, |_| {}).map_err(why_not)?;
        let changes = Changes {
            nftables,
            ways: FxHashMap::default(),
            between: FxHashMap::default(),
            leaving: VecDeque::new(),
            lost: false,
        };
        let made = Arc::new(Made { table, size, changes: Mutex::new(changes) });
        let (closed, told) = channel();
        let tidied = made.clone();
        let tidier = Builder::new()
            .name("media-paths".into())
            .spawn(move || tidied.tidy(&told))
            .map_err(WhyNot::NotThere)?;
        Ok(Kernel {
            made,
            closed: Some(closed),
            tidier: Some(tidier),
            reader: Mutex::new(reader),
            forwards,
            _lock: lock,
        })
    }

    /// Whether a table could be made here, by this process. Nothing is changed.
    ///
    /// # Errors
    /// If this process or this kernel cannot.
    pub(crate) fn try_out() -> Result<(), WhyNot> {
        let mut nftables = Nftables::open().map_err(WhyNot::NotThere)?;
        let mut batch = Batch::begin();
        table::make(&mut batch, "parkade-trial", 16);
        nftables.try_out(batch).map_err(why_not)
    }

    /// The name of the table.
    pub(crate) fn table(&self) -> &str {
        &self.made.table
    }

    /// Does what is ordered, all of it at one moment, before the next packet: it is in effect when
    /// this returns. What is open already may be opened, what is not open may be closed.
    ///
    /// # Errors
    /// If the kernel refuses; then nothing is forwarded any more.
    pub(crate) fn apply(&self, orders: &[WayOrder]) -> Result<Applied, Refused> {
        let mut changes = lock(&self.made.changes);
        if changes.lost {
            return Err(Refused(io::ErrorKind::NotConnected.into()));
        }
        let mut turn = Turn::default();
        for order in orders {
            match order {
                WayOrder::Open(way) => match self.fits(&changes, way) {
                    Ok(way) => turn.open(&mut changes, way),
                    Err(why) => turn.applied.refused.push((*way, why)),
                },
                WayOrder::Close(way) => {
                    if let Ok(placed) = way.place() {
                        turn.close(&mut changes, to_key(&placed.way));
                    }
                }
            }
        }
        let applied = self.made.carry_out(&mut changes, turn)?;
        if let (false, Some(closed)) = (applied.ended.is_empty(), &self.closed) {
            // It ends only with us.
            let _ = closed.send(());
        }
        Ok(applied)
    }

    /// What has gone each way since it was opened: packets that came, packets that left, bytes that
    /// came. A way that changes meanwhile may be left out.
    ///
    /// # Errors
    /// If the kernel does not tell, for instance because somebody has removed the table.
    pub(crate) fn passed(&self) -> Result<Vec<(Way, Passed)>, Refused> {
        let mut counts: FxHashMap<(Map, Bytes), Count> = FxHashMap::default();
        let mut reader = lock(&self.reader);
        let read = table::dump(&mut reader, &self.made.table, |map, key, count| {
            counts.insert((map, key), count);
        });
        drop(reader);
        let mut changes = lock(&self.made.changes);
        if let Err(error) = read {
            // Nothing is lost: user space has had the packets since. It may all begin anew.
            return self.made.make_anew(&mut changes, error).map(|()| Vec::new());
        }
        let found = |map, key| counts.get(&(map, key)).copied();
        let one = |(key, way): (&Bytes, &Way)| {
            let (came, left) = (found(Map::To, *key)?, found(Map::By, by_key(way))?);
            Some((*way, Passed { came: came.packets, left: left.packets, bytes: came.bytes }))
        };
        Ok(changes.ways.iter().filter_map(one).collect())
    }

    /// The way as packets have it, if the kernel can take it.
    fn fits(&self, changes: &Changes, way: &Way) -> Result<Way, NotHere> {
        let placed = way.place()?;
        let forwards = &self.forwards[Family::of(placed.way.from) as usize];
        if placed.forwarded && !forwards.at_all() {
            return Err(NotHere::NotForwarding);
        }
        let (to, by) = (to_key(&placed.way), by_key(&placed.way));
        let other = changes.between.get(&by).is_some_and(|other| *other != to);
        if other {
            return Err(NotHere::Ambiguous);
        }
        if changes.ways.len() >= self.made.size as usize / 2 {
            return Err(NotHere::Full);
        }
        Ok(placed.way)
    }
}

impl Made {
    /// Takes out of the second map what the first has lost, once no packet can be in between, until
    /// nobody can close anything any more.
    fn tidy(&self, closed: &Receiver<()>) {
        while closed.recv().is_ok() {
            // What is closed meanwhile takes along what is due by then.
            loop {
                match closed.recv_timeout(IN_BETWEEN) {
                    Ok(()) => {}
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
            let mut changes = lock(&self.changes);
            if changes.lost {
                return;
            }
            if let Err(error) = self.carry_out(&mut changes, Turn::default()) {
                tracing::error!("{error}");
            }
        }
    }

    /// Has the kernel do a turn.
    fn carry_out(&self, changes: &mut Changes, mut turn: Turn) -> Result<Applied, Refused> {
        let now = Instant::now();
        let (mut gone, mut come) = (Vec::new(), Vec::new());
        // What comes again leaves no longer; it is counted from the start.
        for (key, before) in &turn.before {
            let after = changes.ways.get(key).copied();
            if *before == after {
                continue;
            }
            if let Some(way) = before {
                gone.push(to_element(way, false));
                changes.leaving.push_back((now, *way));
            }
            come.extend(after);
        }
        let mut left = Vec::new();
        changes.leaving.retain(|(since, way)| {
            let anew = come.iter().any(|come| by_key(come) == by_key(way));
            let due = now.duration_since(*since) >= IN_BETWEEN;
            if anew || due {
                left.push(by_element(way, false));
            }
            !anew && !due
        });
        if gone.is_empty() && come.is_empty() && left.is_empty() {
            return Ok(turn.applied);
        }
        gone.extend(left);
        let mut batch = Batch::begin();
        put_in_order(&mut gone);
        table::take(&mut batch, &self.table, &gone);
        table::put(&mut batch, &self.table, &elements(come.iter()));
        let mut counts: FxHashMap<Bytes, Count> = FxHashMap::default();
        let done = changes.nftables.transact(batch, |message| {
            table::read(message, |map, key, count| {
                if map == Map::To {
                    counts.insert(key, count);
                }
            });
        });
        for (key, before) in &turn.before {
            let ended = before.filter(|way| changes.ways.get(key) != Some(way));
            let came = counts.get(key).copied().unwrap_or_default();
            turn.applied.ended.extend(ended.map(|way| (way, came)));
        }
        match done {
            Ok(()) => Ok(turn.applied),
            Err(error) => self.make_anew(changes, error).map(|()| turn.applied),
        }
    }

    /// Makes the whole table anew, with what is open: somebody has removed it, or it is not as we
    /// think.
    fn make_anew(&self, changes: &mut Changes, why: io::Error) -> Result<(), Refused> {
        if changes.lost {
            return Err(Refused(why));
        }
        tracing::warn!(
            table = self.table,
            "the fast path is made anew, its table was changed: {why}"
        );
        changes.leaving.clear();
        let mut batch = Batch::begin();
        table::make(&mut batch, &self.table, self.size);
        table::put(&mut batch, &self.table, &elements(changes.ways.values()));
        if let Err(error) = changes.nftables.transact(batch, |_| {}) {
            changes.lost = true;
            changes.remove(&self.table);
            return Err(Refused(error));
        }
        Ok(())
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        self.closed = None;
        if self.tidier.take().is_some_and(|tidier| tidier.join().is_err()) {
            tracing::error!("the thread of the fast path has ended in a panic");
        }
        lock(&self.made.changes).remove(&self.made.table);
    }
}

impl Changes {
    fn remove(&mut self, table: &str) {
        let mut batch = Batch::begin();
        table::remove(&mut batch, table);
        if let Err(error) = self.nftables.transact(batch, |_| {})
            && error.raw_os_error() != Some(Errno::ENOENT as i32)
        {
            tracing::error!(table, %error, "the fast path's table cannot be removed");
        }
    }
}

impl Turn {
    fn open(&mut self, changes: &mut Changes, way: Way) {
        let key = to_key(&way);
        self.close(changes, key);
        changes.ways.insert(key, way);
        changes.between.insert(by_key(&way), key);
    }

    fn close(&mut self, changes: &mut Changes, key: Bytes) {
        let before = changes.ways.remove(&key);
        if let Some(way) = &before {
            changes.between.remove(&by_key(way));
        }
        self.before.entry(key).or_insert(before);
    }
}

fn to_key(way: &Way) -> Bytes {
    Bytes::pair(way.from, way.at)
}

fn by_key(way: &Way) -> Bytes {
    Bytes::pair(way.from, way.to)
}

fn to_element(way: &Way, valued: bool) -> Element {
    let value = valued.then(|| Bytes::socket(way.to));
    Element { map: Map::To, family: Family::of(way.from), key: to_key(way), value }
}

fn by_element(way: &Way, valued: bool) -> Element {
    let value = valued.then(|| Bytes::socket(way.by));
    Element { map: Map::By, family: Family::of(way.from), key: by_key(way), value }
}

fn elements<'w>(ways: impl Iterator<Item = &'w Way>) -> Vec<Element> {
    let mut all: Vec<_> = ways.flat_map(|w| [to_element(w, true), by_element(w, true)]).collect();
    put_in_order(&mut all);
    all
}

/// Elements of one map and version go in one message.
fn put_in_order(elements: &mut [Element]) {
    elements.sort_by_key(|element| (element.map as u8, element.family as u8));
}

fn why_not(error: io::Error) -> WhyNot {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EPERM | Errno::EACCES) => WhyNot::NotAllowed,
        _ => WhyNot::NotThere(error),
    }
}

/// What is locked is whole at every step: a panic elsewhere does not matter.
fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}
