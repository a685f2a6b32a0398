//! A profile as an operator writes it, and what can be wrong with it.

use std::borrow::Cow;
use std::time::Duration;

use regex::Regex;
use thiserror::Error;

use crate::notices::{CiscoSpelling, LampState, Templates};
use crate::profiles::kinds::{Certainty, NoticeKind};
use crate::profiles::profile::Profile;

/// An operator's profile. What is none is as in the profile that it is `like`.
#[derive(Debug, Clone, Default)]
pub struct ProfileText {
    /// What it is called.
    pub name: String,
    /// A regular expression over `User-Agent`.
    pub user_agent: String,
    /// The built-in profile from which it differs; none: `unknown`.
    pub like: Option<String>,
    /// The notices, best first: `park-info`, `call-info`, `dialog-info`, `cisco-remotecc`.
    pub notices: Option<Vec<String>>,
    /// `early` or `confirmed`, for slots.
    pub lamp: Option<String>,
    /// `early` or `confirmed`, for extensions.
    pub extension_lamp: Option<String>,
    /// The name of a built-in template for `park-info`.
    pub template: Option<String>,
    /// See [`Quirks::bye_grace`](crate::Quirks::bye_grace).
    pub bye_grace: Option<Duration>,
    /// 200 or 202; see [`Quirks::refer_status`](crate::Quirks::refer_status).
    pub refer_status: Option<u16>,
    /// See [`Quirks::refer_sub`](crate::Quirks::refer_sub).
    pub refer_sub: Option<bool>,
    /// See [`Quirks::park_redirect`](crate::Quirks::park_redirect).
    pub park_redirect: Option<bool>,
    /// See [`Quirks::early_media`](crate::Quirks::early_media).
    pub early_media: Option<bool>,
    /// See [`Quirks::callpark`](crate::Quirks::callpark).
    pub callpark: Option<bool>,
    /// See [`Quirks::names_parkee`](crate::Quirks::names_parkee).
    pub names_parkee: Option<bool>,
    /// See [`Quirks::empty_has_ended`](crate::Quirks::empty_has_ended).
    pub empty_has_ended: Option<bool>,
    /// `params` or `parmams`; see [`Quirks::cisco_spelling`](crate::Quirks::cisco_spelling).
    pub cisco_spelling: Option<String>,
}

/// What is wrong with a profile.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{field}: {why}")]
pub struct BadProfile {
    /// Which profile, counted from 0.
    pub index: usize,
    /// Which of its fields.
    pub field: &'static str,
    /// What is wrong.
    pub why: String,
}

/// Reads the `index`th profile, which may be like one of `known`.
///
/// # Errors
/// All that is wrong with it.
pub(crate) fn read(
    index: usize,
    text: &ProfileText,
    known: &[Profile],
    unknown: &Profile,
) -> Result<Profile, Vec<BadProfile>> {
    let mut bad = Vec::new();
    let mut wrong = |field, why: String| bad.push(BadProfile { index, field, why });
    let mut profile = base_of(text.like.as_deref(), known, unknown).unwrap_or_else(|| {
        let names: Vec<&str> = known.iter().chain([unknown]).map(|p| p.name.as_str()).collect();
        wrong("like", format!("must be one of {}", names.join(", ")));
        unknown.clone()
    });
    profile.name = text.name.trim().to_owned();
    profile.certainty = Certainty::Configured;
    profile.source = match &text.like {
        Some(like) => Cow::Owned(format!("configured, otherwise like {like}")),
        None => Cow::Borrowed("configured"),
    };
    if profile.name.is_empty() {
        wrong("name", "must not be empty".into());
    }
    match Regex::new(&text.user_agent) {
        Ok(user_agent) => profile.user_agent = user_agent,
        Err(error) => wrong("user_agent", error.to_string()),
    }
    if let Some(words) = &text.notices {
        match notices(words) {
            Ok(notices) => profile.notices = notices,
            Err(why) => wrong("notices", why),
        }
    }
    let lamps = [
        ("lamp", &text.lamp, &mut profile.lamp),
        ("extension_lamp", &text.extension_lamp, &mut profile.quirks.extension_lamp),
    ];
    for (field, word, lamp) in lamps {
        match word.as_deref().map(str::trim) {
            None => {}
            Some("early") => *lamp = LampState::Early,
            Some("confirmed") => *lamp = LampState::Confirmed,
            Some(_) => wrong(field, "must be early or confirmed".into()),
        }
    }
    match text.template.as_deref().map(str::trim) {
        None => {}
        Some(name) if Templates::built_in().any(|own| own == name) => {
            profile.template = Cow::Owned(name.to_owned());
        }
        Some(_) => {
            let names: Vec<&str> = Templates::built_in().collect();
            wrong("template", format!("must be one of {}", names.join(", ")));
        }
    }
    match text.cisco_spelling.as_deref().map(str::trim) {
        None => {}
        Some("params") => profile.quirks.cisco_spelling = CiscoSpelling::Params,
        Some("parmams") => profile.quirks.cisco_spelling = CiscoSpelling::Parmams,
        Some(_) => wrong("cisco_spelling", "must be params or parmams".into()),
    }
    if text.refer_status.is_some_and(|status| !matches!(status, 200 | 202)) {
        wrong("refer_status", "must be 200 or 202".into());
    }
    take_plain(text, &mut profile);
    if bad.is_empty() { Ok(profile) } else { Err(bad) }
}

fn base_of(like: Option<&str>, known: &[Profile], unknown: &Profile) -> Option<Profile> {
    let Some(like) = like else { return Some(unknown.clone()) };
    known.iter().chain([unknown]).find(|profile| profile.name == like.trim()).cloned()
}

/// The fields that need no reading.
fn take_plain(text: &ProfileText, profile: &mut Profile) {
    let quirks = &mut profile.quirks;
    quirks.bye_grace = text.bye_grace.or(quirks.bye_grace);
    quirks.refer_status = text.refer_status.unwrap_or(quirks.refer_status);
    quirks.refer_sub = text.refer_sub.unwrap_or(quirks.refer_sub);
    quirks.park_redirect = text.park_redirect.unwrap_or(quirks.park_redirect);
    quirks.early_media = text.early_media.unwrap_or(quirks.early_media);
    quirks.callpark = text.callpark.unwrap_or(quirks.callpark);
    quirks.names_parkee = text.names_parkee.unwrap_or(quirks.names_parkee);
    quirks.empty_has_ended = text.empty_has_ended.unwrap_or(quirks.empty_has_ended);
}

fn notices(words: &[String]) -> Result<Vec<NoticeKind>, String> {
    let mut notices = Vec::new();
    for word in words {
        let Some(kind) = NoticeKind::read(word) else {
            let all = NoticeKind::ALL.map(NoticeKind::word).join(", ");
            return Err(format!("{word:?} is not one of {all}"));
        };
        if notices.contains(&kind) {
            return Err(format!("{word:?} is named twice"));
        }
        notices.push(kind);
    }
    Ok(notices)
}
