//! How full the lots are, for whoever operates the house.

use std::collections::BTreeSet;

use base::Domain;
use dialects::is_in_ranges;

use crate::command::LotView;
use crate::house::House;
use crate::lots::slot::SlotId;
use crate::settings::LotSettings;

/// Every lot once for each domain that it serves.
pub(crate) fn views(house: &House) -> Vec<LotView> {
    let lots = house.settings.lots.iter();
    lots.flat_map(|lot| domains_of(house, lot).into_iter().map(|d| view(house, lot, &d))).collect()
}

/// How many slots of a lot are free, if this is one of them.
pub(crate) fn free_beside(house: &House, id: &SlotId) -> Option<usize> {
    let lot = house.settings.lots.iter().find(|lot| lot.name == id.lot)?;
    is_in_ranges(&lot.slots, id.slot.as_str()).then(|| free(house, lot, &id.domain))
}

fn free(house: &House, lot: &LotSettings, domain: &Domain) -> usize {
    lot.slot_count().saturating_sub(house.lots.taken(lot, domain))
}

/// The domains that a lot names; those of its calls; and, where it serves any, those of the phones that
/// no other lot names.
fn domains_of(house: &House, lot: &LotSettings) -> BTreeSet<Domain> {
    let mut domains: BTreeSet<Domain> = lot.domains.iter().cloned().collect();
    domains.extend(house.lots.slots_of(&lot.name, None).map(|(id, _)| id.domain.clone()));
    if lot.domains.is_empty() {
        let named = |domain: &Domain| {
            house.settings.lots.iter().any(|other| other.domains.contains(domain))
        };
        let bound = house.contacts.keys().filter_map(|key| house.contacts.get(key));
        let theirs: BTreeSet<&Domain> = bound.map(|bound| &bound.aor.domain).collect();
        domains.extend(theirs.into_iter().filter(|domain| !named(domain)).cloned());
    }
    if domains.is_empty() {
        domains.insert(Domain::from(""));
    }
    domains
}

fn view(house: &House, lot: &LotSettings, domain: &Domain) -> LotView {
    let range = |&(first, last, width): &(u32, u32, usize)| match first == last {
        true => format!("{first:0width$}"),
        false => format!("{first:0width$}-{last:0width$}"),
    };
    LotView {
        lot: lot.name.to_string(),
        domain: domain.to_string(),
        parked: house.lots.slots_of(&lot.name, Some(domain)).map(|(_, calls)| calls).sum(),
        slots: lot.slot_count(),
        free: free(house, lot, domain),
        ranges: lot.slots.iter().map(range).collect(),
        most_per_slot: lot.max_calls_per_slot,
        recall_s: (!lot.recall.after.is_zero()).then_some(lot.recall.after.as_secs()),
        park: lot.park.clone(),
        group_park: lot.group_park.clone(),
        retrieve: lot.retrieve.clone(),
        any_slot: lot.any_slot.clone(),
    }
}
