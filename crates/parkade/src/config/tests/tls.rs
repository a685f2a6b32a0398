//! TLS: what is taken, what must be refused.

use std::path::Path;

use base::Transport;

use super::certificate;
use crate::config::check::check;
use crate::config::settings::Settings;
use crate::tls::ClientCertificates;

const OWN: &str = "[tls]\ncertificate = \"own.pem\"\nkey = \"own.key\"\n";

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path(), "own.pem", "own.key", &["sip.example", "pbx.example"]);
    certificate(folder.path(), "other.pem", "other.key", &["other.example"]);
    folder
}

fn settings(folder: &Path, pbx: &str, more: &str) -> Settings {
    check(&format!("[pbx]\n{pbx}\n{more}"), folder, None).unwrap()
}

fn problems(folder: &Path, pbx: &str, more: &str) -> Vec<String> {
    let checked = check(&format!("[pbx]\n{pbx}\n{more}"), folder, None);
    let list = checked.err().unwrap_or_default();
    list.into_iter().map(|p| format!("{}: {}", p.key, p.what)).collect()
}

#[test]
fn a_certificate_is_enough_for_tls_on_both_sides_and_its_names_are_ours() {
    let folder = folder();
    let read = settings(folder.path(), "target = [\"sips:pbx.example\"]", OWN);
    let tls = |list: &[crate::config::Listen]| -> Vec<String> {
        list.iter().filter(|l| l.transport == Transport::Tls).map(ToString::to_string).collect()
    };
    assert_eq!(tls(&read.phones_listen), ["tls:0.0.0.0:5061"]);
    assert_eq!(tls(&read.pbx_listen), ["tls:0.0.0.0:5081"]);
    assert!(read.engine.speaks_tls);
    assert_eq!(read.engine.names, ["pbx.example", "sip.example"]);
    let plain = settings(folder.path(), "target = [\"sip:pbx.example\"]", "");
    assert!(tls(&plain.phones_listen).is_empty() && !plain.engine.speaks_tls);
}

#[test]
fn sides_have_authorities_and_fingerprints_of_their_own() {
    let folder = folder();
    let print = ["AB"; 32].join(":");
    let pbx = format!(
        "target = [\"sip:192.0.2.50;transport=tls\"]\nca = \"other.pem\"\n\
         fingerprints = [\"SHA256:{print}\"]\nclient_certificates = \"require\""
    );
    let also = "[[tls.also]]\ncertificate = \"other.pem\"\nkey = \"other.key\"\n";
    let tls = settings(folder.path(), &pbx, &format!("{OWN}{also}")).tls;
    assert_eq!(tls.certificates.len(), 2);
    assert_eq!(tls.pbx.ca, Some(folder.path().join("other.pem")));
    assert_eq!(tls.pbx.fingerprints, [[0xAB; 32]]);
    assert_eq!(tls.pbx.client_certificates, ClientCertificates::Require);
    assert_eq!(tls.phones.client_certificates, ClientCertificates::Off);
}

#[test]
fn what_does_not_fit_is_told_with_what_to_do() {
    let folder = folder();
    let at = folder.path();
    std::fs::write(at.join("empty.pem"), "nothing").unwrap();
    std::fs::write(
        at.join("locked.key"),
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    )
    .unwrap();
    let udp = "target = [\"sip:192.0.2.50\"]";
    let tls = |certificate: &str, key: &str| {
        format!("[tls]\ncertificate = \"{certificate}\"\nkey = \"{key}\"\n")
    };
    for (pbx, more, wanted) in [
        (
            udp,
            "[phones]\nlisten = [\"tls:127.0.0.1:5061\"]\n",
            "tls:127.0.0.1:5061 needs a certificate",
        ),
        (udp, "[tls]\ncertificate = \"own.pem\"\n", "its private key is missing"),
        (udp, &tls("own.pem", "other.key"), "does not belong to the first certificate"),
        (udp, &tls("gone.pem", "own.key"), "No such file"),
        (udp, &tls("empty.pem", "own.key"), "there is no certificate in it"),
        (udp, &tls("own.pem", "empty.pem"), "there is no private key in it"),
        (udp, &tls("own.pem", "locked.key"), "passphrase"),
        (
            udp,
            "[[tls.also]]\ncertificate = \"own.pem\"\nkey = \"own.key\"\n",
            "the usual one is missing",
        ),
        ("target = [\"sips:pbx.example\"]", "", "pbx.listen has no tls socket; write certificate"),
        ("target = [\"sips:192.0.2.50;transport=udp\"]", OWN, "asks for TLS and for UDP"),
        ("target = [\"sip:192.0.2.50\"]\nfingerprints = [\"12\"]", "", "is no fingerprint"),
        ("target = [\"sip:192.0.2.50\"]\nca = \"gone.pem\"", "", "No such file"),
        (udp, &format!("{OWN}crls = [\"gone.crl\"]\n"), "No such file"),
        (udp, &format!("{OWN}crls = [\"own.pem\"]\n"), "-----BEGIN X509 CRL----- is expected"),
        (udp, &format!("{OWN}crls = [\"empty.pem\"]\n"), "its list cannot be used (TrailingData"),
        (
            "target = [\"sip:192.0.2.50\"]\nclient_certificates = \"yes\"",
            "",
            "is none of off, ask or require",
        ),
    ] {
        let told = problems(at, pbx, more);
        assert!(told.iter().any(|told| told.contains(wanted)), "{wanted}: {told:?}");
    }
}
