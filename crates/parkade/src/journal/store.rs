//! The store: one file, checksummed and never half written. In it is a log, since most calls end soon: what is written
//! together lies together, and is taken away together when little of it still holds. That costs a third of what a row for
//! each record does.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};
use std::{fs, io, thread};

use park_core::{JOURNAL_FORMAT, RecordKey};
use redb::{Database, Durability, ReadableTable, Table, TableDefinition};
use rustc_hash::FxHashMap;

use crate::journal::batch;
use crate::journal::ledger::Ledger;

/// Batches by their numbers, oldest first.
const BATCHES: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("batches");
const ABOUT: TableDefinition<'static, &str, u32> = TableDefinition::new("about");
/// The entry of [`ABOUT`] that says in which format the records are.
const FORMAT: &str = "format";

/// How long the process before this one may take to let go of the file.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(20);
/// How much of the file is kept in memory: the calls of a busy house fit twice.
const CACHE: usize = 32 << 20;

/// No batch is much larger: one is read and written at a time where the log is cleaned.
const BATCH: usize = 256 << 10;
/// How many old batches are cleaned away with one commit at most.
const CLEANED: usize = 8;

/// Records, in no order.
pub(crate) type Records = Vec<(RecordKey, Vec<u8>)>;
/// What is to be written: a record, or that there is none any more.
pub(super) type Changes = BTreeMap<RecordKey, Option<Vec<u8>>>;

/// An open store.
#[derive(Debug)]
pub(super) struct Store {
    database: Database,
    /// What is in it; none where that is in doubt.
    ledger: Option<Ledger>,
}

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoStore {
    /// Another process has it.
    #[error("another process has it open")]
    InUse,
    /// It cannot be read, and has been set aside.
    #[error("it cannot be read ({why}), and was set aside as {}", aside.display())]
    SetAside {
        /// What is wrong with it.
        why: String,
        /// Where it is now.
        aside: PathBuf,
    },
    /// The system refuses.
    #[error("{0}")]
    Refused(String),
}

impl Store {
    /// Opens the store, or makes it; gives its records. A store that cannot be read is set aside, and
    /// the error says so: the next call makes a new one.
    ///
    /// # Errors
    /// [`NoStore`].
    pub(super) fn open(path: &Path) -> Result<(Store, Records), NoStore> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| NoStore::Refused(error.to_string()))?;
        }
        make(path).map_err(|error| NoStore::Refused(error.to_string()))?;
        let deadline = Instant::now() + PATIENCE;
        let database = loop {
            match Database::builder().set_cache_size(CACHE).create(path) {
                Ok(database) => break database,
                Err(redb::DatabaseError::DatabaseAlreadyOpen) if Instant::now() < deadline => {
                    thread::sleep(PAUSE);
                }
                Err(redb::DatabaseError::DatabaseAlreadyOpen) => return Err(NoStore::InUse),
                Err(error) if is_damage(&error) => return Err(set_aside(path, error.to_string())),
                Err(error) => return Err(NoStore::Refused(error.to_string())),
            }
        };
        let mut store = Store { database, ledger: None };
        // The library trusts what it finds; what a broken disk has made of it may be anything.
        match catch_unwind(AssertUnwindSafe(|| store.read())) {
            Ok(Ok((ledger, records))) => {
                store.ledger = Some(ledger);
                Ok((store, records))
            }
            Ok(Err(why)) => {
                drop(store);
                Err(set_aside(path, why))
            }
            Err(_) => {
                // Closing it would write into it; the file goes elsewhere as it is.
                std::mem::forget(store);
                Err(set_aside(path, "its pages are damaged".to_owned()))
            }
        }
    }

    /// All records, and where they are; what is wrong with the store is said in words.
    fn read(&self) -> Result<(Ledger, Records), String> {
        let told = |error: &dyn std::error::Error| error.to_string();
        let reading = self.database.begin_read().map_err(|error| told(&error))?;
        let about = match reading.open_table(ABOUT) {
            Ok(about) => about,
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Default::default()),
            Err(error) => return Err(told(&error)),
        };
        let format = about.get(FORMAT).map_err(|error| told(&error))?.map(|format| format.value());
        if format != Some(JOURNAL_FORMAT) {
            let was = format.map_or("none".to_owned(), |format| format.to_string());
            return Err(format!("its format is {was}, and {JOURNAL_FORMAT} is read"));
        }
        let table = reading.open_table(BATCHES).map_err(|error| told(&error))?;
        let (mut ledger, mut records) = (Ledger::default(), FxHashMap::default());
        for entry in table.iter().map_err(|error| told(&error))? {
            let (number, batch) = entry.map_err(|error| told(&error))?;
            let (number, batch) = (number.value(), batch.value());
            ledger.found(number, batch.len());
            for change in batch::read(batch) {
                match change.map_err(|_| format!("batch {number} ends in the middle"))? {
                    (key, Some(record)) => {
                        ledger.put(key, number, record.len());
                        records.insert(key, record.to_vec());
                    }
                    (key, None) => {
                        ledger.remove(key);
                        records.remove(&key);
                    }
                }
            }
        }
        Ok((ledger, records.into_iter().collect()))
    }

    /// Writes changes, all or none; `clear` takes everything else away first. They are on the disk when
    /// this returns, unless `lazily`.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(super) fn write(
        &mut self,
        clear: bool,
        changes: &Changes,
        lazily: bool,
    ) -> Result<(), String> {
        // What a write that fails has changed is not in the store: it is read again then.
        let mut ledger = match self.ledger.take() {
            _ if clear => Ledger::default(),
            Some(ledger) => ledger,
            None => self.read()?.0,
        };
        self.try_write(&mut ledger, clear, changes, lazily).map_err(|error| error.to_string())?;
        self.ledger = Some(ledger);
        Ok(())
    }

    fn try_write(
        &self,
        ledger: &mut Ledger,
        clear: bool,
        changes: &Changes,
        lazily: bool,
    ) -> Result<(), Box<redb::Error>> {
        let mut writing = self.database.begin_write().map_err(boxed)?;
        writing.set_durability(if lazily { Durability::Eventual } else { Durability::Immediate });
        if clear || ledger.is_new() {
            writing.delete_table(BATCHES).map_err(boxed)?;
            let mut about = writing.open_table(ABOUT).map_err(boxed)?;
            about.insert(FORMAT, JOURNAL_FORMAT).map_err(boxed)?;
        }
        let mut log = Log { table: writing.open_table(BATCHES).map_err(boxed)?, ledger };
        log.clean(changes)?;
        log.add(changes.iter().map(|(key, record)| (*key, record.as_deref())))?;
        drop(log);
        writing.commit().map_err(boxed)?;
        Ok(())
    }
}

