//! Subscriptions as a list, for whoever operates the house.

use crate::command::{self, SubscriptionView};
use crate::house::House;
use crate::watches::state::{Holder, Watch};
use crate::watches::watched::Watched;

/// All subscriptions to what is ours.
pub(crate) fn views(house: &House) -> Vec<SubscriptionView> {
    house.watches.iter().map(|watch| view(house, watch)).collect()
}

fn view(house: &House, watch: &Watch) -> SubscriptionView {
    let bound = watch.binding().and_then(|key| house.contacts.get(key));
    let (watches, domain, what) = match &watch.watched {
        Watched::Slot(id) => (command::Watches::Slot, &id.domain, id.slot.to_string()),
        Watched::Lot(lot, domain) => (command::Watches::Lot, domain, lot.to_string()),
        Watched::Line(aor) => (command::Watches::Line, &aor.domain, aor.extension.to_string()),
    };
    SubscriptionView {
        who: match (bound, watch.holder) {
            (Some(bound), _) => bound.aor.extension.to_string(),
            (None, Holder::Device(at)) => at.to_string(),
            (None, Holder::Binding(_)) => watch.dialog.flow.peer.to_string(),
        },
        domain: domain.to_string(),
        at: bound.map_or(watch.dialog.flow.peer, |bound| bound.flow.peer).to_string(),
        event: watch.watched.event().into(),
        watches,
        what,
        expires_in_s: watch.until.since(house.at).as_secs(),
    }
}
