//! Keys pressed during a call, collected until they are a park code or turn out not to be one.

use std::collections::VecDeque;
use std::time::Duration;

use base::Moment;
use serde::{Deserialize, Serialize};

use crate::asks::key::Key;
use crate::asks::keyed::Keyed;
use crate::codes::Codes;

/// By which way a key was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
    /// No code. These are to be passed on, because they came by INFO and have been held back; what
    /// was heard in RTP alone has gone on by itself. Later ones may still be held.
    NotOurs(Vec<Key>),
    /// The same press, heard before by the other way, or another packet of it: it has been counted.
    /// It shares the fate of what it repeats: if that is no code, it is among those to be passed on.
    Repeated,
}

/// The keys of one call's phone. It knows no clock: who owns it says what time it is, and calls
/// [`Keys::expire`] when [`Keys::wake_at`] has come.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Keys {
    patience: Duration,
    held: Vec<Held>,
    due: Moment,
    heard: VecDeque<Heard>,
    /// Presses counted so far: each has its number.
    presses: u32,
}

/// A press that may be part of a code.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Held {
    press: u32,
    key: Key,
    /// An INFO of it waits to be passed on.
    by_info: bool,
}

/// A press that may yet be heard again.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Heard {
    press: u32,
    at: Moment,
    key: Key,
    source: KeySource,
    paired: bool,
    /// It was part of a code.
    used: bool,
}

/// Within this time two ways of hearing one key are one press: some phones send both at once, and an
/// INFO may have to be sent again after half a second (RFC 3261 §17.1.2.1, timer E).
const SAME_PRESS: Duration = Duration::from_secs(1);
/// So many presses are remembered, and so many keys held.
const MOST: usize = 32;

impl Keys {
    /// Collects with this longest pause between two keys of one code.
    pub fn new(patience: Duration) -> Keys {
        let (held, heard) = (Vec::new(), VecDeque::new());
        Keys { patience, held, due: Moment::ZERO, heard, presses: 0 }
    }

    /// When the pause will have been too long; none while nothing is held.
    pub fn wake_at(&self) -> Option<Moment> {
        (!self.held.is_empty()).then_some(self.due)
    }

    /// The keys that may still become a code.
    pub fn held(&self) -> Vec<Key> {
        self.held.iter().map(|held| held.key).collect()
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
        if let Some(repeated) = self.repeated(at, key, source) {
            return repeated;
        }
        let mut late = match self.expired(at, codes) {
            Some(Expired::Ours(code)) => {
                // Whatever the new key may be, it waits until the next word about it.
                self.hold(at, key, source);
                return KeyOutcome::Ours(code);
            }
            Some(Expired::NotOurs(keys)) => keys,
            None => Vec::new(),
        };
        self.hold(at, key, source);
        let whole = self.keyed(codes) == Keyed::Whole;
        if whole && late.is_empty() {
            return KeyOutcome::Ours(self.take());
        }
        if whole {
            self.due = at;
            return not_ours(&late);
        }
        // What cannot become a code leaves; the keys behind it may be the beginning of one.
        while !self.held.is_empty() && self.is_hopeless(codes) {
            late.push(self.held.remove(0));
        }
        if self.keyed(codes) == Keyed::Whole {
            self.due = at;
        }
        if late.is_empty() { KeyOutcome::Collecting } else { not_ours(&late) }
    }

    /// The pause has been too long, if it has: what is held is a code or is not.
    pub fn expire(&mut self, at: Moment, codes: &[&Codes]) -> Option<KeyOutcome> {
        Some(match self.expired(at, codes)? {
            Expired::Ours(code) => KeyOutcome::Ours(code),
            Expired::NotOurs(keys) => not_ours(&keys),
        })
    }

    fn expired(&mut self, at: Moment, codes: &[&Codes]) -> Option<Expired> {
        if at < self.wake_at()? {
            return None;
        }
        Some(match self.keyed(codes) {
            Keyed::Open | Keyed::Whole => Expired::Ours(self.take()),
            Keyed::Begun | Keyed::Nothing => Expired::NotOurs(std::mem::take(&mut self.held)),
        })
    }

    fn hold(&mut self, at: Moment, key: Key, source: KeySource) {
        self.held.push(Held { press: self.presses, key, by_info: source == KeySource::Info });
        self.due = at + self.patience;
    }

    fn text(&self) -> String {
        self.held.iter().map(|held| held.key.as_char()).collect()
    }

    fn take(&mut self) -> String {
        let code = self.text();
        for held in self.held.drain(..) {
            let of_it = self.heard.iter_mut().filter(|heard| heard.press == held.press);
            of_it.for_each(|heard| heard.used = true);
        }
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

    /// What becomes of a press that has been heard already; each is heard at most once by each way.
    /// A press that has not is counted.
    fn repeated(&mut self, at: Moment, key: Key, source: KeySource) -> Option<KeyOutcome> {
        self.heard.retain(|heard| at.since(heard.at) <= SAME_PRESS);
        let packet = |heard: &&mut Heard| {
            source != KeySource::Info && (heard.source, heard.key) == (source, key)
        };
        if let Some(heard) = self.heard.iter_mut().find(packet) {
            // Still pressed: the INFO may come when it is let go.
            heard.at = at;
            return Some(KeyOutcome::Repeated);
        }
        let other_way = |heard: &&mut Heard| {
            !heard.paired && heard.key == key && heard.source.is_other_way(source)
        };
        let pair = self.heard.iter_mut().find(other_way);
        let former = pair.map(|pair| {
            pair.paired = true;
            *pair
        });
        if former.is_none() {
            self.presses = self.presses.wrapping_add(1);
        }
        let (press, used) = former.map_or((self.presses, false), |pair| (pair.press, pair.used));
        if self.heard.len() == MOST {
            self.heard.pop_front();
        }
        let paired = former.is_some();
        self.heard.push_back(Heard { press, at, key, source, paired, used });
        if !paired || used || source != KeySource::Info {
            return paired.then_some(KeyOutcome::Repeated);
        }
        match self.held.iter_mut().find(|held| held.press == press) {
            Some(held) => {
                held.by_info = true;
                Some(KeyOutcome::Repeated)
            }
            // Its packets have gone on already, and so may the INFO.
            None => Some(KeyOutcome::NotOurs(vec![key])),
        }
    }
}

/// What was held when the pause had been too long.
enum Expired {
    Ours(String),
    NotOurs(Vec<Held>),
}

fn not_ours(held: &[Held]) -> KeyOutcome {
    let by_info = held.iter().filter(|held| held.by_info);
    KeyOutcome::NotOurs(by_info.map(|held| held.key).collect())
}
