//! How one node believes another: a line in the request says who asks for which call, signed with the key that
//! all nodes share (HMAC-SHA256, RFC 2104). It is for one node, one request and a short time, and is heard once.

use std::time::Duration;

use base::{Domain, Extension, Moment};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use sip_msg::{Message, escape_header_value, unescape};

use crate::cluster::state::Cluster;
use crate::contacts::Aor;
use crate::settings::ClusterSettings;

/// The line. A phone that sends one is refused: it cannot sign it.
pub(crate) const HEADER: &str = "X-Parkade-Node";
/// How old a request may be, and how far clocks may be apart.
const WINDOW: Duration = Duration::from_secs(30);

/// Who asks for which call, by the word of another node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Vouched {
    pub(super) who: Aor,
    pub(super) park: String,
}

/// The parts of the line, in the order in which they are written and signed.
struct Line<'a> {
    from: &'a str,
    to: &'a str,
    at_s: u64,
    nonce: &'a str,
    extension: &'a str,
    domain: &'a str,
    park: &'a str,
}

impl Line<'_> {
    fn sign(&self, key: &[u8], request: &Message) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
        let (cseq, method) = request.cseq();
        let (at, cseq) = (self.at_s.to_string(), cseq.to_string());
        let parts: [&[u8]; 12] = [
            b"parkade node 1",
            self.from.as_bytes(),
            self.to.as_bytes(),
            at.as_bytes(),
            self.nonce.as_bytes(),
            self.extension.as_bytes(),
            self.domain.as_bytes(),
            self.park.as_bytes(),
            request.call_id().as_bytes(),
            request.from_tag().unwrap_or_default().as_bytes(),
            cseq.as_bytes(),
            method.as_bytes(),
        ];
        // Each by its length, so that no part can be read as the end of another. The body is not among them: its
        // addresses are changed by whoever anchors the media.
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        Some(mac)
    }
}

/// The line for a request that is passed on to `node`.
pub(super) fn write(
    settings: &ClusterSettings,
    node: &str,
    request: &Message,
    who: &Aor,
    park: &str,
    (at, nonce): (Moment, &str),
) -> Option<String> {
    let (extension, domain) = (who.extension.as_str(), who.domain.as_str());
    let at_s = at.as_micros() / 1_000_000;
    let line = Line { from: &settings.node, to: node, at_s, nonce, extension, domain, park };
    let mac = line.sign(settings.key.reveal(), request)?.finalize().into_bytes();
    let mac: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
    let own = &settings.node;
    let (extension, domain) = (escape_header_value(extension), escape_header_value(domain));
    Some(format!(
        "{own};to={node};time={at_s};nonce={nonce};user={extension};domain={domain};park={park};mac={mac}"
    ))
}

/// Reads and checks the line of a request.
///
/// # Errors
/// Why it is not believed, in words for the log: whoever sent it is told nothing of that.
pub(super) fn check(
    settings: &ClusterSettings,
    cluster: &mut Cluster,
    request: &Message,
    value: &str,
    now: Moment,
) -> Result<Vouched, &'static str> {
    let mut parts = value.split(';').map(str::trim);
    let from = parts.next().unwrap_or_default();
    let part = |name: &str| {
        let named = |part: &str| Some(part.split_once('=')?.1.to_owned());
        let found = value
            .split(';')
            .map(str::trim)
            .find(|part| part.split_once('=').is_some_and(|(key, _)| key == name));
        found.and_then(named).ok_or("a part of the line is missing")
    };
    let (to, nonce, park) = (part("to")?, part("nonce")?, part("park")?);
    let (extension, domain) = (part("user")?, part("domain")?);
    let (extension, domain) = (unescape(&extension), unescape(&domain));
    let at_s: u64 = part("time")?.parse().map_err(|_| "its time cannot be read")?;
    let mac = from_hex(&part("mac")?).ok_or("its signature cannot be read")?;
    let line = Line {
        from,
        to: &to,
        at_s,
        nonce: &nonce,
        extension: &extension,
        domain: &domain,
        park: &park,
    };
    let signed = line.sign(settings.key.reveal(), request).ok_or("there is no key")?;
    signed
        .verify_slice(&mac)
        .map_err(|_| "its signature is wrong: is the key the same at all nodes?")?;
    if to != settings.node {
        return Err("it is for another node");
    }
    let now_s = now.as_micros() / 1_000_000;
    if now_s.abs_diff(at_s) > WINDOW.as_secs() {
        return Err("it is too old, or the clocks of the nodes are more than 30 s apart");
    }
    if !cluster.is_fresh(&nonce, now, WINDOW * 2) {
        return Err("it was heard before");
    }
    let who = Aor { extension: Extension::from(&*extension), domain: Domain::from(&*domain) };
    Ok(Vouched { who, park })
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
