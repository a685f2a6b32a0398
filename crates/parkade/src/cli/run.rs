//! `parkade run` and `parkade demo`: the program itself.

use std::path::PathBuf;
use std::process::ExitCode;

use tokio::sync::mpsc;

use crate::admin::Steering;
use crate::cli::ends::{USAGE, bad, failed};
use crate::config::{LogFormat, LogSettings, Settings, defaults_with, load};
use crate::demo;
use crate::logging::Log;
use crate::shell::{CannotStart, Program};
use crate::signals::{self, Source};

/// Runs in the foreground until it is told to end.
pub(crate) fn run(file: Option<PathBuf>, target: Option<String>) -> ExitCode {
    let read = match (&file, &target) {
        (Some(file), target) => load(file, target.as_deref()),
        (None, Some(target)) => defaults_with(target),
        (None, None) => return ExitCode::from(USAGE),
    };
    let settings = match read {
        Ok(settings) => settings,
        Err(problems) => return bad(&problems),
    };
    let log = match Log::open(settings.log) {
        Ok(log) => log,
        Err(error) => return failed(&error),
    };
    match serve(settings, &log, Source { file, target }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn serve(settings: Settings, log: &Log, source: Source) -> Result<(), CannotStart> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        let (reloads, asked) = mpsc::channel(4);
        let steering = Steering { level: log.level(), reloads };
        let program = Program::open(settings, Some(steering))?;
        let orders = signals::listen(source, asked)?;
        program.serve(orders).await;
        Ok(())
    });
    // Streams that are still open and names that are still asked for end with the program.
    runtime.shutdown_background();
    ended
}

/// Plays the demo.
pub(crate) fn demo() -> ExitCode {
    // The ladder tells what happens; only what should not happen is logged.
    let quiet = LogSettings { level: tracing::Level::WARN, format: LogFormat::Text };
    let log = match Log::open(quiet) {
        Ok(log) => log,
        Err(error) => return failed(&error),
    };
    let played = demo::play();
    drop(log);
    match played {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}
