//! Webhooks of the running binary over TLS: whom it trusts, and what it says of whom it does not.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::{Arc, mpsc};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls_pki_types::PrivateKeyDer;
use serde_json::Value;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::rig::{Binary, PATIENCE, answer, hear, request, udp};

/// What a webhook's owner has seen of a connection: the body of what it took, or why there was none.
type Seen = Result<Value, String>;

/// A webhook's owner on the loopback, and its authority in PEM.
fn owner() -> (SocketAddr, String, mpsc::Receiver<Seen>) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let own = own.signed_by(&key, &authority).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![own.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let seen = take(StreamOwned::new(connection, stream));
            if tell.send(seen).is_err() {
                return;
            }
        }
    });
    (at, authority.pem(), told)
}

/// Takes one event.
fn take(stream: impl Read + Write) -> Seen {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let count = reader.read_line(&mut head).map_err(|error| error.to_string())?;
        assert!(count > 0 || head.is_empty(), "cut off: {head:?}");
        if count == 0 {
            return Err("closed".to_owned());
        }
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    reader.get_mut().write_all(b"HTTP/1.1 204 Taken\r\nConnection: close\r\n\r\n").unwrap();
    Ok(serde_json::from_slice(&body).unwrap())
}

/// Parkade, which tells the owner who registers; 103 does.
fn registered(owner: SocketAddr, ca: &str) -> (Binary, UdpSocket) {
    let (pbx, phone) = (udp("127.0.0.1"), udp("127.0.0.1"));
    let more = format!(
        "[[webhook]]\nurl = \"https://{owner}/\"\nsecret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"\n\
         events = [\"registered\"]\n{ca}"
    );
    let binary = Binary::with(&more, pbx.local_addr().unwrap());
    let text = request("REGISTER", "sip:pbx.example", "UDP", phone.local_addr().unwrap(), "hook");
    phone.send_to(text.as_bytes(), binary.phones).unwrap();
    let (asked, from) = hear(&pbx);
    pbx.send_to(answer(&asked, "200 OK").as_bytes(), from).unwrap();
    (binary, pbx)
}

#[test]
fn an_address_is_told_whose_certificate_is_of_an_authority_of_ones_own() {
    let (at, authority, told) = owner();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, authority).unwrap();
    let (_binary, _pbx) = registered(at, &format!("ca = {file:?}\n"));
    let event = told.recv_timeout(PATIENCE).unwrap().unwrap();
    assert_eq!((&event["event"], &event["extension"]), (&"registered".into(), &"103".into()));
}

#[test]
fn an_address_whose_certificate_is_of_nobody_known_gets_nothing_and_is_tried_again_and_that_is_told()
 {
    let (at, _, told) = owner();
    let (mut binary, _pbx) = registered(at, "");
    for pause in [1, 3] {
        let line = binary.told("webhook: not taken");
        assert!(line.contains(&format!("sent again in {pause} s")), "{line}");
        assert!(line.contains("invalid peer certificate: UnknownIssuer"), "{line}");
        assert!(line.contains("as ca = \"FILE\" of this [[webhook]]"), "{line}");
        assert!(told.recv_timeout(PATIENCE).unwrap().is_err());
    }
}
