//! Single values as they are written: what each one allows, and what to write instead.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use base::{Domain, Transport};
use park_core::{Network, RecallThen};
use rtp_flow::Clip;
use sip_msg::SipUri;

use crate::config::admin::AdminListen;
use crate::config::raw::listed;
use crate::config::settings::{Listen, Music, SOUND_FILES};

/// `udp:0.0.0.0:5060`, `tcp:[::]:5060`, `tls:0.0.0.0:5061`.
pub(super) fn listen(text: &str) -> Result<Listen, String> {
    let wanted =
        "write udp:ADDRESS:PORT, tcp:ADDRESS:PORT or tls:ADDRESS:PORT, an IPv6 address in [ ]";
    let (transport, address) =
        text.split_once(':').ok_or_else(|| format!("{text:?} has no transport; {wanted}"))?;
    let transport = match transport {
        "udp" => Transport::Udp,
        "tcp" => Transport::Tcp,
        "tls" => Transport::Tls,
        _ => return Err(format!("{text:?} has an unknown transport; {wanted}")),
    };
    match address.parse::<SocketAddr>() {
        Ok(address) => Ok(Listen { transport, address }),
        Err(_) if address.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() => {
            Err(format!("{text:?} has no port; {wanted}"))
        }
        Err(_) => Err(format!("{text:?} has no readable address and port; {wanted}")),
    }
}

impl std::str::FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Listen, String> {
        listen(text)
    }
}

/// `127.0.0.1:5088`, or `off`.
pub(super) fn admin_listen(text: &str) -> Result<AdminListen, String> {
    if text == "off" {
        return Ok(AdminListen::Off);
    }
    text.parse().map(AdminListen::At).map_err(|_| {
        format!("{text:?} is no address and port; write 127.0.0.1:5088, [::1]:5088 or off")
    })
}

/// `192.0.2.9:9060`.
pub(super) fn collector(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("{text:?} is no address and port; write 192.0.2.9:9060"))
}

/// An address of the web.
pub(super) fn web_address(text: &str) -> Result<String, String> {
    let wanted = "write https://HOST/PATH, or http://HOST/PATH within your own network";
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match host.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default()) {
        None | Some("") => Err(format!("{text:?} is no address of the web; {wanted}")),
        Some(_) if text.chars().any(|c| c.is_control() || c.is_whitespace()) => {
            Err(format!("{text:?} holds a space; {wanted}"))
        }
        Some(_) => Ok(text.to_owned()),
    }
}

/// One IP address.
pub(super) fn address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("{text:?} is no IP address"))
}

/// One IP address that others can reach: no wildcard.
pub(super) fn advertised(text: &str) -> Result<IpAddr, String> {
    let ip = address(text)?;
    if ip.is_unspecified() || ip.is_multicast() {
        return Err(format!("{text:?} cannot be reached by anyone; write the address to be told"));
    }
    Ok(ip)
}

/// `192.0.2.0/24`, or one address.
pub(super) fn network(text: &str) -> Result<Network, String> {
    let (ip, prefix) = text.split_once('/').map_or((text, None), |(ip, p)| (ip, Some(p)));
    let address: IpAddr = ip.parse().map_err(|_| {
        format!("{text:?} is no network; write ADDRESS/PREFIX, such as 192.0.2.0/24")
    })?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let Some(prefix) = prefix else { return Ok(Network { address, prefix: most }) };
    match prefix.parse() {
        Ok(prefix) if prefix <= most => Ok(Network { address, prefix }),
        _ => Err(format!("{text:?} has no prefix length from 0 to {most}")),
    }
}

/// A SIP URI of the PBX.
pub(super) fn target(text: &str) -> Result<String, String> {
    let wanted = "write sip:HOST, sip:HOST:PORT, sip:HOST;transport=tcp, sip:HOST;transport=tls or sips:HOST";
    let uri = SipUri::read(text).ok_or_else(|| format!("{text:?} is no SIP URI; {wanted}"))?;
    let host = uri.host();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if host.is_empty() || (uri.host_ip().is_none() && !host.chars().all(plain)) {
        return Err(format!("{text:?} has no readable host; {wanted}"));
    }
    let is_one_of = |t: &str, all: &[&str]| all.iter().any(|one| t.eq_ignore_ascii_case(one));
    match uri.param("transport") {
        None => {}
        Some(t) if uri.is_sips() && is_one_of(t, &["udp"]) => {
            return Err(format!("{text:?} asks for TLS and for UDP; {wanted}"));
        }
        Some(t) if is_one_of(t, &["udp", "tcp", "tls"]) => {}
        Some(t) => return Err(format!("transport {t:?} is not spoken here; {wanted}")),
    }
    Ok(text.to_owned())
}

/// A domain.
pub(super) fn domain(text: &str) -> Result<Domain, String> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    if text.is_empty() || !text.chars().all(plain) {
        return Err(format!("{text:?} is no domain; write it as it stands in the phones' URIs"));
    }
    Ok(Domain::from(text.to_ascii_lowercase()))
}

/// `30000-39999`.
pub(super) fn ports(text: &str) -> Result<(u16, u16), String> {
    let wanted = "write FIRST-LAST, such as 30000-39999";
    let (first, last) = text.split_once('-').ok_or_else(|| format!("{text:?}: {wanted}"))?;
    let one = |t: &str| t.trim().parse::<u16>().map_err(|_| format!("{text:?}: {wanted}"));
    let (first, last) = (one(first)?, one(last)?);
    if last < first {
        return Err(format!("{text:?} runs backwards; write \"{last}-{first}\""));
    }
    if first < 1024 {
        return Err(format!("{text:?} begins among the system's ports; begin at 1024 or later"));
    }
    let first_even = first.next_multiple_of(2);
    if last <= first_even {
        return Err(format!("{text:?} holds no pair of an even port and the next one"));
    }
    Ok((first, last))
}