/// The log while it is written.
struct Log<'t, 'l> {
    table: Table<'t, u64, &'static [u8]>,
    ledger: &'l mut Ledger,
}

impl Log<'_, '_> {
    /// Takes old batches away; what still holds of them, and is not changed now, goes into new ones.
    fn clean(&mut self, changes: &Changes) -> Result<(), Box<redb::Error>> {
        for _ in 0..CLEANED {
            let Some(number) = self.ledger.take_oldest() else { break };
            let old = self.table.remove(number).map_err(boxed)?.map(|old| old.value().to_vec());
            let old = old.unwrap_or_default();
            let held = batch::read(&old)
                .filter_map(|change| change.ok().filter(|change| change.1.is_some()));
            let held: Vec<_> = held
                .filter(|(key, _)| self.ledger.holds(number, *key) && !changes.contains_key(key))
                .collect();
            self.add(held.into_iter())?;
        }
        Ok(())
    }

    /// Adds changes as new batches.
    fn add<'c>(
        &mut self,
        changes: impl Iterator<Item = batch::Change<'c>>,
    ) -> Result<(), Box<redb::Error>> {
        let mut batch = Vec::new();
        for (key, record) in changes {
            match record {
                Some(record) => self.ledger.put(key, self.ledger.next(), record.len()),
                // It came and went between two commits.
                None if !self.ledger.remove(key) => continue,
                None => {}
            }
            batch::add(&mut batch, key, record);
            if batch.len() >= BATCH {
                self.finish(&mut batch)?;
            }
        }
        self.finish(&mut batch)
    }

    fn finish(&mut self, batch: &mut Vec<u8>) -> Result<(), Box<redb::Error>> {
        if !batch.is_empty() {
            let number = self.ledger.add(batch.len());
            self.table.insert(number, batch.as_slice()).map_err(boxed)?;
            batch.clear();
        }
        Ok(())
    }
}

/// Makes the file, if there is none, such that nobody else reads it: it has the keys of calls.
fn make(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// The library's errors are large.
fn boxed(error: impl Into<redb::Error>) -> Box<redb::Error> {
    Box::new(error.into())
}

/// Whether it is the file that is wrong, and not the system that refuses.
fn is_damage(error: &redb::DatabaseError) -> bool {
    use redb::{DatabaseError, StorageError};
    match error {
        DatabaseError::UpgradeRequired(_) | DatabaseError::RepairAborted => true,
        DatabaseError::Storage(StorageError::Corrupted(_)) => true,
        DatabaseError::Storage(StorageError::Io(error)) => {
            matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
        }
        _ => false,
    }
}

fn set_aside(path: &Path, why: String) -> NoStore {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".aside-{}", now.as_millis()));
    let aside = PathBuf::from(name);
    match fs::rename(path, &aside) {
        Ok(()) => NoStore::SetAside { why, aside },
        Err(error) => NoStore::Refused(format!("{why}; and it cannot be set aside: {error}")),
    }
}
