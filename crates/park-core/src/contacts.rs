//! Bindings: who is registered where, learnt from the PBX's answers to REGISTERs that pass.

use std::net::{IpAddr, SocketAddr};

use base::{Changes, Domain, Extension, Flow, Moment};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use slotmap::SlotMap;

use crate::keys::BindingKey;
use crate::lamps::NoticeLine;

/// An address of record: an extension in its domain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Aor {
    pub(crate) extension: Extension,
    pub(crate) domain: Domain,
}

/// One registered Contact.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Binding {
    pub(crate) aor: Aor,
    /// The Contact URI as the phone gave it.
    pub(crate) contact: Box<str>,
    /// What stands for it in our Contact towards the PBX.
    pub(crate) token: Box<str>,
    pub(crate) flow: Flow,
    pub(crate) expires: Moment,
    pub(crate) user_agent: Box<str>,
    /// The Call-ID of its REGISTERs: another one means that the phone has started anew.
    pub(crate) call_id: Box<str>,
    pub(crate) line: NoticeLine,
}

impl Binding {
    /// Whether it is reached by this flow.
    fn is_at(&self, flow: &Flow) -> bool {
        match flow.conn {
            Some(conn) => self.flow.conn == Some(conn),
            None => self.flow.transport == flow.transport && self.flow.peer == flow.peer,
        }
    }
}

/// All live bindings.
#[derive(Debug, Default)]
pub(crate) struct Contacts {
    bindings: SlotMap<BindingKey, Binding>,
    by_token: FxHashMap<Box<str>, BindingKey>,
    by_aor: FxHashMap<Aor, Vec<BindingKey>>,
    by_peer: FxHashMap<SocketAddr, Vec<BindingKey>>,
    /// How many bindings there are at an address.
    homes: FxHashMap<IpAddr, u32>,
    pub(crate) changes: Changes<BindingKey>,
}

/// What stands for a phone's Contact towards the PBX: the same for each refresh, and after a restart.
pub(crate) fn token_of(aor: &Aor, contact: &str, instance: Option<&str>, flow: &Flow) -> String {
    let mut hash = Fnv::default();
    hash.eat(aor.domain.as_str());
    match instance {
        Some(instance) => hash.eat(instance),
        None => {
            hash.eat(contact);
            hash.eat(&flow.peer.ip().to_string());
        }
    }
    let readable = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let name: String = aor.extension.as_str().chars().filter(|c| readable(*c)).take(32).collect();
    format!("{name}~{:012x}", hash.0 & 0xffff_ffff_ffff)
}

fn remove<K: std::hash::Hash + Eq>(
    index: &mut FxHashMap<K, Vec<BindingKey>>,
    at: &K,
    key: BindingKey,
) {
    if let Some(keys) = index.get_mut(at) {
        keys.retain(|other| *other != key);
        if keys.is_empty() {
            index.remove(at);
        }
    }
}

