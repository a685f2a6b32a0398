//! Several nodes: who this one is, and where the store is that they share.

use std::path::Path;
use std::time::Duration;

use base::{Private, Transport};

use crate::cluster::{Membership, StoreAddress};
use crate::config::raw::Table;
use crate::config::settings::{Listen, Settings};
use crate::config::words;

/// Longer names make long keys.
const LONGEST_NAME: usize = 64;
/// A key that is shorter can be guessed.
const SHORTEST_KEY: usize = 16;
/// For how long a node lives that the store has not heard of, if nothing else is said.
const LEASE: Duration = Duration::from_secs(10);

/// The keys that there are.
const KEYS: [&str; 7] = ["node", "redis", "address", "key", "lease", "journal", "name"];

/// The other nodes, and the store that they share with this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterSettings {
    /// The name of the cluster: the beginning of its keys in the store.
    pub name: String,
    /// The name of this node.
    pub node: String,
    /// Where the store is.
    pub redis: StoreAddress,
    /// Where other nodes reach this one by SIP.
    pub address: Listen,
    /// For how long a node lives that the store has not heard of.
    pub lease: Duration,
    /// Whether the journal is kept in the store too, so that another machine can take over.
    pub journal: bool,
}

impl ClusterSettings {
    /// This node, in the run of the program that has this name.
    pub(crate) fn membership(&self, run: &str) -> Membership {
        Membership::new(
            self.redis.clone(),
            &self.name,
            (&self.node, run.to_owned()),
            self.address.to_string(),
            self.lease,
        )
    }
}

/// Reads `[cluster]`, if it is there.
pub(super) fn read(root: &Table<'_, '_>, settings: &mut Settings, folder: &Path) {
    let table = root.table("cluster");
    // An empty table is as good as none.
    let is_there = KEYS.iter().any(|key| table.has(key));
    let node = table.parsed("node", plain_name);
    let redis = table.parsed("redis", StoreAddress::read);
    let name = table.parsed("name", plain_name).unwrap_or_else(|| "parkade".to_owned());
    let address = address(&table, settings, is_there);
    let key = key(&table, folder, is_there);
    let bounds = Duration::from_secs(2)..=Duration::from_secs(300);
    let lease = table.duration("lease", bounds).unwrap_or(LEASE);
    let journal = table.flag("journal").unwrap_or(false);
    if journal && settings.state.as_ref().is_some_and(|_| root.table("state").has("path")) {
        table.doubt(
            "journal",
            "state.path is written too; the journal is in one place: leave that out",
        );
    }
    if is_there {
        for (key, what) in [
            ("node", "this node has no name; write node = \"a\""),
            ("redis", "where is the store? write redis = \"redis://HOST:6379\""),
        ] {
            if !table.has(key) {
                table.doubt(key, what);
            }
        }
    }
    table.close();
    let (Some(node), Some(redis), Some(address), Some(key)) = (node, redis, address, key) else {
        return;
    };
    let engine = park_core::ClusterSettings { node: node.clone(), key: Private::new(key), lease };
    settings.engine.cluster = Some(engine);
    settings.cluster = Some(ClusterSettings { name, node, redis, address, lease, journal });
}

/// A name that may stand in keys and lines.
fn plain_name(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    match !text.is_empty() && text.len() <= LONGEST_NAME && text.chars().all(plain) {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "{text:?} is no name; write 1 to {LONGEST_NAME} letters, digits, dots, - or _"
        )),
    }
}

/// Where other nodes reach this one: as written, else the phones' first socket, if that is somewhere.
fn address(table: &Table<'_, '_>, settings: &Settings, is_there: bool) -> Option<Listen> {
    if table.has("address") {
        return table.parsed("address", |text| {
            let read = words::listen(text)?;
            let wanted = "write udp:ADDRESS:PORT or tcp:ADDRESS:PORT, as other nodes reach it";
            match read {
                Listen { transport: Transport::Tls, .. } => {
                    Err(format!("{text:?}: nodes do not speak TLS with each other; {wanted}"))
                }
                Listen { address, .. } if address.ip().is_unspecified() || address.port() == 0 => {
                    Err(format!("{text:?} can be reached by nobody; {wanted}"))
                }
                read => Ok(read),
            }
        });
    }
    // Asked for all the same, so that it is known.
    let _ = table.text("address");
    let first = settings.phones_listen.iter().find(|l| l.transport == Transport::Udp).copied();
    let ip = settings.engine.phones_advertise;
    let known = first.map(|first| {
        let ip = ip.unwrap_or(first.address.ip());
        Listen { address: (ip, first.address.port()).into(), ..first }
    });
    let known = known.filter(|known| !known.address.ip().is_unspecified());
    if known.is_none() && is_there {
        let what = "where do other nodes reach this one? phones.listen names no single address; \
                    write address = \"udp:ADDRESS:5060\"";
        table.doubt("address", what);
    }
    known
}

/// What precedes the name of a file with the key in it.
const FILE: &str = "file:";

/// The key, as written or from a file.
fn key(table: &Table<'_, '_>, folder: &Path, is_there: bool) -> Option<Vec<u8>> {
    let wanted = "write the same 16 or more random letters at all nodes, as from: openssl rand -base64 32, or \
                  file: and the name of a file with them";
    let key = table.parsed("key", |text| {
        let read = match text.strip_prefix(FILE) {
            Some(name) => std::fs::read_to_string(folder.join(name))
                .map_err(|error| format!("{name:?} cannot be read: {error}; {wanted}"))?,
            None => text.to_owned(),
        };
        match read.trim() {
            key if key.len() < SHORTEST_KEY => {
                Err(format!("a key of {} letters can be guessed; {wanted}", key.len()))
            }
            key => Ok(key.as_bytes().to_vec()),
        }
    });
    if is_there && !table.has("key") {
        table.doubt("key", format!("by what do nodes believe each other? {wanted}"));
    }
    key
}
