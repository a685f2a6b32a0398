//! What the relay says about a packet, and what it hands out to be sent.

use std::net::SocketAddr;

use bytes::Bytes;

use crate::plan::PairId;

/// Which socket of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// The even port.
    Rtp,
    /// The odd port.
    Rtcp,
}

/// What becomes of a packet that came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Send the first `len` bytes of the buffer, which have been rewritten in place.
    Forward {
        /// From the socket of this pair …
        pair: PairId,
        /// … and of this component …
        component: Component,
        /// … to this address.
        to: SocketAddr,
        /// How many bytes.
        len: usize,
    },
    /// Nothing yet: its stream has gone on without us, and what went there must be known first. Obey
    /// the orders ([`Relay::path_order`](crate::Relay::path_order)), then ask again.
    Again,
    /// Send nothing.
    Drop(Why),
}

/// Why a packet is not forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// The pair is in no call.
    Idle,
    /// It came from an address that may not speak into this pair, or from a second one while the
    /// first still speaks.
    Stranger,
    /// It is not RTP or RTCP of version 2, or cut short.
    NotRtp,
    /// It is older than the switch to its source.
    Late,
    /// Nobody hears this pair.
    Unheard,
    /// Who hears it has not said where it receives.
    Nowhere,
    /// An RTCP packet of which nothing concerns who hears this pair.
    Unrelated,
    /// SRTP whose tag is wrong: it was not sent by whoever has the key.
    Forged,
    /// SRTP that has come before, or a packet whose number has been encrypted before.
    Replayed,
    /// What is added by encryption does not fit behind it.
    NoRoom,
}

impl Why {
    /// All of them.
    pub const ALL: [Why; 10] = [
        Why::Idle,
        Why::Stranger,
        Why::NotRtp,
        Why::Late,
        Why::Unheard,
        Why::Nowhere,
        Why::Unrelated,
        Why::Forged,
        Why::Replayed,
        Why::NoRoom,
    ];

    /// The reason as a word, for metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Why::Idle => "idle",
            Why::Stranger => "stranger",
            Why::NotRtp => "not_rtp",
            Why::Late => "late",
            Why::Unheard => "unheard",
            Why::Nowhere => "nowhere",
            Why::Unrelated => "unrelated",
            Why::Forged => "forged",
            Why::Replayed => "replayed",
            Why::NoRoom => "no_room",
        }
    }
}

/// How many packets had which fate since the relay was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Forwarded here.
    pub forwarded: u64,
    /// Forwarded without us, on fast paths, as far as they have been counted.
    pub fast: u64,
    /// Music and comfort noise handed out.
    pub paced: u64,
    /// Dropped, by [`Why`].
    dropped: [u64; Why::ALL.len()],
}

impl Counts {
    /// How many were dropped for this reason.
    pub fn dropped(&self, why: Why) -> u64 {
        self.dropped[why as usize]
    }

    pub(crate) fn drop(&mut self, why: Why) -> Verdict {
        self.dropped[why as usize] += 1;
        Verdict::Drop(why)
    }
}

/// One packet of music or comfort noise: the header is this stream's own, the payload is shared with
/// all others that hear the same tune, unless it is encrypted, and neither is copied again before the
/// system call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// From the RTP socket of this pair …
    pub pair: PairId,
    /// … to this address.
    pub to: SocketAddr,
    /// The RTP header.
    pub header: [u8; 12],
    /// The payload, with the tag where it is encrypted.
    pub payload: Bytes,
}
