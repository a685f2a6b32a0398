//! The calls of other nodes, kept among those of the house: their places are taken, lamps and lists show them,
//! and whoever wants one is led to its node. Nothing here acts on them.

use dialects::ParkEvent;
use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};
use slotmap::Key;

use base::{Domain, Extension, LotName, Moment, SlotName};

use crate::calls::{self, Identity};
use crate::cluster::state::Stake;
use crate::cluster::words::SharedCall;
use crate::command::ElsewhereView;
use crate::house::House;
use crate::keys::{LegKey, ParkedKey};
use crate::lamps::{self, News, Seen};
use crate::lots::{ParkedCall, Recall, SlotId, Teller, policy_of};

/// What nodes tell each other of a call. A later version may add fields, and an earlier one leaves them.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    lot: LotName,
    domain: Domain,
    slot: SlotName,
    group: Option<String>,
    parker: Extension,
    parker_who: Identity,
    parkee: Identity,
    /// By the clock of its node.
    since: Moment,
    watch_id: Box<str>,
    retrieve: String,
}

/// What the other nodes are told of a call.
pub(super) fn record_of(call: &ParkedCall) -> Vec<u8> {
    let record = Record {
        lot: call.id.lot.clone(),
        domain: call.id.domain.clone(),
        slot: call.id.slot.clone(),
        group: call.group.clone(),
        parker: call.parker.clone(),
        parker_who: call.parker_who.clone(),
        parkee: call.parkee.clone(),
        since: call.since,
        watch_id: call.watch_id.clone(),
        retrieve: call.retrieve.clone(),
    };
    let written = rmp_serde::to_vec_named(&record);
    debug_assert!(written.is_ok(), "plain data can be written: {written:?}");
    written.unwrap_or_default()
}

/// A call is parked at another node, or has moved there.
pub(super) fn put(house: &mut House, call: &SharedCall) {
    let is_ours = house.settings.cluster.as_ref().is_some_and(|own| own.node == call.node);
    if is_ours || !house.cluster.has_joined() {
        return;
    }
    let Some(mirrored) = mirrored(house, call) else { return };
    if let Some(known) = house.lots.named(&call.park) {
        let Some(had) = house.lots.get(known) else { return };
        let same = had.id == mirrored.id && had.watch_id == mirrored.watch_id;
        if had.is_here() || same {
            return;
        }
        take_out(house, known);
    }
    let (seen, parker) = (Seen::of(&mirrored), mirrored.parker.to_string());
    house.lots.put(mirrored);
    lamps::changed_at(house, &seen, &News::by(ParkEvent::Parked, parker));
}

/// A record as a call of the house. What belongs to a lot that is not known here is not shown here.
fn mirrored(house: &House, call: &SharedCall) -> Option<ParkedCall> {
    let record: Record = rmp_serde::from_slice(&call.record).ok()?;
    let lot = house.settings.lots.iter().find(|lot| lot.name == record.lot)?;
    let policy = policy_of(lot, record.group.as_deref(), &record.slot);
    Some(ParkedCall {
        leg: LegKey::null(),
        node: Some(call.node.as_str().into()),
        stake: Stake::None,
        sought: None,
        id: SlotId { lot: record.lot, domain: record.domain, slot: record.slot },
        group: record.group,
        parker: record.parker,
        parker_phone: None,
        parker_who: record.parker_who,
        parkee: record.parkee,
        // The other clock may be ahead of ours.
        since: record.since.min(house.at),
        watch_id: record.watch_id,
        park: call.park.as_str().into(),
        retrieve: record.retrieve,
        teller: Teller::Nobody,
        monitor: None,
        asked_for_codec: false,
        claim: None,
        delivery: None,
        recall: Recall::Over,
        stage: policy.first_stage(),
        attempt: 0,
        policy,
    })
}

/// A call has left another node, or that node lives no more.
pub(super) fn remove(house: &mut House, park: &str) {
    if let Some(key) = house.lots.named(park)
        && house.lots.get(key).is_some_and(|call| !call.is_here())
    {
        take_out(house, key);
    }
}

fn take_out(house: &mut House, key: ParkedKey) {
    if let Some(call) = house.lots.remove(key) {
        lamps::changed(house, &call, &ParkEvent::Retrieved.into());
    }
}

/// Forgets what one other node has, or what all have.
pub(super) fn forget(house: &mut House, node: Option<&str>) {
    let is_meant = |call: &ParkedCall| match (&call.node, node) {
        (Some(of), Some(node)) => **of == *node,
        (Some(_), None) => true,
        (None, _) => false,
    };
    let gone: Vec<ParkedKey> =
        house.lots.iter().filter(|(_, call)| is_meant(call)).map(|(key, _)| key).collect();
    for key in gone {
        take_out(house, key);
    }
}

/// Forgets what is not among these.
pub(super) fn keep_only(house: &mut House, calls: &[SharedCall]) {
    let there: FxHashSet<&str> = calls.iter().map(|call| call.park.as_str()).collect();
    let is_gone = |call: &ParkedCall| !call.is_here() && !there.contains(&*call.park);
    let gone: Vec<ParkedKey> =
        house.lots.iter().filter(|(_, call)| is_gone(call)).map(|(key, _)| key).collect();
    for key in gone {
        take_out(house, key);
    }
}

/// What is parked at other nodes, as a list.
pub(crate) fn views(house: &House) -> Vec<ElsewhereView> {
    let view = |(_, call): (ParkedKey, &ParkedCall)| {
        Some(ElsewhereView {
            node: call.node.as_deref()?.to_owned(),
            at: calls::place_of(call),
            parked: calls::who_of(call),
            parked_for_s: house.at.since(call.since).as_secs(),
        })
    };
    house.lots.iter().filter_map(view).collect()
}
