//! A way to ask by INFO that is configured, so that a new phone needs no new code.

use std::fmt;

use regex::{Regex, RegexBuilder};
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use crate::asks::bad::BadAsk;
use crate::asks::part::media_type;

/// What a rule's INFO asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InfoVerb {
    /// To park the call in which it comes.
    Park,
    /// To retrieve a parked call.
    Retrieve,
}

/// A rule as it is configured: one `[[dialect.info]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InfoRule {
    /// Bodies of this type: `application/json`. Its parameters are not looked at.
    pub content_type: String,
    /// Only INFOs of this package (RFC 6086); without it only those of none.
    #[serde(default)]
    pub package: Option<String>,
    /// What must be in a JSON body: a pointer (RFC 6901), such as `/request/command`.
    #[serde(default)]
    pub pointer: Option<String>,
    /// What must stand there: the text, or a number or truth value as JSON writes it. Without it
    /// anything but `null` will do.
    #[serde(default)]
    pub equals: Option<String>,
    /// What any body must match; `^` and `$` match at each line.
    #[serde(default)]
    pub regex: Option<String>,
    /// Which text is the slot: with `pointer` another pointer, with `regex` the name or the number
    /// of a group. Without it the body names no slot.
    #[serde(default)]
    pub slot: Option<String>,
    /// What it asks for.
    pub asks: InfoVerb,
}

/// Why a rule is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadInfoRule {
    /// `content_type` is not `type/subtype`.
    #[error("`content_type` must be a type such as `application/json`, not `{0}`")]
    ContentType(String),
    /// Neither `pointer` nor `regex`, or both.
    #[error("a rule has either a `pointer` or a `regex`")]
    NotOne,
    /// `equals` without `pointer`.
    #[error("`equals` says what stands at a `pointer`: it does not go with `regex`")]
    Equals,
    /// A pointer on a type that is not JSON.
    #[error("a `pointer` needs a JSON body: `{0}` is none; use a `regex`")]
    NotJson(String),
    /// Not a JSON pointer.
    #[error(
        "`{0}` is no JSON pointer: each step begins with `/`, and `~` is written `~0`, `/` `~1`"
    )]
    Pointer(String),
    /// Not a regular expression.
    #[error("`regex`: {0}")]
    Regex(String),
    /// `slot` names no group of `regex`.
    #[error("`slot`: the regex has no group `{0}`")]
    Group(String),
}

/// A rule that has been checked.
#[derive(Debug, Clone)]
pub struct InfoMatcher {
    content_type: String,
    package: Option<String>,
    body: BodyRule,
    asks: InfoVerb,
}

#[derive(Debug, Clone)]
enum BodyRule {
    Json { pointer: String, equals: Option<String>, slot: Option<String> },
    Text { regex: Regex, group: Option<usize> },
}

/// A compiled expression may take so much memory (bytes).
const MOST_REGEX: usize = 1 << 20;

impl InfoMatcher {
    /// Checks `rule`.
    ///
    /// # Errors
    /// What is wrong with it, for whoever wrote it.
    pub fn new(rule: &InfoRule) -> Result<InfoMatcher, BadInfoRule> {
        let kind = media_type(&rule.content_type).0;
        let is_type = kind.split_once('/').is_some_and(|(first, second)| {
            [first, second].iter().all(|half| !half.is_empty() && !half.contains([' ', '/', ',']))
        });
        if !is_type {
            return Err(BadInfoRule::ContentType(rule.content_type.clone()));
        }
        let body = match (&rule.pointer, &rule.regex) {
            (Some(pointer), None) => BodyRule::json(&kind, pointer, rule)?,
            (None, Some(_)) if rule.equals.is_some() => return Err(BadInfoRule::Equals),
            (None, Some(regex)) => BodyRule::text(regex, rule.slot.as_deref())?,
            _ => return Err(BadInfoRule::NotOne),
        };
        let package = rule.package.as_ref().map(|package| package.trim().to_ascii_lowercase());
        Ok(InfoMatcher { content_type: kind, package, body, asks: rule.asks })
    }

    /// What it asks for.
    pub fn asks(&self) -> InfoVerb {
        self.asks
    }

