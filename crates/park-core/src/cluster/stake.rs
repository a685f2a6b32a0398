//! Places in shared lots: taken at the store before anybody is told of a park, given up with the call, and
//! settled when the store is back. The house never waits: a park that is not answered is undone like one that
//! the PBX refuses, and what is parked stays parked whatever the store says.

use std::time::Duration;

use base::SlotName;
use dialects::Place;
use sip_msg::escape_header_value;

use crate::calls;
use crate::cluster::fact::ClusterFact;
use crate::cluster::mirror;
use crate::cluster::state::Stake;
use crate::cluster::words::{ClusterNews, ClusterNode, ClusterOrder, SharedCall};
use crate::contacts::Aor;
use crate::house::House;
use crate::keys::{Alarm, ParkedKey};
use crate::lots::{self, Ask, ParkedCall, Policy, SlotId};
use crate::refusal::Refusal;
use crate::told::Fact;
use crate::words::Output;

/// How long the store may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// For how long a slot that the store has refused counts as taken, if the mirror does not say by whom.
const KEPT_OFF: Duration = Duration::from_secs(2);

/// Whether a place under this policy can be parked in now.
///
/// # Errors
/// [`Refusal::StoreAway`].
pub(crate) fn usable(house: &House, policy: &Policy) -> Result<(), Refusal> {
    let needs_store = policy.shared && house.settings.cluster.is_some();
    if needs_store && !house.cluster.has_joined() { Err(Refusal::StoreAway) } else { Ok(()) }
}

/// Asks for the place of a call, if it is shared; says whether it does.
pub(crate) fn ask(house: &mut House, key: ParkedKey) -> bool {
    if house.settings.cluster.is_none() {
        return false;
    }
    let Some(call) = house.lots.get(key).filter(|call| call.is_here() && call.policy.shared) else {
        return false;
    };
    let token = match call.stake {
        Stake::Held(token) => Some(token),
        Stake::None | Stake::Asked | Stake::Alone => None,
    };
    let order = ClusterOrder::Stake {
        park: call.park.to_string(),
        place: name_of(&call.id),
        most: call.policy.max_calls,
        token,
        record: mirror::record_of(call),
    };
    let stands = call.stands();
    if let Some(call) = house.lots.get_mut(key).filter(|_| token.is_none()) {
        call.stake = Stake::Asked;
    }
    if house.cluster.joined {
        house.tray.push_back(Output::Cluster(order));
    }
    if !stands {
        house.alarms.set(Alarm::Stake(key), house.at + PATIENCE);
    }
    true
}

/// A call has been moved to another place: that is asked for, and the one where it was is given up in the
/// same step; at once if the new one is nobody else's business.
pub(crate) fn ask_for_new_place(house: &mut House, key: ParkedKey) {
    let Some(call) = house.lots.get_mut(key) else { return };
    let was = std::mem::replace(&mut call.stake, Stake::None);
    if !ask(house, key) && was != Stake::None && house.cluster.joined {
        let park = house.lots.get(key).map(|call| call.park.to_string()).unwrap_or_default();
        house.tray.push_back(Output::Cluster(ClusterOrder::Release { park }));
    }
}

/// The name of a place at the store. What stands in it came from the network, so it is escaped.
fn name_of(id: &SlotId) -> String {
    let parts = [id.lot.as_str(), id.domain.as_str(), id.slot.as_str()];
    parts.map(escape_header_value).join("|")
}

/// Gives up the place of a call that has left it.
pub(crate) fn release(house: &mut House, call: &ParkedCall) {
    if call.stake != Stake::None && call.is_here() && house.cluster.joined {
        let park = call.park.to_string();
        house.tray.push_back(Output::Cluster(ClusterOrder::Release { park }));
    }
}

/// Something has become known of the store.
pub(crate) fn hear(house: &mut House, news: ClusterNews) {
    match news {
        ClusterNews::Joined { nodes, calls } => joined(house, nodes, calls),
        ClusterNews::Away { why } => away(house, ClusterFact::StoreAway { why }),
        ClusterNews::Fenced => {
            house.cluster.fenced = true;
            away(house, ClusterFact::Fenced);
        }
        ClusterNews::Nodes(nodes) => learn(house, nodes),
        ClusterNews::Put(call) => mirror::put(house, &call),
        ClusterNews::Gone { park } => mirror::remove(house, &park),
        ClusterNews::Granted { park, token } => granted(house, &park, token),
        ClusterNews::Refused { park, by } => refused(house, &park, &by),
        ClusterNews::Lost { park, by } => {
            if let Some(key) = house.lots.named(&park) {
                displaced(house, key, &by);
            }
        }
    }
}

fn learn(house: &mut House, nodes: Vec<ClusterNode>) {
    let own = house.settings.cluster.as_ref().map(|settings| settings.node.clone());
    let (came, went) = house.cluster.learn(nodes);
    for node in came.into_iter().filter(|node| Some(node) != own.as_ref()) {
        tell(house, ClusterFact::NodeSeen { node });
    }
    for node in went.into_iter().filter(|node| Some(node) != own.as_ref()) {
        mirror::forget(house, Some(&node));
        tell(house, ClusterFact::NodeLost { node });
    }
}

