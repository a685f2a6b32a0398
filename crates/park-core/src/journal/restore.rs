//! The house as the records tell it. Everything stands where it stood: who talked talks, who was parked
//! hears music, who rang rings, and what was asked waits for its answer. Whatever names a thing that is
//! not there, because its record could not be read, is ended or begun anew.

use std::time::Duration;

use base::Moment;
use rustc_hash::FxHashSet;
use serde::de::DeserializeOwned;
use sip_core::{ClientKey, KeptClient, KeptServer, ServerKey};

use crate::calls::{self, Leg, Pass, Stage, Usage, With};
use crate::contacts::Binding;
use crate::house::House;
use crate::journal::names::Names;
use crate::journal::record::{LegRecord, ParkedRecord, PhoneRecord, RecordKey, RecordKind};
use crate::keys::{Alarm, BindingKey, LegKey, Owner, ParkedKey, WatchKey};
use crate::lobby;
use crate::lots::{self, ParkedCall, Recall};
use crate::told::Fact;
use crate::watches::Watch;
use crate::{lamps, watches};

/// When the first far end is asked whether it is still there.
const FIRST_PROBE: Duration = Duration::from_secs(2);
/// How long until the next one, and by when the last one is asked at the latest: who does not answer is
/// known to have gone 32 s later, and a minute after the restart nothing is left of those.
const NEXT_PROBE: Duration = Duration::from_millis(5);
const LAST_PROBE: Duration = Duration::from_secs(25);
/// How long the PBX may take to say what became of a hand-over, if that is not written.
const HAND_OVER: Duration = Duration::from_secs(60);

/// Takes up the records of an earlier run.
pub(crate) fn restore(house: &mut House, mut records: Vec<(RecordKey, Vec<u8>)>) {
    // In the order in which things came, whatever order the store has.
    records.sort_unstable_by_key(|(key, _)| *key);
    let mut reading = Reading { records: &records, unreadable: 0 };
    let bindings = reading.all::<PhoneRecord<Binding>>(RecordKind::Binding);
    let legs = reading.all::<LegRecord<Leg>>(RecordKind::Leg);
    let mut calls = reading.all::<ParkedRecord<ParkedCall>>(RecordKind::Parked);
    let watches = reading.all::<PhoneRecord<Watch>>(RecordKind::Watch);
    let passes = reading.all::<Pass>(RecordKind::Pass);
    let clients = reading.all::<KeptClient<Owner>>(RecordKind::Client);
    let servers = reading.all::<KeptServer<Owner>>(RecordKind::Server);
    let mut unreadable = reading.unreadable;
    // Those of one slot come out in the order in which they went in.
    calls.sort_by_key(|(_, record)| record.call.since);

    let mut names = Names::default();
    take_bindings(house, bindings, &mut names);
    let kept = take_legs(house, legs, &mut names);
    unreadable += take_calls(house, calls, &mut names);
    take_passes(house, passes, &mut names);
    for (old, PhoneRecord { of: mut watch }) in watches {
        if watch.renamed(&names.phones) {
            names.watches.insert(old.key(), watches::restored(house, watch));
        }
    }
    let busy = take_transactions(house, clients, servers, &mut names);
    rename(house, &kept, &names);
    lots::resolve_policies(house);
    calls::rebind(house);
    for key in names.passes.values() {
        calls::pass_goes_on(house, *key);
    }
    for key in names.calls.values() {
        go_on(house, *key);
    }
    for (n, key) in kept.iter().enumerate() {
        settle(house, *key, busy.contains(&Busy::Leg(*key)), n as u32);
    }
    for key in names.phones.values() {
        let Some(binding) = house.contacts.get_mut(*key) else { continue };
        let rests = binding.line.restored(busy.contains(&Busy::Phone(*key)));
        set(house, Alarm::Notice(*key), rests);
    }
    for key in names.watches.values() {
        watches::settled(house, *key, busy.contains(&Busy::Watch(*key)));
    }
    lamps::restored(house);
    house.written.begin_anew();
    house.tell(
        None,
        Fact::Restored {
            parked: names.calls.len(),
            legs: kept.len(),
            bindings: names.phones.len(),
            subscriptions: names.watches.len(),
            unreadable,
        },
    );
}

/// Sets an alarm as it was; what fell due meanwhile is due now.
fn set(house: &mut House, alarm: Alarm, at: Option<Moment>) {
    if let Some(at) = at {
        house.alarms.set(alarm, at.max(house.at));
    }
}

struct Reading<'r> {
    records: &'r [(RecordKey, Vec<u8>)],
    unreadable: usize,
}

impl Reading<'_> {
    /// All records of a kind that can be read.
    fn all<T: DeserializeOwned>(&mut self, kind: RecordKind) -> Vec<(RecordKey, T)> {
        let mut things = Vec::new();
        for (key, record) in self.records.iter().filter(|(key, _)| key.kind == kind) {
            match rmp_serde::from_slice(record) {
                Ok(thing) => things.push((*key, thing)),
                Err(_) => self.unreadable += 1,
            }
        }
        things
    }
}

