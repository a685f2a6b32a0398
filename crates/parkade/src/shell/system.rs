//! What the service manager is told of the program.

use sd_notify::NotifyState;

/// Tells it; there may be none.
pub(super) fn tell_system(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager could not be told");
    }
}
