//! The verbs that ask the running parkade.

use std::process::ExitCode;

use park_core::{Command, Reply};

use crate::admin::{ask, streams_table, table};
use crate::cli::ends::{bad, failed, tell};
use crate::cli::line::Place;
use crate::config::{default_sockets, load};

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

/// Lists the parked calls.
pub(crate) fn parked(json: bool, place: Place) -> ExitCode {
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

/// Shows what the sound of calls is like.
pub(crate) fn streams(call: Option<String>, json: bool, place: Place) -> ExitCode {
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
