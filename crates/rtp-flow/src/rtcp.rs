//! RTCP that fits a stream that has been switched (RFC 3550 §6): reports by the source are renamed to
//! the stream that the listener knows, reports about what the source hears are renamed to what its
//! sender sent. Until something has been switched, RTCP passes as it is, but for BYE: the end of one
//! source is not the end of the stream, and the end of a call is said by SIP.

use crate::egress::{Egress, Feed};
use crate::plan::PairId;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const DESCRIPTION: u8 = 202;
const BYE: u8 = 203;
const APPLICATION: u8 = 204;
const TRANSPORT_FEEDBACK: u8 = 205;
const PAYLOAD_FEEDBACK: u8 = 206;
const GENERIC_NACK: u8 = 1;
const FULL_INTRA_REQUEST: u8 = 4;
const HEAD: usize = 8;
const SENDER_INFO: usize = 20;
const BLOCK: usize = 24;

/// How the identities in RTCP from one far side read to the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Renaming {
    /// The stream that the listener gets.
    stream: Sent,
    /// What of it comes from the sender of this RTCP: its SSRC and timestamp offset.
    source: Option<(u32, u32)>,
    /// The stream that the sender of this RTCP gets, …
    heard_ssrc: u32,
    /// … and what of that comes from the listener: its SSRC and sequence offset.
    heard: Option<(u32, u16)>,
    /// Whether the listener knows the sender by its own name.
    own_name: bool,
    /// Whether nothing needs another name.
    transparent: bool,
}

#[derive(Debug, Clone, Copy)]
struct Sent {
    ssrc: u32,
    packets: u32,
    octets: u32,
}

impl Renaming {
    /// For RTCP from `sender`'s far side to `listener`'s, given the streams that both get.
    pub(crate) fn between(
        sender: PairId,
        to_sender: &Egress,
        listener: PairId,
        to_listener: &Egress,
    ) -> Renaming {
        let fed = |egress: &Egress, by: PairId| match egress.feed {
            Some(Feed::Relayed(source)) if source.from == by => Some(source),
            _ => None,
        };
        Renaming {
            stream: Sent {
                ssrc: to_listener.ssrc,
                packets: to_listener.packets,
                octets: to_listener.octets,
            },
            source: fed(to_listener, sender).map(|s| (s.ssrc, s.timestamp_offset)),
            heard_ssrc: to_sender.ssrc,
            heard: fed(to_sender, listener).map(|s| (s.ssrc, s.seq_offset)),
            own_name: !to_listener.switched,
            transparent: !to_sender.switched && !to_listener.switched,
        }
    }

    /// The SSRC by which the listener knows the sender.
    fn sender(&self, ssrc: u32) -> u32 {
        match self.source {
            _ if self.own_name => ssrc,
            Some((source, _)) if source != ssrc => ssrc,
            _ => self.stream.ssrc,
        }
    }

    fn is_source(&self, ssrc: u32) -> bool {
        self.source.is_some_and(|(source, _)| source == ssrc)
    }

    /// What the listener calls the stream that the sender calls `ssrc`.
    fn heard(&self, ssrc: u32) -> Option<(u32, u16)> {
        self.heard.filter(|_| ssrc == self.heard_ssrc)
    }

    /// Rewrites a compound packet in place; returns how many bytes are left of it. None if it is not
    /// RTCP of version 2 or is cut short.
    pub(crate) fn apply(&self, compound: &mut [u8]) -> Option<usize> {
        let (mut read, mut written) = (0, 0);
        while read < compound.len() {
            let rest = &compound[read..];
            if rest.len() < 4 || rest[0] >> 6 != 2 {
                return None;
            }
            let len = 4 * (usize::from(u16::from_be_bytes([rest[2], rest[3]])) + 1);
            if rest.len() < len {
                return None;
            }
            let kept = self.one(&mut compound[read..read + len]);
            compound.copy_within(read..read + kept, written);
            read += len;
            written += kept;
        }
        Some(written)
    }

    /// Rewrites one packet; returns how many bytes of it are kept, from its start.
    fn one(&self, packet: &mut [u8]) -> usize {
        let (kind, len) = (packet[1], packet.len());
        if kind == BYE {
            return 0;
        }
        if self.transparent {
            return len;
        }
        match kind {
            SENDER_REPORT if len >= HEAD + SENDER_INFO => self.sender_report(packet),
            RECEIVER_REPORT if len >= HEAD => self.blocks(packet, HEAD),
            DESCRIPTION => self.description(packet),
            APPLICATION if len >= HEAD => {
                put(packet, 4, self.sender(get(packet, 4)));
                len
            }
            TRANSPORT_FEEDBACK | PAYLOAD_FEEDBACK if len >= 12 => self.feedback(packet),
            // Extended reports and what is unknown may hold SSRCs anywhere.
            _ => 0,
        }
    }

