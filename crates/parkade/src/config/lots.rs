//! Lots, their groups and their recalls: as written, and held against each other.

use std::path::Path;
use std::time::Duration;

use base::{Extension, LotName};
use dialects::is_in_ranges;
use park_core::{FindSlot, GroupSettings, LotSettings, PlaceSettings, RecallSettings, RecallTo};

use crate::config::raw::{Placed, Table, meant, nearest};
use crate::config::settings::Music;
use crate::config::{own, words};

const DAY: Duration = Duration::from_secs(24 * 3600);
const SECOND: Duration = Duration::from_secs(1);

/// The lots; `music` is the music list, to which lots may add tunes of their own.
pub(super) fn read(
    root: &Table<'_, '_>,
    music: &mut Vec<Music>,
    folder: &Path,
) -> Vec<LotSettings> {
    let tables = root.tables("lot");
    if tables.is_empty() && !root.has("lot") {
        return vec![LotSettings::default()];
    }
    let mut lots: Vec<LotSettings> = Vec::new();
    for table in tables {
        let lot = lot(&table, music, folder);
        for earlier in &lots {
            against_another(&table, &lot, earlier);
        }
        lots.push(lot);
        table.close();
    }
    lots
}

fn lot(table: &Table<'_, '_>, music: &mut Vec<Music>, folder: &Path) -> LotSettings {
    let usual = LotSettings::default();
    let name = table.text("name").map(|t| t.value).unwrap_or_default();
    if name.trim().is_empty() {
        table.doubt("name", "every lot needs a name, such as \"office\"");
    }
    let domains = table.all_parsed("domains", words::domain).unwrap_or_default();
    let any_slot = optional(table, "any_slot", usual.any_slot);
    let pickup = optional(table, "pickup", usual.pickup);
    let extensions = table.parsed("extensions", words::pattern).unwrap_or(usual.extensions);
    let own = own::read(table, &extensions, music, folder);
    let mut lot = LotSettings {
        name: LotName::from(name),
        domains: domains.into_iter().map(|d| d.value).collect(),
        park: table.parsed("park", words::dialable).unwrap_or(usual.park),
        group_park: table.parsed("group_park", words::dialable).unwrap_or(usual.group_park),
        retrieve: table.parsed("retrieve", words::dialable).unwrap_or(usual.retrieve),
        pickup,
        extensions,
        any_slot,
        slots: table.parsed("slots", words::slots).unwrap_or(usual.slots),
        find_slot: table
            .choice(
                "find_slot",
                &[
                    ("first", FindSlot::First),
                    ("next", FindSlot::Next),
                    ("random", FindSlot::Random),
                ],
            )
            .unwrap_or(usual.find_slot),
        retrievers: own.retrievers.unwrap_or(usual.retrievers),
        max_calls_per_slot: own.max_calls_per_slot.unwrap_or(usual.max_calls_per_slot),
        notify_parker: own.notify_parker.unwrap_or(usual.notify_parker),
        dtmf: table.flag("dtmf").unwrap_or(usual.dtmf),
        names_parkee: own.names_parkee.unwrap_or(usual.names_parkee),
        page: own.page.unwrap_or(usual.page),
        shared: own.shared.unwrap_or(usual.shared),
        tune: own.tune.unwrap_or(usual.tune),
        courtesy: own.courtesy.unwrap_or(usual.courtesy),
        recall: usual.recall,
        groups: Vec::new(),
        places: Vec::new(),
    };
    numbers(table, &lot);
    let groups = groups(table, &mut lot, music, folder);
    let recall = table.table("recall");
    lot.recall = self::recall(&recall, &lot, &RecallSettings::default());
    recall.close();
    for (at, group) in groups.into_iter().enumerate() {
        let members = lot.groups[at].members.iter().map(ToString::to_string).collect();
        lot.groups[at].own.recall = own_recall(&group, &lot, Some(members));
        group.close();
    }
    lot.places = places(table, &lot, music, folder);
    lot
}

/// A number that may be switched off by an empty text.
fn optional(table: &Table<'_, '_>, key: &'static str, usual: Option<String>) -> Option<String> {
    let Some(text) = table.text(key) else { return usual };
    if text.value.is_empty() {
        return None;
    }
    words::dialable(&text.value).map_err(|what| table.doubt_at(text.span, key, what)).ok()
}