/// `builtin`, or a path from `folder` on.
pub(super) fn music(text: &str, folder: &Path) -> Result<Music, String> {
    if text == "builtin" {
        return Ok(Music::BuiltIn);
    }
    let path = folder.join(text);
    if text.is_empty() || !path.exists() {
        return Err(format!("{text:?} is not there; write \"builtin\", a file or a folder"));
    }
    Ok(Music::Path(path))
}

/// How the file of a sign's prompt is called, without its ending.
pub(super) fn sign_name(sign: char) -> String {
    match sign {
        '*' => "star".to_owned(),
        '#' => "hash".to_owned(),
        digit => digit.to_string(),
    }
}

/// A folder with a sound file for each sign of a number: `0.wav` to `9.wav`, `star.wav`, `hash.wav`.
pub(super) fn prompts(text: &str, folder: &Path) -> Result<Vec<(char, PathBuf)>, String> {
    let path = folder.join(text);
    if text.is_empty() || !path.is_dir() {
        return Err(format!("{text:?} is no folder; write one that has 0.wav to 9.wav"));
    }
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for sign in Clip::signs() {
        let name = sign_name(sign);
        let files = SOUND_FILES.iter().map(|kind| path.join(format!("{name}.{kind}")));
        match files.into_iter().find(|file| file.is_file()) {
            Some(file) => found.push((sign, file)),
            None => missing.push(format!("{name}.wav")),
        }
    }
    if missing.is_empty() {
        return Ok(found);
    }
    let missing: Vec<&str> = missing.iter().map(String::as_str).collect();
    Err(format!(
        "{text:?} has no {}; there must be one for each digit, star and hash (.flac, .mp3 and .ogg do too)",
        listed(&missing)
    ))
}

/// A code or a number that can be dialled.
pub(super) fn dialable(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("\"\" cannot be dialled".into());
    }
    if text.ends_with('#') {
        return Err(format!("{text:?} ends in #, which is stripped from what is dialled"));
    }
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '*' | '#' | '+' | '-' | '_' | '.');
    match text.chars().find(|c| !plain(*c)) {
        Some(c) => Err(format!("{text:?} cannot be dialled because of {c:?}")),
        None => Ok(text.to_owned()),
    }
}

/// At most this many slots in one range; more are surely a slip of the finger.
const MOST_SLOTS: u32 = 10_000;

/// `701-720`, `701-720, 731`, or nothing. The width is that of the first number as written.
pub(super) fn slots(text: &str) -> Result<Vec<(u32, u32, usize)>, String> {
    let pieces = text.split(',').map(str::trim).filter(|piece| !piece.is_empty());
    pieces.map(slot_range).collect()
}

fn slot_range(piece: &str) -> Result<(u32, u32, usize), String> {
    let number = |t: &str| {
        let t = t.trim();
        let digits = !t.is_empty() && t.len() <= 9 && t.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| t.parse::<u32>().ok()).flatten().ok_or_else(|| {
            format!("{piece:?} is no range of numbers; write FIRST-LAST, such as 701-720")
        })
    };
    let (first_text, last_text) = piece.split_once('-').unwrap_or((piece, piece));
    let (first_text, last_text) = (first_text.trim(), last_text.trim());
    let (first, last) = (number(first_text)?, number(last_text)?);
    if last < first {
        return Err(format!("{piece:?} runs backwards; write \"{last_text}-{first_text}\""));
    }
    if first_text.len() != last_text.len() {
        return Err(format!(
            "{piece:?} goes from {} to {} digits; write one range for each width",
            first_text.len(),
            last_text.len()
        ));
    }
    if last - first >= MOST_SLOTS {
        return Err(format!(
            "{piece:?} holds {} slots; {MOST_SLOTS} is the most",
            last - first + 1
        ));
    }
    Ok((first, last, first_text.len()))
}

/// `stay`, `hangup`, a SIP URI or a number.
pub(super) fn then(text: &str) -> Result<RecallThen, String> {
    match text {
        "stay" => return Ok(RecallThen::Stay),
        "hangup" => return Ok(RecallThen::Hangup),
        _ => {}
    }
    let number = text.bytes().any(|b| b.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'*' | b'#' | b'+'));
    if number || SipUri::read(text).is_some() {
        return Ok(RecallThen::Transfer(text.to_owned()));
    }
    let near = crate::config::raw::nearest(text, ["stay", "hangup"]);
    Err(format!(
        "{text:?} is none of stay, hangup, a SIP URI or a number{}",
        crate::config::raw::meant(near)
    ))
}

/// What goes into a header or on a terminal must not end its line.
pub(super) fn one_line(text: &str) -> Result<String, String> {
    match text.chars().find(|c| c.is_control()) {
        Some(_) => Err(format!("{text:?} holds a control character")),
        None => Ok(text.to_owned()),
    }
}

/// A regular expression.
pub(super) fn pattern(text: &str) -> Result<regex::Regex, String> {
    regex::Regex::new(text).map_err(|error| no_pattern(text, &error.to_string()))
}

/// Why this is no regular expression. What the library says ends with its reason.
pub(super) fn no_pattern(text: &str, why: &str) -> String {
    let last = why.lines().last().unwrap_or_default().trim();
    let last = last.strip_prefix("error: ").unwrap_or(last);
    format!("{text:?} is no pattern: {last}")
}