fn take_bindings(
    house: &mut House,
    bindings: Vec<(RecordKey, PhoneRecord<Binding>)>,
    names: &mut Names,
) {
    for (old, PhoneRecord { of: binding }) in bindings {
        let expires = binding.expires;
        let (key, _, _) = house.contacts.bind(binding);
        set(house, Alarm::Binding(key), Some(expires));
        names.phones.insert(old.key(), key);
    }
}

/// Legs with their alarms. Whom they name is still called as it was.
fn take_legs(
    house: &mut House,
    legs: Vec<(RecordKey, LegRecord<Leg>)>,
    names: &mut Names,
) -> Vec<LegKey> {
    let mut kept = Vec::with_capacity(legs.len());
    for (old, record) in legs {
        let keys = record.leg.keys.as_ref().and_then(|keys| keys.wake_at());
        let key = house.legs.insert(record.leg);
        names.legs.insert(old.key(), key);
        kept.push(key);
        let alarms = [
            (Alarm::Refresh(key), record.refresh),
            (Alarm::Events(key), record.runs_out),
            (Alarm::Keys(key), keys),
            (Alarm::Bye(key), record.bye),
            (Alarm::Offer(key), record.offer),
        ];
        for (alarm, at) in alarms {
            set(house, alarm, at);
        }
    }
    kept
}

/// Parked calls with their alarms, each with its leg. Gives how many have none: then nobody can be given
/// back.
fn take_calls(
    house: &mut House,
    calls: Vec<(RecordKey, ParkedRecord<ParkedCall>)>,
    names: &mut Names,
) -> usize {
    let mut lost = 0;
    for (old, record) in calls {
        let mut call = record.call;
        let Some(leg) = names.leg(call.leg) else {
            lost += 1;
            continue;
        };
        call.leg = leg;
        let key = house.lots.put(call);
        names.calls.insert(old.key(), key);
        let alarms = [
            (Alarm::Recall(key), record.recall),
            (Alarm::HandOver(key), record.hand_over),
            (Alarm::Remind(key), record.remind),
            (Alarm::Ring(key), record.ring),
        ];
        for (alarm, at) in alarms {
            set(house, alarm, at);
        }
    }
    lost
}

fn take_passes(house: &mut House, passes: Vec<(RecordKey, Pass)>, names: &mut Names) {
    for (old, mut pass) in passes {
        pass.from = pass.from.and_then(|leg| names.leg(leg));
        pass.to = pass.to.and_then(|leg| names.leg(leg));
        names.passes.insert(old.key(), house.passes.insert(pass));
    }
}

/// Who has been asked or told something, and has not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Busy {
    Leg(LegKey),
    Phone(BindingKey),
    Watch(WatchKey),
}

/// What was asked and is not answered. Gives by whom.
fn take_transactions(
    house: &mut House,
    clients: Vec<(RecordKey, KeptClient<Owner>)>,
    servers: Vec<(RecordKey, KeptServer<Owner>)>,
    names: &mut Names,
) -> FxHashSet<Busy> {
    let mut busy = FxHashSet::default();
    let mut owned = |owner: Owner| {
        let owner = names.owner(owner);
        busy.extend(match owner {
            Owner::Pass(..) | Owner::Lobby => None,
            Owner::Leg(leg, _) => Some(Busy::Leg(leg)),
            Owner::Notice(phone) => Some(Busy::Phone(phone)),
            Owner::Watch(watch) => Some(Busy::Watch(watch)),
        });
        owner
    };
    let (mut sent, mut heard) = (Vec::new(), Vec::new());
    for (old, mut client) in clients {
        client.owner = owned(client.owner);
        let key = house.layer.go_on_client(house.at, client);
        sent.extend(key.map(|key| (ClientKey::of_number(old.number), key)));
    }
    for (old, mut server) in servers {
        server.owner = server.owner.map(&mut owned);
        let (waits, flow) = (server.owner == Some(Owner::Lobby), server.flow);
        let key = house.layer.go_on_server(house.at, server);
        if let Some(key) = key.filter(|_| waits) {
            lobby::goes_on(house, key, flow);
        }
        heard.extend(key.map(|key| (ServerKey::of_number(old.number), key)));
    }
    names.clients.extend(sent);
    names.servers.extend(heard);
    for key in names.passes.values() {
        let legs = house.passes.get(*key).map(|pass| [pass.from, pass.to]);
        busy.extend(legs.into_iter().flatten().flatten().map(Busy::Leg));
    }
    busy
}

/// Everybody names the others as they are called now.
fn rename(house: &mut House, legs: &[LegKey], names: &Names) {
    for key in legs {
        if let Some(leg) = house.legs.get_mut(*key) {
            names.leg_names(leg);
        }
    }
    for key in names.calls.values() {
        if let Some(call) = house.lots.get_mut(*key) {
            names.call_names(call);
        }
    }
    for key in names.passes.values() {
        if let Some(pass) = house.passes.get_mut(*key) {
            // One that is not there opens nothing.
            pass.server = names.servers.get(&pass.server).copied().unwrap_or(pass.server);
            pass.client = pass.client.and_then(|client| names.clients.get(&client).copied());
        }
    }
}

