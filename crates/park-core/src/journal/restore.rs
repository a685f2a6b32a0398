//! The house as the records tell it. Calls stand where they stood: who talked talks, who was parked hears
//! music. What was only under way (a call being set up, a retrieve, a recall that rang) is not: its legs
//! are ended, and the parked call waits again.

use std::hash::Hash;
use std::time::Duration;

use base::Moment;
use rustc_hash::FxHashMap;
use serde::de::DeserializeOwned;
use slotmap::Key;

use crate::calls::{self, Leg, Stage, Usage, With};
use crate::contacts::Binding;
use crate::house::House;
use crate::journal::record::{LegRecord, ParkedRecord, RecordKey, RecordKind, ToldRecord};
use crate::keys::{Alarm, BindingKey, LegKey, ParkedKey, WatchKey};
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

/// A thing and what its phone knows.
type Told<T> = ToldRecord<T, Vec<Box<str>>>;

/// The keys of an earlier run, and what they are now.
type Renamed<K> = FxHashMap<K, K>;

/// Takes up the records of an earlier run.
pub(crate) fn restore(house: &mut House, mut records: Vec<(RecordKey, Vec<u8>)>) {
    // In the order in which things came, whatever order the store has.
    records.sort_unstable_by_key(|(key, _)| *key);
    let mut unreadable = 0;
    let bindings =
        read::<BindingKey, Told<Binding>>(&records, RecordKind::Binding, &mut unreadable);
    let legs = read::<LegKey, LegRecord<Leg>>(&records, RecordKind::Leg, &mut unreadable);
    let mut calls: Vec<(ParkedKey, ParkedRecord<ParkedCall>)> =
        read(&records, RecordKind::Parked, &mut unreadable);
    let watches = read::<WatchKey, Told<Watch>>(&records, RecordKind::Watch, &mut unreadable);
    // Those of one slot come out in the order in which they went in.
    calls.sort_by_key(|(_, record)| record.call.since);

    let phones = take_bindings(house, bindings);
    let (renamed, kept) = take_legs(house, legs, &phones);
    let (parked, lost) = take_calls(house, calls, &renamed, &phones);
    for key in &kept {
        rejoin(house, *key, &renamed, &parked);
    }
    let watching = watches.len();
    for (_, ToldRecord { of: mut watch, told }) in watches {
        if watch.restored(told, &phones) {
            watches::restored(house, watch);
        }
    }
    lots::resolve_policies(house);
    calls::rebind(house);
    for key in parked.values() {
        go_on(house, *key);
    }
    for (n, key) in kept.iter().enumerate() {
        settle(house, *key, n as u32);
    }
    lamps::restored(house);
    house.written.begin_anew();
    house.tell(
        None,
        Fact::Restored {
            parked: parked.len(),
            legs: kept.len(),
            bindings: phones.len(),
            subscriptions: watching,
            unreadable: unreadable + lost,
        },
    );
}

/// Sets an alarm as it was; what fell due meanwhile is due now.
fn set(house: &mut House, alarm: Alarm, at: Option<Moment>) {
    if let Some(at) = at {
        house.alarms.set(alarm, at.max(house.at));
    }
}

fn read<K: Key, T: DeserializeOwned>(
    records: &[(RecordKey, Vec<u8>)],
    kind: RecordKind,
    unreadable: &mut usize,
) -> Vec<(K, T)> {
    let mut things = Vec::new();
    for (key, record) in records.iter().filter(|(key, _)| key.kind == kind) {
        match rmp_serde::from_slice(record) {
            Ok(thing) => things.push((key.key(), thing)),
            Err(_) => *unreadable += 1,
        }
    }
    things
}

fn take_bindings(
    house: &mut House,
    bindings: Vec<(BindingKey, Told<Binding>)>,
) -> Renamed<BindingKey> {
    let mut renamed = Renamed::default();
    for (old, ToldRecord { of: mut binding, told }) in bindings {
        let expires = binding.expires;
        let rests = binding.line.restored(told);
        let (key, _, _) = house.contacts.bind(binding);
        set(house, Alarm::Binding(key), Some(expires));
        set(house, Alarm::Notice(key), rests);
        renamed.insert(old, key);
    }
    renamed
}

/// Legs with their alarms. With whom they are is still said in old keys.
fn take_legs(
    house: &mut House,
    legs: Vec<(LegKey, LegRecord<Leg>)>,
    phones: &Renamed<BindingKey>,
) -> (Renamed<LegKey>, Vec<LegKey>) {
    let mut renamed = Renamed::default();
    let mut kept = Vec::with_capacity(legs.len());
    for (old, record) in legs {
        let mut leg = record.leg;
        leg.binding = leg.binding.and_then(|phone| phones.get(&phone).copied());
        let keys = leg.keys.as_ref().and_then(|keys| keys.wake_at());
        let key = house.legs.insert(leg);
        renamed.insert(old, key);
        kept.push(key);
        set(house, Alarm::Refresh(key), record.refresh);
        set(house, Alarm::Events(key), record.runs_out);
        set(house, Alarm::Keys(key), keys);
        if let Some(cseq) = record.unacknowledged {
            calls::acknowledge(house, key, cseq);
        }
    }
    for key in &kept {
        let Some(leg) = house.legs.get_mut(*key) else { continue };
        leg.refers.retain_mut(|refer| rename(&mut refer.by, &renamed));
    }
    (renamed, kept)
}

