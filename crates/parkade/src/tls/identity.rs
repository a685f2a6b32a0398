//! A certificate of ours with its key.

use std::path::PathBuf;
use std::sync::Arc;

use tokio_rustls::rustls::Error;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::sign::CertifiedKey;

use crate::tls::facts::Facts;
use crate::tls::pem;
use crate::tls::settings::CertificateFiles;

/// A certificate of ours, ready to be presented.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// Where it was read from.
    pub(crate) file: PathBuf,
    /// What it says.
    pub(crate) facts: Facts,
    /// The chain and the key.
    pub(crate) key: Arc<CertifiedKey>,
}

impl Identity {
    /// Reads it.
    ///
    /// # Errors
    /// What cannot be read, or does not fit together.
    pub(crate) fn load(files: &CertificateFiles) -> Result<Identity, String> {
        let file = &files.certificate;
        let chain = pem::certificates(file)?;
        let key = pem::private_key(&files.key)?;
        let facts = chain.first().and_then(|der| Facts::read(der));
        let facts = facts.ok_or_else(|| {
            format!("{}: its first certificate cannot be understood", file.display())
        })?;
        let key = CertifiedKey::from_der(chain, key, &ring::default_provider());
        let key = key.map_err(|error| match error {
            Error::InconsistentKeys(_) => format!(
                "{}: the key does not belong to the first certificate of {}",
                files.key.display(),
                file.display()
            ),
            error => format!("{}: {error}", files.key.display()),
        })?;
        Ok(Identity { file: file.clone(), facts, key: Arc::new(key) })
    }
}
