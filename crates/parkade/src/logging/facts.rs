//! One line per fact, with the fields that an operator searches by.

use std::net::SocketAddr;
use std::time::Duration;

use base::{Flow, Moment};
use park_core::{ClusterFact, Fact, Told};
use rtp_flow::{Dry, Quality};
use tracing::{debug, error, info, warn};

use crate::logging::flood::Flood;
use crate::logging::parked;
use crate::sip::{BanChange, News};

/// One packet lost in so many is heard.
const POOR_SHARE: u64 = 100;
/// So much jitter outlasts the buffer of many a phone.
const POOR_JITTER: Duration = Duration::from_millis(60);

/// Writes facts to the log. What anybody outside can cause at will is written at a limited rate.
#[derive(Debug)]
pub(crate) struct FactLog {
    refused: Flood,
    dropped: Flood,
    notices: Flood,
    ports: Flood,
    silent: Flood,
    streams: Flood,
    bans: Flood,
    unbanned: Flood,
    secured: Flood,
    bugs: Flood,
}

impl FactLog {
    pub(crate) fn new() -> FactLog {
        FactLog {
            refused: Flood::of(10),
            dropped: Flood::of(10),
            notices: Flood::of(10),
            ports: Flood::of(1),
            silent: Flood::of(10),
            streams: Flood::of(10),
            bans: Flood::of(10),
            unbanned: Flood::of(10),
            secured: Flood::of(5),
            bugs: Flood::of(10),
        }
    }

    /// Writes one fact.
    pub(crate) fn tell(&mut self, at: Moment, told: &Told) {
        let call = told.call.as_deref();
        let leg = told.leg.map(tracing::field::display);
        let fact = &told.fact;
        match fact {
            Fact::Registered { extension, domain, fresh: true, .. } => {
                info!(%extension, %domain, "{fact}");
            }
            Fact::Registered { extension, domain, .. } => debug!(%extension, %domain, "{fact}"),
            Fact::Unregistered { extension, domain } => info!(%extension, %domain, "{fact}"),
            Fact::Answered { who, .. } => info!(call, leg, %who, "{fact}"),
            Fact::Ended { .. } => info!(call, leg, "{fact}"),
            Fact::Parked { .. }
            | Fact::Page { .. }
            | Fact::Claimed { .. }
            | Fact::Released { .. }
            | Fact::Retrieved { .. }
            | Fact::Recalling { .. }
            | Fact::Delivering { .. }
            | Fact::Waiting { .. }
            | Fact::Moved { .. }
            | Fact::Reminded { .. }
            | Fact::RecallUnanswered { .. }
            | Fact::HandedOver { .. }
            | Fact::Abandoned { .. }
            | Fact::HungUp { .. } => parked::tell(told),
            Fact::Refused { status, asked, who, .. } => {
                if let Some(left_out) = self.refused.admit(at) {
                    warn!(call, status, %asked, %who, left_out = some(left_out), "{fact}");
                }
            }
            // What follows from it is told by the guard.
            Fact::Denied { .. } => debug!(call, "{fact}"),
            Fact::Dropped { from, .. } => {
                if let Some(left_out) = self.dropped.admit(at) {
                    info!(call, %from, left_out = some(left_out), "{fact}");
                }
            }
            Fact::NoticeRefused { extension, notice, status } => {
                if let Some(left_out) = self.notices.admit(at) {
                    info!(call, %extension, notice, status, left_out = some(left_out), "{fact}");
                }
            }
            Fact::Silent { after, .. } => {
                if let Some(left_out) = self.silent.admit(at) {
                    warn!(
                        call,
                        leg,
                        after_s = after.as_secs(),
                        left_out = some(left_out),
                        "{fact}"
                    );
                }
            }
            Fact::HeardAgain { .. } => info!(call, leg, "{fact}"),
            Fact::StreamEnded { quality, .. } => {
                let Quality { received, unseen, lost, reordered, repeated, sources, .. } = *quality;
                let (jitter, worst) = (quality.jitter, quality.worst_jitter);
                let (jitter_us, worst_jitter_us) = (jitter.as_micros(), worst.as_micros());
                let reported = quality.reported.as_ref().map(tracing::field::debug);
                macro_rules! tell {
                    ($level:ident) => {
                        $level!(
                            call,
                            leg,
                            received,
                            unseen,
                            lost,
                            reordered,
                            repeated,
                            sources,
                            jitter_us,
                            worst_jitter_us,
                            reported,
                            "{fact}"
                        )
                    };
                }
                // What people complain about is seen without looking for it.
                if lost * POOR_SHARE > received || worst > POOR_JITTER {
                    tell!(info);
                } else {
                    tell!(debug);
                }
            }
            Fact::NoPorts { why } => {
                let advice = match why {
                    Dry::UsedUp => "widen media.ports",
                    Dry::NotBound => "an earlier line says why: raise the limit of open files",
                    Dry::Coming => {
                        "calls come faster than ports are opened, or the machine is busy"
                    }
                };
                if let Some(left_out) = self.ports.admit(at) {
                    error!(call, left_out = some(left_out), "{fact}; {advice}");
                }
            }
            Fact::Restored { unreadable: 0, .. } => info!("{fact}"),
            Fact::Restored { .. } => warn!("{fact}"),
            Fact::StillParked { .. } => debug!(call, "{fact}"),
            Fact::PortLost { port, .. } => warn!(call, port, "{fact}"),
            Fact::PbxSilent { at } => warn!(side = "pbx", peer = %at, "{fact}"),
            Fact::PbxUnresolved { target } => warn!(side = "pbx", %target, "{fact}"),
            Fact::Cluster { what: ClusterFact::Refused { .. } } => debug!("{fact}"),
            Fact::Cluster { what: ClusterFact::NotBelieved { from, .. } } => {
                if let Some(left_out) = self.refused.admit(at) {
                    warn!(call, %from, left_out = some(left_out), "{fact}");
                }
            }
            Fact::Cluster { what } if what.is_trouble() => warn!("{fact}"),
            Fact::Cluster { .. } => info!("{fact}"),
            Fact::Bug { .. } => {
                if let Some(left_out) = self.bugs.admit(at) {
                    error!(call, left_out = some(left_out), "{fact}");
                }
            }
        }
    }

