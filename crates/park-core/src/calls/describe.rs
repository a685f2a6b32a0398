//! SDP of our own, where we are the one who offers or answers: for a retriever, a recalled phone, and
//! a PBX that must be told where to send now. What merely passes is edited in `media`, never rebuilt.

use std::fmt::Write as _;
use std::net::IpAddr;

use rtp_flow::Codec;
use sip_msg::{Description, Direction, Media, Payload};

use crate::calls::srtp::Lock;

/// A description with its text.
pub(crate) type Sdp<'a> = Described<'a>;

/// A description that could be read.
#[derive(Debug)]
pub(crate) struct Described<'a> {
    pub(crate) description: Description<'a>,
}

impl<'a> Described<'a> {
    pub(crate) fn read(text: &'a [u8]) -> Option<Described<'a>> {
        Some(Described { description: Description::read(text).ok()? })
    }

    /// The first audio line that is not refused, and its place.
    pub(crate) fn audio(&self) -> Option<(usize, &Media<'a>)> {
        let lines = self.description.media().iter().enumerate();
        lines.into_iter().find(|(_, media)| media.kind == "audio" && media.port != 0)
    }

    /// The formats of the audio line, in its order.
    pub(crate) fn formats(&self) -> Vec<Format> {
        self.audio().map(|(_, media)| Format::all(media)).unwrap_or_default()
    }
}

/// One payload format of an audio line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) number: u8,
    pub(crate) name: String,
    pub(crate) clock: u32,
    pub(crate) channels: Option<u8>,
    pub(crate) fmtp: Option<String>,
}

impl Format {
    /// The formats of a media line, in its order.
    pub(crate) fn all(media: &Media<'_>) -> Vec<Format> {
        let format = |payload: sip_msg::Payload<'_>| Format {
            number: payload.number,
            name: payload.name.to_string(),
            clock: payload.clock,
            channels: (payload.channels > 1).then_some(payload.channels),
            fmtp: Some(payload.fmtp).filter(|fmtp| !fmtp.is_empty()).map(Into::into),
        };
        media.payloads().map(format).collect()
    }

    /// The formats in which Parkade has music, with our own numbers.
    pub(crate) fn music(codecs: &[Codec]) -> Vec<Format> {
        let mut formats: Vec<Format> = codecs
            .iter()
            .map(|codec| Format {
                number: codec.static_payload_type().unwrap_or(107),
                name: codec.encoding_name().into(),
                clock: codec.clock(),
                channels: (*codec == Codec::Opus).then_some(2),
                fmtp: None,
            })
            .collect();
        formats.push(Format {
            number: 101,
            name: "telephone-event".into(),
            clock: 8000,
            channels: None,
            fmtp: Some("0-16".into()),
        });
        formats
    }

    /// The codec, if it is one in which there can be music.
    pub(crate) fn codec(&self) -> Option<Codec> {
        Codec::by_name(&self.name, self.clock)
    }

    /// Whether it carries speech: not DTMF, not comfort noise.
    pub(crate) fn is_speech(&self) -> bool {
        is_speech(&self.name)
    }

    /// Whether it carries keys (RFC 4733).
    pub(crate) fn is_event(&self) -> bool {
        self.name.eq_ignore_ascii_case("telephone-event")
    }

    /// Whether two descriptions mean the same format, whatever its number.
    pub(crate) fn is_same(&self, other: &Format) -> bool {
        self.name.eq_ignore_ascii_case(&other.name) && self.clock == other.clock
    }
}

/// Whether a format of this name carries speech.
pub(crate) fn is_speech(name: &str) -> bool {
    !["telephone-event", "CN", "red", "ulpfec"].iter().any(|no| no.eq_ignore_ascii_case(name))
}

/// Whether two payloads mean the same format, whatever their numbers.
pub(crate) fn is_same(one: &Payload<'_>, other: &Payload<'_>) -> bool {
    one.name.eq_ignore_ascii_case(other.name) && one.clock == other.clock
}

/// What of `theirs` is also in `ours`, in the order and with the numbers of `theirs`.
pub(crate) fn common(theirs: &[Format], ours: &[Format]) -> Vec<Format> {
    theirs.iter().filter(|format| ours.iter().any(|own| own.is_same(format))).cloned().collect()
}

/// Where we receive, and under which session.
#[derive(Debug, Clone)]
pub(crate) struct Place<'a> {
    pub(crate) origin: &'a str,
    pub(crate) ip: IpAddr,
    pub(crate) port: u16,
}

/// A description with one audio line at `index` among `lines` media lines. The other lines are those
/// of `like`, refused (RFC 3264 §6: an answer has as many lines as its offer).
pub(crate) fn write(
    place: &Place<'_>,
    lock: &Lock,
    formats: &[Format],
    like: Option<&Description<'_>>,
    index: usize,
    direction: Direction,
) -> Vec<u8> {
    let family = if place.ip.is_ipv4() { "IP4" } else { "IP6" };
    let mut text = String::with_capacity(400);
    let _ = write!(text, "v=0\r\no={}\r\ns=-\r\n", place.origin);
    let _ = write!(text, "c=IN {family} {}\r\nt=0 0\r\n", place.ip);
    let lines = like.map_or(1, |like| like.media().len().max(index + 1));
    for i in 0..lines {
        if i == index {
            write_audio(&mut text, place.port, lock, formats, direction);
        } else if let Some(media) = like.and_then(|like| like.media().get(i)) {
            let formats = media.formats.join(" ");
            let _ = write!(text, "m={} 0 {} {formats}\r\n", media.kind, media.proto);
        }
    }
    text.into_bytes()
}

fn write_audio(
    text: &mut String,
    port: u16,
    lock: &Lock,
    formats: &[Format],
    direction: Direction,
) {
    let _ = write!(text, "m=audio {port} {}", lock.proto);
    for format in formats {
        let _ = write!(text, " {}", format.number);
    }
    text.push_str("\r\n");
    for format in formats {
        let _ = write!(text, "a=rtpmap:{} {}/{}", format.number, format.name, format.clock);
        if let Some(channels) = format.channels {
            let _ = write!(text, "/{channels}");
        }
        text.push_str("\r\n");
        if let Some(fmtp) = &format.fmtp {
            let _ = write!(text, "a=fmtp:{} {fmtp}\r\n", format.number);
        }
    }
    for line in &lock.lines {
        let _ = write!(text, "{line}\r\n");
    }
    let _ = write!(text, "a={}\r\n", direction.as_str());
}

/// The `o=` value that follows `last` in the same session: its version counts on (RFC 3264 §8).
pub(crate) fn next_origin(last: &str) -> String {
    let mut parts: Vec<String> = last.split_whitespace().map(Into::into).collect();
    if let Some(version) = parts.get_mut(2) {
        let number = version.parse::<u64>().unwrap_or(0);
        *version = number.wrapping_add(1).to_string();
    }
    parts.join(" ")
}

/// A fresh `o=` value.
pub(crate) fn new_origin(id: u64, ip: IpAddr) -> String {
    let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
    // 63 bits: some phones read it as a signed number.
    format!("- {} 1 IN {family} {ip}", id >> 2)
}
