//! The table once it is made: what is in it, how that changes, and what it has counted.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use rtp_flow::Passed;
use rustc_hash::FxHashMap;

use crate::lock::lock;
use crate::media::kernel::elements::{
    by_element, by_key, elements, put_in_order, to_element, to_key,
};
use crate::media::kernel::keys::Bytes;
use crate::media::kernel::netlink::{Batch, Nftables};
use crate::media::kernel::table::{self, Count, Map};
use crate::media::kernel::way::{NotHere, Way};

/// How long the second map keeps what the first has lost: a packet that is just between the two
/// must not leave with a foreign source.
const IN_BETWEEN: Duration = Duration::from_millis(100);

/// The kernel would not change the table; the table has been removed, and nothing is forwarded any
/// more but by user space.
#[derive(Debug, thiserror::Error)]
#[error("the kernel does not change its table: {0}")]
pub(crate) struct Refused(io::Error);

/// What an order has come to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Applied {
    /// Ways that the kernel does not take, and why.
    pub(crate) refused: Vec<(Way, NotHere)>,
    /// Ways that have ended, and what came by them.
    pub(crate) ended: Vec<(Way, Count)>,
}

/// What is to be done beside the orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Errand {
    /// Something has been closed: it leaves the second map in a moment.
    Tidy,
    /// The counters are to be read.
    Read,
}

/// The table, made.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) name: String,
    /// How many elements each map has room for.
    pub(super) size: u32,
    changes: Mutex<Changes>,
    /// Reading takes long; changes need not wait for it.
    reader: Mutex<Nftables>,
    /// Whether somebody waits for the counters.
    wanted: AtomicBool,
    reading: Mutex<Arc<Reading>>,
}

/// What changes the table.
#[derive(Debug)]
pub(super) struct Changes {
    nftables: Nftables,
    /// What makes the table, in place of that of an earlier process, which forwards until then.
    first: Option<Batch>,
    /// What is forwarded, as it was asked for: from whom, at which socket. Routes may change.
    ways: FxHashMap<Bytes, Open>,
    /// Which of them has a key of a map.
    held: FxHashMap<(Map, Bytes), Bytes>,
    /// What the first map has lost and the second still has.
    leaving: VecDeque<(Instant, Way)>,
    /// The table is gone for good.
    lost: bool,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    way: Way,
    since: Instant,
}

/// What the counters have said, by what was asked for.
#[derive(Debug)]
struct Reading {
    begun: Instant,
    passed: Vec<(Bytes, Way, Passed)>,
}

/// What one transaction changes.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// Each way as it was before the turn, by what was asked for.
    before: FxHashMap<Bytes, Option<Way>>,
    pub(super) applied: Applied,
}

impl Made {
    /// The table that has just been made, and is empty; or the batch that makes it, to be carried out before
    /// anything else.
    pub(super) fn new(
        name: String,
        size: u32,
        (nftables, first): (Nftables, Option<Batch>),
        reader: Nftables,
    ) -> Made {
        let changes = Changes {
            nftables,
            first,
            ways: FxHashMap::default(),
            held: FxHashMap::default(),
            leaving: VecDeque::new(),
            lost: false,
        };
        let none = Reading { begun: Instant::now(), passed: Vec::new() };
        Made {
            name,
            size,
            changes: Mutex::new(changes),
            reader: Mutex::new(reader),
            wanted: AtomicBool::new(false),
            reading: Mutex::new(Arc::new(none)),
        }
    }

