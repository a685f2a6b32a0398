//! What a lot, a group of it, and single slots of it may each say of the calls that are parked there.

use std::path::Path;

use base::Extension;
use park_core::{Courtesy, OwnSettings};
use regex::Regex;

use crate::config::raw::{Placed, Table};
use crate::config::settings::Music;
use crate::config::words;

/// What this table says, but for its recall. `music` is the music list, to which a tune may be added.
pub(super) fn read(
    table: &Table<'_, '_>,
    extensions: &Regex,
    music: &mut Vec<Music>,
    folder: &Path,
) -> OwnSettings {
    let wanted = table.parsed("music", |text| words::music(text, folder));
    OwnSettings {
        retrievers: retrievers(table, extensions),
        max_calls_per_slot: table.number("max_calls_per_slot", 1..=1000).map(|n| n as usize),
        notify_parker: table.flag("notify_parker"),
        names_parkee: table.flag("names_parkee"),
        page: table.parsed("page", words::one_line),
        shared: table.flag("shared"),
        courtesy: table.choice(
            "courtesy",
            &[
                ("none", Courtesy::None),
                ("parkee", Courtesy::Parkee),
                ("retriever", Courtesy::Retriever),
                ("both", Courtesy::Both),
            ],
        ),
        tune: wanted.map(|wanted| tune(music, wanted)),
        recall: None,
    }
}

fn retrievers(table: &Table<'_, '_>, extensions: &Regex) -> Option<Vec<Extension>> {
    let extension = |Placed { value, span }: Placed<String>| {
        if extensions.is_match(&value) {
            return Some(Extension::from(value));
        }
        let what = format!("{value:?} is no extension, by {:?}", extensions.as_str());
        table.doubt_at(span, "retrievers", what);
        None
    };
    Some(table.texts("retrievers")?.into_iter().filter_map(extension).collect())
}

fn tune(music: &mut Vec<Music>, wanted: Music) -> u16 {
    let at = music.iter().position(|m| *m == wanted).unwrap_or_else(|| {
        music.push(wanted);
        music.len() - 1
    });
    u16::try_from(at).unwrap_or(0)
}