/// Gives a key its new name, if what it means is still there.
fn rename<K: Copy + Eq + Hash>(key: &mut K, renamed: &Renamed<K>) -> bool {
    match renamed.get(key) {
        Some(now) => {
            *key = *now;
            true
        }
        None => false,
    }
}

fn take_calls(
    house: &mut House,
    calls: Vec<(ParkedKey, ParkedRecord<ParkedCall>)>,
    legs: &Renamed<LegKey>,
    phones: &Renamed<BindingKey>,
) -> (Renamed<ParkedKey>, usize) {
    let (mut renamed, mut lost) = (Renamed::default(), 0);
    for (old, record) in calls {
        let mut call = record.call;
        if !rename(&mut call.leg, legs) {
            // Its leg could not be read, or is not there: nobody can be given back.
            lost += 1;
            continue;
        }
        call.parker_phone = call.parker_phone.and_then(|phone| phones.get(&phone).copied());
        if let Some(monitor) = &mut call.monitor {
            monitor.renamed(|phone| phones.get(&phone).copied());
        }
        let key = house.lots.put(call);
        renamed.insert(old, key);
        let alarms = [
            (Alarm::Recall(key), record.recall),
            (Alarm::HandOver(key), record.hand_over),
            (Alarm::Remind(key), record.remind),
        ];
        for (alarm, at) in alarms {
            set(house, alarm, at);
        }
    }
    (renamed, lost)
}

/// Says with whom a leg is: with whom it was, if that is more than under way.
fn rejoin(house: &mut House, key: LegKey, legs: &Renamed<LegKey>, parked: &Renamed<ParkedKey>) {
    let Some(leg) = house.legs.get_mut(key) else { return };
    leg.with = match leg.with {
        With::Leg(other) => legs.get(&other).map_or(With::Nobody, |other| With::Leg(*other)),
        With::Parked(call) => parked.get(&call).map_or(With::Nobody, |call| With::Parked(*call)),
        With::Nobody
        | With::Retrieving(_)
        | With::Rung(_)
        | With::Parking(_)
        | With::Telling(_) => With::Nobody,
    };
}

/// A parked call goes on where it was.
fn go_on(house: &mut House, key: ParkedKey) {
    let now = house.at;
    let Some(call) = house.lots.get_mut(key) else { return };
    let leg = call.leg;
    let (since, after) = (call.since, call.policy.recall.after);
    match call.recall {
        // Phones rang, or it fell due while somebody was taking it.
        Recall::Ringing { .. } | Recall::Overdue => {
            call.recall = Recall::Waiting;
            set(house, Alarm::Recall(key), Some(now));
        }
        // It was not confirmed yet that it stands.
        Recall::Waiting if house.alarms.at(Alarm::Recall(key)).is_none() => {
            set(house, Alarm::Recall(key), Some(since + after));
        }
        Recall::HandingOver { .. } if house.alarms.at(Alarm::HandOver(key)).is_none() => {
            house.alarms.set(Alarm::HandOver(key), now + HAND_OVER);
        }
        Recall::Waiting | Recall::HandingOver { .. } | Recall::Over => {}
    }
    tell(house, key);
    calls::back_in_its_slot(house, leg);
}

fn tell(house: &mut House, key: ParkedKey) {
    let Some(call) = house.lots.get(key) else { return };
    let recall = house.alarms.at(Alarm::Recall(key));
    let recall_in = recall.map(|at| at.since(house.at));
    let (parkee, parkee_name) = (call.parkee.user(), call.parkee.name.as_deref().map(Into::into));
    let (parker, group) = (call.parker.to_string(), call.group.clone());
    let (retrieve, attempt) = (call.retrieve.clone(), call.attempt);
    let waited = house.at.since(call.since);
    calls::report(house, key, |of| Fact::StillParked {
        of,
        parkee,
        parkee_name,
        parker,
        group,
        retrieve,
        waited,
        recall_in,
        attempt,
    });
}

/// A leg goes on, or is ended because nobody is there for it any more; whether its far end is still
/// there is asked in its turn.
fn settle(house: &mut House, key: LegKey, nth: u32) {
    let Some(leg) = house.legs.get_mut(key) else { return };
    let was_ending = leg.stage == Stage::Ending;
    leg.stage = Stage::Up;
    match (leg.usage, leg.with) {
        (Usage::Call, With::Nobody) => calls::bye(house, key, Some("restarted")),
        (Usage::Call, _) if was_ending => calls::bye(house, key, None),
        (Usage::Call, _) => {
            calls::keys_go_on(house, key);
            let after = (FIRST_PROBE + NEXT_PROBE * nth).min(LAST_PROBE);
            house.alarms.set(Alarm::Probe(key), house.at + after);
        }
        (Usage::Events, With::Leg(_)) => calls::weave_again(house, key),
        (Usage::Events, _) => calls::end_leg(house, key),
    }
}
