//! What a certificate says: for whom it is, and how long it holds.

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};
use sip_msg::SipUri;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

const DAY: u64 = 24 * 3600;

/// What one certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The names and domains that it is for, in lower case: DNS names, and the hosts of `sip` URIs.
    pub(crate) names: Vec<String>,
    /// The addresses that it is for.
    pub(crate) addresses: Vec<IpAddr>,
    /// Since when it holds.
    pub(crate) not_before: SystemTime,
    /// Until when it holds.
    pub(crate) not_after: SystemTime,
    /// Its SHA-256.
    pub(crate) fingerprint: [u8; 32],
}

impl Facts {
    /// Reads them; none if it is no certificate.
    pub(crate) fn read(der: &[u8]) -> Option<Facts> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let (mut names, mut addresses) = (Vec::new(), Vec::new());
        let alternative = certificate.subject_alternative_name().ok().flatten();
        for name in alternative.iter().flat_map(|names| &names.value.general_names) {
            match name {
                GeneralName::DNSName(name) => names.push(name.to_ascii_lowercase()),
                // Only one without a user is the identity of a server (RFC 5922 §7.1).
                GeneralName::URI(uri) => names.extend(
                    SipUri::read(uri)
                        .filter(|uri| uri.user().is_none())
                        .map(|uri| uri.host().to_ascii_lowercase()),
                ),
                GeneralName::IPAddress(octets) => addresses.extend(address(octets)),
                _ => {}
            }
        }
        names.dedup();
        let validity = certificate.validity();
        Some(Facts {
            names,
            addresses,
            not_before: moment(validity.not_before.timestamp()),
            not_after: moment(validity.not_after.timestamp()),
            fingerprint: Sha256::digest(der).into(),
        })
    }

    /// Whether it is for this host, as a SIP peer that it authenticates (RFC 5922 §7.2: a wildcard is
    /// for nobody).
    pub(crate) fn is_for(&self, host: &str) -> bool {
        match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(ip) => self.addresses.contains(&ip.to_canonical()),
            Err(_) => {
                let host = host.trim_end_matches('.');
                self.names.iter().any(|name| name.eq_ignore_ascii_case(host))
            }
        }
    }

    /// Whether it is what somebody wants who asks for this name, a wildcard standing for one label
    /// (RFC 6125 §6.4.3).
    pub(crate) fn serves(&self, name: &str) -> bool {
        let under = |pattern: &String| match (pattern.strip_prefix("*."), name.split_once('.')) {
            (Some(domain), Some((_, rest))) => domain.eq_ignore_ascii_case(rest),
            _ => false,
        };
        self.is_for(name) || self.names.iter().any(under)
    }

    /// For whom it is, in words.
    pub(crate) fn whom(&self) -> String {
        let addresses = self.addresses.iter().map(ToString::to_string);
        let all: Vec<String> = self.names.iter().cloned().chain(addresses).collect();
        if all.is_empty() { "nobody (it has no subjectAltName)".to_owned() } else { all.join(", ") }
    }

    /// Days until it expires, rounded down; none if it has.
    pub(crate) fn days_left(&self, now: SystemTime) -> Option<u64> {
        self.not_after.duration_since(now).ok().map(|left| left.as_secs() / DAY)
    }

    /// Its last day, as a date.
    pub(crate) fn last_day(&self) -> String {
        day_of(self.not_after)
    }

    /// Its fingerprint, as it is written into a configuration.
    pub(crate) fn fingerprint_text(&self) -> String {
        let hex: Vec<String> = self.fingerprint.iter().map(|byte| format!("{byte:02X}")).collect();
        format!("SHA256:{}", hex.join(":"))
    }
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "for {}; ", self.whom())?;
        let now = SystemTime::now();
        match self.days_left(now) {
            _ if self.not_before > now => write!(f, "not valid yet"),
            None => write!(f, "expired on {}", self.last_day()),
            Some(days) => write!(f, "expires on {}, in {days} days", self.last_day()),
        }
    }
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    let ip = v4.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()?;
    Some(ip.to_canonical())
}

/// The day of a moment, as a date (UTC).
pub(super) fn day_of(at: SystemTime) -> String {
    let text = humantime::format_rfc3339_seconds(at).to_string();
    text.get(..10).unwrap_or_default().to_owned()
}

/// So many seconds after the beginning of 1970.
pub(super) fn moment(seconds: i64) -> SystemTime {
    let seconds = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    UNIX_EPOCH.checked_add(seconds).unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::*;

    fn facts(params: CertificateParams) -> Facts {
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        Facts::read(made.der()).unwrap()
    }

    #[test]
    fn names_addresses_and_sip_uris_are_read_and_a_wildcard_authenticates_nobody() {
        let names = ["Sip.example".to_owned(), "*.lab.example".to_owned(), "192.0.2.50".to_owned()];
        let mut params = CertificateParams::new(names).unwrap();
        params.subject_alt_names.push(SanType::URI("sip:pbx.example".try_into().unwrap()));
        params.subject_alt_names.push(SanType::URI("sip:james@home.example".try_into().unwrap()));
        let facts = facts(params);
        for host in ["sip.example", "SIP.example.", "pbx.example", "192.0.2.50"] {
            assert!(facts.is_for(host), "{host}");
        }
        for host in ["a.lab.example", "home.example", "192.0.2.51", "example"] {
            assert!(!facts.is_for(host), "{host}");
        }
        assert!(facts.serves("a.lab.example") && !facts.serves("a.b.lab.example"));
        assert_eq!(facts.whom(), "sip.example, *.lab.example, pbx.example, 192.0.2.50");
    }

    #[test]
    fn the_days_that_are_left_are_counted_until_it_expires() {
        let mut params = CertificateParams::new(["a.example".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2030, 5, 20);
        let facts = facts(params);
        let day = |n: u64| facts.not_after - Duration::from_secs(n * DAY);
        assert_eq!(facts.days_left(day(3)), Some(3));
        assert_eq!(facts.days_left(day(0) + Duration::from_secs(1)), None);
        assert_eq!(facts.last_day(), "2030-05-20");
    }

    #[test]
    fn what_is_no_certificate_has_no_facts() {
        assert_eq!(Facts::read(b"hello"), None);
        assert_eq!(Facts::read(&[]), None);
    }
}
