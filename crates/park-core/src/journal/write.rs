//! What has changed of that which must outlive the program, written down once in a while: a call that is
//! answered and acknowledged, or over, meanwhile is read once, or never. A record that says what was
//! written before is not written again.

use std::hash::Hasher;

use base::Moment;
use rustc_hash::{FxHashMap, FxHasher};
use serde::Serialize;

use crate::house::House;
use crate::journal::record::{
    JournalStep, LegRecord, ParkedRecord, PhoneRecord, RecordKey, RecordKind,
};
use crate::keys::{Alarm, Errand, LegKey, Owner, ParkedKey};
use crate::words::Output;

/// What the journal has: the hash of each record.
#[derive(Debug, Default)]
pub(crate) struct Written {
    records: FxHashMap<RecordKey, u64>,
    /// What an earlier run of the program wrote is to be cleared away.
    clear: bool,
    /// When the changes since the last writing are to be written; none if there are none.
    due: Option<Moment>,
}

impl Written {
    /// The records of an earlier run are read, and have other keys now.
    pub(super) fn begin_anew(&mut self) {
        self.clear = true;
    }

    /// When there is something to be written.
    pub(crate) fn due(&self) -> Option<Moment> {
        self.due
    }

    /// What is to be written is written with this turn.
    pub(crate) fn hurry(&mut self) {
        if let Some(due) = &mut self.due {
            *due = Moment::ZERO;
        }
    }
}

/// The steps of one writing.
struct Steps<'w> {
    written: &'w mut Written,
    steps: Vec<JournalStep>,
}

impl Steps<'_> {
    fn put(&mut self, key: RecordKey, record: Option<Vec<u8>>) {
        let Some(record) = record else {
            if self.written.records.remove(&key).is_some() {
                self.steps.push(JournalStep::Remove { key });
            }
            return;
        };
        let mut hasher = FxHasher::default();
        hasher.write(&record);
        let hash = hasher.finish();
        if self.written.records.insert(key, hash) != Some(hash) {
            self.steps.push(JournalStep::Put { key, record });
        }
    }
}

/// Lays what has changed on the tray, if it has waited for company as long as it may.
pub(crate) fn keep(house: &mut House) {
    let Some(gather) = house.settings.journal else { return forget(house) };
    let at = house.at;
    if has_changed(house) && *house.written.due.get_or_insert(at + gather) <= at {
        write(house);
    }
}

fn has_changed(house: &House) -> bool {
    house.alarms.have_changed()
        || house.legs.changes.are_some()
        || house.contacts.changes.are_some()
        || house.lots.changes.are_some()
        || house.watches.changes.are_some()
        || house.passes.changes.are_some()
        || house.layer.have_changed()
}

/// Lays what has changed on the tray.
fn write(house: &mut House) {
    for alarm in house.alarms.changed() {
        match alarm {
            Alarm::Recall(call)
            | Alarm::HandOver(call)
            | Alarm::Remind(call)
            | Alarm::Ring(call) => {
                house.lots.changes.note(call);
            }
            Alarm::Refresh(leg) | Alarm::Events(leg) | Alarm::Bye(leg) | Alarm::Offer(leg) => {
                house.legs.changes.note(leg);
            }
            _ => {}
        }
    }
    let (bindings, legs) = (house.contacts.changes.take(), house.legs.changes.take());
    let (calls, watches) = (house.lots.changes.take(), house.watches.changes.take());
    let passes = house.passes.changes.take();
    let (clients, servers) = house.layer.changed();
    let mut written = std::mem::take(&mut house.written);
    written.due = None;
    let mut steps = Steps { steps: Vec::new(), written: &mut written };
    if std::mem::take(&mut steps.written.clear) {
        steps.steps.push(JournalStep::Clear);
    }
    for key in bindings {
        let record = house.contacts.get(key).and_then(|of| read(&PhoneRecord { of }));
        steps.put(RecordKey::of(RecordKind::Binding, key), record);
    }
    for key in legs {
        steps.put(RecordKey::of(RecordKind::Leg, key), leg(house, key));
    }
    for key in calls {
        steps.put(RecordKey::of(RecordKind::Parked, key), parked(house, key));
    }
    for key in watches {
        let record = house.watches.get(key).and_then(|of| read(&PhoneRecord { of }));
        steps.put(RecordKey::of(RecordKind::Watch, key), record);
    }
    for key in passes {
        let record = house.passes.get(key).and_then(read);
        steps.put(RecordKey::of(RecordKind::Pass, key), record);
    }
    for key in clients {
        let kept = house.layer.kept_client(key).filter(|client| is_kept(client.owner));
        let key = RecordKey { kind: RecordKind::Client, number: key.number() };
        steps.put(key, kept.as_ref().and_then(read));
    }
    for key in servers {
        let kept = house.layer.kept_server(key);
        let key = RecordKey { kind: RecordKind::Server, number: key.number() };
        steps.put(key, kept.as_ref().and_then(read));
    }
    let steps = steps.steps;
    house.written = written;
    if !steps.is_empty() {
        house.tray.push_back(Output::Journal(steps));
    }
}

/// Nobody wants to know.
fn forget(house: &mut House) {
    house.alarms.changed();
    house.contacts.changes.forget();
    house.legs.changes.forget();
    house.lots.changes.forget();
    house.watches.changes.forget();
    house.passes.changes.forget();
    house.layer.forget_changes();
}

/// A thing as a record; what cannot be written is as good as gone, which no such thing is.
fn read(thing: &impl Serialize) -> Option<Vec<u8>> {
    let record = rmp_serde::to_vec_named(thing);
    debug_assert!(record.is_ok(), "plain data can be written: {record:?}");
    record.ok()
}

/// Who may have gone is asked again.
fn is_kept(owner: Owner) -> bool {
    !matches!(owner, Owner::Leg(_, Errand::Probe))
}

fn leg(house: &House, key: LegKey) -> Option<Vec<u8>> {
    read(&LegRecord {
        leg: house.legs.get(key)?,
        refresh: house.alarms.at(Alarm::Refresh(key)),
        runs_out: house.alarms.at(Alarm::Events(key)),
        bye: house.alarms.at(Alarm::Bye(key)),
        offer: house.alarms.at(Alarm::Offer(key)),
    })
}

fn parked(house: &House, key: ParkedKey) -> Option<Vec<u8>> {
    let call = house.lots.get(key).filter(|call| call.is_here())?;
    read(&ParkedRecord {
        call,
        recall: house.alarms.at(Alarm::Recall(key)),
        hand_over: house.alarms.at(Alarm::HandOver(key)),
        remind: house.alarms.at(Alarm::Remind(key)),
        ring: house.alarms.at(Alarm::Ring(key)),
    })
}
