//! How much there is, and how much there was.

use std::collections::BTreeMap;

use base::Side;

use crate::calls::Usage;
use crate::command::{CallsIn, ClusterMetrics, Counts, LegStage, LegsIn, Metrics, PairsOf};
use crate::house::House;
use crate::operator::calls::{stage_of, states};

/// How much is in the house.
pub(super) fn counts(house: &House) -> Counts {
    let bindings = house.contacts.len();
    let standing = house.uplink.uris().count() + bindings;
    Counts {
        legs: house.legs.len(),
        parked: house.lots.len(),
        pending: house.passes.len() + house.lobby.len(),
        transactions: house.layer.len(),
        pairs: house.leases.leased(),
        alarms: house.alarms.len().saturating_sub(standing),
        bindings,
        watches: house.watches.len(),
        draining: house.draining,
        dropped: house.dropped,
        notices_refused: house.notices_refused,
        bugs: house.bugs,
    }
}

/// All that is counted.
pub(super) fn metrics(house: &House) -> Metrics {
    let transactions = house.layer.counts();
    let pairs = |side: Side| {
        let usage = house.leases.usage(side);
        PairsOf {
            side: side.to_string(),
            leased: usage.leased,
            ready: usage.ready,
            resting: usage.resting,
        }
    };
    let mut calls: Vec<CallsIn> = Vec::new();
    for state in states(house) {
        match calls.iter_mut().find(|counted| counted.state == state) {
            Some(counted) => counted.calls += 1,
            None => calls.push(CallsIn { state, calls: 1 }),
        }
    }
    calls.sort_by_key(|counted| counted.state);
    Metrics {
        counts: counts(house),
        calls,
        legs: legs(house),
        notices: house.tally.notices(),
        malformed: house.tally.dropped(),
        repeated: transactions.repeated,
        absorbed: transactions.absorbed,
        timed_out: transactions.timed_out,
        undelivered: transactions.undelivered,
        pairs: [Side::Phones, Side::Pbx].map(pairs).into(),
        cluster: house.settings.cluster.as_ref().map(|_| cluster(house)),
    }
}

fn cluster(house: &House) -> ClusterMetrics {
    let counts = house.cluster.counts();
    ClusterMetrics {
        connected: house.cluster.has_joined(),
        fenced: house.cluster.is_fenced(),
        nodes: house.cluster.nodes(),
        elsewhere: house.lots.iter().filter(|(_, call)| !call.is_here()).count(),
        granted: counts.granted,
        refused: counts.refused,
        displaced: counts.displaced,
        passed_on: counts.passed_on,
        vouched: counts.vouched,
        forged: counts.forged,
    }
}

fn legs(house: &House) -> Vec<LegsIn> {
    let mut counted: BTreeMap<(Side, LegStage), usize> = BTreeMap::new();
    for (_, leg) in house.legs.iter().filter(|(_, leg)| leg.usage == Usage::Call) {
        *counted.entry((leg.side, stage_of(leg))).or_default() += 1;
    }
    let listed = counted.into_iter();
    listed.map(|((side, stage), legs)| LegsIn { side: side.to_string(), stage, legs }).collect()
}