/// A parked call goes on where it was.
fn go_on(house: &mut House, key: ParkedKey) {
    let now = house.at;
    let Some(call) = house.lots.get_mut(key) else { return };
    let (since, after) = (call.since, call.policy.recall.after);
    let ring = now + call.policy.recall.ring;
    let is_taken = call.claim.is_some();
    match &call.recall {
        // It fell due while somebody was taking it, or phones rang, and nobody knows of them any more.
        Recall::Overdue if !is_taken && call.delivery.is_none() => {
            call.recall = Recall::Waiting;
            set(house, Alarm::Recall(key), Some(now));
        }
        Recall::Ringing { legs, .. } if legs.is_empty() && !is_taken => {
            call.recall = Recall::Waiting;
            set(house, Alarm::Recall(key), Some(now));
        }
        Recall::Ringing { .. } if house.alarms.at(Alarm::Ring(key)).is_none() => {
            set(house, Alarm::Ring(key), Some(ring));
        }
        // The time begins when the park stands.
        Recall::Waiting if call.stands() && house.alarms.at(Alarm::Recall(key)).is_none() => {
            set(house, Alarm::Recall(key), Some(since + after));
        }
        Recall::HandingOver { .. } if house.alarms.at(Alarm::HandOver(key)).is_none() => {
            house.alarms.set(Alarm::HandOver(key), now + HAND_OVER);
        }
        Recall::Waiting
        | Recall::Overdue
        | Recall::Ringing { .. }
        | Recall::HandingOver { .. }
        | Recall::Over => {}
    }
    if house.lots.get(key).is_some_and(ParkedCall::stands) {
        tell(house, key);
        tell_what_becomes(house, key);
    }
    calls::back_in_its_slot(house, key);
}

/// Says who is rung for a call, or is taking it.
fn tell_what_becomes(house: &mut House, key: ParkedKey) {
    let Some(call) = house.lots.get(key) else { return };
    let attempt = call.attempt;
    let rung = match &call.recall {
        Recall::Ringing { to, .. } => Some(to.to_string()),
        Recall::HandingOver { to, .. } => Some(to.clone()),
        Recall::Waiting | Recall::Overdue | Recall::Over => None,
    };
    let delivered = call.delivery.as_ref().map(|delivery| delivery.to.to_string());
    let by = call.claim.and_then(|claim| Some((house.legs.get(claim.by)?.name(), claim.recall)));
    if let Some(to) = rung {
        calls::report(house, key, |of| Fact::Recalling { of, to, attempt });
    }
    if let Some(to) = delivered {
        calls::report(house, key, |of| Fact::Delivering { of, to });
    }
    if let Some((by, recall)) = by {
        calls::report(house, key, |of| Fact::Claimed { of, by, recall });
    }
}

fn tell(house: &mut House, key: ParkedKey) {
    let Some(call) = house.lots.get(key) else { return };
    let recall = house.alarms.at(Alarm::Recall(key));
    let recall_in = recall.map(|at| at.since(house.at));
    let (parked, attempt) = (calls::who_of(call), call.attempt);
    let waited = house.at.since(call.since);
    let fact = |of| Fact::StillParked { of, parked, waited, recall_in, attempt };
    calls::report(house, key, fact);
}

/// A leg goes on, or is ended because nobody is there for it any more; whether its far end is still
/// there is asked in its turn. `busy`: something in it is asked and not answered.
fn settle(house: &mut House, key: LegKey, busy: bool, nth: u32) {
    let Some(leg) = house.legs.get_mut(key) else { return };
    if let With::Retrieving(call) | With::Rung(call) = leg.with
        && leg.stage == Stage::Up
        && house.lots.get(call).and_then(|call| call.claim).is_none_or(|claim| claim.by != key)
    {
        leg.with = With::Nobody;
    }
    let goes_on = busy || leg.heard.is_some() || leg.sent.is_some() || leg.progress.is_some();
    match (leg.usage, leg.stage, leg.with) {
        _ if goes_on => {}
        (Usage::Events, Stage::Up, With::Leg(_)) => calls::weave_again(house, key),
        (Usage::Call, Stage::Ending, _) => {
            leg.stage = Stage::Up;
            calls::bye(house, key, None);
        }
        (Usage::Call, Stage::Up, With::Nobody) if house.alarms.at(Alarm::Bye(key)).is_none() => {
            return calls::bye(house, key, Some("restarted"));
        }
        (Usage::Call, Stage::Up, _) => {}
        (Usage::Call, Stage::Early, _) | (Usage::Events, ..) => {
            return calls::end_leg(house, key);
        }
    }
    let Some(leg) = house.legs.get(key) else { return };
    if leg.usage == Usage::Call && leg.stage == Stage::Up {
        calls::keys_go_on(house, key);
        let after = (FIRST_PROBE + NEXT_PROBE * nth).min(LAST_PROBE);
        house.alarms.set(Alarm::Probe(key), house.at + after);
    }
}
