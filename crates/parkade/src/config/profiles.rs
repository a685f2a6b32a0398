//! `[[profile]]`: what phones of some kind understand. Only what changes something has a key.

use std::time::Duration;

use dialects::{BadProfile, ProfileText, Profiles};

use crate::config::raw::{Table, listed, meant, nearest};
use crate::config::words;

/// The longest time that a phone may be given to hang up.
const LONGEST_GRACE: Duration = Duration::from_secs(30);
/// The profile of phones that no other fits.
const UNKNOWN: &str = "unknown";

/// The operator's profiles, and the built-in ones after them.
pub(super) fn read(root: &Table<'_, '_>) -> Profiles {
    let tables = root.tables("profile");
    let mut texts: Vec<ProfileText> = Vec::new();
    for table in &tables {
        let text = profile(table, &texts);
        texts.push(text);
    }
    let profiles = Profiles::new(&texts).unwrap_or_else(|bad| {
        for BadProfile { index, field, why } in bad {
            if let Some(table) = tables.get(index) {
                table.doubt(field, why);
            }
        }
        Profiles::default()
    });
    tables.into_iter().for_each(Table::close);
    profiles
}

fn profile(table: &Table<'_, '_>, earlier: &[ProfileText]) -> ProfileText {
    let name = table.parsed("name", words::one_line).map(|name| name.trim().to_owned());
    if !table.has("name") || name.as_deref() == Some("") {
        table.doubt("name", "every profile needs a name, such as \"lobby\"");
    } else if let Some(name) = &name
        && earlier.iter().any(|other| other.name == *name)
    {
        table.doubt("name", format!("there is a profile {name:?} already"));
    }
    let user_agent = table.parsed("user_agent", words::pattern);
    match (name.as_deref(), table.has("user_agent")) {
        (Some(UNKNOWN), true) => {
            let what = "\"unknown\" is for phones that no other profile fits; leave this out, or \
                        take another name";
            table.doubt("user_agent", what);
        }
        (Some(UNKNOWN), false) | (_, true) => {}
        (_, false) => {
            table.doubt("user_agent", "say which phones it is for, such as \"(?i)fanvil\"");
        }
    }
    let lamps = ["early", "confirmed"].map(|word| (word, word.to_owned()));
    let spellings = ["params", "parmams"].map(|word| (word, word.to_owned()));
    ProfileText {
        // What has been told need not be found again.
        name: name.filter(|name| !name.is_empty()).unwrap_or_else(|| "?".to_owned()),
        user_agent: user_agent.map(|pattern| pattern.as_str().to_owned()).unwrap_or_default(),
        like: table.parsed("like", like),
        notices: table
            .texts("notices")
            .map(|words| words.into_iter().map(|word| word.value).collect()),
        template: table.parsed("template", words::one_line),
        lamp: table.choice("lamp", &lamps),
        extension_lamp: table.choice("extension_lamp", &lamps),
        callpark: table.flag("callpark"),
        names_parkee: table.flag("names_parkee"),
        empty_has_ended: table.flag("empty_has_ended"),
        cisco_spelling: table.choice("cisco_spelling", &spellings),
        bye_grace: table.duration("bye_grace", Duration::ZERO..=LONGEST_GRACE),
        refer_status: table.number("refer_status", 200..=202).map(|status| status as u16),
        refer_sub: table.flag("refer_sub"),
        park_redirect: table.flag("park_redirect"),
        early_media: table.flag("early_media"),
    }
}

/// The name of a built-in profile.
fn like(text: &str) -> Result<String, String> {
    let built_in = Profiles::default();
    let names: Vec<&str> = built_in.iter().map(|profile| profile.name.as_str()).collect();
    if names.contains(&text) {
        return Ok(text.to_owned());
    }
    let near = nearest(text, names.iter().copied());
    Err(format!("{text:?} is none of {}{}", listed(&names), meant(near)))
}
