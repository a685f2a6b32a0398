//! Webhooks: which addresses are told what, and how they know that it was us.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::config::raw::{Table, listed};
use crate::config::words;

/// All kinds of events.
pub const EVENT_KINDS: [&str; 27] = [
    // Of parked calls.
    "parked",
    "claimed",
    "released",
    "retrieved",
    "recalling",
    "delivering",
    "waiting",
    "recall-unanswered",
    "reminded",
    "moved",
    "handed-over",
    "abandoned",
    "hung-up",
    "record",
    // Of asking for something.
    "failed",
    "page",
    // Of all calls.
    "answered",
    "ended",
    "silent",
    "heard-again",
    // Of phones and the PBX.
    "registered",
    "unregistered",
    "notice-refused",
    "pbx-silent",
    "no-ports",
    // Of strangers.
    "banned",
    "unbanned",
];

/// What a webhook is told if it says nothing: what becomes of parked calls.
pub(super) const USUAL_EVENTS: [&str; 5] =
    ["parked", "retrieved", "recalling", "abandoned", "failed"];

/// What precedes a secret, as the Standard Webhooks specification writes it.
const SECRET_BEGINS: &str = "whsec_";
/// Shorter ones can be guessed, longer ones do no more (Standard Webhooks: 24 to 64 bytes).
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// An address that is told of events.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// Where events are sent to.
    pub url: String,
    /// By which its owner knows that they are ours.
    pub secret: Vec<u8>,
    /// The kinds of events that it is told.
    pub events: Vec<String>,
    /// Authorities by which its certificate may be signed, beside those that the system knows: certificates in PEM.
    pub ca: Option<Vec<u8>>,
}

impl std::fmt::Debug for WebhookSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookSettings").field("url", &self.url).finish_non_exhaustive()
    }
}

pub(super) fn read(root: &Table<'_, '_>, folder: &Path) -> Vec<WebhookSettings> {
    let mut hooks = Vec::new();
    for table in root.tables("webhook") {
        let url = table.parsed("url", words::web_address);
        let secret = table.parsed("secret", secret);
        let known = |word: &str| match EVENT_KINDS.contains(&word) {
            true => Ok(word.to_owned()),
            false => {
                Err(format!("{word:?} is no kind of event; there are {}", listed(&EVENT_KINDS)))
            }
        };
        let events = table.all_parsed("events", known);
        let ca = table.parsed("ca", |name| authorities(name, folder));
        if ca.is_some() && url.as_ref().is_some_and(|url| !url.starts_with("https://")) {
            table.doubt(
                "ca",
                "there is no certificate to be checked; write url = \"https://…\", or leave ca out",
            );
        }
        if !table.has("url") {
            table.doubt("url", "where are events sent to? write url = \"https://…\"");
        }
        if !table.has("secret") {
            table.doubt("secret", SECRET_WANTED);
        }
        if let (Some(url), Some(secret)) = (url, secret) {
            let events = match events {
                Some(events) => events.into_iter().map(|placed| placed.value).collect(),
                None => USUAL_EVENTS.map(str::to_owned).to_vec(),
            };
            hooks.push(WebhookSettings { url, secret, events, ca });
        }
        table.close();
    }
    hooks
}

const SECRET_WANTED: &str = "the secret by which events are signed is needed: whsec_ and 24 to 64 random \
                             bytes in base64, as from: echo whsec_$(head -c 32 /dev/urandom | base64)";

/// What is in a file of authorities.
fn authorities(name: &str, folder: &Path) -> Result<Vec<u8>, String> {
    let wanted = "write the name of a file of certificates in PEM";
    let pem = std::fs::read(folder.join(name));
    let pem = pem.map_err(|error| format!("{name:?} cannot be read: {error}; {wanted}"))?;
    let mut certificates = CertificateDer::pem_slice_iter(&pem);
    match certificates.next() {
        None => Err(format!("there is no certificate in {name:?}; {wanted}")),
        Some(Err(error)) => Err(format!("{name:?}: {error}; {wanted}")),
        Some(Ok(_)) => Ok(pem),
    }
}

fn secret(text: &str) -> Result<Vec<u8>, String> {
    let wanted = || SECRET_WANTED.to_owned();
    let bytes = STANDARD.decode(text.strip_prefix(SECRET_BEGINS).ok_or_else(wanted)?);
    bytes.ok().filter(|bytes| SECRET_BYTES.contains(&bytes.len())).ok_or_else(wanted)
}
