//! One pair: what comes in from its far side, and what goes out to it.

use std::net::SocketAddr;

use base::Moment;
use smallvec::SmallVec;

use crate::clip::Opened;
use crate::egress::{Egress, Manner};
use crate::latch::{Latch, reachable};
use crate::plan::{Codec, Hears, PairId, StreamPlan};
use crate::pressed::Pressed;
use crate::reception::Reception;
use crate::relay::fast::Fast;
use crate::srtp::Session;
use crate::tune::packet_time;
use crate::verdict::Component;
use crate::wheel::Place;

/// One pair.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) pair: PairId,
    /// None while it is only known from others' plans.
    pub(super) plan: Option<StreamPlan>,
    pub(super) rtp: Latch,
    pub(super) rtcp: Latch,
    pub(super) egress: Egress,
    /// Where its far side speaks SRTP with us.
    pub(super) srtp: Option<Box<Session>>,
    /// The keys that its far side has pressed.
    pub(super) pressed: Pressed,
    /// What has come from it.
    pub(super) reception: Reception,
    /// What of it goes without us.
    pub(super) fast: Fast,
    /// Since when its far side has been expected to send, and whether its silence has been told.
    pub(super) expected: (Moment, bool),
    /// Who hears this pair's far side; the last one to say so does.
    pub(super) listeners: SmallVec<[PairId; 2]>,
    pub(super) playing: Option<Playing>,
    /// Music that goes on until whom the plan says has spoken.
    pub(super) lingering: Option<Lingering>,
    /// What is played before what the plan says.
    pub(super) opened: Option<Opened>,
    /// How much of the tune has been played, in units of 10 ms: music that comes back goes on there.
    pub(super) played: u64,
}

/// Music or comfort noise on the wheel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Playing {
    pub(super) place: Place,
    /// Milliseconds in a packet.
    pub(super) length: u8,
}

/// Music that fills the time until the next source's first packet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lingering {
    pub(super) tune: u16,
    pub(super) codec: Codec,
    pub(super) payload_type: u8,
    /// It ends then in any case.
    pub(super) until: Moment,
}

impl Path {
    pub(super) fn new(pair: PairId, manner: Manner) -> Path {
        Path {
            pair,
            plan: None,
            rtp: Latch::default(),
            rtcp: Latch::default(),
            egress: Egress::new(manner),
            srtp: None,
            pressed: Pressed::default(),
            reception: Reception::default(),
            fast: Fast::default(),
            expected: (Moment::ZERO, false),
            listeners: SmallVec::new(),
            playing: None,
            lingering: None,
            opened: None,
            played: 0,
        }
    }

    /// From which socket and to which address RTP, or RTCP, goes to the far side.
    pub(super) fn way_out(&self, plan: &StreamPlan, rtcp: bool) -> Option<(Component, SocketAddr)> {
        let signalled = reachable(plan.far);
        let rtp = self.rtp.source().or(signalled);
        if !rtcp || plan.rtcp_mux {
            return Some((Component::Rtp, rtp?));
        }
        if let Some(source) = self.rtcp.source() {
            return Some((Component::Rtcp, source));
        }
        // Behind an address translator what was signalled leads nowhere: try beside the RTP source.
        let elsewhere =
            self.rtp.source().filter(|s| signalled.is_none_or(|far| far.ip() != s.ip()));
        let beside = |a: SocketAddr| Some(SocketAddr::new(a.ip(), a.port().checked_add(1)?));
        let to = match elsewhere {
            Some(source) => beside(source)?,
            None => reachable(plan.far_rtcp).or_else(|| rtp.and_then(beside))?,
        };
        Some((Component::Rtcp, to))
    }
}

/// Whether a far side that heard the one and now hears the other hears the same source go on.
pub(super) fn same_feed(before: &Hears, after: &Hears) -> bool {
    match (before, after) {
        (Hears::Nothing, Hears::Nothing) => true,
        (Hears::Stream { from: a, .. }, Hears::Stream { from: b, .. }) => a == b,
        (
            Hears::Music { codec: a, ptime: a_time, .. },
            Hears::Music { codec: b, ptime: b_time, .. },
        ) => a == b && packet_time(*a, *a_time) == packet_time(*b, *b_time),
        (Hears::Silence { clock: a, .. }, Hears::Silence { clock: b, .. }) => a == b,
        _ => false,
    }
}

/// Learns the far side's addresses anew where the plan says others than before.
pub(super) fn relearn(path: &mut Path, now: Moment, before: &StreamPlan, after: &StreamPlan) {
    let both =
        [(&mut path.rtp, before.far, after.far), (&mut path.rtcp, before.far_rtcp, after.far_rtcp)];
    for (latch, was, is) in both {
        let (was, is) = (reachable(was), reachable(is));
        let source = latch.source();
        if source.is_some_and(|source| !after.guard.contains(&source.ip())) {
            *latch = Latch::default();
        } else if is.is_some() && is != was && is != source {
            latch.learn_anew(now);
        }
    }
}
