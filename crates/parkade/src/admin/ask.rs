//! The other end of the admin door: what `parkade parked` does.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use park_core::{Command, Reply};

/// Why a running instance could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum CannotAsk {
    /// Nobody listens.
    #[error("no running parkade at {}: {error}", places(.tried))]
    NotRunning {
        /// Where it was looked for.
        tried: Vec<PathBuf>,
        /// What the system said last.
        error: io::Error,
    },
    /// The conversation broke off.
    #[error("the running parkade did not answer: {0}")]
    NoAnswer(#[from] io::Error),
    /// The answer was not understood.
    #[error("the running parkade answered something else: {0}")]
    Strange(String),
}

fn places(tried: &[PathBuf]) -> String {
    let all: Vec<String> = tried.iter().map(|path| path.display().to_string()).collect();
    all.join(" or ")
}

/// An instance that is alive answers at once.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks the instance that listens at the first of these sockets that somebody listens at.
///
/// # Errors
/// If nobody listens or answers.
pub fn ask(sockets: &[PathBuf], command: &Command) -> Result<Reply, CannotAsk> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "there is no such socket");
    for path in sockets {
        match UnixStream::connect(path) {
            Ok(stream) => return converse(stream, command),
            // A refusal says more than a place that is empty.
            Err(error) if error.kind() != io::ErrorKind::NotFound => last = error,
            Err(_) => {}
        }
    }
    Err(CannotAsk::NotRunning { tried: sockets.to_vec(), error: last })
}

fn converse(mut stream: UnixStream, command: &Command) -> Result<Reply, CannotAsk> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut order = serde_json::to_string(command).map_err(io::Error::from)?;
    order.push('\n');
    stream.write_all(order.as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    serde_json::from_str(&line).map_err(|_| CannotAsk::Strange(line.trim().to_owned()))
}
