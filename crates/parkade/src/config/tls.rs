//! TLS: certificates of ours, and who is believed on each side.

use std::path::{Path, PathBuf};

use crate::config::raw::Table;
use crate::tls::{
    CertificateFiles, ClientCertificates, Identity, PeerSettings, Revoked, TlsSettings,
    certificates,
};

/// A certificate and its key, if both are named.
pub(super) fn files(table: &Table<'_, '_>, folder: &Path) -> Option<CertificateFiles> {
    let file = |key| table.text(key).map(|text| folder.join(text.value));
    match (file("certificate"), file("key")) {
        (Some(certificate), Some(key)) => Some(CertificateFiles { certificate, key }),
        (None, None) => None,
        (Some(_), None) => {
            table.doubt("certificate", "its private key is missing; write key = \"FILE\"");
            None
        }
        (None, Some(_)) => {
            table.doubt("key", "its certificate is missing; write certificate = \"FILE\"");
            None
        }
    }
}

/// The table `[tls]`; the sides are read with their own tables. Tells the names that the certificates
/// are for, too.
pub(super) fn read(root: &Table<'_, '_>, folder: &Path) -> (TlsSettings, Vec<String>) {
    let table = root.table("tls");
    let mut settings = TlsSettings::default();
    let mut names = Vec::new();
    let mut take = |table: &Table<'_, '_>| {
        let Some(files) = files(table, folder) else { return };
        match Identity::load(&files) {
            Ok(own) => names.extend(own.facts.names),
            Err(what) => table.doubt("certificate", what),
        }
        settings.certificates.push(files);
    };
    take(&table);
    let others = table.tables("also");
    for other in &others {
        take(other);
    }
    if !others.is_empty() && !table.has("certificate") {
        let what = "the usual one is missing, for those that ask for no name: write certificate \
                    and key under [tls]";
        table.doubt("certificate", what);
    }
    others.into_iter().for_each(Table::close);
    if let Some(list) = table.all_parsed("crls", |text| revoked(text, folder)) {
        settings.crls = list.into_iter().map(|one| one.value).collect();
    }
    table.close();
    names.sort_unstable();
    names.dedup();
    (settings, names)
}

/// What the table of a side says of who is believed there.
pub(super) fn peer(table: &Table<'_, '_>, folder: &Path) -> PeerSettings {
    let ca = table.parsed("ca", |text| authorities(text, folder));
    let asked = table.choice(
        "client_certificates",
        &[
            ("off", ClientCertificates::Off),
            ("ask", ClientCertificates::Ask),
            ("require", ClientCertificates::Require),
        ],
    );
    PeerSettings { ca, client_certificates: asked.unwrap_or_default(), fingerprints: Vec::new() }
}

fn revoked(text: &str, folder: &Path) -> Result<PathBuf, String> {
    let file = folder.join(text);
    Revoked::load(&file)?;
    Ok(file)
}

fn authorities(text: &str, folder: &Path) -> Result<PathBuf, String> {
    let file = folder.join(text);
    certificates(&file)?;
    Ok(file)
}

/// `SHA256:AB:CD:…`, as openssl and Parkade's log write it.
pub(super) fn fingerprint(text: &str) -> Result<[u8; 32], String> {
    let wanted = "write SHA256: and 64 hexadecimal digits, as openssl x509 -noout -fingerprint \
                  -sha256 and the log show them";
    let bad = || format!("{text:?} is no fingerprint; {wanted}");
    let (kind, digits) = text.split_once([':', '=']).ok_or_else(bad)?;
    let digits: String = digits.chars().filter(|c| *c != ':').collect();
    let is_hex = digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    let kind = kind.to_ascii_lowercase();
    if !is_hex || !matches!(kind.as_str(), "sha256" | "sha-256" | "sha256 fingerprint") {
        return Err(bad());
    }
    let mut print = [0; 32];
    for (at, byte) in print.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[at * 2..at * 2 + 2], 16).map_err(|_| bad())?;
    }
    Ok(print)
}
