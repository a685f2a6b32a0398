//! How the program ends, and the one way in which its verbs print.

use std::io::Write;
use std::process::ExitCode;

use crate::config::Problems;

/// It did not work.
pub(crate) const FAILED: u8 = 1;
/// The command line was not understood (EX_USAGE of sysexits).
pub(crate) const USAGE: u8 = 64;
/// The configuration has problems (EX_CONFIG of sysexits).
pub(crate) const BAD_CONFIG: u8 = 78;

/// Tells what is wrong with a configuration.
pub(crate) fn bad(problems: &Problems) -> ExitCode {
    eprintln!("{problems}");
    ExitCode::from(BAD_CONFIG)
}

/// Tells what did not work.
pub(crate) fn failed(why: &impl std::fmt::Display) -> ExitCode {
    eprintln!("parkade: {why}");
    ExitCode::from(FAILED)
}

/// Prints on the standard output. A reader who has seen enough and gone is no failure.
pub(crate) fn tell(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}
