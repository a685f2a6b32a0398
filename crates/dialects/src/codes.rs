//! What a dialled number means in one lot: codes with and without an extension, slots, or nothing.

use base::{Extension, SlotName};

use regex::Regex;
use sip_msg::unescape;

use crate::asks::{BadAsk, OrbitAsk};

/// The numbers of one lot, as configured.
#[derive(Debug, Clone)]
pub struct Codes {
    /// Parks on the parker's own extension, or on the extension or slot that follows: `*68`, `*68105`.
    pub park: String,
    /// Parks on the first available member of the parker's park group: `*58`. Nothing may follow.
    pub group_park: String,
    /// Retrieves from the retriever's own extension, or from the one that follows: `*88`, `*88105`.
    pub retrieve: String,
    /// What phones dial before the number of a lamp that blinks, the PBX's directed pickup: `**701`.
    pub pickup: Option<String>,
    /// The park number that means any free slot: `700`. Where it begins with `*` or `#` (`*5900`),
    /// the slots' own numbers may begin so too: `*5901` is the slot `5901`.
    pub any_slot: Option<String>,
    /// Ranges of slots: first, last (both in it), and the width to which numbers are padded with zeros.
    pub slots: Vec<(u32, u32, usize)>,
    /// What counts as an extension after a code.
    pub extensions: Regex,
}

/// Where to park, or where to retrieve from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// The extension of whoever asks.
    Own,
    /// That extension.
    Extension(Extension),
    /// A member of the asker's park group.
    Group,
    /// That slot of the lot.
    Slot(SlotName),
    /// Any slot of the lot.
    AnySlot,
}

/// What a number means.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Dialled {
    /// A park code, with where to.
    Park(Place),
    /// The retrieve code, with where from.
    Retrieve(Place),
    /// A slot's own number: parks when a REFER names it, retrieves when it is dialled.
    Number(SlotName),
    /// The lot's park number: parks in a free slot when a REFER names it, retrieves when it is dialled.
    AnySlot,
    /// The pickup code before an extension: retrieves if a call is parked there; else it is the PBX's.
    PickUp(Extension),
}

impl Dialled {
    /// Where to park when a REFER names this number (or an INVITE that the PBX made of one, known by
    /// its `Referred-By`); none for a retrieve code, to which nothing can be transferred.
    pub fn parks_at(&self) -> Option<Place> {
        match self {
            Dialled::Park(place) => Some(place.clone()),
            Dialled::Retrieve(_) | Dialled::PickUp(_) => None,
            Dialled::Number(slot) => Some(Place::Slot(slot.clone())),
            Dialled::AnySlot => Some(Place::AnySlot),
        }
    }

    /// Where to retrieve from when this number is dialled; none for a park code.
    pub fn retrieves_from(&self) -> Option<Place> {
        match self {
            Dialled::Park(_) => None,
            Dialled::Retrieve(place) => Some(place.clone()),
            Dialled::PickUp(extension) => Some(Place::Extension(extension.clone())),
            Dialled::Number(slot) => Some(Place::Slot(slot.clone())),
            Dialled::AnySlot => Some(Place::AnySlot),
        }
    }
}

/// Whether `number` is in one of these ranges: first, last (both in it), and the width to which numbers
/// are padded with zeros.
pub fn is_in_ranges(ranges: &[(u32, u32, usize)], number: &str) -> bool {
    ranges.iter().any(|&(first, last, width)| {
        number.bytes().all(|b| b.is_ascii_digit())
            && number
                .parse()
                .is_ok_and(|n| first <= n && n <= last && number == format!("{n:0width$}"))
    })
}

impl Codes {
    /// What `user`, the user part of a URI as received, means here; none if it is not about parking.
    ///
    /// Escapes are decoded (`%2A` is `*`), user parameters (`105;phone-context=…`) and one trailing
    /// `#` are ignored, the longest code wins, and a slot's number is a slot even where it would
    /// pass for an extension.
    pub fn dialled(&self, user: &str) -> Option<Dialled> {
        let user = user.split(';').next().unwrap_or_default();
        let decoded = unescape(user);
        let number = decoded.strip_suffix('#').unwrap_or(&decoded);
        // A code may itself end in `#`; then the whole number is the code and nothing is stripped.
        if self.is_code(&decoded) {
            return self.after_code(&decoded);
        }
        let found = self.place(number).or_else(|| self.after_code(number));
        found.or_else(|| self.after_pickup(number))
    }