    /// Writes that a stream was refused, or that we ended it.
    pub(crate) fn stream_ended(&mut self, at: Moment, from: SocketAddr, why: &str) {
        if let Some(left_out) = self.streams.admit(at) {
            info!(%from, left_out = some(left_out), "stream closed: {why}");
        }
    }

    /// Writes that somebody is not heard for a while, or is heard again. Tells how many such news were left
    /// out before; none if this one is left out too.
    pub(crate) fn banned(&mut self, at: Moment, news: &News) -> Option<u64> {
        let from = &news.address;
        match news.change {
            BanChange::Banned { why, lasts, .. } => {
                let left_out = self.bans.admit(at)?;
                let lasts = humantime::format_duration(lasts);
                warn!(%from, left_out = some(left_out), "banned for {lasts}: {why}; parkade unban lifts it");
                Some(left_out)
            }
            BanChange::Over { why, turned_away } => {
                let left_out = self.unbanned.admit(at)?;
                info!(%from, turned_away, left_out = some(left_out), "heard again: its ban is over ({why})");
                Some(left_out)
            }
        }
    }

    /// Writes that a stream could not be encrypted.
    pub(crate) fn not_secured(&mut self, at: Moment, flow: &Flow, what: &str) {
        if let Some(left_out) = self.secured.admit(at) {
            let (side, peer) = (flow.side, flow.peer);
            warn!(%side, %peer, left_out = some(left_out), "no TLS with {peer}: {what}");
        }
    }

    /// Writes how much was left out, once a flood is over.
    pub(crate) fn sweep(&mut self, at: Moment) {
        let floods = [
            ("refused", &mut self.refused),
            ("dropped", &mut self.dropped),
            ("notices refused", &mut self.notices),
            ("no ports", &mut self.ports),
            ("silent", &mut self.silent),
            ("streams closed", &mut self.streams),
            ("banned", &mut self.bans),
            ("heard again", &mut self.unbanned),
            ("no TLS", &mut self.secured),
            ("bugs", &mut self.bugs),
        ];
        for (kind, flood) in floods {
            if let Some(left_out) = flood.over(at) {
                warn!(left_out, "{kind}: more lines like the last ones were left out");
            }
        }
    }
}

/// A field only where there is something to say.
fn some(count: u64) -> Option<u64> {
    (count > 0).then_some(count)
}
