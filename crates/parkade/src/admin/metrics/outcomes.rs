//! What became of parks, retrieves and recalls, and how long they took: from the facts.

use std::collections::BTreeMap;
use std::time::Duration;

use park_core::{Fact, Told};
use rustc_hash::FxHashMap;

use crate::admin::metrics::histogram::Histogram;

/// How long a park or a retrieve may take, in seconds.
const TOOK: [f64; 11] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// How long a recall may ring, in seconds.
const RANG: [f64; 9] = [1.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0];
/// How long a call may wait, in seconds.
const WAITED: [f64; 10] = [5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 7_200.0];

/// What became of parked calls.
#[derive(Debug)]
pub(crate) struct Outcomes {
    /// How parks, retrieves and recalls went, by what was asked and its outcome.
    pub(super) counts: BTreeMap<(&'static str, String), u64>,
    /// From when a park was asked for until it stood.
    pub(super) park: Histogram,
    /// From a retriever's INVITE until it had the call.
    pub(super) retrieve: Histogram,
    /// From when phones began to ring until one answered.
    pub(super) recall: Histogram,
    /// How long calls were parked until somebody had them.
    pub(super) waited: Histogram,
    /// When phones began to ring, by the name of the parked call, in seconds of the engine's clock.
    ringing: FxHashMap<String, Duration>,
}

impl Outcomes {
    /// Nothing yet.
    pub(crate) fn new() -> Outcomes {
        Outcomes {
            counts: BTreeMap::new(),
            park: Histogram::with(&TOOK),
            retrieve: Histogram::with(&TOOK),
            recall: Histogram::with(&RANG),
            waited: Histogram::with(&WAITED),
            ringing: FxHashMap::default(),
        }
    }

    /// A fact, told so long after the engine was opened.
    pub(crate) fn hear(&mut self, at: Duration, told: &Told) {
        let ok = || "ok".to_owned();
        match &told.fact {
            Fact::Parked { took, .. } => {
                self.park.observe(took.as_secs_f64());
                self.count("park", ok());
            }
            Fact::Retrieved { of, recall, waited, took, .. } => {
                self.waited.observe(waited.as_secs_f64());
                match (recall, self.ringing.get(&of.park)) {
                    (true, Some(since)) => {
                        self.recall.observe(at.saturating_sub(*since).as_secs_f64())
                    }
                    _ => self.retrieve.observe(took.as_secs_f64()),
                }
                self.count(if *recall { "recall" } else { "retrieve" }, ok());
            }
            Fact::Recalling { of, .. } => {
                self.ringing.insert(of.park.clone(), at);
            }
            Fact::RecallUnanswered { .. } => self.count("recall", "unanswered".to_owned()),
            Fact::Abandoned { .. } => self.count("wait", "abandoned".to_owned()),
            Fact::HungUp { .. } => self.count("wait", "hung-up".to_owned()),
            Fact::HandedOver { .. } => self.count("wait", "handed-over".to_owned()),
            Fact::Refused { status, asked, .. } => {
                let what = match asked {
                    park_core::Asked::Park => "park",
                    park_core::Asked::Retrieve => "retrieve",
                    park_core::Asked::Call => "call",
                    park_core::Asked::Other => "other",
                };
                self.count(what, status.to_string());
            }
            _ => {}
        }
        if let Some(of) = told.fact.parked()
            && (told.fact.is_end_of_park() || matches!(told.fact, Fact::Waiting { .. }))
        {
            self.ringing.remove(&of.park);
        }
    }

    fn count(&mut self, what: &'static str, outcome: String) {
        *self.counts.entry((what, outcome)).or_default() += 1;
    }
}
