//! Lists of certificates that their authorities have taken back (CRLs, RFC 5280 §5). A list speaks for its
//! authority alone: whose certificates no list speaks for are believed as without one. A list whose time is over
//! is used on, since what it names stays revoked.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use tokio_rustls::rustls::pki_types::CertificateRevocationListDer;
use webpki::{CertRevocationList, OwnedCertRevocationList};
use x509_parser::prelude::{CertificateRevocationList, FromDer};

use crate::tls::facts::{day_of, moment};
use crate::tls::pem;

/// One list.
#[derive(Debug, Clone)]
pub(crate) struct Revoked {
    file: PathBuf,
    /// Whose it is.
    authority: String,
    /// How many certificates it names.
    count: usize,
    /// By when the next one is to be there, if it says so.
    next: Option<SystemTime>,
    /// As it was read.
    pub(super) der: CertificateRevocationListDer<'static>,
    /// The same, ready to be asked.
    pub(super) list: Arc<CertRevocationList<'static>>,
}

impl Revoked {
    /// Reads the lists of a file, in PEM or DER.
    ///
    /// # Errors
    /// What cannot be read or understood.
    pub(crate) fn load(file: &Path) -> Result<Vec<Revoked>, String> {
        let one = |der: CertificateRevocationListDer<'static>| {
            let unusable = |error: &dyn fmt::Display| {
                format!(
                    "{}: its list cannot be used ({error}); a whole list of version 2 for all \
                     certificates of an authority is expected, as openssl ca -gencrl makes one",
                    file.display()
                )
            };
            let list = OwnedCertRevocationList::from_der(&der).map_err(|error| unusable(&error))?;
            let (_, said) =
                CertificateRevocationList::from_der(&der).map_err(|error| unusable(&error))?;
            Ok(Revoked {
                file: file.to_owned(),
                authority: said.issuer().to_string(),
                count: said.iter_revoked_certificates().count(),
                next: said.next_update().map(|at| moment(at.timestamp())),
                list: Arc::new(list.into()),
                der: der.clone(),
            })
        };
        pem::revocation_lists(file)?.into_iter().map(one).collect()
    }

    /// Warns if a newer one should be there.
    pub(super) fn warn(&self, now: SystemTime) {
        if let Some(next) = self.next.filter(|next| *next < now) {
            tracing::error!(
                "revocation list {} of {:?}: a newer one should have been there on {}; this one is used on, \
                 and who was revoked since is still believed; fetch the new one",
                self.file.display(),
                self.authority,
                day_of(next)
            );
        }
    }
}

impl fmt::Display for Revoked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Revoked { file, authority, count, next, .. } = self;
        write!(f, "revocation list {}: of {authority:?}, {count} certificates", file.display())?;
        match next {
            Some(next) => write!(f, ", the next one by {}", day_of(*next)),
            None => Ok(()),
        }
    }
}
