//! Webhooks: events sent to addresses that want them, one after another, signed, and again after a
//! while if they are not taken (Standard Webhooks).

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Client, StatusCode};
use sha2::Sha256;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_rustls::rustls;

use crate::admin::event::Event;
use crate::config::WebhookSettings;

/// So many events may wait for one address; what comes then is left out.
const MOST_WAITING: usize = 1_000;
/// An address must answer within this time.
const PATIENCE: Duration = Duration::from_secs(10);
/// The pauses before an event is sent again.
const PAUSES: [Duration; 8] = [
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(120),
    Duration::from_secs(300),
    Duration::from_secs(600),
    Duration::from_secs(1_800),
];

/// What became of events.
#[derive(Debug, Default)]
pub(crate) struct HookCounts {
    /// They were taken.
    pub(crate) taken: AtomicU64,
    /// They were not taken, and will not be sent again.
    pub(crate) given_up: AtomicU64,
    /// They were left out, as too many waited.
    pub(crate) left_out: AtomicU64,
    /// Attempts that failed.
    pub(crate) failed: AtomicU64,
}

/// One address that is told.
#[derive(Debug)]
pub(super) struct Hook {
    settings: WebhookSettings,
    to: mpsc::Sender<Arc<Event>>,
    /// How many are being sent: one or none.
    busy: Arc<AtomicUsize>,
    counts: Arc<HookCounts>,
}

impl Hook {
    /// Tells this address from now on. Must be called within a runtime; ends when it is dropped and all
    /// that waits has been sent or given up.
    pub(super) fn open(
        settings: WebhookSettings,
        client: Client,
        run: Arc<str>,
        counts: Arc<HookCounts>,
    ) -> Hook {
        let (to, waiting) = mpsc::channel(MOST_WAITING);
        let busy = Arc::<AtomicUsize>::default();
        let sender = Sender {
            settings: settings.clone(),
            client,
            run,
            busy: Arc::clone(&busy),
            counts: Arc::clone(&counts),
        };
        tokio::spawn(sender.send_all(waiting));
        Hook { settings, to, busy, counts }
    }

    pub(super) fn settings(&self) -> &WebhookSettings {
        &self.settings
    }

    /// An event; it is sent if it is wanted.
    pub(super) fn tell(&self, event: &Arc<Event>) {
        if !self.settings.events.iter().any(|wanted| wanted == event.kind) {
            return;
        }
        if self.to.try_send(Arc::clone(event)).is_err() {
            // One line for each hundred: this happens when nobody answers for long.
            if self.counts.left_out.fetch_add(1, Ordering::Relaxed).is_multiple_of(100) {
                let url = &self.settings.url;
                tracing::warn!(%url, "webhook: {MOST_WAITING} events wait; further ones are left out");
            }
        }
    }

    /// How many events wait, or are being sent.
    pub(super) fn waiting(&self) -> usize {
        self.to.max_capacity() - self.to.capacity() + self.busy.load(Ordering::Relaxed)
    }
}

/// What an answer, or the lack of one, means.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Taken,
    /// It will not be taken, however often it is sent.
    Refused(String),
    /// It may be taken later.
    Later(String),
}

/// Sends to one address.
#[derive(Debug)]
struct Sender {
    settings: WebhookSettings,
    client: Client,
    run: Arc<str>,
    busy: Arc<AtomicUsize>,
    counts: Arc<HookCounts>,
}

impl Sender {
    async fn send_all(self, mut waiting: mpsc::Receiver<Arc<Event>>) {
        while let Some(event) = waiting.recv().await {
            self.busy.store(1, Ordering::Relaxed);
            self.send(&event).await;
            self.busy.store(0, Ordering::Relaxed);
        }
    }

    async fn send(&self, event: &Event) {
        let url = &self.settings.url;
        let body = event.json.clone();
        // The same in all attempts: by it the receiver knows a repetition.
        let id = format!("{}-{}", self.run, event.number);
        let mut pauses = PAUSES.iter();
        loop {
            let why = match self.attempt(&id, body.clone()).await {
                Outcome::Taken => {
                    self.counts.taken.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                Outcome::Refused(why) => {
                    tracing::warn!(%url, id, "webhook: not taken, and not sent again: {why}");
                    break;
                }
                Outcome::Later(why) => why,
            };
            self.counts.failed.fetch_add(1, Ordering::Relaxed);
            let Some(pause) = pauses.next() else {
                tracing::warn!(%url, id, "webhook: not taken for an hour, given up: {why}");
                break;
            };
            let seconds = pause.as_secs();
            tracing::info!(%url, id, "webhook: not taken, sent again in {seconds} s: {why}");
            sleep(*pause).await;
        }
        self.counts.given_up.fetch_add(1, Ordering::Relaxed);
    }

    async fn attempt(&self, id: &str, body: Bytes) -> Outcome {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let timestamp = now.as_secs().to_string();
        let request = self
            .client
            .post(&self.settings.url)
            .timeout(PATIENCE)
            .header("content-type", "application/json")
            .header("user-agent", concat!("parkade/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", id)
            .header("webhook-timestamp", &timestamp)
            .header("webhook-signature", signature(&self.settings.secret, id, &timestamp, &body))
            .body(body);
        match request.send().await {
            Ok(answer) => judged(answer.status()),
            // The address may hold what is nobody's business.
            Err(error) => Outcome::Later(not_sent(&error.without_url())),
        }
    }
}

/// Why nothing was sent, and what helps.
fn not_sent(error: &reqwest::Error) -> String {
    let why = causes(error);
    match behind(error).any(is_of_no_authority) {
        true => format!(
            "{why}; give the authority that has signed it as ca = \"FILE\" of this [[webhook]]"
        ),
        false => why,
    }
}

/// Whether the other end shows a certificate that nobody has signed whom we know.
fn is_of_no_authority(error: &(dyn Error + 'static)) -> bool {
    // Each layer of the client has made it an error of input and output again.
    if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        return is_of_no_authority(inner);
    }
    let unknown = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
    error.downcast_ref::<rustls::Error>() == Some(&unknown)
}

/// What has caused an error, and what that.
fn behind<'e>(error: &'e dyn Error) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(error.source(), |&cause| cause.source())
}

/// An error with all that has caused it: what a client says first is only that it has failed.
pub(super) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    for cause in behind(error) {
        let cause = cause.to_string();
        // Some repeat their cause themselves.
        if !text.ends_with(&cause) {
            text += &format!(": {cause}");
        }
    }
    text
}

fn judged(status: StatusCode) -> Outcome {
    match status {
        status if status.is_success() => Outcome::Taken,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
            Outcome::Later(status.to_string())
        }
        status if status.is_server_error() => Outcome::Later(status.to_string()),
        status => Outcome::Refused(status.to_string()),
    }
}

/// `v1,` and the HMAC-SHA256 of id, timestamp and body with dots between them, in base64.
fn signature(secret: &[u8], id: &str, timestamp: &str, body: &[u8]) -> String {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return String::new() };
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_as_the_standard_has_it() {
        // The example of the specification's own libraries.
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = signature(
            &secret,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            b"{\"test\": 2432232314}",
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn an_answer_means_again_only_where_that_may_help() {
        let judged = |status| judged(StatusCode::from_u16(status).unwrap());
        assert_eq!(judged(204), Outcome::Taken);
        assert!(matches!(judged(503), Outcome::Later(_)));
        assert!(matches!(judged(429), Outcome::Later(_)));
        assert!(matches!(judged(404), Outcome::Refused(_)));
        assert!(matches!(judged(301), Outcome::Refused(_)), "a redirect is not followed");
    }
}