fn slot_text(number: u32, width: usize) -> String {
    format!("{number:0width$}")
}

/// Whether `number` leads to a slot of this lot, or is its park number.
fn is_slot(lot: &LotSettings, number: &str) -> bool {
    lot.any_slot.as_deref() == Some(number) || is_in_ranges(&lot.slots, number)
}

/// Holds a lot's codes and numbers against each other: each must have one meaning.
fn numbers(table: &Table<'_, '_>, lot: &LotSettings) {
    let codes = [("park", &lot.park), ("group_park", &lot.group_park), ("retrieve", &lot.retrieve)];
    for (at, (key, code)) in codes.iter().enumerate() {
        for (earlier, other) in &codes[..at] {
            if code == other {
                table.doubt(key, format!("{code:?} is the {earlier} code already"));
            } else if code.starts_with(other.as_str()) || other.starts_with(code.as_str()) {
                let what = format!("{code:?} and the {earlier} code {other:?} begin alike");
                table.doubt(key, what + "; no code may be the beginning of another");
            }
        }
        if lot.extensions.is_match(code) {
            table.doubt(
                key,
                format!("{code:?} counts as an extension, by {:?}", lot.extensions.as_str()),
            );
        }
        if is_slot(lot, code) {
            table.doubt(key, format!("{code:?} is the number of a slot too"));
        }
    }
    let pickup = lot.pickup.as_ref();
    if let Some((key, code)) = codes.iter().find(|(_, code)| Some(*code) == pickup) {
        table.doubt("pickup", format!("{code:?} is the {key} code already"));
    }
    for (at, a) in lot.slots.iter().enumerate() {
        let overlap = lot.slots[..at].iter().find(|b| meet(a, b));
        if let Some(b) = overlap {
            table.doubt("slots", format!("{} overlaps {}", range_text(a), range_text(b)));
        }
        for (key, code) in codes {
            if slot_text(a.0, a.2).starts_with(code.as_str()) {
                table.doubt(
                    "slots",
                    format!("{} begins with the {key} code {code:?}", range_text(a)),
                );
            }
        }
    }
    if let Some(any) = &lot.any_slot {
        let slots_only = LotSettings { any_slot: None, ..lot.clone() };
        if is_slot(&slots_only, any) {
            table.doubt(
                "any_slot",
                format!("{any:?} is one of the slots; take a number outside of them"),
            );
        }
        if lot.slots.is_empty() {
            table.doubt(
                "any_slot",
                format!("{any:?} leads to no slot; write slots, or any_slot = \"\""),
            );
        }
    }
}

/// Whether two ranges have a number in common.
fn meet(a: &(u32, u32, usize), b: &(u32, u32, usize)) -> bool {
    a.2 == b.2 && a.0 <= b.1 && b.0 <= a.1
}

fn range_text(&(first, last, width): &(u32, u32, usize)) -> String {
    format!("\"{}-{}\"", slot_text(first, width), slot_text(last, width))
}

/// Two lots that serve the same phones must not mean different things by one number.
fn against_another(table: &Table<'_, '_>, lot: &LotSettings, earlier: &LotSettings) {
    let other = earlier.name.as_str();
    if lot.name == earlier.name && !other.is_empty() {
        table.doubt("name", format!("there is a lot {other:?} already"));
    }
    let shared = lot.domains.iter().find(|d| earlier.domains.contains(d));
    let serve_the_same = match (lot.domains.is_empty(), earlier.domains.is_empty()) {
        (true, true) => true,
        (false, false) => shared.is_some(),
        // A lot for all gives way to a lot for this domain.
        _ => false,
    };
    if !serve_the_same {
        return;
    }
    let codes = |lot: &LotSettings| {
        [
            ("park", lot.park.clone()),
            ("group_park", lot.group_park.clone()),
            ("retrieve", lot.retrieve.clone()),
        ]
    };
    for (key, code) in codes(lot) {
        for (theirs, taken) in codes(earlier) {
            let begin_alike = code.starts_with(&taken) || taken.starts_with(&code);
            if begin_alike && (key != theirs || code != taken) {
                let what =
                    format!("{code:?} and the {theirs} code {taken:?} of lot {other:?} begin");
                table.doubt(key, what + " alike, and both serve the same phones; take another");
            }
        }
        if is_slot(earlier, &code) {
            table.doubt(key, format!("{code:?} is the number of a slot of lot {other:?}"));
        }
    }
    for a in &lot.slots {
        if let Some(b) = earlier.slots.iter().find(|b| meet(a, b)) {
            let what = format!("{} overlaps {} of lot {other:?}", range_text(a), range_text(b));
            table.doubt("slots", what + ", and both serve the same phones; take others");
        }
    }
    for (any, others) in [(&lot.any_slot, earlier), (&earlier.any_slot, lot)] {
        if let Some(any) = any.as_ref().filter(|any| is_slot(others, any)) {
            let what = format!("{any:?} is a number of lot {:?} too", others.name.as_str());
            table.doubt("any_slot", what + ", and both serve the same phones; take another");
            break;
        }
    }
}

