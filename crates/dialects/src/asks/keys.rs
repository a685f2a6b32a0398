//! Keys pressed during a call, collected until they are a park code or turn out not to be one.

use std::collections::VecDeque;
use std::time::Duration;

use base::Moment;

use crate::asks::key::Key;
use crate::asks::keyed::Keyed;
use crate::codes::Codes;

/// By which way a key was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeySource {
    /// In an INFO.
    Info,
    /// As a telephone-event (RFC 4733), whose packets share this RTP timestamp.
    Rtp {
        /// The timestamp of the event's first packet.
        timestamp: u32,
    },
}

impl KeySource {
    fn is_other_way(self, other: KeySource) -> bool {
        matches!(self, KeySource::Info) != matches!(other, KeySource::Info)
    }
}

/// What has become of the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyOutcome {
    /// Held back: they may still become a code.
    Collecting,
    /// A code, for [`Codes::dialled`]. Its keys are used up.
    Ours(String),
    /// No code: they are to be passed on, if they have been held back. Later ones may still be held.
    NotOurs(Vec<Key>),
    /// The same press, heard before by the other way, or another packet of it: it has been counted.
    /// It shares the fate of what it repeats.
    Repeated,
}

/// The keys of one call's phone. It knows no clock: who owns it says what time it is, and calls
/// [`Keys::expire`] when [`Keys::wake_at`] has come.
#[derive(Debug, Clone)]
pub struct Keys {
    patience: Duration,
    held: Vec<Key>,
    due: Moment,
    heard: VecDeque<Heard>,
}

/// A press that may yet be heard again.
#[derive(Debug, Clone, Copy)]
struct Heard {
    at: Moment,
    key: Key,
    source: KeySource,
    paired: bool,
}

/// Within this time two ways of hearing one key are one press: some phones send both at once, and an
/// INFO may have to be sent again after half a second (RFC 3261 §17.1.2.1, timer E).
const SAME_PRESS: Duration = Duration::from_secs(1);
/// So many presses are remembered, and so many keys held.
const MOST: usize = 32;

impl Keys {
    /// Collects with this longest pause between two keys of one code.
    pub fn new(patience: Duration) -> Keys {
        Keys { patience, held: Vec::new(), due: Moment::ZERO, heard: VecDeque::new() }
    }

    /// When the pause will have been too long; none while nothing is held.
    pub fn wake_at(&self) -> Option<Moment> {
        (!self.held.is_empty()).then_some(self.due)
    }

    /// The keys that are held back.
    pub fn held(&self) -> &[Key] {
        &self.held
    }

    /// A key was heard. `codes` are those of the lots in whose domain the phone is, in the order in
    /// which they are asked.
    pub fn press(
        &mut self,
        at: Moment,
        key: Key,
        source: KeySource,
        codes: &[&Codes],
    ) -> KeyOutcome {
        if self.is_repeated(at, key, source) {
            return KeyOutcome::Repeated;
        }
        let mut late = match self.expire(at, codes) {
            Some(KeyOutcome::Ours(code)) => {
                // Whatever the new key may be, it waits until the next word about it.
                self.hold(at, key);
                return KeyOutcome::Ours(code);
            }
            Some(KeyOutcome::NotOurs(keys)) => keys,
            _ => Vec::new(),
        };
        self.hold(at, key);
        let whole = self.keyed(codes) == Keyed::Whole;
        if whole && late.is_empty() {
            return KeyOutcome::Ours(self.take());
        }
        if whole {
            self.due = at;
            return KeyOutcome::NotOurs(late);
        }
        // What cannot become a code leaves; the keys behind it may be the beginning of one.
        while !self.held.is_empty() && self.is_hopeless(codes) {
            late.push(self.held.remove(0));
        }
        if self.keyed(codes) == Keyed::Whole {
            self.due = at;
        }
        if late.is_empty() { KeyOutcome::Collecting } else { KeyOutcome::NotOurs(late) }
    }

    /// The pause has been too long, if it has: what is held is a code or is not.
    pub fn expire(&mut self, at: Moment, codes: &[&Codes]) -> Option<KeyOutcome> {
        if at < self.wake_at()? {
            return None;
        }
        Some(match self.keyed(codes) {
            Keyed::Open | Keyed::Whole => KeyOutcome::Ours(self.take()),
            Keyed::Begun | Keyed::Nothing => KeyOutcome::NotOurs(std::mem::take(&mut self.held)),
        })
    }

    fn hold(&mut self, at: Moment, key: Key) {
        self.held.push(key);
        self.due = at + self.patience;
    }

    fn text(&self) -> String {
        self.held.iter().map(|key| key.as_char()).collect()
    }

    fn take(&mut self) -> String {
        let code = self.text();
        self.held.clear();
        code
    }

    fn is_hopeless(&self, codes: &[&Codes]) -> bool {
        self.held.len() > MOST || self.keyed(codes) == Keyed::Nothing
    }

    /// What the held keys are to the lots: as long as one of them hopes for more, they wait.
    fn keyed(&self, codes: &[&Codes]) -> Keyed {
        let text = self.text();
        let (mut whole, mut grows) = (false, false);
        for keyed in codes.iter().map(|codes| codes.keyed(&text)) {
            whole |= matches!(keyed, Keyed::Open | Keyed::Whole);
            grows |= matches!(keyed, Keyed::Open | Keyed::Begun);
        }
        Keyed::of(whole, grows)
    }

    /// Whether this press has been heard already; each press is heard at most once by each way.
    fn is_repeated(&mut self, at: Moment, key: Key, source: KeySource) -> bool {
        self.heard.retain(|heard| at.since(heard.at) <= SAME_PRESS);
        let packet = |heard: &&mut Heard| {
            source != KeySource::Info && (heard.source, heard.key) == (source, key)
        };
        if let Some(heard) = self.heard.iter_mut().find(packet) {
            // Still pressed: the INFO may come when it is let go.
            heard.at = at;
            return true;
        }
        let other_way = |heard: &&mut Heard| {
            !heard.paired && heard.key == key && heard.source.is_other_way(source)
        };
        let pair = self.heard.iter_mut().find(other_way);
        let paired = pair.is_some();
        if let Some(pair) = pair {
            pair.paired = true;
        }
        if self.heard.len() == MOST {
            self.heard.pop_front();
        }
        self.heard.push_back(Heard { at, key, source, paired });
        paired
    }
}
