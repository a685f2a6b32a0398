//! What the system grants the process.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Takes as many open files as the system grants: every port of a call is one.
pub(crate) fn raise_open_files() {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() {
        tracing::debug!(open_files = hard, "raised the limit of open files");
    }
}
