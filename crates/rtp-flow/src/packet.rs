//! The fixed RTP header (RFC 3550 §5.1), read and rewritten in place, and what tells RTCP from RTP.

use rtp_rs::RtpReader;

/// The fields of an RTP header that a relay looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) marker: bool,
    pub(crate) payload_type: u8,
    pub(crate) seq: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
    /// Bytes of payload, without padding: what a sender report counts (§6.4.1).
    pub(crate) payload_len: usize,
}

/// The length of a header without extension and contributors.
pub(crate) const HEADER_LEN: usize = 12;

impl Header {
    /// Reads a whole packet's header; none if it is not RTP of version 2 or is cut short.
    pub(crate) fn read(packet: &[u8]) -> Option<Header> {
        let reader = RtpReader::new(packet).ok()?;
        Some(Header {
            marker: reader.mark(),
            payload_type: reader.payload_type(),
            seq: reader.sequence_number().into(),
            timestamp: reader.timestamp(),
            ssrc: reader.ssrc(),
            payload_len: reader.payload().len(),
        })
    }

    /// The payload of a whole packet, without padding; nothing of what is no RTP.
    pub(crate) fn payload_of(packet: &[u8]) -> &[u8] {
        RtpReader::new(packet).map(|reader| reader.payload()).unwrap_or_default()
    }

    /// Writes the fields over those of `packet`; the flags before them stay. A buffer that is too
    /// short is left alone.
    pub(crate) fn write_over(&self, packet: &mut [u8]) {
        let Some(fixed) = packet.first_chunk_mut::<HEADER_LEN>() else { return };
        fixed[1] = self.payload_type & 0x7f | u8::from(self.marker) << 7;
        fixed[2..4].copy_from_slice(&self.seq.to_be_bytes());
        fixed[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        fixed[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
    }

    /// The header as a packet of our own has it: version 2, no padding, extension or contributors.
    pub(crate) fn to_bytes(self) -> [u8; HEADER_LEN] {
        let mut bytes = [0x80; HEADER_LEN];
        self.write_over(&mut bytes);
        bytes
    }
}

/// Whether what came on an RTP port is RTCP. With `mux` it is told by RFC 5761 §4; without, only the
/// packet types that RFC 3551 §6 keeps free of payload types count.
pub(crate) fn is_rtcp(packet: &[u8], mux: bool) -> bool {
    let range = if mux { 64..=95 } else { 72..=76 };
    packet.len() >= 8 && packet[0] >> 6 == 2 && range.contains(&(packet[1] & 0x7f))
}

/// The RTP clock of a static payload type (RFC 3551 §6), if it has one.
pub(crate) fn static_clock(payload_type: u8) -> Option<u32> {
    match payload_type {
        0 | 3..=5 | 7..=9 | 12 | 13 | 15 | 18 => Some(8_000),
        6 => Some(16_000),
        10 | 11 => Some(44_100),
        16 => Some(11_025),
        17 => Some(22_050),
        14 | 25 | 26 | 28 | 31..=34 => Some(90_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Header, is_rtcp};

    #[test]
    fn a_header_is_read_as_it_was_written() {
        let header = Header {
            marker: true,
            payload_type: 8,
            seq: 65_535,
            timestamp: 0xdead_beef,
            ssrc: 7,
            payload_len: 0,
        };
        assert_eq!(Header::read(&header.to_bytes()), Some(header));
    }

    #[test]
    fn what_is_not_rtp_has_no_header() {
        for bytes in
            [&b""[..], b"\x80\x00", b"\x00\x01\x00\x00\x21\x12\xa4\x42abcdefgh", &[0x90; 12]]
        {
            assert_eq!(Header::read(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn rtcp_on_the_rtp_port_is_told_by_its_packet_type() {
        let report = [0x80, 201, 0, 1, 0, 0, 0, 1];
        let feedback_of_later_rfcs = [0x80, 208, 0, 1, 0, 0, 0, 1];
        let speech = [0x80, 0x80 | 8, 0, 1, 0, 0, 0, 1];
        assert!(is_rtcp(&report, false) && is_rtcp(&report, true));
        assert!(!is_rtcp(&feedback_of_later_rfcs, false) && is_rtcp(&feedback_of_later_rfcs, true));
        assert!(!is_rtcp(&speech, true));
    }
}
