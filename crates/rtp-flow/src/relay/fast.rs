//! What goes without us: a direction of a stream whose two ends have latched, and whose packets need no
//! look and no change, is ordered to go a fast path; it comes back as soon as anything about it is
//! planned anew, or another address of its guard speaks up.

use std::net::SocketAddr;
use std::time::Duration;

use base::Moment;

use crate::egress::Manner;
use crate::fast_path::{Door, FastPath, Passed, PathOrder};
use crate::latch::Latch;
use crate::plan::{Hears, Label, MediaNotice, PairId, StreamKind};
use crate::quality::Quality;
use crate::relay::path::Path;
use crate::relay::streams::Relay;
use crate::verdict::Component;

/// How long both ends must have been where they are: what an old address still sends has come by then.
const CALM: Duration = Duration::from_millis(300);
/// How long a stream stays here after a second address of its guard has spoken into it: it may move.
const UNEASY: Duration = Duration::from_secs(5);
/// How long a path that was refused, or through which nothing came, is not tried again.
const REFUSED: Duration = Duration::from_secs(3_600);
/// After how many packets that came and did not leave the host is taken not to let them through.
const NONE_LEFT: u64 = 4;

/// The fast paths of one pair's far side, by the socket where its packets come in.
#[derive(Debug, Default)]
pub(super) struct Fast {
    open: [Option<Box<Open>>; 2],
    /// Nothing is opened before.
    calm_until: Moment,
}

/// One that is open.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) path: FastPath,
    /// What had gone it when it was last looked at, …
    passed: Passed,
    /// … and when there had last been more.
    pub(super) grew_at: Moment,
    /// Since when it is open.
    pub(super) since: Moment,
}

/// One that has been closed, whose last counts are still to come.
#[derive(Debug)]
pub(super) struct Closing {
    pub(super) path: FastPath,
    /// What has been counted already.
    counted: Passed,
}

/// A pair that is no longer in use, and how many of its paths are closing.
#[derive(Debug)]
pub(super) struct Leaving {
    pair: PairId,
    label: Box<Label>,
    quality: Quality,
    waits: usize,
}

/// Whether what goes a fast path arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Through {
    /// It does, as far as can be seen.
    Yes,
    /// Packets have come and none has left: the host drops them, and the path has been closed. If
    /// nothing has ever left by any path, no other is opened from now on.
    No {
        /// Whether paths are still opened for others.
        others: bool,
    },
}

impl Fast {
    /// Whether packets that come in at this socket go without us.
    pub(super) fn is_open(&self, component: Component) -> bool {
        self.open[component as usize].is_some()
    }

    /// What is open at this socket.
    pub(super) fn at(&self, component: Component) -> Option<&Open> {
        self.open[component as usize].as_deref()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Open> {
        self.open.iter().flatten().map(|open| &**open)
    }
}

impl Relay {
    /// The next order to whoever forwards without us. All of them are to be obeyed before the next
    /// packet is sent, and before the next is read; each [`PathOrder::Close`] is answered by
    /// [`Relay::closed`], each [`PathOrder::Open`] that cannot be done by [`Relay::refused`].
    pub fn path_order(&mut self) -> Option<PathOrder> {
        self.path_orders.pop_front()
    }

    /// How many fast paths are open.
    pub fn fast_paths(&self) -> usize {
        self.open
    }

    /// A path has been closed; this is what went it in all.
    pub fn closed(&mut self, path: &FastPath, passed: Passed) {
        let Some(at) = self.closing.iter().position(|closing| closing.path == *path) else {
            return;
        };
        let closing = self.closing.swap_remove(at);
        let more = passed.came.saturating_sub(closing.counted.came);
        self.counts.fast += more;
        self.went_by(path, &closing.counted, &passed);
        let pair = path.at.pair;
        let rtp = path.at.component == Component::Rtp;
        if let Some(at) = self.leaving.iter().position(|leaving| leaving.pair == pair) {
            let leaving = &mut self.leaving[at];
            leaving.waits -= 1;
            if rtp {
                leaving.quality.received += more;
                leaving.quality.unseen += more;
            }
            if leaving.waits == 0 {
                let Leaving { label, quality, .. } = self.leaving.swap_remove(at);
                let label = Some(label);
                self.notices.push_back(MediaNotice::Quality { pair, label, quality });
            }
        } else if let (true, Some(&key)) = (rtp, self.by_pair.get(&pair)) {
            self.paths[key].reception.passed_by(more);
        }
    }

    /// A path cannot be opened: its packets stay here.
    pub fn refused(&mut self, now: Moment, path: &FastPath) {
        let Some(&key) = self.by_pair.get(&path.at.pair) else { return };
        let fast = &mut self.paths[key].fast;
        if fast.open[path.at.component as usize].take_if(|open| open.path == *path).is_some() {
            fast.calm_until = now + REFUSED;
            self.open -= 1;
        }
    }

