//! Orders: which room does what is ordered, and what is answered.

use crate::calls;
use crate::cluster;
use crate::command::{Command, Reply};
use crate::house::House;
use crate::keys::ParkedKey;
use crate::lobby;
use crate::lots;
use crate::operator::calls::calls_in_progress;
use crate::operator::{lists, metrics};
use crate::refusal::Refusal;
use crate::watches;

/// Does what is ordered; what is answered at once.
pub(crate) fn obey(house: &mut House, ticket: u64, command: &Command) -> Option<Reply> {
    Some(match command {
        Command::Parked => Reply::Parked {
            calls: lists::parked(house),
            lots: lots::views(house),
            elsewhere: cluster::views(house),
        },
        Command::Bindings => Reply::Bindings { bindings: lists::bindings(house) },
        Command::Groups => Reply::Groups { groups: lists::groups(house) },
        Command::Calls { call } => {
            Reply::Calls { calls: calls_in_progress(house, call.as_deref()) }
        }
        Command::Subscriptions => {
            Reply::Subscriptions { subscriptions: lists::subscriptions(house) }
        }
        Command::Streams { call } => {
            calls::survey(house, ticket, call.as_deref());
            return None;
        }
        Command::Retrieve { park, to } => {
            done(named(house, park).and_then(|key| calls::deliver(house, key, to)))
        }
        Command::Recall { park } => {
            done(named(house, park).and_then(|key| calls::recall_now(house, key)))
        }
        Command::Move { park, slot } => {
            done(named(house, park).and_then(|key| calls::relocate(house, key, slot)))
        }
        Command::HangUp { park } => done(named(house, park).map(|key| calls::hang_up(house, key))),
        Command::Park { id, slot } => done(calls::park_call(house, id, slot)),
        Command::End { id } => done(calls::end(house, id)),
        Command::Counts => Reply::Counts(metrics::counts(house)),
        Command::Metrics => Reply::Metrics(Box::new(metrics::metrics(house))),
        Command::Drain | Command::Undrain => {
            house.draining = *command == Command::Drain;
            Reply::Done
        }
        Command::EndAll => {
            lobby::send_away(house);
            calls::end_all(house, "shutting down");
            watches::end_all(house);
            Reply::Done
        }
    })
}

fn named(house: &House, park: &str) -> Result<ParkedKey, Refusal> {
    let key = house.lots.named(park).ok_or(Refusal::NoSuchCall)?;
    match house.lots.get(key).and_then(|call| call.node.as_deref()) {
        None => Ok(key),
        Some(node) => {
            let why = format!("the call is parked at node {node}: order it there");
            Err(Refusal::Status(409, why.into()))
        }
    }
}

fn done(outcome: Result<(), Refusal>) -> Reply {
    match outcome {
        Ok(()) => Reply::Done,
        Err(refusal) => Reply::Refused { status: refusal.status(), why: refusal.to_string() },
    }
}
