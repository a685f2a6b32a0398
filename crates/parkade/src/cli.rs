//! The command line.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use dialects::Profiles;
use park_core::{Command, Reply};

use crate::admin::{ask, streams_table, table};
use crate::config::{
    LogFormat, LogSettings, Problem, Problems, Settings, default_sockets, defaults_with, load,
};
use crate::demo;
use crate::host;
use crate::logging::Log;
use crate::media::{MusicProblem, bad_prompts};
use crate::profiles::{as_json, as_text};
use crate::shell::{CannotStart, Program};
use crate::signals::{self, Source};

const FAILED: u8 = 1;
const USAGE: u8 = 64;
const BAD_CONFIG: u8 = 78;

const EXIT_CODES: &str = "\
Exit codes:
  0   ended as ordered; nothing wrong was found
  1   could not start; no running parkade could be asked; the demo failed; the host lacks something
  64  the command line was not understood
  78  the configuration has problems";

/// Call park for desk phones, in front of a PBX that stays as it is.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES)]
struct Line {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run in the foreground until SIGTERM; SIGHUP reloads the configuration.
    #[command(
        after_help = EXIT_CODES,
        override_usage = "parkade run --config <FILE> [--pbx <URI>]\n       parkade run --pbx <URI>"
    )]
    Run {
        /// The configuration; all problems of it are told before anything is bound.
        #[arg(long, value_name = "FILE", required_unless_present = "pbx")]
        config: Option<PathBuf>,
        /// The PBX, such as sip:192.0.2.50:5060; without --config all else is default.
        #[arg(long, value_name = "URI")]
        pbx: Option<String>,
    },
    /// Check a configuration and tell all problems in it, with their lines; or this host.
    #[command(
        after_help = EXIT_CODES,
        override_usage = "parkade check <FILE>\n       parkade check --host [--config <FILE>] [--json]"
    )]
    Check {
        /// The configuration.
        #[arg(required_unless_present = "host", conflicts_with = "host")]
        file: Option<PathBuf>,
        /// Tell what this host can do and what it lacks: the kernel's fast path, io_uring, limits.
        ///
        /// A line is ok, to look at, or missing; with something missing it ends with 1. Nothing is
        /// changed. What the user of the service may do only that user is told: run it as that one.
        #[arg(long)]
        host: bool,
        /// With --host: for these ports and choices; without it for the defaults.
        #[arg(long, value_name = "FILE", conflicts_with = "file")]
        config: Option<PathBuf>,
        /// With --host: as JSON, one object.
        #[arg(long, conflicts_with = "file")]
        json: bool,
    },
    /// Show and verify a park, a retrieve and a recall, with everything on this machine.
    ///
    /// Runs Parkade as it always runs, on loopback addresses and free ports, and around it in the
    /// same process a PBX, five phones and a caller. The call is answered by 103, parked on 105,
    /// retrieved there, parked to the group, and recalled when nobody takes it.
    ///
    /// Every message is shown when it is sent. Every step is verified: by what the phones were
    /// told, and by the sound in the packets that they got. It takes about ten seconds and needs no
    /// configuration. It ends with 1 at the first step that does not hold, and says what was
    /// expected and what was seen.
    #[command(verbatim_doc_comment, after_help = EXIT_CODES)]
    Demo,
    /// List the parked calls of the running parkade.
    #[command(after_help = EXIT_CODES)]
    Parked {
        /// As JSON, one object.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Show what the sound of the running parkade's calls is like: lost, late, jitter.
    ///
    /// A line is what came from one end of a call since its ports came into use, as RFC 3550 measures
    /// it; packets that the kernel forwards are counted, and of them only what was lost is known, once
    /// they come here again. HEARS is what that end last reported of what it gets.
    #[command(after_help = EXIT_CODES)]
    Streams {
        /// The Call-ID of one call; without it all calls.
        call: Option<String>,
        /// As JSON, one object.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// List what Parkade knows of each kind of phone: how its lamps light, and how sure that is.
    ///
    /// The profiles stand in the order in which they are tried: those of the configuration, then
    /// those that are built in. The first whose pattern fits a phone's User-Agent holds for it.
    #[command(after_help = EXIT_CODES)]
    Profiles {
        /// As JSON, one object.
        #[arg(long)]
        json: bool,
        /// The configuration; without it those that are built in.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

/// Where the running parkade is asked.
#[derive(Debug, Args)]
struct Place {
    /// The admin socket; the usual places are tried without it.
    #[arg(long, value_name = "PATH", conflicts_with = "config")]
    socket: Option<PathBuf>,
    /// Read the admin socket from this configuration.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    let line = match Line::try_parse() {
        Ok(line) => line,
        Err(asked) => {
            // Nothing can be told if the terminal is gone.
            let _ = asked.print();
            let usage = if asked.use_stderr() { USAGE } else { 0 };
            return ExitCode::from(usage);
        }
    };
    match line.verb {
        Verb::Run { config, pbx } => run(config, pbx),
        Verb::Check { file: Some(file), .. } => check(&file),
        Verb::Check { file: None, config, json, .. } => check_host(json, config.as_deref()),
        Verb::Demo => demo(),
        Verb::Parked { json, place } => parked(json, place),
        Verb::Streams { call, json, place } => streams(call, json, place),
        Verb::Profiles { json, config } => profiles(json, config.as_deref()),
    }
}

fn bad(problems: &Problems) -> ExitCode {
    eprintln!("{problems}");
    ExitCode::from(BAD_CONFIG)
}

fn failed(why: &impl std::fmt::Display) -> ExitCode {
    eprintln!("parkade: {why}");
    ExitCode::from(FAILED)
}

/// Prints on the standard output. A reader who has seen enough and gone is no failure.
fn tell(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

fn check(file: &Path) -> ExitCode {
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
            ExitCode::SUCCESS
        }
        Err(problems) => bad(&problems),
    }
}

fn check_host(json: bool, config: Option<&Path>) -> ExitCode {
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

fn run(file: Option<PathBuf>, target: Option<String>) -> ExitCode {
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
        let program = Program::open(settings, Some(log.level()))?;
        let orders = signals::listen(source)?;
        program.serve(orders).await;
        Ok(())
    });
    // Streams that are still open and names that are still asked for end with the program.
    runtime.shutdown_background();
    ended
}

