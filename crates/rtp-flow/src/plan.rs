//! The words between the engine and the media workers. A plan says what is to be, not what to do:
//! the same plan may be given twice (but for an opening, which is played each time), and the last one
//! given for a pair holds.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use base::Side;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::clip::Opening;
use crate::quality::Quality;
use crate::srtp::Srtp;

/// One media worker; all streams of one call are on the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WorkerId(pub u8);

/// A bound pair of ports: RTP on an even port, RTCP on the next. Numbered by the program, for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PairId(pub u32);

/// A pair of ports that a worker has bound and that may be leased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// Its number.
    pub id: PairId,
    /// The side on whose address it is bound.
    pub side: Side,
    /// The worker that reads it.
    pub worker: WorkerId,
    /// The RTP port; RTCP is on the next one.
    pub port: u16,
}

/// A codec in which Parkade has music.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// G.711 µ-law, RFC 3551, 8 kHz.
    Pcmu,
    /// G.711 A-law, RFC 3551, 8 kHz.
    Pcma,
    /// G.722, RFC 3551: 16 kHz samples, 8 kHz RTP clock.
    G722,
    /// G.729, RFC 3551, 8 kHz.
    G729,
    /// Opus, RFC 7587, 48 kHz RTP clock.
    Opus,
}

impl Codec {
    /// All of them, in the order in which they are preferred where a choice is ours.
    pub const ALL: [Codec; 5] = [Codec::Pcma, Codec::Pcmu, Codec::G722, Codec::G729, Codec::Opus];

    /// Whether music is encoded in it in no time: some milliseconds for a minute of it.
    pub fn is_quick(self) -> bool {
        match self {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => true,
            Codec::G729 | Codec::Opus => false,
        }
    }

    /// The RTP clock, in hertz (for G.722 8000, RFC 3551 §4.5.2).
    pub fn clock(self) -> u32 {
        if self == Codec::Opus { 48_000 } else { 8_000 }
    }

    /// The encoding name of RFC 3551 and RFC 7587, as in `a=rtpmap`.
    pub fn encoding_name(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
            Codec::G722 => "G722",
            Codec::G729 => "G729",
            Codec::Opus => "opus",
        }
    }

    /// The codec of this encoding name and clock, compared without case.
    pub fn by_name(name: &str, clock: u32) -> Option<Codec> {
        let codec =
            Codec::ALL.into_iter().find(|c| c.encoding_name().eq_ignore_ascii_case(name))?;
        (codec.clock() == clock).then_some(codec)
    }

    /// The static payload type, where RFC 3551 gives one.
    pub fn static_payload_type(self) -> Option<u8> {
        match self {
            Codec::Pcmu => Some(0),
            Codec::Pcma => Some(8),
            Codec::G722 => Some(9),
            Codec::G729 => Some(18),
            Codec::Opus => None,
        }
    }
}

/// From which addresses a stream may latch: what SDP signalled and where the signalling comes from.
pub type Guard = SmallVec<[IpAddr; 2]>;

/// Payload types that differ between the two ends of a relay: (as it comes, as it goes).
pub type PayloadMap = SmallVec<[(u8, u8); 2]>;

/// How packets of a stream are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamKind {
    /// RTP that we can read, in the clear or by the pair's keys: one unbroken stream towards the far side,
    /// whoever feeds it.
    Rtp,
    /// Anything else over UDP (T.38, SRTP whose keys the two ends share, DTLS): forwarded as it comes.
    Opaque,
}

/// What the far side of a pair hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hears {
    /// Nothing: no packet is sent.
    Nothing,
    /// What arrives at another pair.
    Stream {
        /// That pair.
        from: PairId,
        /// Payload types to change on the way.
        payloads: PayloadMap,
    },
    /// Music.
    Music {
        /// Which tune, by its index in the music list (0 is the program's default).
        tune: u16,
        /// In which codec.
        codec: Codec,
        /// With which payload type.
        payload_type: u8,
        /// Milliseconds of music in a packet: 10, 20, 30, 40 or 60.
        ptime: u8,
    },
    /// Comfort silence, where there is no music in the codec: RFC 3389 comfort noise packets.
    Silence {
        /// With which payload type.
        payload_type: u8,
        /// The RTP clock, in hertz.
        clock: u32,
    },
}

/// Keys that are to be told as they are pressed: telephone-events (RFC 4733) from a far side. Their
/// packets go on all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyWatch {
    /// The payload types by which they come.
    pub payload_types: SmallVec<[u8; 2]>,
    /// Given back with each key: whoever asked knows by it whose keys they are.
    pub mark: u64,
}

