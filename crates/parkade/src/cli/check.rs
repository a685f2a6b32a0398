//! `parkade check`: a configuration, or this host.

use std::path::Path;
use std::process::ExitCode;

use crate::cli::ends::{FAILED, bad, tell};
use crate::config::{Problem, Problems, load, warnings};
use crate::host;
use crate::media::{MusicProblem, bad_prompts};
use crate::tls::{Identity, Revoked};

/// Tells all problems of a configuration.
pub(crate) fn check(file: &Path) -> ExitCode {
    match load(file, None) {
        Ok(settings) => {
            let about = |bad: MusicProblem| Problem {
                line: None,
                key: "media.prompts".to_owned(),
                what: bad.to_string(),
            };
            let list: Vec<Problem> = bad_prompts(&settings.media).into_iter().map(about).collect();
            if !list.is_empty() {
                return bad(&Problems { file: file.display().to_string(), list });
            }
            tell(&format!("{}: no problems\n", file.display()));
            for own in settings.tls.certificates.iter().filter_map(|f| Identity::load(f).ok()) {
                tell(&format!("certificate {}: {}\n", own.file.display(), own.facts));
            }
            for list in settings.tls.crls.iter().filter_map(|f| Revoked::load(f).ok()).flatten() {
                tell(&format!("{list}\n"));
            }
            for warning in warnings(&settings) {
                tell(&format!("warning: {warning}\n"));
            }
            ExitCode::SUCCESS
        }
        Err(problems) => bad(&problems),
    }
}

/// Tells what this host can do and what it lacks.
pub(crate) fn check_host(json: bool, config: Option<&Path>) -> ExitCode {
    let settings = match config.map(|file| load(file, None)).transpose() {
        Ok(settings) => settings.unwrap_or_default(),
        Err(problems) => return bad(&problems),
    };
    let facts = host::facts(&settings);
    if json {
        tell(&format!("{}\n", serde_json::json!({ "host": host::as_json(&facts) })));
    } else {
        tell(&host::as_text(&facts));
    }
    if host::nothing_is_missing(&facts) { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}
