//! Who signs certificates.

use std::path::PathBuf;

use parkade::CertificateFiles;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

/// Who signs certificates, with a folder for them.
pub(crate) struct Authority {
    pub(super) issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    /// A new one that nobody knows.
    pub(crate) fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Authority { issuer, folder }
    }

    /// The file of its own certificate.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Writes a certificate for these names; one that is there is replaced.
    pub(crate) fn files(&self, file: &str, names: &[&str]) -> CertificateFiles {
        let key = KeyPair::generate().unwrap();
        let made = params(names).signed_by(&key, &self.issuer).unwrap();
        let at = |end: &str| self.folder.path().join(format!("{file}.{end}"));
        let files = CertificateFiles { certificate: at("pem"), key: at("key") };
        for (path, text) in [(&files.key, key.serialize_pem()), (&files.certificate, made.pem())] {
            let new = path.with_extension("new");
            std::fs::write(&new, text).unwrap();
            std::fs::rename(new, path).unwrap();
        }
        files
    }
}

/// What a certificate for these names says.
pub(super) fn params(names: &[&str]) -> CertificateParams {
    CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
}
