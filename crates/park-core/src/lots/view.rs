//! How full the lots are, for whoever operates the house.

use std::collections::BTreeSet;

use base::Domain;

use crate::command::LotView;
use crate::house::House;
use crate::settings::LotSettings;

/// Every lot once for each domain that it serves.
pub(crate) fn views(house: &House) -> Vec<LotView> {
    let lots = house.settings.lots.iter();
    lots.flat_map(|lot| domains_of(house, lot).into_iter().map(|d| view(house, lot, &d))).collect()
}

/// The domains that a lot names; those of its calls; and, where it serves any, those of the phones that
/// no other lot names.
fn domains_of(house: &House, lot: &LotSettings) -> BTreeSet<Domain> {
    let mut domains: BTreeSet<Domain> = lot.domains.iter().cloned().collect();
    let calls = house.lots.iter().map(|(_, call)| &call.id);
    domains.extend(calls.filter(|id| id.lot == lot.name).map(|id| id.domain.clone()));
    if lot.domains.is_empty() {
        let named = |domain: &Domain| {
            house.settings.lots.iter().any(|other| other.domains.contains(domain))
        };
        let bound = house.contacts.keys().filter_map(|key| house.contacts.get(key));
        domains.extend(bound.map(|bound| bound.aor.domain.clone()).filter(|d| !named(d)));
    }
    if domains.is_empty() {
        domains.insert(Domain::from(""));
    }
    domains
}

fn view(house: &House, lot: &LotSettings, domain: &Domain) -> LotView {
    let here = |id: &crate::lots::SlotId| id.lot == lot.name && id.domain == *domain;
    let slots = lot.slot_count();
    LotView {
        lot: lot.name.to_string(),
        domain: domain.to_string(),
        parked: house.lots.iter().filter(|(_, call)| here(&call.id)).count(),
        slots,
        free: slots.saturating_sub(house.lots.taken(lot, domain)),
    }
}
