//! All parked calls by slot. The contested things are settled here, once: who gets a place, and who
//! gets a call.

use std::collections::BTreeMap;

use base::{Changes, Domain, LotName, Moment, SlotName};
use dialects::is_in_ranges;
use rustc_hash::FxHashMap;
use slotmap::SlotMap;

use crate::keys::{LegKey, ParkedKey};
use crate::lots::slot::{Claim, ParkedCall, SlotId};
use crate::refusal::Refusal;
use crate::settings::LotSettings;

/// How many parked calls a notice shows at most: with the longest names they fit into a datagram.
pub const MOST_TOLD: usize = 32;

/// A place that is kept for a call that is about to be parked there.
#[derive(Debug)]
struct Held {
    id: SlotId,
    by: LegKey,
    until: Moment,
}

/// The parked calls.
#[derive(Debug, Default)]
pub(crate) struct Lots {
    calls: SlotMap<ParkedKey, ParkedCall>,
    slots: BTreeMap<SlotId, Vec<ParkedKey>>,
    by_name: FxHashMap<Box<str>, ParkedKey>,
    held: Vec<Held>,
    /// The slot that was last found for a call, by lot and domain.
    last_found: BTreeMap<(LotName, Domain), SlotName>,
    pub(crate) changes: Changes<ParkedKey>,
}

impl Lots {
    /// Puts a call into its slot, behind those that wait there, if there is room for it. `by` is
    /// the parker's leg: places that are kept for others are no room for it.
    ///
    /// # Errors
    /// [`Refusal::SlotTaken`]; nothing has changed then.
    pub(crate) fn admit(
        &mut self,
        call: ParkedCall,
        most: usize,
        by: LegKey,
    ) -> Result<ParkedKey, Refusal> {
        let waiting = self.slots.get(&call.id).map_or(0, Vec::len);
        let at = call.since;
        let held = self.held(at).filter(|held| held.id == call.id && held.by != by).count();
        if waiting + held >= most {
            return Err(Refusal::SlotTaken(call.id.slot));
        }
        self.held.retain(|held| held.by != by && held.until > at);
        Ok(self.put(call))
    }

    /// Puts a call into its slot, behind those that wait there: one that had its place before.
    pub(crate) fn put(&mut self, call: ParkedCall) -> ParkedKey {
        let (id, name) = (call.id.clone(), call.park.clone());
        let key = self.calls.insert(call);
        self.by_name.insert(name, key);
        self.slots.entry(id).or_default().push(key);
        self.changes.note(key);
        key
    }

    /// Keeps a place for the call of a leg; whatever was kept for it before is given up.
    pub(crate) fn hold(&mut self, id: SlotId, by: LegKey, at: Moment, until: Moment) {
        self.held.retain(|held| held.by != by && held.until > at);
        self.held.push(Held { id, by, until });
    }

    /// Has a slot count as taken for a while: another node has it.
    pub(crate) fn keep_off(&mut self, id: SlotId, at: Moment, until: Moment) {
        self.held.retain(|held| held.until > at);
        self.held.push(Held { id, by: LegKey::default(), until });
    }

    /// The slot of a lot that is kept for the call of a leg.
    pub(crate) fn held_for(&self, by: LegKey, lot: &LotName, at: Moment) -> Option<&SlotId> {
        self.held(at).find(|held| held.by == by && held.id.lot == *lot).map(|held| &held.id)
    }

    fn held(&self, at: Moment) -> impl Iterator<Item = &Held> {
        self.held.iter().filter(move |held| held.until > at)
    }

    /// Whether nothing waits in a slot, and it is kept for nobody.
    pub(crate) fn is_free(&self, id: &SlotId, at: Moment) -> bool {
        self.waiting(id) == 0 && !self.held(at).any(|held| held.id == *id)
    }

    /// Keeps in mind which slot was found for a call that was given none.
    pub(crate) fn found(&mut self, id: SlotId) {
        self.last_found.insert((id.lot, id.domain), id.slot);
    }

    /// The slot that was last found.
    pub(crate) fn last_found(&self, lot: &LotName, domain: &Domain) -> Option<&SlotName> {
        self.last_found.get(&(lot.clone(), domain.clone()))
    }

    /// How many calls wait in a slot.
    pub(crate) fn waiting(&self, id: &SlotId) -> usize {
        self.slots.get(id).map_or(0, Vec::len)
    }

    /// The calls in a slot, first in first.
    pub(crate) fn in_slot(&self, id: &SlotId) -> impl Iterator<Item = (ParkedKey, &ParkedCall)> {
        let keys = self.slots.get(id).into_iter().flatten().copied();
        keys.filter_map(|key| Some((key, self.calls.get(key)?)))
    }

