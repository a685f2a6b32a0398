//! `[dialect]`: keys that are pressed during a call, and rules for INFO that no built-in dialect knows.

use std::time::Duration;

use dialects::{BadInfoRule, InfoMatcher, InfoRule, InfoVerb};

use crate::config::raw::Table;
use crate::config::words;

const SHORTEST_PATIENCE: Duration = Duration::from_millis(500);
const LONGEST_PATIENCE: Duration = Duration::from_secs(10);

/// Reads `[dialect]` and its rules.
pub(super) fn read(root: &Table<'_, '_>, engine: &mut park_core::Settings) {
    let table = root.table("dialect");
    if let Some(patience) = table.duration("key_patience", SHORTEST_PATIENCE..=LONGEST_PATIENCE) {
        engine.key_patience = patience;
    }
    for rule in table.tables("info") {
        engine.info_rules.extend(matcher(&rule));
        rule.close();
    }
    table.close();
}

/// One rule, or all that is wrong with it.
fn matcher(table: &Table<'_, '_>) -> Option<InfoMatcher> {
    let text = |key| table.text(key).map(|text| text.value);
    let (content_type, package) = (text("content_type"), table.parsed("package", package));
    let (pointer, equals, regex) = (text("pointer"), text("equals"), text("regex"));
    let (slot, asks) = (text("slot"), table.parsed("asks", asks));
    if !table.has("content_type") {
        table.doubt("content_type", "say what type of body, such as \"application/json\"");
    }
    if !table.has("asks") {
        table.doubt("asks", "say what is asked; write \"park\"");
    }
    // What is missing or was no text has been told; the rest is looked at without it.
    let usual = usual_type(pointer.is_some());
    let mut rule = InfoRule {
        content_type: content_type.unwrap_or_else(|| usual.to_owned()),
        package,
        pointer,
        equals,
        regex,
        slot,
        asks: asks.unwrap_or(InfoVerb::Park),
    };
    let mut sound = true;
    loop {
        match InfoMatcher::new(&rule) {
            Ok(matcher) => return sound.then_some(matcher),
            Err(bad) => {
                let (key, what) = told(&bad, &rule);
                table.doubt(key, what);
                sound = false;
                if !mend(&mut rule, &bad) {
                    return None;
                }
            }
        }
    }
}

fn asks(text: &str) -> Result<InfoVerb, String> {
    match text {
        "park" => Ok(InfoVerb::Park),
        "retrieve" => {
            Err("\"retrieve\" cannot be asked by INFO: a call is retrieved by dialling, \
                           not within another call; write \"park\""
                .into())
        }
        _ => Err(format!("{text:?} cannot be asked by INFO; write \"park\"")),
    }
}

/// The name of a package (a token, RFC 6086 §10.8).
fn package(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(c);
    if text.is_empty() || !text.chars().all(plain) {
        return Err(format!("{text:?} is no name of an INFO package; write it without parameters"));
    }
    Ok(text.to_owned())
}

fn usual_type(is_json: bool) -> &'static str {
    if is_json { "application/json" } else { "text/plain" }
}

/// Which key is wrong, and why.
fn told(bad: &BadInfoRule, rule: &InfoRule) -> (&'static str, String) {
    match bad {
        BadInfoRule::ContentType(text) => {
            ("content_type", format!("{text:?} is no type; write one such as \"application/json\""))
        }
        BadInfoRule::NotOne if rule.pointer.is_none() => {
            ("pointer", "say what the body holds: a pointer for JSON, or a regex".into())
        }
        BadInfoRule::NotOne => ("regex", "a rule has a pointer or a regex, not both".into()),
        BadInfoRule::Equals => {
            ("equals", "says what stands at a pointer; put it into the regex instead".into())
        }
        BadInfoRule::NotJson(kind) => {
            ("pointer", format!("needs a JSON body, and {kind:?} is none; write a regex"))
        }
        BadInfoRule::Pointer(text) => (
            if rule.pointer.as_ref() == Some(text) { "pointer" } else { "slot" },
            format!(
                "{text:?} is no JSON pointer; begin each step with /, and write ~0 for ~, ~1 for /"
            ),
        ),
        BadInfoRule::Regex(why) => {
            let regex = rule.regex.as_deref().unwrap_or_default();
            ("regex", words::no_pattern(regex, why))
        }
        BadInfoRule::Group(name) => {
            ("slot", format!("{name:?} is no group of the regex, by name or number"))
        }
    }
}

/// Takes away what has been told, so that the next thing can be found; whether that can be done.
fn mend(rule: &mut InfoRule, bad: &BadInfoRule) -> bool {
    match bad {
        BadInfoRule::NotOne => return false,
        BadInfoRule::ContentType(_) | BadInfoRule::NotJson(_) => {
            rule.content_type = usual_type(rule.pointer.is_some()).to_owned();
        }
        BadInfoRule::Equals => rule.equals = None,
        BadInfoRule::Pointer(text) if rule.pointer.as_ref() == Some(text) => {
            rule.pointer = Some(String::new());
        }
        // Of a regex that cannot be read nobody knows the groups.
        BadInfoRule::Regex(_) => (rule.regex, rule.slot) = (Some(String::new()), None),
        BadInfoRule::Pointer(_) | BadInfoRule::Group(_) => rule.slot = None,
    }
    true
}
