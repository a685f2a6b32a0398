//! Records: what each is about, and what is written beside the thing itself. Fields are written by their
//! names, so a later version of the program reads what an earlier one wrote: a new field needs a
//! `#[serde(default)]`, and what cannot be read so needs another [`JOURNAL_FORMAT`].

use base::Moment;
use serde::{Deserialize, Serialize};
use slotmap::{Key, KeyData};

/// The format of the records. A journal of another format cannot be read.
pub const JOURNAL_FORMAT: u32 = 1;

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// A binding.
    Binding,
    /// A leg.
    Leg,
    /// A parked call.
    Parked,
    /// A subscription to what is ours.
    Watch,
    /// A request that is being passed on.
    Pass,
    /// A request that we sent, and that is not over.
    Client,
    /// A request that we were sent, and that is not over.
    Server,
}

impl RecordKind {
    /// All of them.
    pub const ALL: [RecordKind; 7] = [
        RecordKind::Binding,
        RecordKind::Leg,
        RecordKind::Parked,
        RecordKind::Watch,
        RecordKind::Pass,
        RecordKind::Client,
        RecordKind::Server,
    ];

    /// Its number in a store.
    pub fn number(self) -> u8 {
        match self {
            RecordKind::Binding => 1,
            RecordKind::Leg => 2,
            RecordKind::Parked => 3,
            RecordKind::Watch => 4,
            RecordKind::Pass => 5,
            RecordKind::Client => 6,
            RecordKind::Server => 7,
        }
    }

    /// The kind that has this number.
    pub fn of(number: u8) -> Option<RecordKind> {
        RecordKind::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

/// By which a record is found. A key is used once in a run of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey {
    /// What it is about.
    pub kind: RecordKind,
    /// Which one.
    pub number: u64,
}

impl RecordKey {
    pub(super) fn of(kind: RecordKind, key: impl Key) -> RecordKey {
        RecordKey { kind, number: key.data().as_ffi() }
    }

    pub(super) fn key<K: Key>(self) -> K {
        K::from(KeyData::from_ffi(self.number))
    }
}

/// A step of the journal. Those of one turn hold together or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalStep {
    /// Whatever was written before holds no longer.
    Clear,
    /// From now on this is the record.
    Put {
        /// Of what.
        key: RecordKey,
        /// The record.
        record: Vec<u8>,
    },
    /// There is no such thing any more.
    Remove {
        /// Of what.
        key: RecordKey,
    },
}

/// A binding or a subscription. Older journals have something else beside it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PhoneRecord<T> {
    pub(super) of: T,
}

/// A leg, and what of it stands elsewhere.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LegRecord<L> {
    pub(super) leg: L,
    /// When its session is to be refreshed.
    pub(super) refresh: Option<Moment>,
    /// When it runs out, if it is a subscription that passes through.
    pub(super) runs_out: Option<Moment>,
    /// When we end it, if its phone does not.
    pub(super) bye: Option<Moment>,
    /// When an offer of ours is to be made again.
    pub(super) offer: Option<Moment>,
}

/// A parked call, and what of it stands elsewhere.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ParkedRecord<C> {
    pub(super) call: C,
    /// When it is to be recalled.
    pub(super) recall: Option<Moment>,
    /// When the PBX should have said what became of a hand-over.
    pub(super) hand_over: Option<Moment>,
    /// When the parker is to be reminded.
    pub(super) remind: Option<Moment>,
    /// Until when phones ring for it.
    pub(super) ring: Option<Moment>,
}
