//! Subscriptions as data: by their token, by what they watch, by whose they are, and in the order in
//! which they are to be told.

use std::collections::VecDeque;
use std::net::IpAddr;

use base::{Changes, Moment};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use sip_core::{Dialog, ahead};
use slotmap::SlotMap;

use crate::contacts::Aor;
use crate::house::House;
use crate::keys::{BindingKey, WatchKey};
use crate::watches::watched::Watched;

/// Whose subscriptions are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Holder {
    Binding(BindingKey),
    /// A trusted device that has not registered.
    Device(IpAddr),
}

impl Holder {
    pub(super) fn of(binding: Option<BindingKey>, device: IpAddr) -> Holder {
        binding.map_or(Holder::Device(device), Holder::Binding)
    }
}

/// Why we end a subscription (RFC 6665 §4.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Over {
    /// It was not refreshed, or its holder has ended it.
    Timeout,
    /// Because we end: phones subscribe anew at once.
    Deactivated,
}

impl Over {
    /// As Subscription-State says it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Over::Timeout => "timeout",
            Over::Deactivated => "deactivated",
        }
    }
}

/// One subscription.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Watch {
    pub(super) token: Box<str>,
    pub(super) dialog: Dialog,
    /// The Event header as it came: a phone may tell its subscriptions apart by `id`.
    pub(super) event: Box<str>,
    /// What was subscribed to, literally: phones compare it.
    pub(super) entity: Box<str>,
    pub(super) watched: Watched,
    pub(super) holder: Holder,
    pub(super) until: Moment,
    /// Of the next notice.
    #[serde(serialize_with = "ahead")]
    pub(super) version: u32,
    /// By which ids the calls were told that the phone knows of; none: it may know nothing.
    pub(super) told: Option<Vec<Box<str>>>,
    #[serde(default)]
    pub(super) in_flight: bool,
    /// How many notices in a row it could not take.
    pub(super) failures: u32,
    /// Until when it is left alone for that.
    pub(super) rests_until: Option<Moment>,
    /// It may show a call.
    pub(super) may_be_lit: bool,
    /// Stands in the queue of those to be told.
    #[serde(skip)]
    pub(super) queued: bool,
    /// The state changed while a notice was under way.
    #[serde(default)]
    pub(super) stale: bool,
    /// Why it is over; the notice that says so is the last.
    pub(super) over: Option<Over>,
    /// That last one is under way.
    #[serde(default)]
    pub(super) closing: bool,
}

impl Watch {
    pub(super) fn binding(&self) -> Option<BindingKey> {
        match self.holder {
            Holder::Binding(key) => Some(key),
            Holder::Device(_) => None,
        }
    }
}

impl Watch {
    /// After a restart: by which key its phone is found now. Says whether that is still there.
    pub(crate) fn renamed(&mut self, names: &FxHashMap<BindingKey, BindingKey>) -> bool {
        let Holder::Binding(key) = &mut self.holder else { return true };
        let Some(now) = names.get(key) else { return false };
        *key = *now;
        true
    }

    /// After a restart: a notice whose record could not be read may never have come.
    pub(super) fn was_not_told(&mut self) {
        if self.in_flight {
            self.told = None;
            (self.in_flight, self.closing) = (false, false);
        }
    }
}

/// All subscriptions to what is ours.
#[derive(Debug, Default)]
pub(crate) struct Watches {
    watches: SlotMap<WatchKey, Watch>,
    by_token: FxHashMap<Box<str>, WatchKey>,
    by_watched: FxHashMap<Watched, Vec<WatchKey>>,
    by_holder: FxHashMap<Holder, Vec<WatchKey>>,
    queue: VecDeque<WatchKey>,
    /// Until when those of the queue that have been told are reckoned to take.
    pub(super) reckoned: Moment,
    pub(crate) changes: Changes<WatchKey>,
}

/// Takes a key out of an index, and the entry with its last one.
fn forget<K: std::hash::Hash + Eq>(index: &mut FxHashMap<K, Vec<WatchKey>>, at: &K, key: WatchKey) {
    if let Some(keys) = index.get_mut(at) {
        keys.retain(|other| *other != key);
        if keys.is_empty() {
            index.remove(at);
        }
    }
}

impl Watches {
    pub(crate) fn len(&self) -> usize {
        self.watches.len()
    }

    pub(super) fn insert(&mut self, watch: Watch) -> WatchKey {
        let (token, watched, holder) = (watch.token.clone(), watch.watched.clone(), watch.holder);
        let key = self.watches.insert(watch);
        self.changes.note(key);
        self.by_token.insert(token, key);
        self.by_watched.entry(watched).or_default().push(key);
        self.by_holder.entry(holder).or_default().push(key);
        key
    }

    pub(super) fn remove(&mut self, key: WatchKey) -> Option<Watch> {
        let watch = self.watches.remove(key)?;
        self.changes.note(key);
        self.by_token.remove(&watch.token);
        forget(&mut self.by_watched, &watch.watched, key);
        forget(&mut self.by_holder, &watch.holder, key);
        Some(watch)
    }

    pub(crate) fn get(&self, key: WatchKey) -> Option<&Watch> {
        self.watches.get(key)
    }

    pub(super) fn get_mut(&mut self, key: WatchKey) -> Option<&mut Watch> {
        self.changes.note(key);
        self.watches.get_mut(key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Watch> {
        self.watches.values()
    }

    pub(super) fn keys(&self) -> Vec<WatchKey> {
        self.watches.keys().collect()
    }

    pub(super) fn by_token(&self, token: &str) -> Option<WatchKey> {
        self.by_token.get(token).copied()
    }

    /// Who watches this.
    pub(super) fn of(&self, watched: &Watched) -> Vec<WatchKey> {
        self.by_watched.get(watched).cloned().unwrap_or_default()
    }

    /// What somebody watches.
    pub(super) fn held_by(&self, holder: Holder) -> &[WatchKey] {
        self.by_holder.get(&holder).map_or(&[], Vec::as_slice)
    }

    /// Puts one in the queue of those to be told.
    pub(super) fn queue(&mut self, key: WatchKey) {
        if let Some(watch) = self.watches.get_mut(key)
            && !std::mem::replace(&mut watch.queued, true)
        {
            self.queue.push_back(key);
        }
    }

    /// The next one to be told; it may have gone.
    pub(super) fn next_queued(&mut self) -> Option<WatchKey> {
        let key = self.queue.pop_front()?;
        if let Some(watch) = self.watches.get_mut(key) {
            watch.queued = false;
        }
        Some(key)
    }
}

/// Whether a phone has subscribed to what is parked for its own extension: it is told there and
/// nowhere else.
pub(crate) fn tells_line(house: &House, binding: BindingKey, aor: &Aor) -> bool {
    let live = |key: &WatchKey| {
        let watch = house.watches.get(*key);
        watch.is_some_and(|watch| {
            watch.over.is_none() && matches!(&watch.watched, Watched::Line(line) if line == aor)
        })
    };
    house.watches.held_by(Holder::Binding(binding)).iter().any(live)
}
