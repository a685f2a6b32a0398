//! The HTTP door's certificate.

use std::io;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;

use crate::tls::{CertificateFiles, certificates, private_key};

/// Reads the certificate and its key.
///
/// # Errors
/// What cannot be read, or does not fit together.
pub(crate) fn acceptor(files: &CertificateFiles) -> io::Result<TlsAcceptor> {
    let bad = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    let chain = certificates(&files.certificate).map_err(bad)?;
    let key = private_key(&files.key).map_err(bad)?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| bad(format!("{}: {error}", files.certificate.display())))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
