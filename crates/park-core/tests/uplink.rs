//! The PBX's name at the engine's door.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use base::{Chance, Flow, Moment, Side, Transport};
use park_core::{Engine, Fact, Input, Output, Settings};

/// How often the engine tells that a target leads nowhere, when it hears these answers in turn.
fn told(answers: Vec<Vec<Flow>>) -> usize {
    let pbx_targets = vec!["sip:pbx.example".to_string()];
    let settings = Settings { pbx_targets, ..Settings::default() };
    let mut engine = Engine::new(settings, Chance::from_seed(1), Moment::ZERO);
    let mut told = 0;
    let mut drain = |engine: &mut Engine| loop {
        match engine.poll() {
            Output::Told(fact) => {
                told += usize::from(matches!(fact.fact, Fact::PbxUnresolved { .. }));
            }
            Output::Idle { .. } => break,
            _ => {}
        }
    };
    drain(&mut engine);
    for hops in answers {
        engine.handle(Moment::ZERO, Input::Resolved { target: 0, hops });
        drain(&mut engine);
    }
    told
}

fn somewhere() -> Vec<Flow> {
    let (local, peer) = ("192.0.2.1:5080".parse().unwrap(), "192.0.2.50:5060".parse().unwrap());
    vec![Flow { side: Side::Pbx, transport: Transport::Udp, local, peer, conn: None }]
}

#[test]
fn a_name_that_leads_nowhere_is_told_once_until_it_leads_somewhere_again() {
    assert_eq!(told(vec![vec![], vec![], vec![]]), 1);
    assert_eq!(told(vec![somewhere(), vec![], vec![], somewhere(), vec![]]), 2);
}
