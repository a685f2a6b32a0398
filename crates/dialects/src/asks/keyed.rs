//! Whether keys pressed during a call are a park code, or can become one.

use regex_automata::Anchored;
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::util::start;

use crate::codes::{Codes, Dialled};

/// What keys pressed so far are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyed {
    /// No code, whatever may follow.
    Nothing,
    /// The beginning of a code.
    Begun,
    /// A code, which may still become a longer one: `*68` and `*68105`.
    Open,
    /// A code, to which nothing can be added.
    Whole,
}

impl Keyed {
    pub(crate) fn of(whole: bool, grows: bool) -> Keyed {
        match (whole, grows) {
            (true, true) => Keyed::Open,
            (true, false) => Keyed::Whole,
            (false, true) => Keyed::Begun,
            (false, false) => Keyed::Nothing,
        }
    }
}

impl Codes {
    /// What `keys`, pressed in a call, are. Only the codes that park count, with what may follow
    /// them, and a `#` that ends the entry; nobody retrieves in the middle of a call, and a slot's
    /// bare number is as likely to be meant for the far end's menus.
    pub fn keyed(&self, keys: &str) -> Keyed {
        let whole = matches!(self.dialled(keys), Some(Dialled::Park(_)));
        Keyed::of(whole, self.may_grow(keys, whole))
    }

    /// Whether a longer code begins with `keys`; the `#` that ends an entry makes none longer.
    fn may_grow(&self, keys: &str, whole: bool) -> bool {
        let begins = |code: &str| code.len() > keys.len() && code.starts_with(keys);
        if begins(&self.park) || begins(&self.group_park) {
            return true;
        }
        let ended = whole && keys.ends_with('#') && keys != self.park;
        !ended
            && !self.park.is_empty()
            && keys.strip_prefix(self.park.as_str()).is_some_and(|rest| self.place_may_begin(rest))
    }

    /// Whether a slot, the lot's number or an extension begins with `rest` and is longer.
    fn place_may_begin(&self, rest: &str) -> bool {
        let begins = |name: &str, rest: &str| name.len() > rest.len() && name.starts_with(rest);
        let begins_slot = |rest: &str| self.slot_names().any(|name| begins(name.as_str(), rest));
        let sign = self.sign();
        let bare = rest.strip_prefix(sign).filter(|_| !sign.is_empty());
        begins(self.any_slot.as_deref().unwrap_or_default(), rest)
            || begins_slot(rest)
            || bare.is_some_and(begins_slot)
            || extension_may_begin(self.extensions.as_str(), rest).unwrap_or(true)
    }
}

/// Whether digits behind `rest` can make the expression match; none if that cannot be told.
///
/// The expression's automaton is walked along `rest`: once it is dead, nothing can help.
fn extension_may_begin(extensions: &str, rest: &str) -> Option<bool> {
    let dfa = DFA::new(extensions).ok()?;
    let mut cache = dfa.create_cache();
    let mut state =
        dfa.start_state(&mut cache, &start::Config::new().anchored(Anchored::No)).ok()?;
    for byte in rest.bytes() {
        state = step(&dfa, &mut cache, state, byte)?;
        if state.is_dead() || state.is_match() {
            return Some(state.is_match());
        }
    }
    for digit in b'0'..=b'9' {
        if !step(&dfa, &mut cache, state, digit)?.is_dead() {
            return Some(true);
        }
    }
    Some(false)
}

fn step(dfa: &DFA, cache: &mut Cache, from: LazyStateID, byte: u8) -> Option<LazyStateID> {
    dfa.next_state(cache, from, byte).ok().filter(|state| !state.is_quit())
}
