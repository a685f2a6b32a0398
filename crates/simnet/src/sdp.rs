//! The session descriptions of the world's parties: one audio line, G.711, a direction.

use std::fmt::Write;
use std::net::SocketAddr;

use rtp_flow::{Master, Suite};
use sip_msg::{Crypto, Description, Direction};

/// How an audio line is secured: its protocol, and the lines that say so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lock {
    pub(crate) proto: String,
    pub(crate) lines: Vec<String>,
}

/// What the far side said about its audio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FarAudio {
    /// Where it receives RTP; none if the line is refused (port 0) or unreadable.
    pub at: Option<SocketAddr>,
    /// Its direction, seen from its side.
    pub direction: Direction,
    /// Its payload types, best first.
    pub formats: Vec<u8>,
    /// Whether its connection address is `0.0.0.0`, the old way to hold (RFC 2543).
    pub is_black_hole: bool,
    /// The protocol of the line.
    pub proto: String,
    /// Its keys, by their tags.
    pub keys: Vec<(u32, Master)>,
}

impl FarAudio {
    /// Reads the first audio line of a description.
    pub fn read(body: &[u8]) -> Option<FarAudio> {
        let description = Description::read(body).ok()?;
        let audio = description.media().iter().find(|m| m.kind == "audio")?;
        let ip = audio.connection_ip();
        let is_black_hole = ip.is_some_and(|ip| ip.is_unspecified());
        let at = ip
            .filter(|_| audio.port != 0 && !is_black_hole)
            .map(|ip| SocketAddr::new(ip, audio.port));
        let formats = audio.formats.iter().filter_map(|f| f.parse().ok()).collect();
        let master = |line: &Crypto<'_>| {
            let key = line.key?.bytes()?;
            Some((line.tag, Master::new(Suite::by_name(line.suite)?, &key, &[]).ok()?))
        };
        Some(FarAudio {
            at,
            direction: audio.direction,
            formats,
            is_black_hole,
            proto: audio.proto.to_owned(),
            keys: audio.cryptos.iter().filter_map(master).collect(),
        })
    }

    /// Whether the far side wants to be sent audio.
    pub fn wants_audio(&self) -> bool {
        self.direction.receives() && !self.is_black_hole
    }

    /// Whether the far side holds us.
    pub fn holds(&self) -> bool {
        !self.wants_audio()
    }
}

/// The direction with which an offer of this direction is answered by one that would send and
/// receive (RFC 3264 §6.1).
pub(crate) fn mirrored(offered: Direction, wanted: Direction) -> Direction {
    whole(wanted.sends() && offered.receives(), wanted.receives() && offered.sends())
}

fn whole(sends: bool, receives: bool) -> Direction {
    match (sends, receives) {
        (true, true) => Direction::SendRecv,
        (true, false) => Direction::SendOnly,
        (false, true) => Direction::RecvOnly,
        (false, false) => Direction::Inactive,
    }
}

/// Writes a description.
pub(crate) fn write(
    at: SocketAddr,
    lock: &Lock,
    formats: &[u8],
    version: u32,
    direction: Direction,
) -> String {
    let family = if at.is_ipv4() { "IP4" } else { "IP6" };
    let ip = at.ip();
    let listed: Vec<String> = formats.iter().copied().chain([101]).map(|f| f.to_string()).collect();
    let mut text = format!(
        "v=0\r\no=- 7 {version} IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n\
         m=audio {} {} {}\r\n",
        at.port(),
        lock.proto,
        listed.join(" "),
    );
    for format in formats {
        let encoding = match format {
            0 => "PCMU/8000",
            8 => "PCMA/8000",
            9 => "G722/8000",
            18 => "G729/8000",
            3 => "GSM/8000",
            _ => continue,
        };
        let _ = write!(text, "a=rtpmap:{format} {encoding}\r\n");
    }
    let _ = write!(
        text,
        "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na={}\r\n",
        direction.as_str()
    );
    for line in &lock.lines {
        let _ = write!(text, "{line}\r\n");
    }
    text
}
