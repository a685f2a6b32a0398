//! A view of a whole session description. Lenient: what is not needed is not looked at.

use std::net::IpAddr;
use std::ops::Range;

use super::crypto::Crypto;
use super::lines::{SdpLine, lines};
use super::media::{Direction, Media};

/// Why a body could not be read as SDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSdp {
    /// It does not begin with `v=`.
    #[error("does not begin with v=")]
    NoVersion,
    /// There is no `o=`.
    #[error("no o=")]
    NoOrigin,
    /// An `m=` line does not say kind, port, protocol and format.
    #[error("bad m=")]
    BadMedia,
    /// A `c=` line does not say an address.
    #[error("bad c=")]
    BadConnection,
}

/// A session description, as slices of the body it was read from.
#[derive(Debug, Clone)]
pub struct Description<'a> {
    pub(crate) text: &'a [u8],
    origin: &'a str,
    media: Vec<Media<'a>>,
    // The lines before the first m=.
    pub(crate) session: Range<usize>,
}

// What the session level says for all media.
#[derive(Default)]
struct Session<'a> {
    connection: Option<&'a str>,
    direction: Direction,
    crypto: bool,
    fingerprint: bool,
    ice: bool,
}

impl<'a> Description<'a> {
    /// Reads a body: CRLF or LF, any order of lines, unknown lines and attributes skipped.
    ///
    /// # Errors
    /// What is so broken that no answer could be made from it.
    pub fn read(text: &'a [u8]) -> Result<Description<'a>, BadSdp> {
        let mut first = true;
        let mut origin = None;
        let mut session = Session::default();
        let mut media: Vec<Media<'a>> = Vec::with_capacity(1);
        for line in lines(text) {
            if std::mem::take(&mut first) && line.kind != b'v' {
                return Err(BadSdp::NoVersion);
            }
            if line.kind == b'm' {
                media.push(begin(&line, &session)?);
                continue;
            }
            match media.last_mut() {
                Some(section) => {
                    section.place.end = line.whole.end;
                    in_media(section, &line)?;
                }
                None if line.kind == b'o' => origin = origin.or(Some(line.value)),
                None => in_session(&mut session, &line)?,
            }
        }
        if first {
            return Err(BadSdp::NoVersion);
        }
        let end = media.first().map_or(text.len(), |section| section.place.start);
        let origin = origin.ok_or(BadSdp::NoOrigin)?;
        Ok(Description { text, origin, media, session: 0..end })
    }

    /// The value of `o=`.
    pub fn origin(&self) -> &'a str {
        self.origin
    }

    /// Session id and version of `o=` (RFC 3264 §8: the version rises by one with each change).
    pub fn origin_ids(&self) -> Option<(u64, u64)> {
        let mut words = self.origin.split_ascii_whitespace().skip(1);
        Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
    }

    /// The media sections, in order.
    pub fn media(&self) -> &[Media<'a>] {
        &self.media
    }

    /// The first audio section that is not refused, with its place in the order.
    pub fn audio(&self) -> Option<(usize, &Media<'a>)> {
        self.media.iter().enumerate().find(|(_, m)| m.kind == "audio" && m.port != 0)
    }

    /// The body as received.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.text
    }
}

fn begin<'a>(line: &SdpLine<'a>, session: &Session<'a>) -> Result<Media<'a>, BadSdp> {
    let mut words = line.value.split_ascii_whitespace();
    let (Some(kind), Some(port), Some(proto)) = (words.next(), words.next(), words.next()) else {
        return Err(BadSdp::BadMedia);
    };
    let port = port.split('/').next().unwrap_or(port).parse().map_err(|_| BadSdp::BadMedia)?;
    let mut formats = Vec::with_capacity(8);
    formats.extend(words);
    // Most formats have a map: room for all at once, as this is read for each offer and answer.
    let rtpmaps = Vec::with_capacity(formats.len());
    Ok(Media {
        kind,
        port,
        proto,
        formats,
        connection: session.connection,
        rtcp: None,
        rtcp_mux: false,
        direction: session.direction,
        rtpmaps,
        fmtps: Vec::new(),
        ptime: None,
        crypto: session.crypto,
        cryptos: Vec::new(),
        fingerprint: session.fingerprint,
        ice: session.ice,
        place: line.whole.clone(),
    })
}

fn in_session<'a>(session: &mut Session<'a>, line: &SdpLine<'a>) -> Result<(), BadSdp> {
    if line.kind == b'c' {
        session.connection = Some(address(line.value)?);
    } else if let Some((name, _)) = line.attribute() {
        if let Some(direction) = Direction::of(name) {
            session.direction = direction;
        }
        session.crypto |= is_crypto(name);
        session.fingerprint |= name == "fingerprint";
        session.ice |= is_ice(name);
    }
    Ok(())
}

fn in_media<'a>(media: &mut Media<'a>, line: &SdpLine<'a>) -> Result<(), BadSdp> {
    if line.kind == b'c' {
        media.connection = Some(address(line.value)?);
        return Ok(());
    }
    let Some((name, value)) = line.attribute() else {
        return Ok(());
    };
    match name {
        "rtpmap" => media.rtpmaps.extend(numbered(value)),
        "fmtp" => media.fmtps.extend(numbered(value)),
        "rtcp" => media.rtcp = rtcp(value),
        "rtcp-mux" => media.rtcp_mux = true,
        "crypto" => {
            media.crypto = true;
            media.cryptos.extend(Crypto::read(value));
        }
        "ptime" => media.ptime = value.parse().ok(),
        _ => {
            if let Some(direction) = Direction::of(name) {
                media.direction = direction;
            }
            media.crypto |= is_crypto(name);
            media.fingerprint |= name == "fingerprint";
            media.ice |= is_ice(name);
        }
    }
    Ok(())
}

// `IN IP4 224.2.1.1/127/3`: the address only.
fn address(value: &str) -> Result<&str, BadSdp> {
    let address = value.split_ascii_whitespace().nth(2).ok_or(BadSdp::BadConnection)?;
    Ok(address.split('/').next().unwrap_or(address))
}

fn numbered(value: &str) -> Option<(u8, &str)> {
    let (number, rest) = value.split_once([' ', '\t'])?;
    Some((number.parse().ok()?, rest.trim()))
}

fn rtcp(value: &str) -> Option<(u16, Option<IpAddr>)> {
    let mut words = value.split_ascii_whitespace();
    let port = words.next()?.parse().ok()?;
    Some((port, words.nth(2).and_then(|ip| ip.parse().ok())))
}

fn is_crypto(name: &str) -> bool {
    matches!(name, "crypto" | "fingerprint")
}

/// Whether an attribute of that name is about ICE (RFC 8839).
pub(crate) fn is_ice(name: &str) -> bool {
    name == "candidate"
        || name == "end-of-candidates"
        || name == "remote-candidates"
        || name.starts_with("ice-")
}
