//! Man pages and shell completions, made from the words of the command line.

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use clap::{Command, CommandFactory};
use clap_complete::{Shell, generate};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::cli::ends::{failed, tell};
use crate::cli::line::Line;

/// Prints the completions for a shell.
pub(crate) fn completions(shell: Shell) -> ExitCode {
    let mut command = Line::command();
    let name = command.get_name().to_owned();
    // Not straight to the standard output: there a reader who has gone would be a panic.
    let mut script = Vec::new();
    generate(shell, &mut command, name, &mut script);
    tell(&String::from_utf8_lossy(&script));
    ExitCode::SUCCESS
}

/// Writes a man page for the command and one for each verb.
pub(crate) fn pages(folder: &Path) -> ExitCode {
    let mut whole = Line::command().disable_help_subcommand(true);
    whole.build();
    let verbs = whole.get_subcommands().filter(|verb| !verb.is_hide_set());
    let written = fs::create_dir_all(folder)
        .and_then(|()| [&whole].into_iter().chain(verbs).try_for_each(|of| page(of, folder)));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&format_args!("cannot write to {}: {error}", folder.display())),
    }
}

fn page(command: &Command, folder: &Path) -> io::Result<()> {
    let man = Man::new(command.clone());
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    // By hand: the date is empty, and what clap_mangen writes for that takes the source for a date.
    let title = format!(".TH {name} 1 \"\" \"Parkade {}\" Parkade\n", env!("CARGO_PKG_VERSION"));
    let mut text = title.into_bytes();
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    closing(command).to_writer(&mut text)?;
    fs::write(folder.join(man.get_filename()), text)
}

/// What stands below the help, its headings as those of the page and its lines as they are. clap
/// itself would call it EXTRA and run the lines together.
fn closing(command: &Command) -> Roff {
    let mut roff = Roff::default();
    let Some(help) = command.get_after_long_help().or_else(|| command.get_after_help()) else {
        return roff;
    };
    for line in help.to_string().lines() {
        match line.strip_suffix(':').filter(|heading| !heading.starts_with(' ')) {
            Some(heading) => {
                roff.control("fi", []);
                roff.control("SH", [heading.to_uppercase().as_str()]);
                roff.control("nf", []);
            }
            None => {
                roff.text([roman(line)]);
            }
        }
    }
    roff.control("fi", []);
    roff
}
