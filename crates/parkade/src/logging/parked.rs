//! Facts about parked calls: each line names the call, its lot and its slot.

use park_core::{Fact, ParkedAt, ParkedWho, Told};
use tracing::{debug, info};

/// Writes one of them.
pub(super) fn tell(told: &Told) {
    let (call, fact) = (told.call.as_deref(), &told.fact);
    let leg = told.leg.map(tracing::field::display);
    let Some(ParkedAt { park, lot, slot, .. }) = fact.parked() else { return };
    macro_rules! tell {
        ($level:ident $(, $($more:tt)+)?) => {
            $level!(call, leg, %park, %lot, %slot, $($($more)+,)? "{fact}")
        };
    }
    match fact {
        Fact::Parked { parked: ParkedWho { parkee, parker, group, .. }, free, .. } => {
            tell!(info, %parkee, %parker, group, free);
        }
        Fact::Page { page, retrieve, name, parkee, parker, .. } => {
            tell!(info, %page, %retrieve, name, %parkee, %parker);
        }
        Fact::Claimed { by, recall, .. } => tell!(debug, %by, recall),
        Fact::Retrieved { by, recall, waited, took, .. } => {
            tell!(info, %by, recall, waited_s = waited.as_secs(), took_ms = millis(took));
        }
        Fact::Recalling { to, attempt, .. } => tell!(info, %to, attempt),
        Fact::Delivering { to, .. } => tell!(info, %to),
        Fact::Waiting { recall_in, attempt, .. } => {
            tell!(debug, recall_in_s = recall_in.map(|after| after.as_secs()), attempt);
        }
        Fact::Moved { from, retrieve, group, .. } => tell!(info, %from, %retrieve, group),
        Fact::Reminded { parker, .. } => tell!(info, %parker),
        Fact::RecallUnanswered { then, .. } => tell!(info, %then),
        Fact::HandedOver { to, .. } => tell!(info, %to),
        Fact::HungUp { why, .. } => tell!(info, %why),
        _ => tell!(info),
    }
}

fn millis(time: &std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
