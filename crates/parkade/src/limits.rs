//! What the system grants the process, and what it does not want.

use std::io;
use std::ops::RangeInclusive;

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::prctl::set_thp_disable;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::close;

/// Open files that are no media ports.
const OTHERS: u64 = 1_024;

/// Takes as many open files as the system grants: every port of a call is one.
pub(crate) fn raise_open_files() {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() {
        tracing::debug!(open_files = hard, "raised the limit of open files");
    }
}

/// Has the process's table of open files grow at once to what all media ports of a range take on both sides, before there
/// are threads. With threads the kernel waits at each doubling until no CPU reads the old table any more: for ten thousand
/// sockets, which a restart opens as fast as it can, up to a tenth of a second in all.
pub(crate) fn make_room_for_files(ports: &RangeInclusive<u16>) {
    let Ok((most, _)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    let last = (2 * ports.len() as u64 + OTHERS).min(most).saturating_sub(1);
    let Ok(last) = i32::try_from(last) else { return };
    match fcntl(io::stderr(), FcntlArg::F_DUPFD_CLOEXEC(last)).and_then(close) {
        Ok(()) => tracing::debug!(open_files = last, "the table of open files has room"),
        // It grows as it is needed then.
        Err(error) => tracing::debug!(%error, "the table of open files is left as it is"),
    }
}

/// Has the system not give memory by the 2 MiB: most of such a page would lie idle, and a sidecar
/// shares its machine. Measured: a third less memory, at the same CPU time a call.
pub(crate) fn take_small_pages() {
    if let Err(error) = set_thp_disable(true) {
        tracing::debug!(%error, "memory comes in huge pages");
    }
}