    /// The package that its INFOs are of, if they are of one.
    pub(crate) fn package(&self) -> Option<&str> {
        self.package.as_deref()
    }

    pub(crate) fn content_type(&self) -> &str {
        &self.content_type
    }

    pub(crate) fn is_of(&self, package: Option<&str>) -> bool {
        self.package.as_deref() == package
    }

    pub(crate) fn reads(&self, kind: &str) -> bool {
        self.content_type == kind
    }

    /// Whether the body fits, and then the slot that it names.
    ///
    /// # Errors
    /// 400 if what should be the slot is no text and no whole number.
    pub(crate) fn matches(
        &self,
        json: Option<&Value>,
        body: &[u8],
    ) -> Result<Option<Option<String>>, BadAsk> {
        match &self.body {
            BodyRule::Json { pointer, equals, slot } => {
                let Some(json) = json else { return Ok(None) };
                let found = json.pointer(pointer).filter(|found| !found.is_null());
                let fits = match (found, equals) {
                    (None, _) => false,
                    (Some(_), None) => true,
                    (Some(Value::String(text)), Some(wanted)) => text == wanted,
                    (Some(Value::Bool(truth)), Some(wanted)) => wanted.parse() == Ok(*truth),
                    (Some(Value::Number(number)), Some(wanted)) => &number.to_string() == wanted,
                    (Some(_), Some(_)) => false,
                };
                if !fits {
                    return Ok(None);
                }
                slot_at(json, slot.as_deref()).map(Some)
            }
            BodyRule::Text { regex, group } => {
                let Ok(text) = std::str::from_utf8(body) else { return Ok(None) };
                let Some(found) = regex.captures(text) else { return Ok(None) };
                let slot = group.and_then(|group| found.get(group));
                let slot = slot.map(|slot| slot.as_str().trim().to_owned());
                Ok(Some(slot.filter(|slot| !slot.is_empty())))
            }
        }
    }
}

impl BodyRule {
    fn json(kind: &str, pointer: &str, rule: &InfoRule) -> Result<BodyRule, BadInfoRule> {
        if kind != "application/json" && !kind.ends_with("+json") {
            return Err(BadInfoRule::NotJson(kind.to_owned()));
        }
        for pointer in [Some(pointer), rule.slot.as_deref()].into_iter().flatten() {
            if !is_pointer(pointer) {
                return Err(BadInfoRule::Pointer(pointer.to_owned()));
            }
        }
        let (equals, slot) = (rule.equals.clone(), rule.slot.clone());
        Ok(BodyRule::Json { pointer: pointer.to_owned(), equals, slot })
    }

    fn text(regex: &str, slot: Option<&str>) -> Result<BodyRule, BadInfoRule> {
        let regex = RegexBuilder::new(regex)
            .multi_line(true)
            .crlf(true)
            .size_limit(MOST_REGEX)
            .build()
            .map_err(|bad| BadInfoRule::Regex(bad.to_string()))?;
        let group = match slot {
            None => None,
            Some(slot) => {
                Some(group_of(&regex, slot).ok_or_else(|| BadInfoRule::Group(slot.to_owned()))?)
            }
        };
        Ok(BodyRule::Text { regex, group })
    }
}

fn group_of(regex: &Regex, slot: &str) -> Option<usize> {
    regex
        .capture_names()
        .position(|name| name == Some(slot))
        .or_else(|| slot.parse().ok().filter(|&number: &usize| number < regex.captures_len()))
}

/// RFC 6901 §3.
fn is_pointer(text: &str) -> bool {
    let escapes_are_whole =
        text.split('~').skip(1).all(|after| after.starts_with('0') || after.starts_with('1'));
    (text.is_empty() || text.starts_with('/')) && escapes_are_whole
}

fn slot_at(json: &Value, pointer: Option<&str>) -> Result<Option<String>, BadAsk> {
    let found = pointer.and_then(|pointer| json.pointer(pointer));
    let text = match found {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(Value::Number(number)) if number.is_u64() => number.to_string(),
        Some(_) => return Err(BadAsk::request("Bad Slot")),
    };
    Ok((!text.is_empty()).then_some(text))
}

impl fmt::Display for InfoVerb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            InfoVerb::Park => "park",
            InfoVerb::Retrieve => "retrieve",
        })
    }
}
