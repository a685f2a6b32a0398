//! What holds for a call in its place: the one room in which a slot's word, a group's and the lot's are
//! held against each other. A parked call carries the outcome.

use base::{Extension, SlotName};
use dialects::is_in_ranges;
use serde::{Deserialize, Serialize};

use crate::calls::{begin_reminders, plan_media};
use crate::house::House;
use crate::keys::ParkedKey;
use crate::lots::slot::RecallStage;
use crate::settings::{Courtesy, LotSettings, OwnSettings, RecallSettings, RecallTo};

/// What holds for one call in its place.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Policy {
    /// Who may take it; empty: anybody who may park.
    retrievers: Vec<Extension>,
    /// How many calls may wait there.
    pub(crate) max_calls: usize,
    /// Whether the parker is told of it like those for whom it was parked.
    pub(crate) notify_parker: bool,
    /// Whether keys and lists show who is parked.
    pub(crate) names_parkee: bool,
    /// Who is to be paged; empty: nobody.
    pub(crate) page: String,
    /// Whether the place is one for all nodes.
    #[serde(default)]
    pub(crate) shared: bool,
    /// What the parkee hears.
    pub(crate) tune: u16,
    /// Who hears a tone when it is retrieved.
    pub(crate) courtesy: Courtesy,
    pub(crate) recall: RecallSettings,
}

impl Policy {
    /// Who is recalled first.
    pub(crate) fn first_stage(&self) -> RecallStage {
        match self.recall.to {
            RecallTo::Group => RecallStage::Group,
            RecallTo::Parker | RecallTo::ParkerThenGroup => RecallStage::Parker,
        }
    }

    /// Whether this extension may take the call.
    pub(crate) fn lets_retrieve(&self, who: &Extension) -> bool {
        self.retrievers.is_empty() || self.retrievers.contains(who)
    }
}

/// What holds in a slot of a lot, for a call that was parked for this group, if for one.
pub(crate) fn policy_of(lot: &LotSettings, group: Option<&str>, slot: &SlotName) -> Policy {
    let group = lot.groups.iter().find(|candidate| Some(candidate.name.as_str()) == group);
    let here = lot.places.iter().filter(|place| is_in_ranges(&place.numbers, slot.as_str()));
    let own: Vec<&OwnSettings> =
        here.map(|place| &place.own).chain(group.map(|group| &group.own)).collect();
    let mut recall =
        own.iter().find_map(|own| own.recall.clone()).unwrap_or_else(|| lot.recall.clone());
    // A group that names nobody to ring rings its members.
    if let Some(group) = group.filter(|group| group.own.recall.is_some() && recall.group.is_empty())
    {
        recall.group = group.members.iter().map(ToString::to_string).collect();
    }
    let retrievers = own.iter().find_map(|own| own.retrievers.as_ref()).unwrap_or(&lot.retrievers);
    let max_calls = own.iter().find_map(|own| own.max_calls_per_slot);
    let notify_parker = own.iter().find_map(|own| own.notify_parker);
    let names_parkee = own.iter().find_map(|own| own.names_parkee);
    let page = own.iter().find_map(|own| own.page.as_ref()).unwrap_or(&lot.page);
    Policy {
        retrievers: retrievers.clone(),
        max_calls: max_calls.unwrap_or(lot.max_calls_per_slot),
        notify_parker: notify_parker.unwrap_or(lot.notify_parker),
        names_parkee: names_parkee.unwrap_or(lot.names_parkee),
        page: page.clone(),
        shared: own.iter().find_map(|own| own.shared).unwrap_or(lot.shared),
        tune: own.iter().find_map(|own| own.tune).unwrap_or(lot.tune),
        courtesy: own.iter().find_map(|own| own.courtesy).unwrap_or(lot.courtesy),
        recall,
    }
}

/// New settings hold for what is parked already too. Only the time to the first recall, which runs,
/// stays as it was.
pub(crate) fn resolve_policies(house: &mut House) {
    let keys: Vec<ParkedKey> = house.lots.iter().map(|(key, _)| key).collect();
    for key in keys {
        let lots = &house.settings.lots;
        let Some(call) = house.lots.get_mut(key) else { continue };
        let (leg, tune, reminder) = (call.leg, call.policy.tune, call.policy.recall.reminder);
        match lots.iter().find(|lot| lot.name == call.id.lot) {
            Some(lot) => call.policy = policy_of(lot, call.group.as_deref(), &call.id.slot),
            // A lot that is no more; only its music may be another one's now.
            None => call.policy.tune = 0,
        }
        let is_otherwise_reminded = call.policy.recall.reminder != reminder;
        if !call.is_here() {
            continue;
        }
        if call.policy.tune != tune {
            plan_media(house, leg);
        }
        if is_otherwise_reminded {
            begin_reminders(house, key);
        }
    }
}
