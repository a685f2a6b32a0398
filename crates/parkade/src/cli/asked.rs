//! The verbs that ask the running parkade.

use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;

use hyper::Method;
use serde::de::DeserializeOwned;

use crate::admin::{Asker, CannotAsk, LoggedIn, StreamList, TraceView, understood};
use crate::cli::ends::{bad, failed, tell};
use crate::cli::line::Place;
use crate::config::{Role, default_sockets, load};
use crate::console;
use crate::hostile::harmless_json;

/// Whom to ask.
fn asker(place: Place) -> Result<Asker, ExitCode> {
    let configured = match place.config.map(|file| load(&file, None)).transpose() {
        Ok(settings) => settings.and_then(|settings| settings.admin.socket),
        Err(problems) => return Err(bad(&problems)),
    };
    let sockets = place.socket.or(configured).map_or_else(default_sockets, |path| vec![path]);
    Asker::at(&sockets).map_err(|error| failed(&error))
}

/// Shows a list of the running parkade: as it is sent, or as a table.
fn show<T: DeserializeOwned>(
    json: bool,
    place: Place,
    path: &str,
    table: impl Fn(&T) -> String,
) -> ExitCode {
    let asker = match asker(place) {
        Ok(asker) => asker,
        Err(code) => return code,
    };
    let text: Result<String, CannotAsk> = if json {
        asker.read(path).map(|body| format!("{}\n", harmless_json(&String::from_utf8_lossy(&body))))
    } else {
        asker.get(path).map(|list| table(&list))
    };
    match text {
        Ok(text) => {
            tell(&text);
            ExitCode::SUCCESS
        }
        Err(error) => failed(&error),
    }
}

/// A parameter of a URL, which may hold anything.
fn with(path: &str, name: &str, value: Option<&str>) -> String {
    let Some(value) = value else { return path.to_owned() };
    let query = form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish();
    format!("{path}?{query}")
}

/// Lists the parked calls.
pub(crate) fn parked(json: bool, place: Place) -> ExitCode {
    show(json, place, "/api/parked", console::parked_table)
}

/// Shows what the sound of calls is like.
pub(crate) fn streams(call: Option<&str>, json: bool, place: Place) -> ExitCode {
    let path = with("/api/streams", "call_id", call);
    show(json, place, &path, |list: &StreamList| console::streams_table(&list.streams))
}

/// Lists calls in progress.
pub(crate) fn calls(json: bool, place: Place) -> ExitCode {
    show(json, place, "/api/calls", console::calls_table)
}

/// Lists who is registered.
pub(crate) fn bindings(json: bool, place: Place) -> ExitCode {
    show(json, place, "/api/bindings", console::bindings_table)
}

/// Lists who is banned.
pub(crate) fn bans(json: bool, place: Place) -> ExitCode {
    show(json, place, "/api/bans", console::bans_table)
}

/// Has an address heard again.
pub(crate) fn unban(address: IpAddr, place: Place) -> ExitCode {
    let path = format!("/api/bans/{address}");
    let lifted = asker(place)
        .and_then(|asker| asker.ask(Method::DELETE, &path, None).map_err(|error| failed(&error)));
    lifted.map_or_else(
        |code| code,
        |_| {
            tell(&format!("{address} is heard again\n"));
            ExitCode::SUCCESS
        },
    )
}

/// Shows what was said in a call, or writes it into a capture file.
pub(crate) fn trace(call: &str, json: bool, pcap: Option<&Path>, place: Place) -> ExitCode {
    let path =
        with(if pcap.is_some() { "/api/trace.pcap" } else { "/api/trace" }, "call_id", Some(call));
    let Some(file) = pcap else {
        return show(json, place, &path, |trace: &TraceView| console::ladder(trace));
    };
    let written = asker(place).and_then(|asker| {
        let packets = asker.read(&path).map_err(|error| failed(&error))?;
        std::fs::write(file, packets)
            .map_err(|error| failed(&format!("{}: {error}", file.display())))
    });
    written.map_or_else(|code| code, |()| ExitCode::SUCCESS)
}

/// Shows the parking board.
pub(crate) fn top(place: Place) -> ExitCode {
    let shown = asker(place).and_then(|asker| {
        // Whoever cannot be asked is told before the terminal changes.
        let first = asker.get("/api/parked").map_err(|error| failed(&error))?;
        console::top(&asker, first)
            .map_err(|error| failed(&format!("the terminal cannot be used: {error}")))
    });
    shown.map_or_else(|code| code, |()| ExitCode::SUCCESS)
}

/// Tells where the parking board is, with a login.
pub(crate) fn board(role: Role, place: Place) -> ExitCode {
    let body = serde_json::json!({ "role": role.to_string() });
    let login = asker(place).and_then(|asker| {
        let answer = asker.ask(Method::POST, "/api/login", Some(&body));
        let read = answer.and_then(|body| understood::<LoggedIn>(&body));
        read.map_err(|error| failed(&error))
    });
    match login {
        Ok(LoggedIn { token, good_for_s, door: Some(door) }) => {
            let hours = good_for_s / 3_600;
            tell(&format!("{door}/#token={token}\n"));
            eprintln!("Open this in a browser; it is good for {hours} hours, to {role}.");
            ExitCode::SUCCESS
        }
        Ok(LoggedIn { door: None, .. }) => {
            failed(&"the running parkade has no HTTP door; write listen under [admin]")
        }
        Err(code) => code,
    }
}