    /// Does errands until nobody can give any more; `first`: when the table is to be made, if it is not.
    pub(super) fn run(&self, errands: &Receiver<Errand>, first: Option<Instant>) {
        let mut tidy = first;
        loop {
            let errand = match tidy {
                None => errands.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => errands.recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            let done = match errand {
                Ok(Errand::Tidy) => {
                    tidy.get_or_insert_with(|| Instant::now() + IN_BETWEEN);
                    Ok(())
                }
                Ok(Errand::Read) => self.read(),
                Err(RecvTimeoutError::Timeout) => {
                    let more = self.tidy();
                    tidy =
                        more.as_ref().is_ok_and(|more| *more).then(|| Instant::now() + IN_BETWEEN);
                    more.map(|_| ())
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if let Err(refused) = done {
                // Whoever orders or asks next is told by the answer.
                tracing::debug!("{refused}");
            }
        }
    }

    /// Takes out of the second map what the first has lost long enough ago; says whether there is
    /// more to come.
    fn tidy(&self) -> Result<bool, Refused> {
        let mut changes = self.changes()?;
        self.carry_out(&mut changes, Turn::default())?;
        Ok(!changes.leaving.is_empty())
    }

    /// What is in it, to be changed.
    ///
    /// # Errors
    /// If it is lost.
    pub(super) fn changes(&self) -> Result<MutexGuard<'_, Changes>, Refused> {
        let changes = lock(&self.changes);
        if changes.lost { Err(Refused(io::ErrorKind::NotConnected.into())) } else { Ok(changes) }
    }

    /// Whether the counters are to be asked for; then it has been said.
    pub(super) fn want(&self) -> bool {
        !self.wanted.swap(true, Ordering::SeqCst)
    }

    /// What the counters said when they were last read.
    ///
    /// # Errors
    /// If the table is lost.
    pub(super) fn passed(&self) -> Result<Vec<(Way, Passed)>, Refused> {
        let reading = lock(&self.reading).clone();
        let changes = self.changes()?;
        // What was read is of this way only if it was open by then.
        let same = |(asked, way, _): &&(Bytes, Way, Passed)| {
            let open = changes.ways.get(asked);
            open.is_some_and(|open| open.way == *way && open.since < reading.begun)
        };
        Ok(reading.passed.iter().filter(same).map(|(_, way, passed)| (*way, *passed)).collect())
    }

    /// Reads the counters. What changes meanwhile may be left out.
    ///
    /// # Errors
    /// If they cannot be read, not from a new table either.
    pub(super) fn read(&self) -> Result<(), Refused> {
        self.wanted.store(false, Ordering::SeqCst);
        let begun = Instant::now();
        let mut counts: FxHashMap<(Map, Bytes), Count> = FxHashMap::default();
        let mut reader = lock(&self.reader);
        let read = table::dump(&mut reader, &self.name, |map, key, count| {
            counts.insert((map, key), count);
        });
        drop(reader);
        let mut changes = self.changes()?;
        if let Err(error) = read {
            // User space has had the packets since. All may begin anew.
            return self.make_anew(&mut changes, error);
        }
        let found = |map, key| counts.get(&(map, key)).copied();
        let one = |(asked, Open { way, .. }): (&Bytes, &Open)| {
            let (came, left) = (found(Map::To, to_key(way))?, found(Map::By, by_key(way))?);
            let (came, bytes) = (came.packets, came.bytes);
            Some((*asked, *way, Passed { came, left: left.packets, bytes, last: None }))
        };
        let passed = changes.ways.iter().filter_map(one).collect();
        drop(changes);
        *lock(&self.reading) = Arc::new(Reading { begun, passed });
        Ok(())
    }

    /// Has the kernel do a turn.
    ///
    /// # Errors
    /// If it refuses, and a new table too.
    pub(super) fn carry_out(
        &self,
        changes: &mut Changes,
        mut turn: Turn,
    ) -> Result<Applied, Refused> {
        let now = Instant::now();
        if let Some(first) = changes.first.take()
            && let Err(error) = changes.nftables.transact(first, |_| {})
        {
            self.make_anew(changes, error)?;
        }
        let (mut gone, mut come) = (Vec::new(), Vec::new());
        for (asked, before) in &turn.before {
            let after = changes.ways.get(asked).map(|open| open.way);
            if *before == after {
                continue;
            }
            if let Some(way) = before {
                gone.push(to_element(way, false));
                changes.leaving.push_back((now, *way));
            }
            come.extend(after);
        }
        // What comes again leaves no longer, and is counted from the start.
        changes.leaving.retain(|(since, way)| {
            let anew = come.iter().any(|come| by_key(come) == by_key(way));
            let due = now.duration_since(*since) >= IN_BETWEEN;
            if anew || due {
                gone.push(by_element(way, false));
            }
            !anew && !due
        });
        if gone.is_empty() && come.is_empty() {
            return Ok(turn.applied);
        }
        let mut batch = Batch::begin();
        put_in_order(&mut gone);
        table::take(&mut batch, &self.name, &gone);
        table::put(&mut batch, &self.name, &elements(come.iter()));
        let mut counts: FxHashMap<Bytes, Count> = FxHashMap::default();
        let done = changes.nftables.transact(batch, |message| {
            table::read(message, |map, key, count| {
                if map == Map::To {
                    counts.insert(key, count);
                }
            });
        });
        for (asked, before) in &turn.before {
            let after = changes.ways.get(asked).map(|open| open.way);
            let ended = before.filter(|way| after != Some(*way));
            let came = |way: Way| counts.get(&to_key(&way)).copied().unwrap_or_default();
            turn.applied.ended.extend(ended.map(|way| (way, came(way))));
        }
        match done {
            Ok(()) => Ok(turn.applied),
            Err(error) => self.make_anew(changes, error).map(|()| turn.applied),
        }
    }

    /// Makes the whole table anew, with what is open: somebody has removed it, or it is not as we
    /// think.
    fn make_anew(&self, changes: &mut Changes, why: io::Error) -> Result<(), Refused> {
        tracing::warn!(
            table = self.name,
            "the fast path is made anew, its table was changed: {why}"
        );
        changes.leaving.clear();
        let mut batch = Batch::begin();
        table::make(&mut batch, &self.name, self.size);
        table::put(&mut batch, &self.name, &elements(changes.ways.values().map(|open| &open.way)));
        if let Err(error) = changes.nftables.transact(batch, |_| {}) {
            changes.lost = true;
            changes.remove(&self.name);
            return Err(Refused(error));
        }
        Ok(())
    }

    /// Whether nothing is forwarded, here or by an earlier process whose table still stands.
    pub(super) fn is_empty(&self) -> bool {
        let changes = lock(&self.changes);
        changes.ways.is_empty() && changes.first.is_none()
    }

    /// Removes the table.
    pub(super) fn remove(&self) {
        lock(&self.changes).remove(&self.name);
    }
}

impl Changes {
    /// How many ways are open.
    pub(super) fn len(&self) -> usize {
        self.ways.len()
    }

    /// Whether a way asked for otherwise has a key of this one.
    pub(super) fn meets(&self, asked: &Bytes, way: &Way) -> bool {
        let keys = [(Map::To, to_key(way)), (Map::By, by_key(way))];
        keys.iter().any(|key| self.held.get(key).is_some_and(|holder| holder != asked))
    }

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
    /// Opens a way; one that is open as it is stays so.
    pub(super) fn open(&mut self, changes: &mut Changes, asked: Bytes, way: Way) {
        if changes.ways.get(&asked).is_some_and(|open| open.way == way) {
            return;
        }
        self.close(changes, asked);
        changes.held.insert((Map::To, to_key(&way)), asked);
        changes.held.insert((Map::By, by_key(&way)), asked);
        changes.ways.insert(asked, Open { way, since: Instant::now() });
    }

    /// Closes what was opened so, if anything was.
    pub(super) fn close(&mut self, changes: &mut Changes, asked: Bytes) {
        let before = changes.ways.remove(&asked).map(|open| open.way);
        if let Some(way) = &before {
            changes.held.remove(&(Map::To, to_key(way)));
            changes.held.remove(&(Map::By, by_key(way)));
        }
        self.before.entry(asked).or_insert(before);
    }
}
