//! The store that nodes share, as a model: what the scripts of the program do at Redis, in as many words. Leases
//! are measured by the store's own clock.

use std::collections::BTreeMap;
use std::time::Duration;

use base::Moment;
use park_core::{ClusterNews, ClusterOrder, SharedCall};

/// For how long a node lives that is not heard of.
pub(super) const LEASE: Duration = Duration::from_secs(10);

/// A call in the store.
#[derive(Debug, Clone)]
struct Entry {
    node: String,
    token: u64,
    place: String,
    record: Vec<u8>,
}

/// What all nodes are told of, in its order; a lost place only its node.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Put(SharedCall),
    Gone(String),
    Lost { park: String, node: String, by: String },
}

/// The store.
#[derive(Debug, Default)]
pub(super) struct Store {
    epochs: BTreeMap<String, u64>,
    leases: BTreeMap<String, Moment>,
    counter: u64,
    calls: BTreeMap<String, Entry>,
    changes: Vec<Change>,
}

impl Store {
    /// A node comes, maybe again; whoever had its name before may write nothing more.
    pub(super) fn join(&mut self, node: &str, now: Moment) -> u64 {
        self.counter += 1;
        self.epochs.insert(node.to_owned(), self.counter);
        self.leases.insert(node.to_owned(), now + LEASE);
        self.sweep(now);
        self.counter
    }

    /// Whether this is still the node; `None`: the store has forgotten it.
    pub(super) fn knows(&self, node: &str, epoch: u64) -> Option<bool> {
        self.epochs.get(node).map(|known| *known == epoch)
    }

    /// A node lives on.
    pub(super) fn renew(&mut self, node: &str, now: Moment) {
        self.leases.insert(node.to_owned(), now + LEASE);
        self.sweep(now);
    }

    /// Forgets nodes that live no more, and what they had.
    pub(super) fn sweep(&mut self, now: Moment) {
        self.leases.retain(|_, until| *until > now);
        let leases = &self.leases;
        let dead = self.calls.iter().filter(|(_, entry)| !leases.contains_key(&entry.node));
        let dead: Vec<String> = dead.map(|(park, _)| park.clone()).collect();
        for park in dead {
            self.drop_call(&park);
        }
    }

    fn drop_call(&mut self, park: &str) {
        if self.calls.remove(park).is_some() {
            self.changes.push(Change::Gone(park.to_owned()));
        }
    }

    /// The nodes that live.
    pub(super) fn nodes(&self) -> Vec<String> {
        self.leases.keys().cloned().collect()
    }

    /// All calls.
    pub(super) fn calls(&self) -> Vec<SharedCall> {
        self.calls.iter().map(|(park, entry)| shared(park, entry)).collect()
    }

    /// The changes after so many.
    pub(super) fn changes(&self, after: usize) -> &[Change] {
        &self.changes[after.min(self.changes.len())..]
    }

    /// How many changes there were.
    pub(super) fn position(&self) -> usize {
        self.changes.len()
    }

    /// Forgets everything, as one that had nothing on disk.
    pub(super) fn lose_all(&mut self) {
        let changes = std::mem::take(&mut self.changes);
        *self = Store { changes, ..Store::default() };
    }

    /// How many calls have a place, by place.
    pub(super) fn taken(&self) -> BTreeMap<String, usize> {
        let mut taken = BTreeMap::new();
        for entry in self.calls.values() {
            *taken.entry(entry.place.clone()).or_default() += 1;
        }
        taken
    }

    /// Does what a node orders; gives the answer, if there is one.
    pub(super) fn obey(
        &mut self,
        node: &str,
        order: ClusterOrder,
        now: Moment,
    ) -> Option<ClusterNews> {
        self.sweep(now);
        match order {
            ClusterOrder::Stake { park, place, most, token, record } => {
                Some(self.stake(node, park, place, most, token, record))
            }
            ClusterOrder::Release { park } => {
                if self.calls.get(&park).is_some_and(|entry| entry.node == node) {
                    self.drop_call(&park);
                }
                None
            }
        }
    }

    fn stake(
        &mut self,
        node: &str,
        park: String,
        place: String,
        most: usize,
        token: Option<u64>,
        record: Vec<u8>,
    ) -> ClusterNews {
        let others = || self.calls.iter().filter(|(p, entry)| **p != park && entry.place == place);
        if others().count() >= most {
            let youngest = others().max_by_key(|(_, entry)| entry.token);
            let Some((loser, entry)) = youngest.map(|(p, entry)| (p.clone(), entry.clone())) else {
                return ClusterNews::Refused { park, by: String::new() };
            };
            if token.is_none_or(|token| entry.token <= token) {
                return ClusterNews::Refused { park, by: entry.node };
            }
            self.drop_call(&loser);
            let by = node.to_owned();
            self.changes.push(Change::Lost { park: loser, node: entry.node, by });
        }
        let token = token.unwrap_or(self.counter + 1);
        self.counter = self.counter.max(token);
        let entry = Entry { node: node.to_owned(), token, place, record };
        self.changes.push(Change::Put(shared(&park, &entry)));
        self.calls.insert(park.clone(), entry);
        ClusterNews::Granted { park, token }
    }
}

fn shared(park: &str, entry: &Entry) -> SharedCall {
    SharedCall { park: park.to_owned(), node: entry.node.clone(), record: entry.record.clone() }
}
