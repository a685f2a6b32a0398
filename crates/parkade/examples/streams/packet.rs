//! Packets: RTP with G.711 of 20 ms, whose payload says who has sent it and when.

use std::time::{SystemTime, UNIX_EPOCH};

/// Bytes of one packet: header and 160 samples.
pub(crate) const LENGTH: usize = 172;
/// Samples in one packet.
pub(crate) const SAMPLES: u32 = 160;
/// Nanoseconds of one sample.
pub(crate) const SAMPLE: i64 = 125_000;
/// A packet of an end, not music.
const TALK: [u8; 4] = *b"talk";
/// An RTCP report of one source without reports on others (RFC 3550 §6.4.1), and its CNAME (§6.5.1).
const REPORT: usize = 28 + 16;

/// The time by which packets are stamped when they come, in nanoseconds.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_nanos()).unwrap()
}

/// What the receiver reads in a packet.
pub(crate) struct Read {
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
    /// Nothing if it is no end's, but music.
    pub(crate) talk: Option<Talk>,
}

/// What an end's payload says.
#[derive(Clone, Copy)]
pub(crate) struct Talk {
    /// The measurement that it counts for; 0: none.
    pub(crate) window: u32,
    /// The number of the end.
    pub(crate) sender: u32,
    pub(crate) sent: i64,
}

/// Where one source stands.
#[derive(Clone, Copy)]
pub(crate) struct Source {
    pub(crate) ssrc: u32,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
}

impl Source {
    pub(crate) fn new(number: usize) -> Source {
        let number = u32::try_from(number).unwrap();
        let ssrc = number.wrapping_mul(0x9E37_79B9) ^ 0x5EED_0000;
        Source { ssrc, sequence: (ssrc >> 7) as u16, timestamp: ssrc.rotate_left(9) }
    }

    /// Writes the next packet's header.
    pub(crate) fn next(&mut self, packet: &mut [u8; LENGTH]) {
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(SAMPLES);
        packet[..2].copy_from_slice(&[0x80, 8]);
        packet[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        packet[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        packet[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
    }

    /// A report of this source.
    pub(crate) fn report(&self) -> [u8; REPORT] {
        let mut report = [0; REPORT];
        report[..4].copy_from_slice(&[0x80, 200, 0, 6]);
        report[4..8].copy_from_slice(&self.ssrc.to_be_bytes());
        report[16..20].copy_from_slice(&self.timestamp.to_be_bytes());
        report[28..32].copy_from_slice(&[0x81, 202, 0, 3]);
        report[32..36].copy_from_slice(&self.ssrc.to_be_bytes());
        report[36..42].copy_from_slice(&[1, 4, b'l', b'o', b'a', b'd']);
        report
    }
}

impl Talk {
    pub(crate) fn write(&self, packet: &mut [u8; LENGTH]) {
        packet[12..16].copy_from_slice(&TALK);
        packet[16..20].copy_from_slice(&self.window.to_be_bytes());
        packet[20..24].copy_from_slice(&self.sender.to_be_bytes());
        packet[24..32].copy_from_slice(&self.sent.to_be_bytes());
    }
}

fn four(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// Reads a packet; nothing if it is not as one of ours or as music.
pub(crate) fn read(bytes: &[u8]) -> Option<Read> {
    if bytes.len() < LENGTH || bytes[0] != 0x80 {
        return None;
    }
    let talk = (bytes[12..16] == TALK).then(|| Talk {
        window: four(bytes, 16),
        sender: four(bytes, 20),
        sent: i64::from_be_bytes(bytes[24..32].try_into().unwrap()),
    });
    let sequence = u16::from_be_bytes([bytes[2], bytes[3]]);
    Some(Read { sequence, timestamp: four(bytes, 4), ssrc: four(bytes, 8), talk })
}