/// Reads the groups without their recalls, and hands back their tables.
fn groups<'d, 't>(
    table: &Table<'d, 't>,
    lot: &mut LotSettings,
    music: &mut Vec<Music>,
    folder: &Path,
) -> Vec<Table<'d, 't>> {
    let tables = table.tables("group");
    for group in &tables {
        let name = group.text("name").map(|t| t.value).unwrap_or_default();
        if name.trim().is_empty() {
            group.doubt("name", "every group needs a name, such as \"sales\"");
        } else if lot.groups.iter().any(|g| g.name == name) {
            group.doubt("name", format!("this lot has a group {name:?} already"));
        }
        let members = group.texts("members");
        if members.as_ref().is_none_or(Vec::is_empty) {
            group.doubt("members", "a group needs members, such as [\"101\", \"102\"]");
        }
        let mut taken: Vec<Extension> = Vec::new();
        for member in members.unwrap_or_default() {
            if let Some(extension) = self::member(group, lot, &taken, member) {
                taken.push(extension);
            }
        }
        let own = own::read(group, &lot.extensions, music, folder);
        lot.groups.push(GroupSettings { name, members: taken, own });
    }
    tables
}

fn member(
    group: &Table<'_, '_>,
    lot: &LotSettings,
    taken: &[Extension],
    member: Placed<String>,
) -> Option<Extension> {
    let Placed { value, span } = member;
    let elsewhere = lot.groups.iter().find(|g| g.members.iter().any(|m| m.as_str() == value));
    let what = if !lot.extensions.is_match(&value) {
        format!("{value:?} is no extension, by {:?}", lot.extensions.as_str())
    } else if is_slot(lot, &value) {
        format!("{value:?} is the number of a slot of this lot")
    } else if taken.iter().any(|m| m.as_str() == value) {
        format!("{value:?} is in this group twice")
    } else if let Some(other) = elsewhere {
        format!("{value:?} is in group {:?} already; an extension is in at most one", other.name)
    } else {
        return Some(Extension::from(value));
    };
    group.doubt_at(span, "members", what);
    None
}

/// Slots and extensions that have something of their own.
fn places(
    table: &Table<'_, '_>,
    lot: &LotSettings,
    music: &mut Vec<Music>,
    folder: &Path,
) -> Vec<PlaceSettings> {
    let mut places: Vec<PlaceSettings> = Vec::new();
    for place in table.tables("slot") {
        let numbers = place.parsed("number", words::slots).unwrap_or_default();
        if numbers.is_empty() && !place.has("number") {
            place.doubt("number", "say which slots, such as \"701\" or \"701-705, 105\"");
        }
        for range in &numbers {
            if let Some(what) = no_place(lot, &places, range) {
                place.doubt("number", what);
            }
        }
        let mut own = own::read(&place, &lot.extensions, music, folder);
        own.recall = own_recall(&place, lot, None);
        places.push(PlaceSettings { numbers, own });
        place.close();
    }
    places
}

/// Why these numbers are no places to park here with a policy of their own, if so.
fn no_place(
    lot: &LotSettings,
    earlier: &[PlaceSettings],
    range: &(u32, u32, usize),
) -> Option<String> {
    let &(first, last, width) = range;
    let text = range_text(range);
    let mut names = (first..=last).map(|number| slot_text(number, width));
    let strange =
        names.find(|name| !is_in_ranges(&lot.slots, name) && !lot.extensions.is_match(name));
    if let Some(name) = strange {
        return Some(format!("{name:?} in {text} is neither a slot of this lot nor an extension"));
    }
    let overlaps = |b: &&(u32, u32, usize)| width == b.2 && first <= b.1 && b.0 <= last;
    let other = earlier.iter().flat_map(|place| &place.numbers).find(overlaps)?;
    Some(format!("{text} overlaps {} of an earlier [[lot.slot]]", range_text(other)))
}

