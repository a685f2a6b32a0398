//! Who sees which parked call, and what there is to tell about it.

use base::{Extension, LotName};
use dialects::{NoticeCall, ParkNotice};

use crate::contacts::Aor;
use crate::house::House;
use crate::keys::{BindingKey, ParkedKey};
use crate::lamps::line::News;
use crate::lots::{ParkedCall, SlotId};
use crate::watches;

/// What of a parked call decides who is told.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(super) id: SlotId,
    group: Option<String>,
    parker: Option<Extension>,
}

impl Seen {
    pub(crate) fn of(call: &ParkedCall) -> Seen {
        let parker = call.policy.notify_parker.then(|| call.parker.clone());
        Seen { id: call.id.clone(), group: call.group.clone(), parker }
    }

    /// The extensions that may see it.
    pub(super) fn by(&self, house: &House) -> Vec<Aor> {
        let mut extensions = vec![Extension::from(self.id.slot.as_str())];
        extensions.extend(members(house, &self.id.lot, self.group.as_deref()));
        extensions.extend(self.parker.clone());
        extensions.sort();
        extensions.dedup();
        let domain = &self.id.domain;
        let aor = |extension| Aor { extension, domain: domain.clone() };
        extensions.into_iter().map(aor).collect()
    }
}

fn members(house: &House, lot: &LotName, group: Option<&str>) -> Vec<Extension> {
    let lot = house.settings.lots.iter().find(|candidate| candidate.name == *lot);
    let group = lot.and_then(|lot| lot.groups.iter().find(|g| Some(g.name.as_str()) == group));
    group.map(|group| group.members.clone()).unwrap_or_default()
}

/// The parked calls that an extension is told of: those parked at it, those parked for its group, and
/// those that it parked itself where its lot tells parkers.
pub(crate) fn visible(house: &House, aor: &Aor) -> Vec<ParkedKey> {
    let is_for = |call: &ParkedCall| {
        call.id.domain == aor.domain
            && (call.id.slot.as_str() == aor.extension.as_str()
                || if call.parker == aor.extension {
                    // Always a member of the group that it parks for: only the lot's word decides.
                    call.policy.notify_parker
                } else {
                    members(house, &call.id.lot, call.group.as_deref()).contains(&aor.extension)
                })
    };
    house.lots.told_of(is_for).map(|(key, _)| key).collect()
}

/// These calls as they are told to an extension, at one of its phones.
pub(crate) fn park_notice(
    house: &House,
    phone: Option<BindingKey>,
    aor: &Aor,
    calls: &[ParkedKey],
    news: Option<&News>,
) -> ParkNotice {
    let names_parkee = watches::profile_of(house, phone).quirks.names_parkee;
    let calls: Vec<&ParkedCall> = calls.iter().filter_map(|key| house.lots.get(*key)).collect();
    let first = calls.first();
    ParkNotice {
        slot: first.map_or_else(|| aor.extension.as_str().into(), |call| call.id.slot.clone()),
        lot: first.map_or_else(|| LotName::from(""), |call| call.id.lot.clone()),
        retrieve: first.map_or_else(String::new, |call| call.retrieve.clone()),
        domain: aor.domain.clone(),
        group: first.and_then(|call| call.group.clone()),
        event: news.map(|news| news.event),
        by: news.and_then(|news| news.by.clone()),
        calls: calls
            .iter()
            .map(|call| (call, call.shown(names_parkee)))
            .map(|(call, parkee)| NoticeCall {
                parkee_name: parkee.name.as_deref().map(Into::into),
                parkee_uri: parkee.uri.to_string(),
                parkee_user: parkee.user(),
                parker_name: call.parker_who.name.as_deref().map(Into::into),
                parker_uri: format!("sip:{}@{}", call.parker, call.id.domain),
                parker_user: call.parker.to_string(),
                parked_for_s: house.at.since(call.since).as_secs(),
            })
            .collect(),
    }
}
