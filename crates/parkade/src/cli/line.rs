//! The words of the command line, as clap reads them.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

const EXIT_CODES: &str = "\
Exit codes:
  0   ended as ordered; nothing wrong was found
  1   could not start; no running parkade could be asked; the demo failed; the host lacks something
  64  the command line was not understood
  78  the configuration has problems";

/// Call park for desk phones, in front of a PBX that stays as it is.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES)]
pub(crate) struct Line {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
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
    /// List the calls in progress of the running parkade.
    #[command(after_help = EXIT_CODES)]
    Calls {
        /// As JSON, one object.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// List the phones that are registered through the running parkade.
    #[command(after_help = EXIT_CODES)]
    Bindings {
        /// As JSON, one object.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// List the addresses that the running parkade does not listen to, and why.
    ///
    /// Whoever looks for systems to break into, guesses passwords or floods is not heard for a while:
    /// [security] in the configuration says what counts, and for how long.
    #[command(after_help = EXIT_CODES)]
    Bans {
        /// As JSON, one object.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Have the running parkade listen to an address again.
    #[command(after_help = EXIT_CODES)]
    Unban {
        /// The address, without a port.
        address: IpAddr,
        #[command(flatten)]
        place: Place,
    },
    /// Show what was said lately in a call, as a ladder; credentials are left out.
    #[command(after_help = EXIT_CODES)]
    Trace {
        /// The Call-ID of the call, as parkade calls and the log tell it.
        call: String,
        /// As JSON, one object, with whole messages.
        #[arg(long, conflicts_with = "pcap")]
        json: bool,
        /// Write it into this file, for Wireshark, instead.
        #[arg(long, value_name = "FILE")]
        pcap: Option<PathBuf>,
        #[command(flatten)]
        place: Place,
    },
    /// Show the parked calls of the running parkade, live, and act on them.
    #[command(after_help = EXIT_CODES)]
    Top {
        #[command(flatten)]
        place: Place,
    },
    /// Tell where the running parkade's parking board is, with a login for it.
    #[command(after_help = EXIT_CODES)]
    Board {
        /// To look at it only, such as on a wall.
        #[arg(long)]
        view: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Make a token for a program or a page, and show what to write in the configuration.
    #[command(after_help = EXIT_CODES)]
    Token {
        /// Whose it is, for the log.
        name: String,
        /// To steer, not only to see.
        #[arg(long)]
        operate: bool,
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
    /// Print what a shell needs to complete the verbs and options of this command.
    ///
    /// For bash: parkade completions bash > /etc/bash_completion.d/parkade
    #[command(after_help = EXIT_CODES)]
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Write the man pages of this command and of each of its verbs.
    #[command(after_help = EXIT_CODES)]
    Man {
        /// Where to; it is made if it is not there.
        folder: PathBuf,
    },
}

/// Where the running parkade is asked.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The admin socket; the usual places are tried without it.
    #[arg(long, value_name = "PATH", conflicts_with = "config")]
    pub(crate) socket: Option<PathBuf>,
    /// Read the admin socket from this configuration.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}
