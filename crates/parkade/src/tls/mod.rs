//! Certificates and TLS: what is presented, who is believed, and the handshake.

mod believe;
mod facts;
mod handshake;
mod identity;
mod pem;
mod present;
mod revoked;
mod set;
mod settings;
mod watch;

pub(crate) use facts::Facts;
pub(crate) use handshake::{Failed, Failure, Secure, Secured, accept, connect};
pub(crate) use identity::Identity;
pub(crate) use pem::{certificates, private_key};
pub(crate) use revoked::Revoked;
pub(crate) use set::Tls;
pub use settings::{CertificateFiles, ClientCertificates, PeerSettings, TlsSettings};
pub(crate) use watch::watch;
