//! A call's messages as a capture file, for Wireshark and sngrep: packets of IP, made from what was
//! said, with the addresses and times that it had.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use base::Transport;
use etherparse::PacketBuilder;
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use pcap_file::{DataLink, PcapError};
use rustc_hash::FxHashMap;

use crate::admin::tap::Seen;
use crate::admin::trace::redact::Redactor;
use crate::clock::Clock;

/// What a packet holds at most beside its headers.
const MOST: usize = 65_535 - 60;
/// How many routers a packet may still pass.
const TTL: u8 = 64;
/// The window of TCP: not ours to know.
const WINDOW: u16 = 65_535;

/// The messages as a file.
///
/// # Errors
/// If a packet cannot be written down.
pub(crate) fn pcap<'s>(
    messages: impl Iterator<Item = &'s Seen>,
    redactor: &Redactor,
    clock: Clock,
) -> Result<Vec<u8>, PcapError> {
    let header = PcapHeader { datalink: DataLink::RAW, ..PcapHeader::default() };
    let mut file = PcapWriter::with_header(Vec::new(), header)?;
    // Streams go on: each direction counts the bytes that it has sent.
    let mut sent: FxHashMap<_, u32> = FxHashMap::default();
    for seen in messages {
        let bytes = redactor.redact(&seen.bytes);
        let bytes = &bytes[..bytes.len().min(MOST)];
        let (from, to) = seen.ends();
        let ip = match (from.ip(), to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                PacketBuilder::ipv4(from.octets(), to.octets(), TTL)
            }
            (from, to) => PacketBuilder::ipv6(as_v6(from), as_v6(to), TTL),
        };
        let mut packet = Vec::with_capacity(bytes.len() + 60);
        let written = match seen.flow.transport {
            Transport::Udp => ip.udp(from.port(), to.port()).write(&mut packet, bytes),
            Transport::Tcp | Transport::Tls => {
                let acknowledged = *sent.entry((to, from)).or_insert(1);
                let number = sent.entry((from, to)).or_insert(1);
                let segment = ip.tcp(from.port(), to.port(), *number, WINDOW);
                *number = number.wrapping_add(bytes.len() as u32);
                segment.psh().ack(acknowledged).write(&mut packet, bytes)
            }
        };
        written.map_err(|error| PcapError::IoError(std::io::Error::other(error)))?;
        let since = clock.wall(seen.at).duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        // The file counts in microseconds.
        let since = Duration::from_micros(since.as_micros() as u64);
        file.write_packet(&PcapPacket::new_owned(since, packet.len() as u32, packet))?;
    }
    Ok(file.into_writer())
}

fn as_v6(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}
