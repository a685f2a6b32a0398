//! A description with single lines changed.

use std::fmt::Write;
use std::net::IpAddr;

use super::lines::{SdpLine, lines};
use super::media::{Direction, Media};
use super::read::{Description, is_ice};

/// An edit of a description by lines. Lines that no change names stay byte for byte.
#[derive(Debug)]
pub struct Rewrite<'d> {
    description: &'d Description<'d>,
    media: Vec<MediaChange>,
    origin: Option<String>,
}

#[derive(Debug, Clone, Default)]
struct MediaChange {
    anchor: Option<(IpAddr, u16)>,
    direction: Option<Direction>,
    crypto: Option<(String, Vec<String>)>,
}

impl<'d> Rewrite<'d> {
    /// Begins with everything as it is.
    pub fn of(description: &'d Description<'_>) -> Rewrite<'d> {
        let media = vec![MediaChange::default(); description.media().len()];
        Rewrite { description, media, origin: None }
    }

    /// Section `i` is reached at `ip` and `port` (0: refused): its port and `c=`, and `a=rtcp` if there is
    /// one (the next port, or the same if it was the same); its ICE lines go, and those of the
    /// session. If all sections that are in use move to one address, the session's `c=` does too;
    /// otherwise a section that leans on it gets one of its own. `o=` stays.
    #[must_use]
    pub fn anchor(mut self, i: usize, ip: IpAddr, port: u16) -> Self {
        if let Some(change) = self.media.get_mut(i) {
            change.anchor = Some((ip, port));
        }
        self
    }

    /// Section `i` flows this way.
    #[must_use]
    pub fn direction(mut self, i: usize, direction: Direction) -> Self {
        if let Some(change) = self.media.get_mut(i) {
            change.direction = Some(direction);
        }
        self
    }

    /// Section `i` is of this protocol and has these `a=crypto` lines ([`crypto_line`](crate::crypto_line))
    /// and no others.
    #[must_use]
    pub fn crypto(mut self, i: usize, proto: &str, lines: Vec<String>) -> Self {
        if let Some(change) = self.media.get_mut(i) {
            change.crypto = Some((proto.to_owned(), lines));
        }
        self
    }

    /// The whole value of `o=`.
    #[must_use]
    pub fn origin(mut self, origin: &str) -> Self {
        self.origin = Some(origin.to_owned());
        self
    }

    /// The new body.
    pub fn finish(self) -> Vec<u8> {
        let text = self.description.text;
        let eol = match memchr::memchr(b'\n', text) {
            Some(n) if n > 0 && text[n - 1] == b'\r' => "\r\n",
            Some(_) => "\n",
            None => "\r\n",
        };
        let mut out = Out { bytes: Vec::with_capacity(text.len() + 128), eol };
        let session_ip = self.common_ip();
        self.put_session(&mut out, session_ip);
        for (media, change) in self.description.media().iter().zip(&self.media) {
            let section = &text[media.place.clone()];
            match change {
                MediaChange { anchor: None, direction: None, crypto: None } => {
                    out.bytes.extend_from_slice(section)
                }
                change => put_section(&mut out, section, media, change, session_ip),
            }
        }
        out.bytes
    }

    // The address that all sections in use move to, if that is so and the session says one.
    fn common_ip(&self) -> Option<IpAddr> {
        let session = &self.description.text[self.description.session.clone()];
        if !lines(session).any(|line| line.kind == b'c') {
            return None;
        }
        let mut common = None;
        for (media, change) in self.description.media().iter().zip(&self.media) {
            match change.anchor {
                Some((ip, _)) if common.is_none_or(|known| known == ip) => common = Some(ip),
                None if media.port == 0 => {}
                _ => return None,
            }
        }
        common
    }

    fn put_session(&self, out: &mut Out, session_ip: Option<IpAddr>) {
        let text = &self.description.text[self.description.session.clone()];
        let anchored = self.media.iter().any(|change| change.anchor.is_some());
        for line in lines(text) {
            let ice = line.attribute().is_some_and(|(name, _)| is_ice(name));
            match (line.kind, session_ip, &self.origin) {
                (b'c', Some(ip), _) => out.line(format_args!("c={}", connection(ip))),
                (b'o', _, Some(origin)) => out.line(format_args!("o={}", one_line(origin))),
                _ if ice && anchored => {}
                _ => out.copy(text, &line),
            }
        }
    }
}

struct Out {
    bytes: Vec<u8>,
    eol: &'static str,
}