/// FNV-1a: stable over restarts and versions, which the standard hasher does not promise.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn eat(&mut self, text: &str) {
        for byte in text.bytes().chain([0]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

impl Contacts {
    /// Takes in a binding, new or refreshed; says which, whether the phone has started anew, and whether
    /// it should be told what is parked for it.
    pub(crate) fn bind(&mut self, binding: Binding) -> (BindingKey, bool, bool) {
        if let Some(&key) = self.by_token.get(&binding.token)
            && let Some(known) = self.bindings.get_mut(key)
        {
            self.changes.note(key);
            let fresh = known.call_id != binding.call_id;
            let (was, is) = (known.flow.peer, binding.flow.peer);
            known.contact = binding.contact;
            known.flow = binding.flow;
            known.expires = binding.expires;
            known.user_agent = binding.user_agent;
            known.call_id = binding.call_id;
            let wants_to_know = known.line.registered(fresh);
            if was != is {
                remove(&mut self.by_peer, &was, key);
                self.by_peer.entry(is).or_default().push(key);
                self.leaves(was.ip());
                *self.homes.entry(is.ip()).or_default() += 1;
            }
            return (key, fresh, wants_to_know);
        }
        let token = binding.token.clone();
        let aor = binding.aor.clone();
        let peer = binding.flow.peer;
        let key = self.bindings.insert(binding);
        self.changes.note(key);
        self.by_token.insert(token, key);
        self.by_peer.entry(peer).or_default().push(key);
        *self.homes.entry(peer.ip()).or_default() += 1;
        self.by_aor.entry(aor).or_default().push(key);
        (key, true, true)
    }

    /// Takes a binding out.
    pub(crate) fn unbind(&mut self, key: BindingKey) -> Option<Binding> {
        let binding = self.bindings.remove(key)?;
        self.changes.note(key);
        self.by_token.remove(&binding.token);
        remove(&mut self.by_aor, &binding.aor, key);
        remove(&mut self.by_peer, &binding.flow.peer, key);
        self.leaves(binding.flow.peer.ip());
        Some(binding)
    }

    fn leaves(&mut self, ip: IpAddr) {
        if let Some(count) = self.homes.get_mut(&ip) {
            *count -= 1;
            if *count == 0 {
                self.homes.remove(&ip);
            }
        }
    }

    /// Whether a phone is registered by this very flow.
    pub(crate) fn has_flow(&self, flow: &Flow) -> bool {
        let Some(keys) = self.by_peer.get(&flow.peer) else { return false };
        keys.iter().filter_map(|key| self.bindings.get(*key)).any(|at| at.is_at(flow))
    }

    /// Whether a phone is registered at this address.
    pub(crate) fn is_home(&self, ip: IpAddr) -> bool {
        self.homes.contains_key(&ip)
    }

    pub(crate) fn get(&self, key: BindingKey) -> Option<&Binding> {
        self.bindings.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: BindingKey) -> Option<&mut Binding> {
        self.changes.note(key);
        self.bindings.get_mut(key)
    }

    /// The binding that a user part of ours stands for.
    pub(crate) fn by_token(&self, token: &str) -> Option<(BindingKey, &Binding)> {
        let key = *self.by_token.get(token)?;
        Some((key, self.bindings.get(key)?))
    }

    /// The bindings of an extension, oldest first.
    pub(crate) fn of(&self, aor: &Aor) -> Vec<BindingKey> {
        self.by_aor.get(aor).cloned().unwrap_or_default()
    }

    /// Of an extension that has more bindings than `most`, the one that ends first; not `newest`.
    pub(crate) fn too_many(
        &self,
        aor: &Aor,
        newest: BindingKey,
        most: usize,
    ) -> Option<BindingKey> {
        let keys = self.by_aor.get(aor).filter(|keys| keys.len() > most)?;
        let others = keys.iter().copied().filter(|key| *key != newest);
        others.min_by_key(|key| self.bindings.get(*key).map(|binding| binding.expires))
    }

    /// Whether the extension has a binding.
    pub(crate) fn knows(&self, aor: &Aor) -> bool {
        self.by_aor.contains_key(aor)
    }

    /// The extension's binding whose flow this is.
    pub(crate) fn by_flow(
        &self,
        extension: &str,
        domain: Option<&str>,
        flow: &Flow,
    ) -> Option<BindingKey> {
        let meant = |aor: &Aor| {
            aor.extension.as_str() == extension
                && domain.is_none_or(|domain| aor.domain.as_str().eq_ignore_ascii_case(domain))
        };
        let keys = self.by_peer.get(&flow.peer)?;
        let found = |key: &BindingKey| {
            self.bindings.get(*key).is_some_and(|at| at.is_at(flow) && meant(&at.aor))
        };
        keys.iter().copied().find(found)
    }

    pub(crate) fn len(&self) -> usize {
        self.bindings.len()
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = BindingKey> + '_ {
        self.bindings.keys()
    }
}