/// A recall that differs from the lot's; it rings `members` unless it says otherwise.
fn own_recall(
    table: &Table<'_, '_>,
    lot: &LotSettings,
    members: Option<Vec<String>>,
) -> Option<RecallSettings> {
    let recall = table.table("recall");
    let mut usual = lot.recall.clone();
    if let Some(members) = members.filter(|_| table.has("recall")) {
        usual.group = members;
    }
    // Asks for the keys even where there is no such table, so that they are known.
    let read = self::recall(&recall, lot, &usual);
    recall.close();
    table.has("recall").then_some(read)
}

fn recall(table: &Table<'_, '_>, lot: &LotSettings, usual: &RecallSettings) -> RecallSettings {
    let to = table.choice(
        "to",
        &[
            ("parker", RecallTo::Parker),
            ("parker-then-group", RecallTo::ParkerThenGroup),
            ("group", RecallTo::Group),
        ],
    );
    let to = to.unwrap_or(usual.to);
    let group = recall_group(table, lot).unwrap_or_else(|| usual.group.clone());
    let after = table.duration("after", Duration::ZERO..=DAY).unwrap_or(usual.after);
    if to != RecallTo::Parker && group.is_empty() && after > Duration::ZERO && !table.has("group") {
        let what = "recalls go to a group; write it as group = [\"101\", \"102\"], or as the name \
                    of a group of this lot";
        table.doubt(if table.has("to") { "to" } else { "group" }, what);
    }
    let ignore_dnd = table.flag("ignore_dnd").unwrap_or(usual.ignore_dnd);
    let same_phone = table.flag("same_phone").unwrap_or(usual.same_phone);
    if same_phone && !ignore_dnd {
        let key = if table.has("same_phone") { "same_phone" } else { "ignore_dnd" };
        let what = "with ignore_dnd = false the PBX decides which phone rings, so it cannot be that \
                    of same_phone = true; set one of them otherwise";
        table.doubt(key, what);
    }
    RecallSettings {
        after,
        reminder: table.duration("reminder", Duration::ZERO..=DAY).unwrap_or(usual.reminder),
        to,
        ignore_dnd,
        same_phone,
        ring: table.duration("ring", SECOND..=600 * SECOND).unwrap_or(usual.ring),
        pause: table.duration("pause", Duration::ZERO..=3600 * SECOND).unwrap_or(usual.pause),
        attempts: table.number("attempts", 1..=100).unwrap_or(usual.attempts),
        group,
        then: table.parsed("then", words::then).unwrap_or_else(|| usual.then.clone()),
        prefix: table.parsed("prefix", words::one_line).unwrap_or_else(|| usual.prefix.clone()),
        alert_info: table
            .parsed("alert_info", words::one_line)
            .unwrap_or_else(|| usual.alert_info.clone()),
    }
}

/// Extensions and numbers in a list; or the name of a group of this lot, or one number.
fn recall_group(table: &Table<'_, '_>, lot: &LotSettings) -> Option<Vec<String>> {
    let (texts, is_list) = table.text_or_texts("group")?;
    if texts.is_empty() {
        return Some(Vec::new());
    }
    let names = || lot.groups.iter().map(|g| g.name.as_str());
    let mut list = Vec::new();
    for Placed { value, span } in texts {
        let named = lot.groups.iter().find(|g| g.name == value);
        let number = value.bytes().any(|b| b.is_ascii_digit()) && words::dialable(&value).is_ok();
        match named {
            Some(group) if !is_list => list.extend(group.members.iter().map(ToString::to_string)),
            _ if is_slot(lot, &value) => {
                table.doubt_at(
                    span,
                    "group",
                    format!("{value:?} is the number of a slot of this lot"),
                );
            }
            _ if number || lot.extensions.is_match(&value) => list.push(value),
            _ => {
                let near = nearest(&value, names());
                let what = format!(
                    "{value:?} is neither an extension, nor a number, nor a group of this lot{}",
                    meant(near)
                );
                table.doubt_at(span, "group", what);
            }
        }
    }
    Some(list)
}