    /// What has gone a path since it was opened, told by whoever forwards it when [`Relay::wants_counts`].
    pub fn passed(&mut self, now: Moment, at: Door, from: SocketAddr, passed: Passed) -> Through {
        let Some(&key) = self.by_pair.get(&at.pair) else { return Through::Yes };
        let path = &mut self.paths[key];
        let open = path.fast.open[at.component as usize].as_deref_mut();
        let Some(open) = open.filter(|open| open.path.from == from) else { return Through::Yes };
        let more = passed.came.saturating_sub(open.passed.came);
        let (before, fast_path) = (std::mem::replace(&mut open.passed, passed), open.path);
        if more > 0 {
            open.grew_at = now;
            self.counts.fast += more;
            path.latch(at.component).hear(now);
            if at.component == Component::Rtp {
                path.reception.passed_by(more);
            }
            self.went_by(&fast_path, &before, &passed);
        }
        self.proven |= passed.left > 0;
        if passed.left > 0 || passed.came < NONE_LEFT {
            return Through::Yes;
        }
        self.paths[key].fast.calm_until = now + REFUSED;
        self.close_from(key);
        if !self.proven {
            self.without_fast_paths();
        }
        Through::No { others: self.fast }
    }

    /// Opens a fast path for what has just come in at a socket of the pair under `key` from `from`, and
    /// has gone out to the far side of the pair under `to_key`, if it needs nothing more of us.
    pub(super) fn consider(
        &mut self,
        now: Moment,
        (key, at, from): (usize, Component, SocketAddr),
        (to_key, by, to): (usize, Component, SocketAddr),
    ) {
        let (source, sink) = (&self.paths[key], &self.paths[to_key]);
        let fits = !source.fast.is_open(at)
            && source.fast.calm_until <= now
            && source.seen_at(at).settled(now, CALM) == Some(from)
            && sink.seen_at(by).settled(now, CALM) == Some(to)
            && from.is_ipv4() == to.is_ipv4()
            && needs_nothing(source, sink);
        if !fits {
            return;
        }
        let opaque = sink.plan.as_ref().is_some_and(|plan| plan.kind == StreamKind::Opaque);
        let shift = match (self.manner, at) {
            (Manner::AsItComes, _) => None,
            (Manner::OneStream, _) if opaque => None,
            (Manner::OneStream, Component::Rtp) => match sink.egress.shift(source.pair) {
                None => return,
                shift => shift,
            },
            // Reports are about the one stream: they are rewritten here.
            (Manner::OneStream, Component::Rtcp) => return,
        };
        let path = FastPath {
            at: Door { pair: source.pair, component: at },
            from,
            by: Door { pair: sink.pair, component: by },
            to,
            shift,
        };
        let open = Open { path, passed: Passed::default(), grew_at: now, since: now };
        self.paths[key].fast.open[at as usize] = Some(Box::new(open));
        self.open += 1;
        self.path_orders.push_back(PathOrder::Open(path));
        self.look_soon(now);
    }

    /// Another address of the guard has spoken where packets go without us: whether the stream has
    /// moved there is seen here.
    pub(super) fn come_back(&mut self, now: Moment, key: usize) {
        self.paths[key].fast.calm_until = now + UNEASY;
        self.close_from(key);
    }

    /// What comes from the far side of the pair under `key` comes to us again.
    pub(super) fn close_from(&mut self, key: usize) {
        for open in self.paths[key].fast.open.iter_mut().filter_map(Option::take) {
            self.open -= 1;
            self.closing.push(Closing { path: open.path, counted: open.passed });
            self.path_orders.push_back(PathOrder::Close(open.path));
        }
    }

    /// What goes to a pair that hears this goes through us again.
    pub(super) fn close_to(&mut self, hears: Option<&Hears>) {
        if let Some(Hears::Stream { from, .. }) = hears
            && let Some(&key) = self.by_pair.get(from)
        {
            self.close_from(key);
        }
    }

    /// From now on everything passes here. Each source keeps its own SSRC all the same: a far side that
    /// has heard several is not to hear them merged.
    pub fn without_fast_paths(&mut self) {
        self.fast = false;
        let keys: Vec<usize> = self.paths.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.close_from(key);
        }
    }

    /// Tells what a stream that has ended was like, once everything of it has been counted.
    pub(super) fn take_leave(&mut self, pair: PairId, label: Box<Label>, quality: Quality) {
        let waits = self.closing.iter().filter(|closing| closing.path.at.pair == pair).count();
        if waits > 0 {
            self.leaving.push(Leaving { pair, label, quality, waits });
        } else if quality.received > 0 {
            let label = Some(label);
            self.notices.push_back(MediaNotice::Quality { pair, label, quality });
        }
    }
}

/// Whether packets from the one to the other need neither a look nor a change.
fn needs_nothing(source: &Path, sink: &Path) -> bool {
    let (Some(from), Some(to)) = (&source.plan, &sink.plan) else { return false };
    let same_types = matches!(&to.hears, Hears::Stream { payloads, .. } if payloads.is_empty());
    // What comes at one port and goes out of two must be told apart.
    let splits = from.kind == StreamKind::Rtp && from.rtcp_mux && !to.rtcp_mux;
    let in_the_clear = from.srtp.is_none() && to.srtp.is_none();
    from.keys.is_none() && same_types && !splits && sink.opened.is_none() && in_the_clear
}

impl Path {
    pub(super) fn latch(&mut self, component: Component) -> &mut Latch {
        match component {
            Component::Rtp => &mut self.rtp,
            Component::Rtcp => &mut self.rtcp,
        }
    }

    fn seen_at(&self, component: Component) -> &Latch {
        match component {
            Component::Rtp => &self.rtp,
            Component::Rtcp => &self.rtcp,
        }
    }
}