/// The store is reached: what is there of others is mirrored, and all that is parked here is staked again,
/// each by the token that it had. What is there of ours and here no more is given up.
fn joined(house: &mut House, nodes: Vec<ClusterNode>, calls: Vec<SharedCall>) {
    house.cluster.joined = true;
    house.alarms.stop(Alarm::Mirror);
    tell(house, ClusterFact::StoreReached { nodes: nodes.len() });
    learn(house, nodes);
    mirror::keep_only(house, &calls);
    let own = house.settings.cluster.as_ref().map(|settings| settings.node.clone());
    for call in calls {
        if Some(&call.node) != own.as_ref() {
            mirror::put(house, &call);
        } else if house.lots.named(&call.park).is_none() {
            let release = ClusterOrder::Release { park: call.park };
            house.tray.push_back(Output::Cluster(release));
        }
    }
    let here: Vec<ParkedKey> =
        house.lots.iter().filter(|(_, call)| call.is_here()).map(|(key, _)| key).collect();
    for key in here {
        ask(house, key);
    }
}

/// The store is away: who waits for it is told so, and all else goes on.
fn away(house: &mut House, fact: ClusterFact) {
    house.cluster.joined = false;
    tell(house, fact);
    // What others have is shown as long as they may live by what was last heard.
    if let Some(settings) = &house.settings.cluster {
        house.alarms.set(Alarm::Mirror, house.at + settings.lease);
    }
    let asked = |call: &ParkedCall| call.stake == Stake::Asked;
    let waiting: Vec<ParkedKey> =
        house.lots.iter().filter(|(_, call)| asked(call)).map(|(key, _)| key).collect();
    for key in waiting {
        unanswered(house, key);
    }
}

/// The store has been away for as long as nodes live without it: what others have is known no more.
pub(crate) fn forget_others(house: &mut House) {
    mirror::forget(house, None);
}

/// The store has not answered: a park that nobody has been told of is undone.
pub(crate) fn unanswered(house: &mut House, key: ParkedKey) {
    house.alarms.stop(Alarm::Stake(key));
    if house.lots.get(key).is_none_or(|call| call.stake != Stake::Asked) {
        return;
    };
    if calls::can_be_undone(house, key) {
        return calls::undo_park(house, key, &Refusal::StoreAway);
    }
    if let Some(call) = house.lots.get_mut(key) {
        call.stake = Stake::Alone;
    }
    calls::stand(house, key);
}

fn granted(house: &mut House, park: &str, token: u64) {
    let Some(key) = house.lots.named(park) else {
        let release = ClusterOrder::Release { park: park.to_owned() };
        return house.tray.push_back(Output::Cluster(release));
    };
    let Some(call) = house.lots.get_mut(key) else { return };
    let was_asked = std::mem::replace(&mut call.stake, Stake::Held(token)) == Stake::Asked;
    house.cluster.counts.granted += 1;
    house.alarms.stop(Alarm::Stake(key));
    if was_asked {
        calls::stand(house, key);
    }
}

/// The place is another call's: another one is looked for where any will do, else the park is undone. A call
/// that cannot go back to its parker moves to a free slot.
fn refused(house: &mut House, park: &str, by: &str) {
    let Some(key) = house.lots.named(park) else { return };
    let Some(call) = house.lots.get(key) else { return };
    let (id, sought) = (call.id.clone(), call.sought.clone());
    house.cluster.counts.refused += 1;
    house.alarms.stop(Alarm::Stake(key));
    let slot = id.slot.to_string();
    tell(house, ClusterFact::Refused { slot, by: by.to_owned() });
    let taken = Refusal::SlotTaken(id.slot.clone());
    house.lots.keep_off(id, house.at, house.at + KEPT_OFF);
    if !calls::can_be_undone(house, key) {
        return displaced(house, key, by);
    }
    match sought.map(|ask| elsewhere(house, key, &ask)) {
        Some(Ok(())) => ask_for_new_place(house, key),
        Some(Err(refusal)) => calls::undo_park(house, key, &refusal),
        None => calls::undo_park(house, key, &taken),
    }
}

/// Puts a call of which nobody has been told into another place that is as good.
fn elsewhere(house: &mut House, key: ParkedKey, ask: &Ask) -> Result<(), Refusal> {
    let call = house.lots.get(key).ok_or(Refusal::NoSuchCall)?;
    let parker = Aor { extension: call.parker.clone(), domain: call.id.domain.clone() };
    let spot = lots::spot(house, &parker, ask)?;
    house.lots.relocate(key, spot.id, spot.policy.max_calls, house.at)?;
    if let Some(call) = house.lots.get_mut(key) {
        (call.group, call.retrieve, call.policy) = (spot.group, spot.retrieve, spot.policy);
    }
    Ok(())
}

/// A call that is parked has lost its place: it moves to a free slot of its lot. Where there is none it
/// stays where it is, for the phones of this node alone.
fn displaced(house: &mut House, key: ParkedKey, by: &str) {
    house.cluster.counts.displaced += 1;
    let Some(call) = house.lots.get(key) else { return };
    let (lot, stood) = (call.id.lot.clone(), call.stands());
    let from: SlotName = call.id.slot.clone();
    let lot = house.settings.lots.iter().position(|known| known.name == lot);
    let ask = lot.map(|lot| Ask { lot, place: Place::AnySlot });
    let moved = match ask {
        Some(ask) if stood => calls::move_to(house, key, &ask),
        Some(ask) => elsewhere(house, key, &ask),
        None => Err(Refusal::LotFull),
    };
    let fact = |to| ClusterFact::Displaced { from: from.to_string(), by: by.to_owned(), to };
    match moved {
        Ok(()) => {
            let to = house.lots.get(key).map(|call| call.id.slot.to_string());
            tell(house, fact(to));
            ask_for_new_place(house, key);
        }
        Err(_) => {
            if let Some(call) = house.lots.get_mut(key) {
                call.stake = Stake::Alone;
            }
            tell(house, fact(None));
            calls::stand(house, key);
        }
    }
}

fn tell(house: &mut House, what: ClusterFact) {
    house.tell(None, Fact::Cluster { what });
}
