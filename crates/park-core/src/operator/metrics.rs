//! How much there is, and how much there was.

use base::Side;

use crate::calls::{Leg, Usage};
use crate::command::{CallsIn, Counts, LegStage, LegsIn, Metrics, PairsOf};
use crate::house::House;
use crate::operator::calls::{stage_of, states};

/// How much is in the house.
pub(super) fn counts(house: &House) -> Counts {
    let bindings = house.contacts.len();
    let standing = house.uplink.uris().count() + bindings;
    Counts {
        legs: house.legs.len(),
        parked: house.lots.len(),
        pending: house.passes.len(),
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
    }
}

fn legs(house: &House) -> Vec<LegsIn> {
    let stages = [LegStage::Early, LegStage::Ringing, LegStage::Up, LegStage::Ending];
    let mut found = Vec::new();
    for side in [Side::Phones, Side::Pbx] {
        for stage in stages {
            let is_so =
                |leg: &Leg| leg.usage == Usage::Call && leg.side == side && stage_of(leg) == stage;
            let legs = house.legs.iter().filter(|(_, leg)| is_so(leg)).count();
            if legs > 0 {
                found.push(LegsIn { side: side.to_string(), stage, legs });
            }
        }
    }
    found
}
