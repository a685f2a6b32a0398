//! All of TLS that is in force at one time; a reload makes a new one. Connections that are open keep
//! what they were made with.

use std::sync::Arc;
use std::time::SystemTime;

use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{NoClientAuth, WebPkiClientVerifier};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

use base::Side;

use crate::tls::believe::{Clients, Servers};
use crate::tls::identity::Identity;
use crate::tls::pem;
use crate::tls::present::Presented;
use crate::tls::revoked::Revoked;
use crate::tls::settings::{ClientCertificates, PeerSettings, TlsSettings};

/// A certificate that lasts no longer than so many days is worth a warning.
const SOON: u64 = 14;

/// What is needed to accept and to open TLS connections.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    /// Our certificates, the usual one first.
    pub(crate) identities: Vec<Identity>,
    revoked: Vec<Revoked>,
    phones: Arc<ServerConfig>,
    pbx: Arc<ServerConfig>,
    /// For connections to the PBX.
    pub(crate) to_pbx: Arc<ClientConfig>,
}

impl Tls {
    /// Reads all files. None where no certificate is configured.
    ///
    /// # Errors
    /// What cannot be read, or does not fit together.
    pub(crate) fn load(settings: &TlsSettings) -> Result<Option<Tls>, String> {
        if !settings.is_there() {
            return Ok(None);
        }
        let identities: Vec<Identity> =
            settings.certificates.iter().map(Identity::load).collect::<Result<_, _>>()?;
        let lists: Vec<Vec<Revoked>> =
            settings.crls.iter().map(|file| Revoked::load(file)).collect::<Result<_, _>>()?;
        let revoked = lists.concat();
        let provider = Arc::new(ring::default_provider());
        let presented = Arc::new(Presented(identities.clone()));
        let server = |peer: &PeerSettings| -> Result<Arc<ServerConfig>, String> {
            let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
                .with_safe_default_protocol_versions()
                .map_err(|error| error.to_string())?
                .with_client_cert_verifier(clients(peer, &revoked, &provider)?)
                .with_cert_resolver(Arc::clone(&presented) as _);
            Ok(Arc::new(config))
        };
        let (phones, pbx) = (server(&settings.phones)?, server(&settings.pbx)?);
        let believed = Servers {
            roots: Arc::new(roots(&settings.pbx)?),
            fingerprints: settings.pbx.fingerprints.clone(),
            revoked: revoked.iter().map(|one| Arc::clone(&one.list)).collect(),
            provider: Arc::clone(&provider),
        };
        let to_pbx = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(believed))
            .with_client_cert_resolver(presented);
        Ok(Some(Tls { identities, revoked, phones, pbx, to_pbx: Arc::new(to_pbx) }))
    }

    /// For connections that come to this side.
    pub(crate) fn server(&self, side: Side) -> &Arc<ServerConfig> {
        match side {
            Side::Phones => &self.phones,
            Side::Pbx => &self.pbx,
        }
    }

    /// The names that our certificates are for.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.identities.iter().flat_map(|own| own.facts.names.clone()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Says which certificates and revocation lists there are.
    pub(crate) fn tell(&self) {
        for own in &self.identities {
            tracing::info!("certificate {}: {}", own.file.display(), own.facts);
        }
        for list in &self.revoked {
            tracing::info!("{list}");
        }
    }

    /// Warns of certificates that do not hold, or not much longer, and of lists that are too old.
    pub(crate) fn warn(&self) {
        let now = SystemTime::now();
        self.revoked.iter().for_each(|list| list.warn(now));
        for Identity { file, facts, .. } in &self.identities {
            let file = file.display();
            match facts.days_left(now) {
                None => tracing::error!(
                    "certificate {file} has expired on {}: phones and the PBX will refuse it; renew it",
                    facts.last_day()
                ),
                Some(days) if days < SOON => tracing::warn!(
                    "certificate {file} expires on {}, in {days} days; renew it",
                    facts.last_day()
                ),
                Some(_) if facts.not_before > now => tracing::error!(
                    "certificate {file} is not valid yet; see whether the clock of this host is right"
                ),
                Some(_) => {}
            }
        }
    }
}

fn clients(
    peer: &PeerSettings,
    revoked: &[Revoked],
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    if peer.client_certificates == ClientCertificates::Off {
        return Ok(Arc::new(NoClientAuth));
    }
    let roots = Arc::new(roots(peer)?);
    let usual = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider))
        .with_crls(revoked.iter().map(|one| one.der.clone()))
        .allow_unknown_revocation_status();
    let usual = match peer.client_certificates {
        ClientCertificates::Require => usual,
        _ => usual.allow_unauthenticated(),
    };
    let usual = usual.build().map_err(|error| error.to_string())?;
    Ok(Arc::new(Clients { usual, fingerprints: peer.fingerprints.clone() }))
}

/// The authorities that are believed.
fn roots(peer: &PeerSettings) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    match &peer.ca {
        Some(file) => {
            for certificate in pem::certificates(file)? {
                let added = roots.add(certificate);
                added.map_err(|error| format!("{}: {error}", file.display()))?;
            }
        }
        None => {
            // Some systems have certificates that nobody can read; the others count.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    Ok(roots)
}
