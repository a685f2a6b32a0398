//! All facts, in the order in which they are told.

use std::fs;

use nix::sys::resource::{Resource, getrlimit};

use crate::config::{FastPath, MediaSettings, Settings};
use crate::host::fact::Fact;
use crate::host::network::{network, program};
use crate::media::try_io_uring;
use crate::sip::UDP_ROOM;

/// Open files beside those of media: SIP sockets, streams, files.
const OTHER_FILES: u64 = 1_024;

/// What this host is to Parkade with these settings.
pub(crate) fn facts(settings: &Settings) -> Vec<Fact> {
    let mut facts: Vec<Fact> = wanted(&settings.media).into_iter().collect();
    facts.extend(if settings.media.one_ssrc { program() } else { network() });
    facts.extend([io_uring(), open_files(&settings.media)]);
    facts.extend([buffer("rmem_max", "received"), buffer("wmem_max", "sent")]);
    facts
}

fn wanted(media: &MediaSettings) -> Option<Fact> {
    let says = "media.fast_path is off: what follows about forwarding is not used";
    (media.fast_path == FastPath::Off).then(|| Fact::look("fast path", says))
}

fn io_uring() -> Fact {
    const ABOUT: &str = "io_uring";
    match try_io_uring() {
        Ok(()) => {
            Fact::fine(ABOUT, "the kernel gives it to this user, for what Parkade relays itself")
        }
        Err(error) => Fact::look(
            ABOUT,
            format!(
                "refused ({error}), so epoll is used; it takes Linux 6.1, \
                     kernel.io_uring_disabled = 0 and a sandbox that allows it"
            ),
        ),
    }
}

fn open_files(media: &MediaSettings) -> Fact {
    const ABOUT: &str = "open files";
    let ports = u64::from(media.last_port) - u64::from(media.first_port) + 1;
    let sides = if media.phones_address == media.pbx_address { 1 } else { 2 };
    let wanted = sides * ports + OTHER_FILES;
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((_, most)) if most >= wanted => {
            Fact::fine(ABOUT, format!("{most} allowed, enough for all of media.ports"))
        }
        Ok((_, most)) => Fact::missing(
            ABOUT,
            format!(
                "{most} allowed, {wanted} wanted for all of media.ports; set LimitNOFILE={wanted} \
                 in the unit, or ulimit -n"
            ),
        ),
        Err(error) => Fact::look(ABOUT, format!("the limit cannot be read: {error}")),
    }
}

fn buffer(setting: &'static str, verb: &str) -> Fact {
    let read = fs::read_to_string(format!("/proc/sys/net/core/{setting}"));
    match read.ok().and_then(|text| text.trim().parse::<usize>().ok()) {
        Some(most) if most >= UDP_ROOM => {
            Fact::fine(setting, format!("{most} bytes may wait to be {verb} at a socket"))
        }
        Some(most) => Fact::look(
            setting,
            format!(
                "{most} bytes may wait to be {verb} at a socket; for a busy house set \
                 net.core.{setting} = {UDP_ROOM}"
            ),
        ),
        None => Fact::look(setting, format!("cannot be read; net.core.{setting} = {UDP_ROOM}")),
    }
}
