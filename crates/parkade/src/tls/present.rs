//! Which certificate of ours is presented.

use std::sync::Arc;

use tokio_rustls::rustls::SignatureScheme;
use tokio_rustls::rustls::client::ResolvesClientCert;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use crate::tls::identity::Identity;

/// All certificates of ours.
#[derive(Debug)]
pub(super) struct Presented(pub(super) Vec<Identity>);

impl Presented {
    /// The one for this name, else the first.
    fn of(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let fits = |own: &&Identity| name.is_some_and(|name| own.facts.serves(name));
        let own = self.0.iter().find(fits).or(self.0.first());
        own.map(|own| Arc::clone(&own.key))
    }
}

impl ResolvesServerCert for Presented {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.of(hello.server_name())
    }
}

impl ResolvesClientCert for Presented {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.of(None)
    }

    fn has_certs(&self) -> bool {
        !self.0.is_empty()
    }
}
