//! The thread that keeps what the engine writes down. Whatever comes while it writes is its next commit;
//! should the disk refuse, nothing waits for it: what holds then is tried again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use park_core::JournalStep;

use crate::cluster::Membership;
use crate::config::KeepMode;
use crate::journal::shared::SharedStore;
use crate::journal::store::{Changes, NoStore, Records, Store};

/// For how long the engine gathers changes for one commit. With the commit itself no more than 50 ms are lost.
const GATHER: Duration = Duration::from_millis(40);
/// The same where nobody waits for the disk.
const GATHER_LAZILY: Duration = Duration::from_millis(200);
/// When a write that the disk has refused is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// What the thread has done.
#[derive(Debug, Default)]
struct Done {
    commits: AtomicU64,
    records: AtomicU64,
    failures: AtomicU64,
    /// In microseconds.
    last_window: AtomicU64,
    longest_window: AtomicU64,
}

/// The same, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JournalFigures {
    /// Commits so far.
    pub(crate) commits: u64,
    /// Records written or taken out so far.
    pub(crate) records: u64,
    /// Commits that the disk has refused so far.
    pub(crate) failures: u64,
    /// How long the first change of the last commit waited until it was kept: so much would have been lost.
    pub(crate) last_window: Duration,
    /// The longest such time so far.
    pub(crate) longest_window: Duration,
}

/// What is to be kept, and since when the first of it has waited.
struct Written(Instant, Vec<JournalStep>);

/// The journal. Dropping it keeps what has come so far.
#[derive(Debug)]
pub(crate) struct Journal {
    written: Option<Sender<Written>>,
    gather: Duration,
    done: Arc<Done>,
    thread: Option<JoinHandle<()>>,
}

impl Journal {
    /// Opens the journal; gives what an earlier run of the program has written. Without one, which is
    /// told, calls do not outlive this run.
    pub(crate) fn open(path: &Path, mode: KeepMode) -> Option<(Journal, Records)> {
        let opened = Store::open(path).or_else(|error| match error {
            NoStore::SetAside { .. } => {
                tracing::error!("journal {}: {error}; its calls are lost to us", path.display());
                Store::open(path)
            }
            other => Err(other),
        });
        let (store, records) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                tracing::error!(
                    "no journal at {}: {error}; calls will not outlive this run of the program",
                    path.display()
                );
                return None;
            }
        };
        Self::keep(Place::Disk(store), mode).map(|journal| (journal, records))
    }

    /// Opens the journal in the store that nodes share; gives what an earlier instance of the node has written.
    pub(crate) fn open_shared(own: Arc<Membership>, mode: KeepMode) -> Option<(Journal, Records)> {
        let (store, records) = SharedStore::open(own);
        Self::keep(Place::Shared(Box::new(store)), mode).map(|journal| (journal, records))
    }

    /// Starts the thread.
    fn keep(place: Place, mode: KeepMode) -> Option<Journal> {
        let gather = match mode {
            KeepMode::Batch => GATHER,
            KeepMode::Always => Duration::ZERO,
            KeepMode::Off => GATHER_LAZILY,
        };
        let (written, taken) = channel();
        let done = Arc::new(Done::default());
        let counted = done.clone();
        let lazily = mode == KeepMode::Off;
        let keeper = Keeper { place, lazily, done: counted, failing: false };
        let keep = move || {
            if catch_unwind(AssertUnwindSafe(|| keeper.run(&taken))).is_err() {
                tracing::error!(
                    "the journal is damaged, and is not written any more: calls will not outlive this \
                     run of the program"
                );
            }
        };
        match thread::Builder::new().name("journal".into()).spawn(keep) {
            Ok(thread) => {
                Some(Journal { written: Some(written), gather, done, thread: Some(thread) })
            }
            Err(error) => {
                tracing::error!("no journal: its thread cannot be started: {error}");
                None
            }
        }
    }

    /// How long the engine is to gather changes before it writes them.
    pub(crate) fn gather(&self) -> Duration {
        self.gather
    }

    /// Takes what is to be kept; never waits.
    pub(crate) fn write(&self, steps: Vec<JournalStep>) {
        if let Some(written) = &self.written {
            let now = Instant::now();
            let since = now.checked_sub(self.gather).unwrap_or(now);
            // It ends only with us.
            let _ = written.send(Written(since, steps));
        }
    }

    /// What it has done so far.
    pub(crate) fn figures(&self) -> JournalFigures {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        JournalFigures {
            commits: read(&self.done.commits),
            records: read(&self.done.records),
            failures: read(&self.done.failures),
            last_window: Duration::from_micros(read(&self.done.last_window)),
            longest_window: Duration::from_micros(read(&self.done.longest_window)),
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.written = None;
        if let Some(thread) = self.thread.take() {
            // It has told what went wrong with it.
            let _ = thread.join();
        }
    }
}

/// What is not kept yet.
#[derive(Debug, Default)]
struct Waiting {
    clear: bool,
    changes: Changes,
    since: Option<Instant>,
}

impl Waiting {
    fn take(&mut self, Written(since, steps): Written) {
        self.since.get_or_insert(since);
        for step in steps {
            match step {
                JournalStep::Clear => {
                    self.clear = true;
                    self.changes.clear();
                }
                JournalStep::Put { key, record } => {
                    self.changes.insert(key, Some(record));
                }
                JournalStep::Remove { key } => {
                    self.changes.insert(key, None);
                }
            }
        }
    }
}

/// Where it is kept.
enum Place {
    Disk(Store),
    Shared(Box<SharedStore>),
}

struct Keeper {
    place: Place,
    lazily: bool,
    done: Arc<Done>,
    failing: bool,
}

impl Keeper {
    fn run(mut self, written: &Receiver<Written>) {
        let mut waiting = Waiting::default();
        loop {
            // What the disk has refused is tried again, with what has come meanwhile.
            let patience = if self.failing { AGAIN } else { Duration::MAX };
            let over = match written.recv_timeout(patience) {
                Ok(steps) => {
                    waiting.take(steps);
                    false
                }
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => true,
            };
            written.try_iter().for_each(|steps| waiting.take(steps));
            if waiting.since.is_some() {
                self.keep(&mut waiting);
            }
            if over {
                return;
            }
        }
    }

    fn keep(&mut self, waiting: &mut Waiting) {
        let kept = match &mut self.place {
            Place::Disk(store) => store.write(waiting.clear, &waiting.changes, self.lazily),
            Place::Shared(store) => store.write(waiting.clear, &waiting.changes),
        };
        if let Err(error) = kept {
            self.done.failures.fetch_add(1, Ordering::Relaxed);
            if !std::mem::replace(&mut self.failing, true) {
                tracing::error!(
                    "the journal cannot be written: {error}; it is tried again each second"
                );
            }
            return;
        }
        if std::mem::take(&mut self.failing) {
            tracing::info!("the journal is written again");
        }
        let window = waiting.since.map_or(Duration::ZERO, |since| since.elapsed());
        let window = u64::try_from(window.as_micros()).unwrap_or(u64::MAX);
        self.done.commits.fetch_add(1, Ordering::Relaxed);
        self.done.records.fetch_add(waiting.changes.len() as u64, Ordering::Relaxed);
        self.done.last_window.store(window, Ordering::Relaxed);
        self.done.longest_window.fetch_max(window, Ordering::Relaxed);
        *waiting = Waiting::default();
    }
}
