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

#[cfg(test)]
mod tests {
    use base::Private;
    use bytes::Bytes;

    use super::*;

    fn settings(node: &str, key: &[u8]) -> ClusterSettings {
        let key = Private::new(key.to_vec());
        ClusterSettings { node: node.to_owned(), key, lease: Duration::from_secs(10) }
    }

    fn request(call_id: &str, tag: &str) -> Message {
        let text = format!(
            "INVITE sip:701@10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx\r\n\
             Max-Forwards: 70\r\nFrom: <sip:105@x>;tag={tag}\r\nTo: <sip:701@x>\r\n\
             Call-ID: {call_id}\r\nCSeq: 7 INVITE\r\nContact: <sip:1@10.0.0.1>\r\n\r\n"
        );
        Message::read(Bytes::from(text)).unwrap()
    }

    fn at(seconds: u64) -> Moment {
        Moment::from_micros(seconds * 1_000_000)
    }

    fn word(request: &Message) -> String {
        let who = Aor { extension: Extension::from("1;0%5"), domain: Domain::from("x.example") };
        let own = settings("a", b"the key of all nodes");
        write(&own, "b", request, &who, "p1", (at(1000), "n1")).unwrap()
    }

    fn heard(request: &Message, value: &str, now: Moment) -> Result<Vouched, &'static str> {
        let own = settings("b", b"the key of all nodes");
        check(&own, &mut Cluster::default(), request, value, now)
    }

    #[test]
    fn what_a_node_writes_the_other_believes_though_their_clocks_differ() {
        let request = request("c1", "t1");
        for now in [971, 1000, 1030] {
            let vouched = heard(&request, &word(&request), at(now)).unwrap();
            assert_eq!((vouched.who.extension.as_str(), &*vouched.park), ("1;0%5", "p1"));
        }
        for now in [969, 1031] {
            assert!(heard(&request, &word(&request), at(now)).unwrap_err().contains("clocks"));
        }
    }

    #[test]
    fn a_word_is_for_one_request_one_node_and_once() {
        let asked = request("c1", "t1");
        let value = word(&asked);
        for other in [request("c2", "t1"), request("c1", "t2")] {
            assert!(heard(&other, &value, at(1000)).unwrap_err().contains("signature"));
        }
        let third = settings("c", b"the key of all nodes");
        let for_another = check(&third, &mut Cluster::default(), &asked, &value, at(1000));
        assert_eq!(for_another, Err("it is for another node"));
        let (own, mut cluster) = (settings("b", b"the key of all nodes"), Cluster::default());
        assert!(check(&own, &mut cluster, &asked, &value, at(1000)).is_ok());
        let again = check(&own, &mut cluster, &asked, &value, at(1001));
        assert_eq!(again, Err("it was heard before"));
    }

    #[test]
    fn whatever_is_changed_in_a_word_it_is_not_believed() {
        let asked = request("c1", "t1");
        let value = word(&asked);
        for (from, to) in [
            ("park=p1", "park=p2"),
            ("x.example", "y.example"),
            ("time=1000", "time=1001"),
            ("nonce=n1", "nonce=n2"),
            ("a;", "c;"),
            ("mac=", "mac=0"),
            (";park=p1", ""),
            ("mac=", "mac=\u{e9}"),
        ] {
            assert!(heard(&asked, &value.replacen(from, to, 1), at(1000)).is_err(), "{from}");
        }
        let own = settings("b", b"another key");
        let told = check(&own, &mut Cluster::default(), &asked, &value, at(1000)).unwrap_err();
        assert!(told.contains("is the key the same"), "{told}");
        for garbage in ["", ";;;", "a", "=;mac=zz", "mac=f"] {
            assert!(heard(&asked, garbage, at(1000)).is_err());
        }
    }
}
