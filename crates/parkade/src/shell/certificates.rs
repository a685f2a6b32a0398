//! The certificates in force: what is known of them, and the task that looks after their files.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use base::Transport;

use crate::admin::TlsFigures;
use crate::sip::Ends;
use crate::tls::{ClientCertificates, Tls, TlsSettings, watch};

/// Looks after the files of TLS.
#[derive(Debug)]
pub(super) struct Certificates {
    told: mpsc::UnboundedSender<Option<Tls>>,
    task: Option<JoinHandle<()>>,
}

impl Certificates {
    /// What is read anew goes to `told`.
    pub(super) fn new(told: mpsc::UnboundedSender<Option<Tls>>) -> Certificates {
        Certificates { told, task: None }
    }

    /// Looks after the files of these settings from now on; with `at_once` they are read now.
    pub(super) fn watch(&mut self, settings: &TlsSettings, at_once: bool) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
        if settings.is_there() || at_once {
            self.task = Some(watch(settings.clone(), at_once, self.told.clone()));
        }
    }
}

/// Says what is loosened on purpose.
pub(super) fn warn(settings: &TlsSettings) {
    if !settings.pbx.fingerprints.is_empty() {
        tracing::warn!(
            "pbx.fingerprints: {} certificate(s) of the PBX are believed by their fingerprint alone; who \
             signed them, their name and whether they have expired is not looked at",
            settings.pbx.fingerprints.len()
        );
    }
    let asks = settings.phones.client_certificates != ClientCertificates::Off;
    if asks && settings.phones.ca.is_none() {
        tracing::warn!(
            "phones.client_certificates: without phones.ca every certificate that the system believes \
             is good for a phone"
        );
    }
}

/// What there is to be counted.
pub(super) fn figures(ends: &Ends) -> TlsFigures {
    let seconds = |at: SystemTime| at.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let own = ends.streams.tls().into_iter().flat_map(|tls| &tls.identities);
    TlsFigures {
        connections: ends.streams.len(Transport::Tls),
        handshakes: ends.streams.handshakes().clone(),
        certificates: own
            .map(|own| (own.file.display().to_string(), seconds(own.facts.not_after)))
            .collect(),
    }
}
