//! `parkade profiles`: what is known of each kind of phone.

use std::path::Path;
use std::process::ExitCode;

use dialects::Profiles;

use crate::cli::ends::{bad, tell};
use crate::config::load;
use crate::profiles::{as_json, as_text};

/// Lists the kinds of phones that are known.
pub(crate) fn profiles(json: bool, config: Option<&Path>) -> ExitCode {
    let profiles = match config.map(|file| load(file, None)).transpose() {
        Ok(None) => Profiles::default(),
        Ok(Some(settings)) => settings.engine.profiles,
        Err(problems) => return bad(&problems),
    };
    if json {
        tell(&format!("{}\n", serde_json::json!({ "profiles": as_json(&profiles) })));
    } else {
        tell(&as_text(&profiles));
    }
    ExitCode::SUCCESS
}
