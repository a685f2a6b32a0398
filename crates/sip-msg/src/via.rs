//! Via values (RFC 3261 §20.42, RFC 3581).

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use crate::params::Params;
use crate::text::{is_token, trim, trim_end, trim_start};
use crate::uri::host_port;

/// One Via value, as slices of the text it was read from.
#[derive(Debug, Clone)]
pub struct Via<'a> {
    text: &'a str,
    transport: &'a str,
    sent_by: &'a str,
    host: &'a str,
    port: Option<u16>,
    params: Params<'a>,
}

impl<'a> Via<'a> {
    /// Reads one value; blanks around `/` and `:` are forgiven.
    pub fn read(text: &'a str) -> Option<Via<'a>> {
        let text = trim(text);
        let bytes = text.as_bytes();
        let first = memchr::memchr(b'/', bytes)?;
        let second = first + 1 + memchr::memchr(b'/', &bytes[first + 1..])?;
        let named = trim(&text[..first]).eq_ignore_ascii_case("SIP")
            && trim(&text[first + 1..second]) == "2.0";
        let rest = trim_start(&text[second + 1..]);
        let gap = memchr::memchr2(b' ', b'\t', rest.as_bytes())?;
        let (transport, rest) = (&rest[..gap], trim_start(&rest[gap..]));
        let end = memchr::memchr(b';', rest.as_bytes()).unwrap_or(rest.len());
        let (sent_by, params) = (trim_end(&rest[..end]), Params::new(&rest[end..]));
        let (host, port) = match host_port(sent_by) {
            Some(parts) => parts,
            None => spaced_host_port(sent_by)?,
        };
        let good = named && is_token(transport) && params.are_well_formed();
        good.then_some(Via { text, transport, sent_by, host, port, params })
    }

    /// The value as received, trimmed.
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    /// `UDP`, `TCP` …, as received.
    pub fn transport(&self) -> &'a str {
        self.transport
    }

    /// `host[:port]` as received.
    pub fn sent_by(&self) -> &'a str {
        self.sent_by
    }

    /// The host of sent-by; an IPv6 address without brackets.
    pub fn host(&self) -> &'a str {
        self.host
    }

    /// The host of sent-by, if it is an address.
    pub fn host_ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// The port of sent-by, if one is said.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The branch; an empty one counts as none.
    pub fn branch(&self) -> Option<&'a str> {
        self.params.get("branch").filter(|branch| !branch.is_empty())
    }

    /// The `received` parameter, if it is an address.
    pub fn received(&self) -> Option<IpAddr> {
        let value = self.params.get("received")?;
        value.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }

    /// The `rport` parameter: absent, asked for, or filled in (RFC 3581).
    pub fn rport(&self) -> Option<Option<u16>> {
        self.params.get("rport").map(|port| port.parse().ok())
    }

    /// All parameters.
    pub fn params(&self) -> Params<'a> {
        self.params
    }

    /// The value of a parameter, its name in any case.
    pub fn param(&self, name: &str) -> Option<&'a str> {
        self.params.get(name)
    }
}

// `host : port`, which the grammar allows.
fn spaced_host_port(text: &str) -> Option<(&str, Option<u16>)> {
    let colon = memchr::memrchr(b':', text.as_bytes())?;
    let port = trim(&text[colon + 1..]);
    let (host, none) = host_port(trim(&text[..colon]))?;
    (none.is_none() && !port.is_empty()).then_some((host, Some(port.parse().ok()?)))
}

/// The top Via as a server has to note where it came from: `received` when the host differs from
/// the source address (RFC 3261 §18.2.1), and both `received` and `rport` when `rport` was asked
/// for (RFC 3581 §4). None if the value is no Via.
pub fn via_seen_from(value: &str, source: SocketAddr) -> Option<String> {
    let via = Via::read(value)?;
    let wants_port = via.rport().is_some();
    if !wants_port && via.host_ip() == Some(source.ip()) && !via.params.has("received") {
        return Some(via.text.to_owned());
    }
    let mut seen = String::with_capacity(via.text.len() + 48);
    let params_at = via.text.len() - via.params.as_str().len();
    seen.push_str(trim_end(&via.text[..params_at]));
    // Whatever the sender wrote as `received` or `rport` is not for it to say.
    for (name, value) in via.params.iter_raw() {
        if name.eq_ignore_ascii_case("received") {
            continue;
        }
        seen.push(';');
        seen.push_str(name);
        if name.eq_ignore_ascii_case("rport") {
            let _ = write!(seen, "={}", source.port());
        } else if let Some(value) = value {
            seen.push('=');
            seen.push_str(value);
        }
    }
    let _ = write!(seen, ";received={}", source.ip());
    Some(seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found_despite_blanks() {
        let v =
            Via::read("SIP  / 2.0  /TCP     192.0.2.2 : 5062 ;branch = z9hG4bK1; rport").unwrap();
        assert_eq!((v.transport(), v.host(), v.port()), ("TCP", "192.0.2.2", Some(5062)));
        assert_eq!((v.branch(), v.rport(), v.received()), (Some("z9hG4bK1"), Some(None), None));
        let v = Via::read(
            "SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKas3;rport=7",
        )
        .unwrap();
        assert_eq!((v.host(), v.port(), v.rport()), ("2001:db8::9:1", None, Some(Some(7))));
        assert!(v.received().unwrap().is_ipv6());
        assert_eq!(Via::read("SIP/2.0/UDP h;branch=1;").unwrap().branch(), Some("1"));
    }

    #[test]
    fn what_is_no_via_is_refused() {
        for text in [
            "",
            "SIP/2.0/UDP",
            "SIP/3.0/UDP h",
            "HTTP/2.0/UDP h",
            "SIP/2.0/UDP h;;",
            ";",
            "SIP/2.0/UDP h:x",
            "SIP/2.0/UDP ;a",
        ] {
            assert!(Via::read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn the_source_is_noted() {
        let source: SocketAddr = "192.0.2.9:40000".parse().unwrap();
        let noted = |via| via_seen_from(via, source).unwrap();
        assert_eq!(noted("SIP/2.0/UDP 192.0.2.9;branch=1"), "SIP/2.0/UDP 192.0.2.9;branch=1");
        assert_eq!(noted("SIP/2.0/UDP h;branch=1"), "SIP/2.0/UDP h;branch=1;received=192.0.2.9");
        assert_eq!(
            noted("SIP/2.0/UDP 10.0.0.1:5060;rport;branch=1;received=1.2.3.4"),
            "SIP/2.0/UDP 10.0.0.1:5060;rport=40000;branch=1;received=192.0.2.9"
        );
    }
}
