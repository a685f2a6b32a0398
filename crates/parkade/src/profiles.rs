//! Profiles as a list: for people, and for programs.

use std::fmt::Write;

use dialects::{CiscoSpelling, NoticeKind, Profile, Profiles};
use serde_json::{Value, json};

/// A paragraph a profile, in the order in which they are tried.
pub(crate) fn as_text(profiles: &Profiles) -> String {
    let paragraphs: Vec<String> = profiles.iter().map(paragraph).collect();
    paragraphs.join("\n")
}

/// One object a profile, in the same order.
pub(crate) fn as_json(profiles: &Profiles) -> Value {
    profiles.iter().map(object).collect()
}

fn paragraph(profile: &Profile) -> String {
    let notices: Vec<&str> = notices(profile).collect();
    let lines = [
        ("User-Agent", pattern(profile).unwrap_or("any other").to_owned()),
        ("lamp", lamp(profile)),
        ("notices", notices.join(", ")),
        ("template", profile.template.to_string()),
        ("quirks", quirks(profile)),
        ("certainty", profile.certainty.word().to_owned()),
        ("source", profile.source.to_string()),
    ];
    let mut text = format!("{}\n", profile.name);
    for (head, line) in lines.into_iter().filter(|(_, line)| !line.is_empty()) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {head:10}  {line}");
    }
    text
}

/// The lamps of keys that watch a slot or an extension, and what is told with them.
fn lamp(profile: &Profile) -> String {
    let (slot, extension) = (profile.slot_style(), profile.extension_style());
    let (at_slot, at_extension) = (slot.lamp.word(), extension.lamp.word());
    let mut text = format!("{at_slot} for a slot, {at_extension} for an extension");
    let more = [
        (extension.callpark, "with bw:callpark"),
        (!slot.names_parkee, "without the parkee's name"),
        (slot.empty_has_ended, "an empty slot is a dialog that has ended"),
    ];
    for (_, words) in more.into_iter().filter(|(holds, _)| *holds) {
        text.push_str("; ");
        text.push_str(words);
    }
    text
}

/// Where such phones differ from others in how they ask and are answered; mostly nowhere.
fn quirks(profile: &Profile) -> String {
    let quirks = &profile.quirks;
    let grace = quirks
        .bye_grace
        .map(|grace| format!("has {} to hang up after a park", humantime::format_duration(grace)));
    let more = [
        (quirks.refer_status != 202, "REFER is answered with 200"),
        (!quirks.refer_sub, "NOTIFYs are sent despite Refer-Sub: false"),
        (!quirks.park_redirect, "a park server that is asked for no orbit parks at once"),
        (!quirks.early_media, "no early media"),
        (quirks.cisco_spelling == CiscoSpelling::Parmams, "parmams"),
    ];
    let more = more.into_iter().filter(|(holds, _)| *holds).map(|(_, words)| words.to_owned());
    grace.into_iter().chain(more).collect::<Vec<_>>().join("; ")
}

fn object(profile: &Profile) -> Value {
    let quirks = &profile.quirks;
    let (slot, extension) = (profile.slot_style(), profile.extension_style());
    json!({
        "name": profile.name,
        "user_agent": pattern(profile),
        "lamp": slot.lamp.word(),
        "extension_lamp": extension.lamp.word(),
        "callpark": extension.callpark,
        "names_parkee": slot.names_parkee,
        "empty_has_ended": slot.empty_has_ended,
        "cisco_spelling": spelling(profile),
        "bye_grace": quirks.bye_grace.map(|grace| humantime::format_duration(grace).to_string()),
        "refer_status": quirks.refer_status,
        "refer_sub": quirks.refer_sub,
        "park_redirect": quirks.park_redirect,
        "early_media": quirks.early_media,
        "notices": notices(profile).collect::<Vec<_>>(),
        "template": profile.template,
        "certainty": profile.certainty.word(),
        "source": profile.source,
    })
}

/// The word for it in a configuration.
fn spelling(profile: &Profile) -> &'static str {
    match profile.quirks.cisco_spelling {
        CiscoSpelling::Params => "params",
        CiscoSpelling::Parmams => "parmams",
    }
}

/// None: it fits every phone that got as far as this.
fn pattern(profile: &Profile) -> Option<&str> {
    Some(profile.user_agent.as_str()).filter(|pattern| !pattern.is_empty())
}

fn notices(profile: &Profile) -> impl Iterator<Item = &'static str> {
    profile.notices.iter().copied().map(NoticeKind::word)
}
