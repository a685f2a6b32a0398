//! The handshake, bounded in time, and what became of it in words.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{
    AlertDescription, CertificateError, ClientConfig, Error, InvalidMessage, ServerConfig,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use crate::tls::facts::Facts;

/// What a handshake failed for, as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Failure {
    /// The other end does not speak TLS.
    NotTls,
    /// It did not get on.
    Stalled,
    /// Its certificate will not do, or is missing.
    Certificate,
    /// It refused ours, or to speak TLS as we do.
    Refused,
    /// There is no version or cipher that both speak.
    NothingInCommon,
    /// It went away.
    Gone,
    /// Anything else.
    Broken,
}

impl Failure {
    /// As metrics call it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Failure::NotTls => "not-tls",
            Failure::Stalled => "stalled",
            Failure::Certificate => "certificate",
            Failure::Refused => "refused",
            Failure::NothingInCommon => "nothing-in-common",
            Failure::Gone => "gone",
            Failure::Broken => "broken",
        }
    }
}

/// A handshake that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failed {
    /// What it is counted as.
    pub(crate) failure: Failure,
    /// What was seen, what was expected, what to do.
    pub(crate) what: String,
}

/// An encrypted stream.
pub(crate) type Secured = (TlsStream<TcpStream>, Option<Facts>);

/// How a connection to the PBX is to be secured.
#[derive(Debug, Clone)]
pub(crate) struct Secure {
    /// With what.
    pub(crate) config: Arc<ClientConfig>,
    /// For which of these hosts the other end's certificate must be; the first is asked for.
    pub(crate) hosts: Vec<String>,
    /// The certificates for which it is enough that they were written down.
    pub(crate) fingerprints: Vec<[u8; 32]>,
}

/// Secures a stream that somebody has opened to us, within this time; tells who that is, where it has shown so.
///
/// # Errors
/// What it failed for.
pub(crate) async fn accept(
    config: Arc<ServerConfig>,
    stream: TcpStream,
    within: Duration,
) -> Result<Secured, Failed> {
    let done = timeout(within, TlsAcceptor::from(config).accept(stream)).await;
    let stream = done.map_err(|_| stalled(within))?.map_err(|error| why(&error))?;
    let facts = shown(stream.get_ref().1.peer_certificates());
    Ok((stream.into(), facts))
}

/// Secures a stream that we have opened, within this time, and looks at who is at its other end.
///
/// # Errors
/// What it failed for.
pub(crate) async fn connect(
    secure: Secure,
    stream: TcpStream,
    within: Duration,
) -> Result<Secured, Failed> {
    let host = secure.hosts.first().map_or("", String::as_str);
    let host = host.trim_matches(['[', ']']).trim_end_matches('.').to_owned();
    let unnameable = |_| broken(format!("{host:?} is no name that TLS can ask for"));
    let name = ServerName::try_from(host.clone()).map_err(unnameable)?;
    let connecting = TlsConnector::from(secure.config).connect(name, stream);
    let done = timeout(within, connecting).await;
    let stream = done.map_err(|_| stalled(within))?.map_err(|error| why(&error))?;
    let facts = shown(stream.get_ref().1.peer_certificates());
    let Some(facts) = facts else {
        return Err(certificate("it showed no certificate that can be understood".to_owned()));
    };
    let is_it = secure.fingerprints.contains(&facts.fingerprint)
        || secure.hosts.iter().any(|host| facts.is_for(host));
    if !is_it {
        return Err(certificate(format!(
            "its certificate is for {}, not for {}; write a name of it into pbx.target, or give the \
             PBX one for this name",
            facts.whom(),
            secure.hosts.join(" or ")
        )));
    }
    Ok((stream.into(), Some(facts)))
}

fn shown(chain: Option<&[CertificateDer<'_>]>) -> Option<Facts> {
    chain?.first().and_then(|der| Facts::read(der))
}

fn stalled(within: Duration) -> Failed {
    let what = format!(
        "its handshake was not done after {} (security.handshake_timeout)",
        humantime::format_duration(within)
    );
    Failed { failure: Failure::Stalled, what }
}

fn certificate(what: String) -> Failed {
    Failed { failure: Failure::Certificate, what }
}

fn broken(what: String) -> Failed {
    Failed { failure: Failure::Broken, what }
}

/// What a failed handshake means.
fn why(error: &io::Error) -> Failed {
    let of_tls = error.get_ref().and_then(|error| error.downcast_ref::<Error>());
    let failed = |failure, what: &str| Failed { failure, what: what.to_owned() };
    match of_tls {
        Some(Error::InvalidCertificate(error)) => certificate(about(error)),
        Some(Error::InvalidCertRevocationList(error)) => certificate(format!(
            "the list in tls.crls that speaks for its certificate cannot be used ({error:?}); fetch it anew from \
             its authority"
        )),
        Some(Error::NoCertificatesPresented) => {
            certificate("it showed no certificate, which client_certificates asks for".to_owned())
        }
        Some(Error::InvalidMessage(InvalidMessage::InvalidContentType)) => failed(
            Failure::NotTls,
            "it does not speak TLS; plain SIP is for the sockets with udp: and tcp:",
        ),
        Some(Error::PeerIncompatible(why)) => Failed {
            failure: Failure::NothingInCommon,
            what: format!(
                "there is no version or cipher in common ({why:?}); TLS 1.2 is the least"
            ),
        },
        Some(Error::AlertReceived(alert)) => refused(*alert),
        Some(error) => broken(error.to_string()),
        None if is_gone(error) => failed(Failure::Gone, "it went away in the middle"),
        None => broken(error.to_string()),
    }
}

fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe)
}

/// What is wrong with a certificate.
fn about(error: &CertificateError) -> String {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired; renew it there, or see whether the clock of this host is \
             right"
                .to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet; see whether the clocks of both hosts are right"
                .to_owned()
        }
        CertificateError::UnknownIssuer => {
            "its certificate is signed by no authority that is believed here; write the authority's \
             certificate into the file that ca names"
                .to_owned()
        }
        CertificateError::Revoked => {
            "its certificate has been revoked by its authority (tls.crls); give it another one"
                .to_owned()
        }
        CertificateError::Other(error) => error.to_string(),
        other => format!("its certificate is refused: {other}"),
    }
}

/// What the other end says against us.
fn refused(alert: AlertDescription) -> Failed {
    let (failure, what) = match alert {
        AlertDescription::UnknownCA => (
            Failure::Refused,
            "it does not know who signed our certificate; give it the authority's".to_owned(),
        ),
        AlertDescription::CertificateExpired => {
            (Failure::Refused, "it says that our certificate has expired; renew it".to_owned())
        }
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateUnknown => (
            Failure::Refused,
            format!(
                "it refuses our certificate ({alert:?}); see whether it is for the name it uses"
            ),
        ),
        AlertDescription::CertificateRequired => {
            (Failure::Refused, "it wants a certificate of ours that it knows".to_owned())
        }
        AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure => (
            Failure::NothingInCommon,
            format!("there is no version or cipher in common ({alert:?}); TLS 1.2 is the least"),
        ),
        other => (Failure::Refused, format!("it refuses: {other:?}")),
    };
    Failed { failure, what }
}