/// A far side whose silence is to be told: no packet has come at all for so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SilenceWatch {
    /// How long.
    pub after: Duration,
    /// Given back with the notice: whoever asked knows by it whose silence it is.
    pub mark: u64,
}

/// What a pair is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamPlan {
    /// The pair.
    pub pair: PairId,
    /// How its packets are treated.
    pub kind: StreamKind,
    /// The keys, where the far side speaks SRTP with us. What we send it begins as a stream of its own
    /// whenever there are others: no key meets a source twice.
    pub srtp: Option<Box<Srtp>>,
    /// Where the far side said that it receives RTP; none until it has said so.
    pub far: Option<SocketAddr>,
    /// Where it receives RTCP, if not on the port after RTP's.
    pub far_rtcp: Option<SocketAddr>,
    /// RTP and RTCP on one port (RFC 5761).
    pub rtcp_mux: bool,
    /// From which addresses it may latch.
    pub guard: Guard,
    /// Whether the far side's keys are to be told.
    pub keys: Option<KeyWatch>,
    /// Whether its silence is to be told.
    pub silence: Option<SilenceWatch>,
    /// What the far side hears.
    pub hears: Hears,
    /// What is played to it first. Without one nothing interrupts what it hears already, also not an
    /// opening that is under way.
    pub opening: Option<Box<Opening>>,
}

/// The port of a pair that an earlier run of the program had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OldPort {
    /// On which side's address it was bound.
    pub side: Side,
    /// The RTP port.
    pub port: u16,
    /// Pairs of one call go to one worker: they have the same number here.
    pub call: u32,
}

/// An order to the media workers.
#[expect(clippy::large_enum_variant, reason = "nearly all orders are streams")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Bind `count` more pairs ahead on this side; answered by [`MediaNotice::Stocked`].
    Stock {
        /// On which side's address.
        side: Side,
        /// How many.
        count: u16,
    },
    /// Bind these very ports, which an earlier run of the program had; answered by
    /// [`MediaNotice::Rebound`]. It comes before any [`Plan::Stock`].
    Rebind {
        /// The ports.
        ports: Vec<OldPort>,
    },
    /// From now on, this.
    Stream(StreamPlan),
    /// The call is over: nothing more is sent or latched; what still comes is drained and dropped.
    Release {
        /// The pair.
        pair: PairId,
        /// What was carried, if what it was like is to be told ([`MediaNotice::Quality`]).
        label: Option<Box<Label>>,
    },
    /// Tell what has come from this pair's far side so far: answered by [`MediaNotice::Quality`].
    Measure(PairId),
}

impl Plan {
    /// The call is over, and nobody asks what it was like.
    pub fn release(pair: PairId) -> Plan {
        Plan::Release { pair, label: None }
    }
}

/// What a stream is called by those who watch over a telephone system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The Call-ID.
    pub call: Box<str>,
    /// On which side its far side is.
    pub side: Side,
}

/// What the media workers tell the engine: rare, never per packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaNotice {
    /// More pairs are bound.
    Stocked {
        /// These.
        pairs: Vec<Pair>,
    },
    /// The ports of an earlier run are bound again, or not.
    Rebound {
        /// Those that are: in use from now on.
        pairs: Vec<Pair>,
        /// Those that could not be had.
        lost: Vec<(Side, u16)>,
    },
    /// No more pairs can be bound on this side.
    Exhausted {
        /// On which side.
        side: Side,
        /// Whether the system refuses; else the port range is used up.
        refused: bool,
    },
    /// The first packet has come, or the source has moved within the guard.
    Latched {
        /// At which pair.
        pair: PairId,
        /// From where.
        from: SocketAddr,
    },
    /// An opening is over.
    Opened {
        /// The [`Opening`]'s mark.
        mark: u64,
    },
    /// A far side whose silence is watched has fallen silent, or is heard again.
    Silence {
        /// The [`SilenceWatch`]'s mark.
        mark: u64,
        /// Whether it is silent now.
        silent: bool,
    },
    /// What a far side's stream was like: once when its pair is released under a label, if anything
    /// came from it, and whenever it is asked for.
    Quality {
        /// The pair.
        pair: PairId,
        /// Under which it was released; none: it was asked for.
        label: Option<Box<Label>>,
        /// Since it came into use.
        quality: Quality,
    },
    /// A far side whose keys are watched has pressed one.
    Key {
        /// The [`KeyWatch`]'s mark.
        mark: u64,
        /// Which, by its event number (RFC 4733 §3.2): 0 to 16.
        event: u8,
        /// The RTP timestamp of its packets, as the far side counts.
        timestamp: u32,
    },
}
