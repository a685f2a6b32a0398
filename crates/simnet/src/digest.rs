//! Digest authentication (RFC 2617 with `qop=auth`, MD5), both ends of it: enough to see whether
//! challenges and credentials pass the house unharmed.

use md5::{Digest, Md5};

fn md5(text: &str) -> String {
    Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One parameter of a challenge or of credentials.
pub(crate) fn param(value: &str, name: &str) -> Option<String> {
    let rest = value.trim_start().strip_prefix("Digest")?;
    rest.split(',').find_map(|part| {
        let (key, text) = part.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| text.trim().trim_matches('"').to_owned())
    })
}

fn response(
    user: &str,
    realm: &str,
    password: &str,
    method: &str,
    uri: &str,
    rest: &str,
) -> String {
    let one = md5(&format!("{user}:{realm}:{password}"));
    let two = md5(&format!("{method}:{uri}"));
    md5(&format!("{one}:{rest}:{two}"))
}

/// The challenge of a registrar or proxy.
pub(crate) fn challenge(realm: &str, nonce: &str) -> String {
    format!("Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm=MD5, qop=\"auth\"")
}

/// Credentials for a challenge.
pub(crate) fn answer(
    challenge: &str,
    user: &str,
    password: &str,
    method: &str,
    uri: &str,
) -> Option<String> {
    let realm = param(challenge, "realm")?;
    let nonce = param(challenge, "nonce")?;
    let cnonce = "0a4f113b";
    let hash =
        response(user, &realm, password, method, uri, &format!("{nonce}:00000001:{cnonce}:auth"));
    Some(format!(
        "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
         response=\"{hash}\", algorithm=MD5, qop=auth, nc=00000001, cnonce=\"{cnonce}\""
    ))
}

/// Whether credentials are right; the user name if so.
pub(crate) fn verify(
    credentials: &str,
    password: &str,
    method: &str,
    nonce: &str,
) -> Option<String> {
    let user = param(credentials, "username")?;
    let realm = param(credentials, "realm")?;
    let uri = param(credentials, "uri")?;
    let count = param(credentials, "nc")?;
    let cnonce = param(credentials, "cnonce")?;
    if param(credentials, "nonce")? != nonce {
        return None;
    }
    let rest = format!("{nonce}:{count}:{cnonce}:auth");
    let right = response(&user, &realm, password, method, &uri, &rest);
    (param(credentials, "response")? == right).then_some(user)
}

#[cfg(test)]
mod tests {
    use super::{answer, challenge, verify};

    #[test]
    fn credentials_for_a_challenge_are_accepted_and_others_are_not() {
        let asked = challenge("pbx.example", "n1");
        let given = answer(&asked, "103", "secret", "REGISTER", "sip:pbx.example").unwrap();
        assert_eq!(verify(&given, "secret", "REGISTER", "n1").as_deref(), Some("103"));
        assert_eq!(verify(&given, "wrong", "REGISTER", "n1"), None);
        assert_eq!(verify(&given, "secret", "INVITE", "n1"), None);
        assert_eq!(verify(&given, "secret", "REGISTER", "n2"), None);
    }
}
