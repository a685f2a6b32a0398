//! Who signs certificates.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use parkade::CertificateFiles;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    IsCa, KeyIdMethod, KeyPair, RevokedCertParams, SerialNumber,
};
use tempfile::TempDir;

use super::party::Party;

/// Who signs certificates, with a folder for them.
pub(crate) struct Authority {
    pub(super) issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    /// A new one that nobody knows, with a name of its own.
    pub(crate) fn new() -> Authority {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("Authority {}", COUNT.fetch_add(1, Ordering::Relaxed));
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
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

    /// The file of the list of those whose certificates it has taken back, in PEM or DER; one that is there is replaced.
    /// It is good for this time.
    pub(crate) fn revoking(
        &self,
        file: &str,
        parties: &[&Party],
        (from, until): (SystemTime, SystemTime),
    ) -> PathBuf {
        let one = |party: &&Party| RevokedCertParams {
            serial_number: party.serial(),
            revocation_time: from.into(),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: from.into(),
            next_update: until.into(),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: parties.iter().map(one).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let made = params.signed_by(&self.issuer).unwrap();
        let path = self.folder.path().join(file);
        let new = path.with_extension("new");
        match file.ends_with(".pem") {
            true => std::fs::write(&new, made.pem().unwrap()).unwrap(),
            false => std::fs::write(&new, made.der()).unwrap(),
        }
        std::fs::rename(new, &path).unwrap();
        path
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
