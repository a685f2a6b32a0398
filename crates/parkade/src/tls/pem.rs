//! Certificates, private keys and revocation lists as they lie in files; what is wrong with them in words.

use std::io;
use std::path::Path;

use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

/// How anything in PEM begins.
const PEM_BEGINS: &[u8] = b"-----BEGIN ";

/// The certificates of a file, in its order.
///
/// # Errors
/// The file cannot be read, or holds none.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| unread(path, &error))?;
    if all.is_empty() {
        return Err(format!("{}: there is no certificate in it", path.display()));
    }
    Ok(all)
}

/// The private key of a file.
///
/// # Errors
/// The file cannot be read, or holds none that is readable without a passphrase.
pub(crate) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| match error {
        pem::Error::NoItemsFound if is_locked(path) => format!(
            "{}: its private key has a passphrase, which nobody is asked for; write it without \
             one: openssl pkey -in FILE -out FILE",
            path.display()
        ),
        pem::Error::NoItemsFound => format!("{}: there is no private key in it", path.display()),
        error => unread(path, &error),
    })
}

/// The revocation lists of a file: in PEM as many as there are, or one in DER.
///
/// # Errors
/// The file cannot be read, or is PEM that holds none.
pub(super) fn revocation_lists(
    path: &Path,
) -> Result<Vec<CertificateRevocationListDer<'static>>, String> {
    let bytes = std::fs::read(path).map_err(|error| unread(path, &pem::Error::Io(error)))?;
    if !bytes.windows(PEM_BEGINS.len()).any(|part| part == PEM_BEGINS) {
        return Ok(vec![bytes.into()]);
    }
    let all: Vec<CertificateRevocationListDer<'static>> =
        CertificateRevocationListDer::pem_slice_iter(&bytes)
            .collect::<Result<_, _>>()
            .map_err(|error| unread(path, &error))?;
    if all.is_empty() {
        return Err(format!(
            "{}: there is no revocation list in it; -----BEGIN X509 CRL----- is expected",
            path.display()
        ));
    }
    Ok(all)
}

fn is_locked(path: &Path) -> bool {
    std::fs::read_to_string(path).is_ok_and(|text| text.contains("ENCRYPTED PRIVATE KEY"))
}

fn unread(path: &Path, error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => format!(
            "{}: the user that runs parkade may not read it; let its group read it",
            path.display()
        ),
        pem::Error::Io(error) => format!("{}: {error}", path.display()),
        error => format!("{}: {error}", path.display()),
    }
}
