//! Whoever speaks TLS with the program.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::SystemTime;

use rcgen::{CertificateParams, KeyPair, SerialNumber};
use sha2::{Digest, Sha256};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::NoClientAuth;
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::authority::{Authority, params};
use crate::rig::PATIENCE;

/// Somebody who speaks TLS.
pub(crate) struct Party {
    roots: RootCertStore,
    own: Option<(CertificateDer<'static>, PrivateKeyDer<'static>)>,
}

impl Party {
    /// With nothing of its own to show.
    pub(crate) fn trusting(authority: &Authority) -> Party {
        let mut roots = RootCertStore::empty();
        roots.add(authority.issuer.der().clone()).unwrap();
        Party { roots, own: None }
    }

    /// With a certificate for these names.
    pub(crate) fn with(authority: &Authority, names: &[&str]) -> Party {
        Party::signed(authority, params(names))
    }

    /// The same, valid for this time only.
    pub(crate) fn lasting(
        authority: &Authority,
        names: &[&str],
        (from, until): (SystemTime, SystemTime),
    ) -> Party {
        let mut params = params(names);
        (params.not_before, params.not_after) = (from.into(), until.into());
        Party::signed(authority, params)
    }

    /// With one that it has signed itself, and that has expired.
    pub(crate) fn self_signed(name: &str) -> Party {
        let mut params = params(&[name]);
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        let key = KeyPair::generate().unwrap();
        let made = params.self_signed(&key).unwrap();
        let own = (made.der().clone(), PrivateKeyDer::try_from(key.serialize_der()).unwrap());
        Party { roots: RootCertStore::empty(), own: Some(own) }
    }

    fn signed(authority: &Authority, params: CertificateParams) -> Party {
        let key = KeyPair::generate().unwrap();
        let made = params.signed_by(&key, &authority.issuer).unwrap();
        let own = (made.der().clone(), PrivateKeyDer::try_from(key.serialize_der()).unwrap());
        Party { own: Some(own), ..Party::trusting(authority) }
    }

    /// The same, but it believes this authority.
    pub(crate) fn believing(self, authority: &Authority) -> Party {
        Party { roots: Party::trusting(authority).roots, ..self }
    }

    /// The serial number of what it shows.
    pub(super) fn serial(&self) -> SerialNumber {
        let der = &self.own.as_ref().unwrap().0;
        let (_, certificate) = X509Certificate::from_der(der).unwrap();
        SerialNumber::from_slice(certificate.raw_serial())
    }

    /// The SHA-256 of what it shows.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        Sha256::digest(&self.own.as_ref().unwrap().0).into()
    }

    /// Connects, and asks for this name.
    pub(crate) fn connect(
        &self,
        to: SocketAddr,
        name: &str,
    ) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots.clone());
        let config = match &self.own {
            Some((own, key)) => {
                config.with_client_auth_cert(vec![own.clone()], key.clone_key()).unwrap()
            }
            None => config.with_no_client_auth(),
        };
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut stream = TcpStream::connect(to)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        Ok(StreamOwned::new(connection, stream))
    }

    /// Takes a connection of somebody's.
    pub(crate) fn accept(
        &self,
        mut stream: TcpStream,
    ) -> io::Result<StreamOwned<ServerConnection, TcpStream>> {
        let (own, key) = self.own.as_ref().unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(Arc::new(NoClientAuth))
            .with_single_cert(vec![own.clone()], key.clone_key())
            .unwrap();
        let mut connection = ServerConnection::new(Arc::new(config)).unwrap();
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        Ok(StreamOwned::new(connection, stream))
    }
}

/// Which versions openssl can agree on there; none, said aloud, where there is no openssl.
pub(crate) fn handshakes(to: SocketAddr) -> Option<Vec<(&'static str, bool)>> {
    let versions = ["-tls1_1", "-tls1_2", "-tls1_3"];
    let mut spoken = Vec::new();
    for version in versions {
        let run = Command::new("openssl")
            .args(["s_client", "-connect", &to.to_string(), version, "-brief"])
            .args(["-cipher", "DEFAULT:@SECLEVEL=0"])
            .stdin(Stdio::null())
            .output();
        let Ok(run) = run else {
            eprintln!("SKIPPED: versions of TLS are asked for by openssl, which is not installed");
            return None;
        };
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        spoken.push((version, said.contains("CONNECTION ESTABLISHED")));
    }
    Some(spoken)
}