    /// What an ask of the orbit family means here: its number is a slot, the lot's own number, or
    /// else an extension.
    ///
    /// # Errors
    /// 404 if there is no such orbit here: it may be another lot's, or nobody's, but it is never
    /// taken for another slot of this one. Whether there is such an extension is not known here.
    pub fn orbit(&self, ask: &OrbitAsk) -> Result<Dialled, BadAsk> {
        let none = BadAsk { status: 404, why: "No Such Orbit" };
        let Some(number) = ask.number() else {
            let has_slots = self.slot_names().next().is_some();
            return if has_slots { Ok(Dialled::Park(Place::AnySlot)) } else { Err(none) };
        };
        let number = number.strip_suffix('#').unwrap_or(number);
        let named = self.place(number);
        let place = match &named {
            Some(found) => found.parks_at(),
            None => self.is_extension(number).then(|| Place::Extension(Extension::from(number))),
        };
        let place = place.ok_or(none)?;
        Ok(match ask {
            OrbitAsk::Park(_) | OrbitAsk::ParkAnywhere => Dialled::Park(place),
            OrbitAsk::Retrieve(_) => Dialled::Retrieve(place),
            OrbitAsk::Number(_) => named.unwrap_or(Dialled::Retrieve(place)),
        })
    }

    /// Whether `number` is one of the lot's slots.
    pub fn is_slot(&self, number: &str) -> bool {
        is_in_ranges(&self.slots, number)
    }

    /// Whether `number` counts as an extension.
    pub fn is_extension(&self, number: &str) -> bool {
        self.extensions.is_match(number)
    }

    /// All slots, in the order in which a free one is looked for.
    pub fn slot_names(&self) -> impl Iterator<Item = SlotName> + '_ {
        self.slots.iter().flat_map(|&(first, last, width)| {
            (first..=last).map(move |n| SlotName::from(format!("{n:0width$}")))
        })
    }

    /// What a retriever dials for the call at `slot`: `701` for a slot, `*88105` for an extension.
    pub fn retrieve_number(&self, slot: &SlotName) -> String {
        if self.is_slot(slot.as_str()) {
            slot.to_string()
        } else {
            format!("{}{slot}", self.retrieve)
        }
    }

    /// A number that stands alone.
    fn place(&self, number: &str) -> Option<Dialled> {
        if self.any_slot.as_deref() == Some(number) && !number.is_empty() {
            return Some(Dialled::AnySlot);
        }
        let slot = [Some(number), self.without_sign(number)]
            .into_iter()
            .flatten()
            .find(|number| self.is_slot(number))?;
        Some(Dialled::Number(SlotName::from(slot)))
    }

    /// A number without the signs that the lot's own number begins with, if it has some.
    fn without_sign<'n>(&self, number: &'n str) -> Option<&'n str> {
        let sign = self.sign();
        number.strip_prefix(sign).filter(|_| !sign.is_empty())
    }

    /// The signs that the lot's own number begins with; mostly none.
    pub(crate) fn sign(&self) -> &str {
        let any = self.any_slot.as_deref().unwrap_or_default();
        &any[..any.len() - any.trim_start_matches(['*', '#']).len()]
    }

    fn codes(&self) -> [&str; 3] {
        [&self.park, &self.group_park, &self.retrieve]
    }

    fn is_code(&self, number: &str) -> bool {
        !number.is_empty() && self.codes().contains(&number)
    }

    /// A code and what follows it. Where one code begins with another, the longer is tried first.
    fn after_code(&self, number: &str) -> Option<Dialled> {
        let mut codes = self.codes();
        codes.sort_by_key(|code| std::cmp::Reverse(code.len()));
        codes.iter().filter(|code| !code.is_empty()).find_map(|code| {
            let rest = number.strip_prefix(code)?;
            if *code == self.group_park {
                return rest.is_empty().then_some(Dialled::Park(Place::Group));
            }
            let place = self.place_after(rest)?;
            Some(if *code == self.park { Dialled::Park(place) } else { Dialled::Retrieve(place) })
        })
    }

    fn after_pickup(&self, number: &str) -> Option<Dialled> {
        let rest = number.strip_prefix(self.pickup.as_deref()?)?;
        match self.place_after(rest)? {
            Place::Own => None,
            Place::Extension(extension) => Some(Dialled::PickUp(extension)),
            place => Some(Dialled::Retrieve(place)),
        }
    }

    fn place_after(&self, rest: &str) -> Option<Place> {
        if rest.is_empty() {
            return Some(Place::Own);
        }
        match self.place(rest) {
            Some(Dialled::Number(slot)) => Some(Place::Slot(slot)),
            Some(_) => Some(Place::AnySlot),
            None => self.is_extension(rest).then(|| Place::Extension(Extension::from(rest))),
        }
    }
}