impl Out {
    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        crate::put::put_fmt(&mut self.bytes, text);
        self.bytes.extend_from_slice(self.eol.as_bytes());
    }

    fn copy(&mut self, text: &[u8], line: &SdpLine<'_>) {
        self.bytes.extend_from_slice(&text[line.whole.clone()]);
    }

    // The last line of a body may have come without its end.
    fn close_line(&mut self) {
        if self.bytes.last().is_some_and(|&b| b != b'\n') {
            self.bytes.extend_from_slice(self.eol.as_bytes());
        }
    }
}

fn put_section(
    out: &mut Out,
    section: &[u8],
    media: &Media<'_>,
    change: &MediaChange,
    session_ip: Option<IpAddr>,
) {
    let own_connection = lines(section).any(|line| line.kind == b'c');
    // `c=` stands behind `i=`, if there is one, and before everything else.
    let titled = lines(section).nth(1).is_some_and(|line| line.kind == b'i');
    let mut missing = match change.anchor {
        Some((ip, _)) if !own_connection && session_ip.is_none() => Some(ip),
        _ => None,
    };
    let mut connected = false;
    let mut directed = false;
    for line in lines(section) {
        let name = line.attribute().map_or("", |(name, _)| name);
        match (line.kind, change.anchor, change.direction) {
            (b'm', anchor, _) if anchor.is_some() || change.crypto.is_some() => {
                out.line(format_args!("m={}", media_line(line.value, anchor, change)))
            }
            (b'a', ..) if name == "crypto" && change.crypto.is_some() => {}
            (b'c', Some((ip, _)), _) => {
                if !std::mem::replace(&mut connected, true) {
                    out.line(format_args!("c={}", connection(ip)));
                }
            }
            (b'a', Some((ip, port)), _) if name == "rtcp" => {
                out.line(format_args!("a=rtcp:{}", rtcp(media, &line, ip, port)));
            }
            (b'a', Some(_), _) if is_ice(name) => {}
            (b'a', _, Some(direction)) if Direction::of(name).is_some() => {
                if !std::mem::replace(&mut directed, true) {
                    out.line(format_args!("a={}", direction.as_str()));
                }
            }
            _ => out.copy(section, &line),
        }
        let here = line.kind == if titled { b'i' } else { b'm' };
        if here && let Some(ip) = missing.take() {
            out.close_line();
            out.line(format_args!("c={}", connection(ip)));
        }
    }
    // A direction that the session level says already needs no line.
    if let Some(direction) = change.direction
        && !directed
        && direction != media.direction
    {
        out.close_line();
        out.line(format_args!("a={}", direction.as_str()));
    }
    for line in change.crypto.iter().flat_map(|(_, lines)| lines) {
        out.close_line();
        out.line(format_args!("{}", one_line(line)));
    }
}

fn connection(ip: IpAddr) -> String {
    format!("IN IP{} {ip}", if ip.is_ipv4() { 4 } else { 6 })
}

/// What stands between words where they are read, too: a stray CR is no end of a line.
fn is_blank(letter: char) -> bool {
    letter.is_ascii_whitespace()
}

// `audio 49170/2 RTP/AVP 0 8`: one pair of ports is all that is moved.
fn with_port(value: &str, port: u16) -> String {
    let Some((kind, rest)) = value.split_once(is_blank) else {
        return value.to_owned();
    };
    let rest = rest.trim_start();
    let after = rest.find(is_blank).map_or("", |i| &rest[i..]);
    format!("{kind} {port}{after}")
}

// The words of an `m=` line that change.
fn media_line(value: &str, anchor: Option<(IpAddr, u16)>, change: &MediaChange) -> String {
    let value = match anchor {
        Some((_, port)) => with_port(value, port),
        None => value.to_owned(),
    };
    match &change.crypto {
        Some((proto, _)) => with_proto(&value, proto),
        None => value,
    }
}

fn with_proto(value: &str, proto: &str) -> String {
    let mut words: Vec<&str> = value.split(is_blank).filter(|word| !word.is_empty()).collect();
    if let Some(word) = words.get_mut(2) {
        *word = proto;
    }
    words.join(" ")
}

fn rtcp(media: &Media<'_>, line: &SdpLine<'_>, ip: IpAddr, port: u16) -> String {
    let same = media.rtcp_mux || media.rtcp.is_some_and(|(rtcp, _)| rtcp == media.port);
    let rtcp = if same || port == 0 { port } else { port.saturating_add(1) };
    let mut value = rtcp.to_string();
    let says_address = line.value.split_ascii_whitespace().count() > 1;
    if says_address {
        let _ = write!(value, " {}", connection(ip));
    }
    value
}

fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}