    /// Takes hold of a call for a retriever.
    ///
    /// # Errors
    /// [`Refusal::BeingTaken`] if somebody else has hold of it, [`Refusal::SlotEmpty`] if it has gone.
    pub(crate) fn claim(
        &mut self,
        key: ParkedKey,
        by: LegKey,
        recall: bool,
    ) -> Result<(), Refusal> {
        self.changes.note(key);
        let call = self.calls.get_mut(key).ok_or(Refusal::SlotEmpty)?;
        match call.claim {
            Some(claim) if claim.by != by => Err(Refusal::BeingTaken),
            _ => {
                call.claim = Some(Claim { by, awaits_offer: false, recall });
                Ok(())
            }
        }
    }

    /// Lets go of a call, if it was this retriever's.
    pub(crate) fn release(&mut self, key: ParkedKey, by: LegKey) -> bool {
        self.changes.note(key);
        match self.calls.get_mut(key) {
            Some(call) if call.claim.is_some_and(|claim| claim.by == by) => {
                call.claim = None;
                true
            }
            _ => false,
        }
    }

    /// Takes a call out of its slot.
    pub(crate) fn remove(&mut self, key: ParkedKey) -> Option<ParkedCall> {
        let call = self.calls.remove(key)?;
        self.by_name.remove(&call.park);
        self.changes.note(key);
        self.leave(&call.id, key);
        Some(call)
    }

    fn leave(&mut self, id: &SlotId, key: ParkedKey) {
        if let Some(keys) = self.slots.get_mut(id) {
            keys.retain(|other| *other != key);
            if keys.is_empty() {
                self.slots.remove(id);
            }
        }
    }

    /// Puts a call into another slot, behind those that wait there, if there is room for it.
    ///
    /// # Errors
    /// [`Refusal::SlotTaken`]; nothing has changed then.
    pub(crate) fn relocate(
        &mut self,
        key: ParkedKey,
        id: SlotId,
        most: usize,
        at: Moment,
    ) -> Result<(), Refusal> {
        let old = self.calls.get(key).ok_or(Refusal::NoSuchCall)?.id.clone();
        let held = self.held(at).filter(|held| held.id == id).count();
        if self.waiting(&id) + held >= most {
            return Err(Refusal::SlotTaken(id.slot));
        }
        self.leave(&old, key);
        self.slots.entry(id.clone()).or_default().push(key);
        self.changes.note(key);
        if let Some(call) = self.calls.get_mut(key) {
            call.id = id;
        }
        Ok(())
    }

    /// How many of a lot's slots, which are in these ranges, have calls of a domain.
    pub(crate) fn taken(&self, lot: &LotSettings, domain: &Domain) -> usize {
        let here = self.slots_of(&lot.name, Some(domain));
        here.filter(|(id, _)| is_in_ranges(&lot.slots, id.slot.as_str())).count()
    }

    /// The slots of a lot that have calls, and how many: those of one domain, or of all.
    pub(crate) fn slots_of<'l>(
        &'l self,
        lot: &LotName,
        domain: Option<&'l Domain>,
    ) -> impl Iterator<Item = (&'l SlotId, usize)> {
        let from = domain.cloned().unwrap_or_else(|| Domain::from(""));
        let first = SlotId { lot: lot.clone(), domain: from, slot: SlotName::from("") };
        let name = lot.clone();
        let is_meant =
            move |id: &SlotId| id.lot == name && domain.is_none_or(|domain| id.domain == *domain);
        self.slots
            .range(first..)
            .take_while(move |(id, _)| is_meant(id))
            .map(|(id, calls)| (id, calls.len()))
    }

    /// The call that operators know by this name.
    pub(crate) fn named(&self, park: &str) -> Option<ParkedKey> {
        self.by_name.get(park).copied()
    }

    pub(crate) fn get(&self, key: ParkedKey) -> Option<&ParkedCall> {
        self.calls.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: ParkedKey) -> Option<&mut ParkedCall> {
        self.changes.note(key);
        self.calls.get_mut(key)
    }

    /// All calls, by slot, first in first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ParkedKey, &ParkedCall)> {
        let keys = self.slots.values().flatten().copied();
        keys.filter_map(|key| Some((key, self.calls.get(key)?)))
    }

    /// The calls that a notice shows, of those that fit: none that does not stand yet, and no more
    /// than a datagram holds.
    pub(crate) fn told_of(
        &self,
        fits: impl Fn(&ParkedCall) -> bool,
    ) -> impl Iterator<Item = (ParkedKey, &ParkedCall)> {
        self.iter().filter(move |(_, call)| call.stands() && fits(call)).take(MOST_TOLD)
    }

    /// How many calls are parked at this node.
    pub(crate) fn len(&self) -> usize {
        self.calls.values().filter(|call| call.is_here()).count()
    }
}
