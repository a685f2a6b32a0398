//! What goes encrypted to a far side. Nothing is ever encrypted twice with one index: two texts under one
//! key stream would give away both.

use base::Chance;

use crate::srtp::index::Seen;
use crate::srtp::master::Master;
use crate::srtp::transform::{Misfit, Transform};

/// The last index of RTCP (RFC 3711 §3.4).
const LAST_RTCP: u32 = (1 << 31) - 1;

/// Why a packet is not encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsent {
    /// It is too short, or there is no room for its tag.
    Misfit,
    /// Its index has been used, or is too old to tell; or the key is used up.
    Used,
}

impl From<Misfit> for Unsent {
    fn from(_: Misfit) -> Unsent {
        Unsent::Misfit
    }
}

/// The cryptographic context of what goes to one far side (RFC 3711 §3.2), for one source.
#[derive(Debug)]
pub struct SrtpSender {
    transform: Transform,
    sent: Option<(u32, Seen)>,
    rtcp: u32,
}

impl SrtpSender {
    /// One that has sent nothing. Somebody else may have sent RTCP with this key before: ours begins
    /// where chance says.
    pub fn new(master: &Master, chance: &mut Chance) -> SrtpSender {
        let rtcp = chance.u32() >> 2;
        SrtpSender { transform: Transform::new(master), sent: None, rtcp }
    }

    /// How much longer an RTP packet becomes.
    pub fn growth(&self) -> usize {
        self.transform.growth()
    }

    /// Encrypts the RTP packet that has the first `len` bytes of `room`, in place; gives its new length.
    /// A first packet whose number is high is at rollover 0, as its receiver will take it.
    ///
    /// # Errors
    /// Why it must not be sent.
    pub fn rtp(&mut self, room: &mut [u8], len: usize) -> Result<usize, Unsent> {
        let fixed = room.get(..len).and_then(|packet| packet.first_chunk::<12>());
        let fixed = fixed.ok_or(Unsent::Misfit)?;
        let seq = u16::from_be_bytes([fixed[2], fixed[3]]);
        let ssrc = u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]);
        let mut seen = match self.sent {
            Some((known, seen)) if known == ssrc => {
                let index = seen.index_of(seq).filter(|index| !seen.has(*index));
                let index = index.ok_or(Unsent::Used)?;
                (seen, index)
            }
            // Another source would need a memory of its own.
            Some(_) => return Err(Unsent::Used),
            None => (Seen::first(u64::from(seq)), u64::from(seq)),
        };
        let whole = self.transform.seal(room, len, seen.1)?;
        seen.0.note(seen.1);
        self.sent = Some((ssrc, seen.0));
        Ok(whole)
    }

    /// The same for a compound RTCP packet.
    ///
    /// # Errors
    /// Why it must not be sent.
    pub fn rtcp(&mut self, room: &mut [u8], len: usize) -> Result<usize, Unsent> {
        if self.rtcp >= LAST_RTCP {
            return Err(Unsent::Used);
        }
        let index = self.rtcp + 1;
        let whole = self.transform.seal_rtcp(room, len, index)?;
        self.rtcp = index;
        Ok(whole)
    }
}
