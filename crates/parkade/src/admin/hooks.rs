//! All webhooks. A reload changes those that have changed; the others go on with what waits.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_rustls::rustls::crypto::ring;

use crate::admin::event::Event;
use crate::admin::webhook::{Hook, HookCounts, causes};
use crate::config::WebhookSettings;

/// How long the last events may take when the program ends.
const FAREWELL: Duration = Duration::from_secs(2);

/// The webhooks.
#[derive(Debug, Default)]
pub(super) struct Hooks {
    run: Arc<str>,
    client: Option<reqwest::Client>,
    counts: Arc<HookCounts>,
    all: Vec<Hook>,
}

impl Hooks {
    /// None yet.
    pub(super) fn new(run: &str, counts: Arc<HookCounts>) -> Hooks {
        Hooks { run: run.into(), client: None, counts, all: Vec::new() }
    }

    /// Those from now on.
    pub(super) fn set(&mut self, wanted: &[WebhookSettings]) {
        self.all.retain(|hook| wanted.contains(hook.settings()));
        for settings in wanted {
            if self.all.iter().any(|hook| hook.settings() == settings) {
                continue;
            }
            let Some(client) = self.client(settings) else { continue };
            let (run, counts) = (Arc::clone(&self.run), Arc::clone(&self.counts));
            self.all.push(Hook::open(settings.clone(), client, run, counts));
        }
    }

    /// What sends to that address: the same for all that trust whom the system trusts.
    fn client(&mut self, settings: &WebhookSettings) -> Option<reqwest::Client> {
        if let (None, Some(client)) = (&settings.ca, &self.client) {
            return Some(client.clone());
        }
        let client = match made(settings.ca.as_deref()) {
            Ok(client) => client,
            Err(error) => {
                let url = &settings.url;
                tracing::error!(%url, "webhook: it is not told: {}", causes(&error));
                return None;
            }
        };
        if settings.ca.is_none() {
            self.client = Some(client.clone());
        }
        Some(client)
    }

    /// Tells those who want it.
    pub(super) fn tell(&self, event: &Arc<Event>) {
        for hook in &self.all {
            hook.tell(event);
        }
    }

    /// Gives what waits a little time to be sent.
    pub(super) async fn end(self) {
        let until = Instant::now() + FAREWELL;
        while Instant::now() < until && self.all.iter().any(|hook| hook.waiting() > 0) {
            sleep(Duration::from_millis(20)).await;
        }
        let left: usize = self.all.iter().map(Hook::waiting).sum();
        if left > 0 {
            tracing::warn!(left, "webhooks: parkade ends before all events have been taken");
        }
    }
}

/// Made when it is first needed: it reads all certificates of the system.
fn made(ca: Option<&[u8]>) -> reqwest::Result<reqwest::Client> {
    // Another one may be there already; then that serves.
    let _ = ring::default_provider().install_default();
    let mut client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    if let Some(pem) = ca {
        client = client.tls_certs_merge(reqwest::Certificate::from_pem_bundle(pem)?);
    }
    client.build()
}
