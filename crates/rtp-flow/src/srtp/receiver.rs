//! What comes encrypted from a far side: whether it is genuine and new, and what it says.

use std::time::Duration;

use base::Moment;
use smallvec::SmallVec;

use crate::srtp::index::{Seen, rollovers};
use crate::srtp::master::Master;
use crate::srtp::transform::{Misfit, Transform};

/// Sources that are remembered at a time; the one that has spoken least recently makes room.
const MOST_SOURCES: usize = 8;
/// How many rollovers may have passed unseen: at 50 packets a second, close to four days.
const MOST_ROLLOVERS: u64 = 256;
/// How often they are searched: what a forger can have us do is bounded by this.
const SEARCH_EVERY: Duration = Duration::from_millis(50);

/// Why a packet is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejected {
    /// It is too short, or not RTP.
    Malformed,
    /// Its tag is wrong: it was not sent by whoever has the key.
    Forged,
    /// It has come before, or is too old to tell.
    Replayed,
}

impl From<Misfit> for Rejected {
    fn from(_: Misfit) -> Rejected {
        Rejected::Malformed
    }
}

/// The cryptographic context of what comes from one far side (RFC 3711 §3.2).
#[derive(Debug)]
pub struct SrtpReceiver {
    transform: Transform,
    /// By SSRC; who spoke last is the last.
    rtp: SmallVec<[(u32, Seen); 2]>,
    rtcp: SmallVec<[(u32, Seen); 2]>,
    search_at: Moment,
}

impl SrtpReceiver {
    /// One that has received nothing.
    pub fn new(master: &Master) -> SrtpReceiver {
        SrtpReceiver {
            transform: Transform::new(master),
            rtp: SmallVec::new(),
            rtcp: SmallVec::new(),
            search_at: Moment::ZERO,
        }
    }

    /// Checks an RTP packet and decrypts it in place; gives how many bytes are left of it. How often a
    /// source's numbers have run over before it was heard here is found by its tag.
    ///
    /// # Errors
    /// Why it must not be used; then it is as it was.
    pub fn rtp(&mut self, now: Moment, packet: &mut [u8]) -> Result<usize, Rejected> {
        let fixed = packet.first_chunk::<12>().ok_or(Rejected::Malformed)?;
        let seq = u16::from_be_bytes([fixed[2], fixed[3]]);
        let ssrc = u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]);
        let known = self.rtp.iter().find(|(known, _)| *known == ssrc).map(|(_, seen)| *seen);
        let likely = match known {
            Some(seen) => seen.index_of(seq).ok_or(Rejected::Replayed)?,
            None => u64::from(seq),
        };
        if known.is_some_and(|seen| seen.has(likely)) {
            return Err(Rejected::Replayed);
        }
        let searches = now >= self.search_at;
        let further = if searches { MOST_ROLLOVERS } else { 0 };
        let mut tried = 0;
        let indices = (0..=further).map(|n| likely + (n << 16)).inspect(|_| tried += 1);
        let found = self.transform.open(packet, indices)?;
        if tried > 1 {
            self.search_at = now + SEARCH_EVERY;
        }
        let (index, len) = found.ok_or(Rejected::Forged)?;
        note(&mut self.rtp, ssrc, index);
        Ok(len)
    }

    /// The same for a compound RTCP packet.
    ///
    /// # Errors
    /// Why it must not be used.
    pub fn rtcp(&mut self, packet: &mut [u8]) -> Result<usize, Rejected> {
        let index = u64::from(self.transform.rtcp_index(packet).ok_or(Rejected::Malformed)?);
        let fixed = packet.first_chunk::<8>().ok_or(Rejected::Malformed)?;
        let ssrc = u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]);
        let known = self.rtcp.iter().find(|(known, _)| *known == ssrc);
        if known.is_some_and(|(_, seen)| seen.has(index)) {
            return Err(Rejected::Replayed);
        }
        let len = self.transform.open_rtcp(packet)?.ok_or(Rejected::Forged)?;
        note(&mut self.rtcp, ssrc, index);
        Ok(len)
    }

    /// How often the numbers of a source have run over, as far as it is known.
    pub fn rollovers(&self, ssrc: u32) -> Option<u32> {
        let (_, seen) = self.rtp.iter().find(|(known, _)| *known == ssrc)?;
        Some(rollovers(seen.newest()))
    }
}

/// Takes note of a genuine packet: only they are remembered.
fn note(sources: &mut SmallVec<[(u32, Seen); 2]>, ssrc: u32, index: u64) {
    match sources.iter().position(|(known, _)| *known == ssrc) {
        Some(at) => {
            sources[at].1.note(index);
            let last = sources.len() - 1;
            if at != last {
                sources[at..].rotate_left(1);
            }
        }
        None => {
            if sources.len() == MOST_SOURCES {
                sources.remove(0);
            }
            sources.push((ssrc, Seen::first(index)));
        }
    }
}
