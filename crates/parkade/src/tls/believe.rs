//! Whose certificates are believed: those that a known authority has signed, and those whose
//! fingerprint the operator has written down. For whom a certificate is, is looked at after the
//! handshake, by the rules of SIP (RFC 5922 §7).

use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore,
    SignatureScheme,
};
use webpki::{
    CertRevocationList, EndEntityCert, KeyUsage, RevocationOptionsBuilder, UnknownStatusPolicy,
};

use crate::tls::facts::Facts;

/// Whether a certificate is one of those that were written down.
fn is_pinned(fingerprints: &[[u8; 32]], certificate: &CertificateDer<'_>) -> bool {
    let own: [u8; 32] = Sha256::digest(certificate).into();
    fingerprints.contains(&own)
}

/// A certificate that nobody vouches for, and how the operator can.
#[derive(Debug, thiserror::Error)]
#[error(
    "its certificate is signed by no authority that is believed here; write the authority's \
     certificate into the file that pbx.ca names or, if the PBX signs its own and shows this one, \
     pbx.fingerprints = [\"{0}\"]"
)]
struct Unbelieved(String);

/// A certificate that will not do, for a reason that has no word of its own in TLS.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(
        "the list in tls.crls that speaks for its certificate cannot be used ({0}); fetch it anew from its authority"
    )]
    List(webpki::Error),
    #[error("its certificate is refused: {0}")]
    Otherwise(webpki::Error),
}

/// What is wrong with the PBX's certificate.
fn why(error: webpki::Error, certificate: &CertificateDer<'_>) -> Error {
    use webpki::Error::{
        CaUsedAsEndEntity, CertExpired, CertNotValidYet, CertRevoked, InvalidCertValidity,
        InvalidCrlSignatureForPublicKey, IssuerNotCrlSigner, UnknownIssuer,
    };
    let other = |refused| CertificateError::Other(OtherError(Arc::new(refused)));
    Error::InvalidCertificate(match error {
        // One that signs itself is told by either.
        UnknownIssuer | CaUsedAsEndEntity => return unbelieved(certificate),
        CertRevoked => CertificateError::Revoked,
        InvalidCertValidity => CertificateError::Expired,
        CertExpired { time, not_after } => CertificateError::ExpiredContext { time, not_after },
        CertNotValidYet { time, not_before } => {
            CertificateError::NotValidYetContext { time, not_before }
        }
        InvalidCrlSignatureForPublicKey | IssuerNotCrlSigner => other(Refused::List(error)),
        error => other(Refused::Otherwise(error)),
    })
}

fn unbelieved(certificate: &CertificateDer<'_>) -> Error {
    let shown = Facts::read(certificate).map(|facts| facts.fingerprint_text());
    let error = Unbelieved(shown.unwrap_or_default());
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(error))))
}

/// Who is believed to be the PBX when we connect to it.
#[derive(Debug)]
pub(super) struct Servers {
    pub(super) roots: Arc<RootCertStore>,
    pub(super) fingerprints: Vec<[u8; 32]>,
    /// What authorities have taken back.
    pub(super) revoked: Vec<Arc<CertRevocationList<'static>>>,
    pub(super) provider: Arc<CryptoProvider>,
}

impl Servers {
    /// Whether an authority that is believed vouches for this certificate, and has not taken that back. (rustls
    /// does the latter only together with its own look at the name.)
    fn vouched(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), webpki::Error> {
        let lists: Vec<&CertRevocationList<'_>> = self.revoked.iter().map(|list| &**list).collect();
        let asked = RevocationOptionsBuilder::new(&lists).ok();
        let asked = asked.map(|asked| asked.with_status_policy(UnknownStatusPolicy::Allow).build());
        EndEntityCert::try_from(end_entity)?.verify_for_usage(
            self.provider.signature_verification_algorithms.all,
            &self.roots.roots,
            intermediates,
            now,
            KeyUsage::server_auth(),
            asked,
            None,
        )?;
        Ok(())
    }
}

impl ServerCertVerifier for Servers {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if !is_pinned(&self.fingerprints, end_entity) {
            let vouched = self.vouched(end_entity, intermediates, now);
            vouched.map_err(|error| why(error, end_entity))?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Who is believed among those that connect to us: `usual` says, but for the fingerprints.
#[derive(Debug)]
pub(super) struct Clients {
    pub(super) usual: Arc<dyn ClientCertVerifier>,
    pub(super) fingerprints: Vec<[u8; 32]>,
}

impl ClientCertVerifier for Clients {
    fn offer_client_auth(&self) -> bool {
        self.usual.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.usual.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // One that is pinned has been signed by none of them, and would not be offered.
        if self.fingerprints.is_empty() { self.usual.root_hint_subjects() } else { &[] }
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if is_pinned(&self.fingerprints, end_entity) {
            return Ok(ClientCertVerified::assertion());
        }
        self.usual.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}
