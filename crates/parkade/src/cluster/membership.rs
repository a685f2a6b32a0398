//! Which instance of the program is the node. Whoever joined last under a name is it; an older one that comes
//! back may write nothing more, neither places nor the journal.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::{ConnectionLike, RedisResult};

use crate::cluster::address::{PATIENCE, StoreAddress};
use crate::cluster::scripts::{Joined, Keys, Scripts};

/// A node's name, and this run of the program under it.
#[derive(Debug)]
pub(crate) struct Membership {
    pub(super) store: StoreAddress,
    pub(super) keys: Keys,
    pub(super) node: String,
    /// Random: two runs have different ones.
    pub(super) instance: String,
    /// Where other nodes reach this one by SIP.
    pub(super) address: String,
    pub(super) lease: Duration,
    has_joined: AtomicBool,
    fenced: AtomicBool,
}

impl Membership {
    /// This run of the program, as a node of which nobody knows yet.
    pub(crate) fn new(
        store: StoreAddress,
        cluster: &str,
        (node, instance): (&str, String),
        address: String,
        lease: Duration,
    ) -> Membership {
        Membership {
            store,
            keys: Keys::of(cluster),
            node: node.to_owned(),
            instance,
            address,
            lease,
            has_joined: AtomicBool::new(false),
            fenced: AtomicBool::new(false),
        }
    }

    /// Where the store is, in words.
    pub(crate) fn place(&self) -> String {
        self.store.to_string()
    }

    /// Connects to the store.
    pub(crate) fn connect(&self) -> RedisResult<Box<dyn ConnectionLike + Send>> {
        self.store.connect(PATIENCE)
    }

    /// Becomes the node; gives what is there. `None` if another instance is it meanwhile.
    pub(crate) fn join(
        &self,
        scripts: &Scripts,
        connection: &mut dyn ConnectionLike,
    ) -> RedisResult<Option<Joined>> {
        let before = self.has_joined.load(Ordering::Acquire);
        let joined = scripts.join(connection, self, before)?;
        match joined {
            Some(_) => self.has_joined.store(true, Ordering::Release),
            None => self.fence(),
        }
        Ok(joined)
    }

    /// Another instance is the node.
    pub(crate) fn fence(&self) {
        self.fenced.store(true, Ordering::Release);
    }

    /// Whether another instance is the node.
    pub(crate) fn is_fenced(&self) -> bool {
        self.fenced.load(Ordering::Acquire)
    }
}
