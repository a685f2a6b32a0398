//! Fast paths on which RTP is rewritten, so that it goes on in one stream: how far the stream has gone
//! there must be known before it goes on here.

use std::time::Duration;

use base::Moment;

use crate::egress::Manner;
use crate::fast_path::{FastPath, Passed};
use crate::packet::{HEADER_LEN, Header};
use crate::plan::{Plan, StreamPlan};
use crate::relay::orders::canonical_guard;
use crate::relay::streams::Relay;
use crate::verdict::Component;

/// For how long after a path was opened packets come that were waiting at our socket by then.
const WAITING: Duration = Duration::from_millis(100);
/// The headers of UDP and of IP, without options.
const UDP: u64 = 8;
const IPV4: u64 = 20;
const IPV6: u64 = 40;

impl Relay {
    /// Closes the fast paths that a plan ends or changes, where it must be known how far a stream has
    /// gone there before the plan is taken. If this is so the orders are to be obeyed before
    /// [`Relay::plan`] is told.
    pub fn make_way(&mut self, plan: &mut Plan) -> bool {
        if !self.fast || self.manner == Manner::AsItComes {
            return false;
        }
        let (pair, after) = match plan {
            Plan::Stream(after) => {
                canonical_guard(after);
                (after.pair, Some(&*after))
            }
            Plan::Release { pair, .. } => (*pair, None),
            Plan::Stock { .. } | Plan::Rebind { .. } | Plan::Measure(_) => return false,
        };
        let Some(&key) = self.by_pair.get(&pair) else { return false };
        let before = self.paths[key].plan.take();
        if before.as_ref() != after {
            self.close_around(key, before.as_ref(), after);
        }
        self.paths[key].plan = before;
        self.closing.iter().any(|closing| closing.path.shift.is_some())
    }

    /// Closes what comes from and what goes to the far side of a pair, by the plan that it had and the
    /// one that it gets.
    pub(super) fn close_around(
        &mut self,
        key: usize,
        before: Option<&StreamPlan>,
        after: Option<&StreamPlan>,
    ) {
        self.close_from(key);
        self.close_to(before.map(|before| &before.hears));
        self.close_to(after.map(|after| &after.hears));
    }

    /// Whether the stream of an RTP packet that has come from the far side of the pair under `key` has
    /// gone on without us: then it comes back. What says so is a packet that is not left to the path: of
    /// another source, or too far from where the source was.
    pub(super) fn is_elsewhere(&mut self, now: Moment, key: usize, header: &Header) -> bool {
        if self.manner == Manner::AsItComes || (self.open == 0 && self.closing.is_empty()) {
            return false;
        }
        let path = &self.paths[key];
        if let Some(open) = path.fast.at(Component::Rtp)
            && let Some(shift) = open.path.shift
        {
            let waited = shift.from_ssrc == header.ssrc && now < open.since + WAITING;
            if !waited {
                self.come_back(now, key);
            }
            return !waited;
        }
        let pair = path.pair;
        let shifted = |path: &FastPath| path.at.pair == pair && path.shift.is_some();
        self.closing.iter().any(|closing| shifted(&closing.path))
    }

    /// What has gone a path is on the far side's stream.
    pub(super) fn went_by(&mut self, path: &FastPath, before: &Passed, passed: &Passed) {
        if path.shift.is_none() {
            return;
        }
        let Some(&key) = self.by_pair.get(&path.by.pair) else { return };
        let ip = if path.from.is_ipv4() { IPV4 } else { IPV6 };
        let packets = passed.came.saturating_sub(before.came);
        let headers = packets * (ip + UDP + HEADER_LEN as u64);
        let octets = passed.bytes.saturating_sub(before.bytes).saturating_sub(headers);
        if packets > 0 {
            self.paths[key].egress.went_by(path.at.pair, packets, octets, passed.last);
        }
    }
}
