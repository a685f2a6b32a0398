//! The store: one file, checksummed and never half written, with a record for each key.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};
use std::{fs, io, thread};

use park_core::{JOURNAL_FORMAT, RecordKey, RecordKind};
use redb::{Database, Durability, ReadableTable, TableDefinition};

const RECORDS: TableDefinition<'static, (u8, u64), &[u8]> = TableDefinition::new("records");
const ABOUT: TableDefinition<'static, &str, u32> = TableDefinition::new("about");
/// The entry of [`ABOUT`] that says in which format the records are.
const FORMAT: &str = "format";

/// How long the process before this one may take to let go of the file.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(20);
/// How much of the file is kept in memory: the calls of a busy house fit twice.
const CACHE: usize = 32 << 20;

/// Records, in no order.
pub(super) type Records = Vec<(RecordKey, Vec<u8>)>;
/// What is to be written: a record, or that there is none any more.
pub(super) type Changes = BTreeMap<RecordKey, Option<Vec<u8>>>;

/// An open store.
#[derive(Debug)]
pub(super) struct Store {
    database: Database,
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
        let store = Store { database };
        // The library trusts what it finds; what a broken disk has made of it may be anything.
        match catch_unwind(AssertUnwindSafe(|| store.read())) {
            Ok(Ok(records)) => Ok((store, records)),
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

    /// All records; what is wrong with the store is said in words.
    fn read(&self) -> Result<Records, String> {
        let told = |error: &dyn std::error::Error| error.to_string();
        let reading = self.database.begin_read().map_err(|error| told(&error))?;
        let about = match reading.open_table(ABOUT) {
            Ok(about) => about,
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            Err(error) => return Err(told(&error)),
        };
        let format = about.get(FORMAT).map_err(|error| told(&error))?.map(|format| format.value());
        if format != Some(JOURNAL_FORMAT) {
            let was = format.map_or("none".to_owned(), |format| format.to_string());
            return Err(format!("its format is {was}, and {JOURNAL_FORMAT} is read"));
        }
        let table = reading.open_table(RECORDS).map_err(|error| told(&error))?;
        let mut records = Vec::new();
        for entry in table.iter().map_err(|error| told(&error))? {
            let (key, record) = entry.map_err(|error| told(&error))?;
            let (kind, number) = key.value();
            // Of a kind that this version does not know: nothing to do with it.
            let Some(kind) = RecordKind::of(kind) else { continue };
            records.push((RecordKey { kind, number }, record.value().to_vec()));
        }
        Ok(records)
    }

    /// Writes changes, all or none; `clear` takes everything else away first. They are on the disk when
    /// this returns, unless `lazily`.
    ///
    /// # Errors
    /// What the system says, in words.
    pub(super) fn write(&self, clear: bool, changes: &Changes, lazily: bool) -> Result<(), String> {
        self.try_write(clear, changes, lazily).map_err(|error| error.to_string())
    }

    fn try_write(
        &self,
        clear: bool,
        changes: &Changes,
        lazily: bool,
    ) -> Result<(), Box<redb::Error>> {
        let mut writing = self.database.begin_write().map_err(boxed)?;
        writing.set_durability(if lazily { Durability::Eventual } else { Durability::Immediate });
        if clear {
            writing.delete_table(RECORDS).map_err(boxed)?;
        }
        writing.open_table(ABOUT).map_err(boxed)?.insert(FORMAT, JOURNAL_FORMAT).map_err(boxed)?;
        {
            let mut table = writing.open_table(RECORDS).map_err(boxed)?;
            for (key, record) in changes {
                let at = (key.kind.number(), key.number);
                match record {
                    Some(record) => table.insert(at, record.as_slice()).map_err(boxed)?,
                    None => table.remove(at).map_err(boxed)?,
                };
            }
        }
        writing.commit().map_err(boxed)?;
        Ok(())
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
