//! What an operator says about TLS.

use std::path::PathBuf;

/// A certificate with its chain, and its private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The file of the certificate and what it is signed by, in PEM.
    pub certificate: PathBuf,
    /// The file of its private key, in PEM.
    pub key: PathBuf,
}

/// Whether who connects shall show a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientCertificates {
    /// It is not asked for one.
    #[default]
    Off,
    /// It is asked for one; a bad one is refused, none is not.
    Ask,
    /// Without one it is refused.
    Require,
}

/// Who is believed on one side.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PeerSettings {
    /// The file of the authorities that are believed, in PEM; none: those of the system.
    pub ca: Option<PathBuf>,
    /// What is asked of who connects.
    pub client_certificates: ClientCertificates,
    /// The SHA-256 of certificates that are believed as they are, whoever has signed them.
    pub fingerprints: Vec<[u8; 32]>,
}

/// TLS for SIP.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsSettings {
    /// What is presented: the one that is for the name that is asked for, else the first.
    pub certificates: Vec<CertificateFiles>,
    /// The phones.
    pub phones: PeerSettings,
    /// The PBX.
    pub pbx: PeerSettings,
    /// The files of the lists of certificates that their authorities have revoked, in PEM or DER; they hold for both
    /// sides.
    pub crls: Vec<PathBuf>,
}

impl TlsSettings {
    /// Whether TLS can be spoken.
    pub fn is_there(&self) -> bool {
        !self.certificates.is_empty()
    }

    /// Every file that it is read from.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let own = self.certificates.iter().flat_map(|f| [f.certificate.clone(), f.key.clone()]);
        let authorities = self.phones.ca.iter().chain(&self.pbx.ca);
        own.chain(authorities.chain(&self.crls).cloned()).collect()
    }
}