fn demo() -> ExitCode {
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

/// Asks the running parkade.
fn asked(place: Place, command: &Command) -> Result<Reply, ExitCode> {
    let configured = match place.config.map(|file| load(&file, None)).transpose() {
        Ok(settings) => settings.and_then(|settings| settings.admin_socket),
        Err(problems) => return Err(bad(&problems)),
    };
    let sockets = place.socket.or(configured).map_or_else(default_sockets, |path| vec![path]);
    ask(&sockets, command).map_err(|error| failed(&error))
}

fn something_else() -> ExitCode {
    failed(&"the running parkade answered something else")
}

fn parked(json: bool, place: Place) -> ExitCode {
    match asked(place, &Command::Parked) {
        Ok(Reply::Parked { calls, lots }) if json => {
            tell(&format!("{}\n", serde_json::json!({ "parked": calls, "lots": lots })));
            ExitCode::SUCCESS
        }
        Ok(Reply::Parked { calls, lots }) => {
            tell(&table(&calls, &lots));
            ExitCode::SUCCESS
        }
        Ok(_) => something_else(),
        Err(code) => code,
    }
}

fn streams(call: Option<String>, json: bool, place: Place) -> ExitCode {
    match asked(place, &Command::Streams { call }) {
        Ok(Reply::Streams { streams }) if json => {
            tell(&format!("{}\n", serde_json::json!({ "streams": streams })));
            ExitCode::SUCCESS
        }
        Ok(Reply::Streams { streams }) => {
            tell(&streams_table(&streams));
            ExitCode::SUCCESS
        }
        Ok(_) => something_else(),
        Err(code) => code,
    }
}

fn profiles(json: bool, config: Option<&Path>) -> ExitCode {
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
