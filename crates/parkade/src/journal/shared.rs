//! The journal in the store that nodes share: another machine reads it there when this node's address has moved to
//! it. The server keeps what one instance has written only as long as that instance is the node.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use park_core::{JOURNAL_FORMAT, RecordKey, RecordKind};
use redis::{ConnectionLike, RedisError};

use crate::cluster::{Kept, Membership, Scripts};
use crate::journal::store::{Changes, Records};

/// How long the server may take to come before the program starts without what is there.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(250);
/// The field that says in which format the records are.
const FORMAT: &str = "format";

/// An open journal at the server.
pub(super) struct SharedStore {
    own: Arc<Membership>,
    scripts: Scripts,
    connection: Option<Box<dyn ConnectionLike + Send>>,
    /// What holds, to be written whole where the server has lost it.
    all: BTreeMap<RecordKey, Vec<u8>>,
    /// What is at the server is not known to be this.
    is_torn: bool,
}

impl SharedStore {
    /// Becomes the node, and reads what an earlier instance has written, on whatever machine. Where the server
    /// cannot be reached the journal begins empty, and that is said.
    pub(super) fn open(own: Arc<Membership>) -> (SharedStore, Records) {
        let mut store = SharedStore {
            own,
            scripts: Scripts::new(),
            connection: None,
            all: BTreeMap::new(),
            is_torn: true,
        };
        let deadline = Instant::now() + PATIENCE;
        loop {
            match store.read() {
                Ok(records) => return (store, records),
                Err(why) if Instant::now() >= deadline => {
                    tracing::error!(
                        "the journal at {} cannot be read: {why}; calls of an earlier run are lost to us",
                        store.own.place()
                    );
                    return (store, Vec::new());
                }
                Err(_) => thread::sleep(PAUSE),
            }
        }
    }

    fn read(&mut self) -> Result<Records, String> {
        let told = |error: RedisError| error.to_string();
        let mut connection = self.own.connect().map_err(told)?;
        let joined = self.own.join(&self.scripts, &mut *connection).map_err(told)?;
        if joined.is_none() {
            return Err("another instance runs under this node's name".to_owned());
        }
        let fields = self.scripts.read_journal(&mut *connection, &self.own).map_err(told)?;
        self.connection = Some(connection);
        let format = JOURNAL_FORMAT.to_string();
        let was = fields.iter().find(|(name, _)| name == FORMAT).map(|(_, format)| format);
        if was.is_some_and(|was| *was != format.as_bytes()) {
            let was = was.map(|was| String::from_utf8_lossy(was).into_owned()).unwrap_or_default();
            tracing::error!(
                "the journal at {} has format {was}, and {format} is read; its calls are lost to us",
                self.own.place()
            );
            return Ok(Vec::new());
        }
        let record = |(name, record): (String, Vec<u8>)| {
            let (kind, number) = name.split_once(':')?;
            let kind = RecordKind::of(kind.parse().ok()?)?;
            Some((RecordKey { kind, number: number.parse().ok()? }, record))
        };
        Ok(fields.into_iter().filter_map(record).collect())
    }

    /// Writes changes, all or none; `clear` takes everything else away first.
    ///
    /// # Errors
    /// What the server says, in words.
    pub(super) fn write(&mut self, clear: bool, changes: &Changes) -> Result<(), String> {
        if self.own.is_fenced() {
            return Err("another instance runs under this node's name".to_owned());
        }
        if clear {
            self.all.clear();
        }
        for (key, record) in changes {
            match record {
                Some(record) => self.all.insert(*key, record.clone()),
                None => self.all.remove(key),
            };
        }
        let whole = self.is_torn || clear;
        self.is_torn = true;
        if !whole {
            match self.send(false, changes)? {
                Kept::Yes => self.is_torn = false,
                Kept::Lost => {}
            }
        }
        if self.is_torn {
            let all = self.all.iter().map(|(key, record)| (*key, Some(record.clone()))).collect();
            self.send(true, &all)?;
            self.is_torn = false;
        }
        Ok(())
    }

    fn send(&mut self, clear: bool, changes: &Changes) -> Result<Kept, String> {
        let name = |key: &RecordKey| format!("{}:{}", key.kind.number(), key.number);
        let mut put: Vec<(String, &[u8])> = Vec::new();
        let mut gone = Vec::new();
        for (key, record) in changes {
            match record {
                Some(record) => put.push((name(key), record)),
                None => gone.push(name(key)),
            }
        }
        let format = JOURNAL_FORMAT.to_string();
        if clear {
            put.push((FORMAT.to_owned(), format.as_bytes()));
        }
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.own.connect().map_err(|error| error.to_string())?,
        };
        let kept = self.scripts.keep(&mut *connection, &self.own, clear, &put, &gone);
        match kept {
            Ok(Some(kept)) => {
                self.connection = Some(connection);
                Ok(kept)
            }
            Ok(None) => {
                self.own.fence();
                Err("another instance runs under this node's name".to_owned())
            }
            Err(error) => Err(error.to_string()),
        }
    }
}
