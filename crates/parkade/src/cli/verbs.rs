//! From what was typed to what is done.

use std::process::ExitCode;

use clap::Parser;

use crate::cli::asked::{bans, bindings, board, calls, parked, streams, top, trace, unban};
use crate::cli::check::{check, check_host};
use crate::cli::ends::USAGE;
use crate::cli::line::{Line, Verb};
use crate::cli::listed::profiles;
use crate::cli::manual::{completions, pages};
use crate::cli::run::{demo, run};
use crate::cli::token::token;
use crate::config::Role;

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
        Verb::Streams { call, json, place } => streams(call.as_deref(), json, place),
        Verb::Calls { json, place } => calls(json, place),
        Verb::Bindings { json, place } => bindings(json, place),
        Verb::Bans { json, place } => bans(json, place),
        Verb::Unban { address, place } => unban(address, place),
        Verb::Trace { call, json, pcap, place } => trace(&call, json, pcap.as_deref(), place),
        Verb::Top { place } => top(place),
        Verb::Board { view, place } => board(if view { Role::View } else { Role::Operate }, place),
        Verb::Token { name, operate } => {
            token(&name, if operate { Role::Operate } else { Role::View })
        }
        Verb::Profiles { json, config } => profiles(json, config.as_deref()),
        Verb::Completions { shell } => completions(shell),
        Verb::Man { folder } => pages(&folder),
    }
}