    fn sender_report(&self, packet: &mut [u8]) -> usize {
        let ssrc = get(packet, 4);
        match self.source {
            _ if self.own_name => self.blocks(packet, HEAD + SENDER_INFO),
            Some((_, offset)) if self.is_source(ssrc) => {
                put(packet, 16, get(packet, 16).wrapping_add(offset));
                put(packet, 20, self.stream.packets);
                put(packet, 24, self.stream.octets);
                self.blocks(packet, HEAD + SENDER_INFO)
            }
            _ => {
                // Its clock says nothing about this stream: only what it hears is reported.
                packet[1] = RECEIVER_REPORT;
                packet.copy_within(HEAD + SENDER_INFO.., HEAD);
                let len = packet.len() - SENDER_INFO;
                self.blocks(&mut packet[..len], HEAD)
            }
        }
    }

    /// Renames the sender and the report blocks from `start` on, leaving out those about what the
    /// listener did not send.
    fn blocks(&self, packet: &mut [u8], start: usize) -> usize {
        put(packet, 4, self.sender(get(packet, 4)));
        let count = usize::from(packet[0] & 0x1f);
        let (mut kept, mut written) = (0, start);
        for i in 0..count {
            let at = start + i * BLOCK;
            if at + BLOCK > packet.len() {
                break;
            }
            let Some((ssrc, offset)) = self.heard(get(packet, at)) else { continue };
            put(packet, at, ssrc);
            put(packet, at + 8, get(packet, at + 8).wrapping_sub(u32::from(offset)));
            packet.copy_within(at..at + BLOCK, written);
            written += BLOCK;
            kept += 1;
        }
        packet[0] = packet[0] & 0xc0 | kept;
        set_length(packet, written)
    }

    /// Renames the source in a description; chunks are told apart only by their first, which is all
    /// that an endpoint sends.
    fn description(&self, packet: &mut [u8]) -> usize {
        if packet.len() >= HEAD && packet[0] & 0x1f >= 1 {
            put(packet, 4, self.sender(get(packet, 4)));
        }
        packet.len()
    }

    /// RFC 4585 §6.1: who says it, about which stream, and what.
    fn feedback(&self, packet: &mut [u8]) -> usize {
        let format = packet[0] & 0x1f;
        put(packet, 4, self.sender(get(packet, 4)));
        if packet[1] == PAYLOAD_FEEDBACK && format == FULL_INTRA_REQUEST {
            for at in (12..packet.len().saturating_sub(7)).step_by(8) {
                if let Some((ssrc, _)) = self.heard(get(packet, at)) {
                    put(packet, at, ssrc);
                }
            }
            return packet.len();
        }
        let Some((ssrc, offset)) = self.heard(get(packet, 8)) else { return 0 };
        put(packet, 8, ssrc);
        if packet[1] == TRANSPORT_FEEDBACK && format == GENERIC_NACK {
            for at in (12..packet.len().saturating_sub(3)).step_by(4) {
                let missing = u16::from_be_bytes([packet[at], packet[at + 1]]);
                packet[at..at + 2].copy_from_slice(&missing.wrapping_sub(offset).to_be_bytes());
            }
        }
        packet.len()
    }
}

/// A report block (RFC 3550 §6.4.1) about one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    /// In 256ths.
    pub(crate) fraction_lost: u8,
    pub(crate) lost: i32,
    /// In ticks of the stream's clock.
    pub(crate) jitter: u32,
}

/// What a compound packet reports of the stream `ssrc`, if it does.
pub(crate) fn reported(compound: &[u8], ssrc: u32) -> Option<Block> {
    let mut rest = compound;
    while rest.len() >= HEAD && rest[0] >> 6 == 2 {
        let len = 4 * (usize::from(u16::from_be_bytes([rest[2], rest[3]])) + 1);
        let packet = rest.get(..len)?;
        let start = match packet[1] {
            SENDER_REPORT => HEAD + SENDER_INFO,
            RECEIVER_REPORT => HEAD,
            _ => len,
        };
        let blocks = packet.get(start..).unwrap_or_default().chunks_exact(BLOCK);
        let mut said = blocks.take(usize::from(packet[0] & 0x1f));
        if let Some(block) = said.find(|block| get(block, 0) == ssrc) {
            let both = get(block, 4);
            // The count of lost packets has 24 bits and a sign.
            let lost = ((both << 8) as i32) >> 8;
            return Some(Block { fraction_lost: block[4], lost, jitter: get(block, 12) });
        }
        rest = &rest[len..];
    }
    None
}

/// The 32-bit number at `at`, which the caller knows to be inside.
fn get(packet: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([packet[at], packet[at + 1], packet[at + 2], packet[at + 3]])
}

fn put(packet: &mut [u8], at: usize, value: u32) {
    packet[at..at + 4].copy_from_slice(&value.to_be_bytes());
}

/// Writes the length of a packet cut to `len` bytes; profile-specific extensions go with the cut.
fn set_length(packet: &mut [u8], len: usize) -> usize {
    let words = (len / 4).saturating_sub(1) as u16;
    packet[2..4].copy_from_slice(&words.to_be_bytes());
    packet[0] &= !0x20;
    len
}
