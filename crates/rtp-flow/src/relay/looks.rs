//! What is looked at now and then, and not with every packet: who has fallen silent, and what goes a
//! fast path no longer.

use std::time::Duration;

use base::Moment;

use crate::plan::MediaNotice;
use crate::relay::streams::Relay;

/// How often.
const LOOK: Duration = Duration::from_secs(1);
/// How often it is asked what goes the fast paths, which costs more than a look at ourselves.
const COUNT: Duration = Duration::from_secs(5);
/// How soon after a fast path was opened, and how often, while none has been seen to work.
const FIRST_LOOK: Duration = Duration::from_millis(100);
/// A fast path on which nothing has come for so long is closed: whoever speaks next is looked at.
const STANDSTILL: Duration = Duration::from_secs(12);

impl Relay {
    /// When [`Relay::look`] is due; never, if there is nothing to look at.
    pub fn next_look(&self) -> Option<Moment> {
        self.look_at
    }

    /// Whether [`Relay::passed`] is to be told of each fast path before the look that is due now.
    pub fn wants_counts(&mut self, now: Moment) -> bool {
        let wants = self.open > 0 && (!self.proven || now >= self.count_at);
        if wants {
            self.count_at = now + COUNT;
        }
        wants
    }

    /// Looks.
    pub fn look(&mut self, now: Moment) {
        let (mut watched, mut still) = (false, Vec::new());
        for (key, path) in &mut self.paths {
            let silence = path.plan.as_ref().and_then(|plan| plan.silence);
            if let Some(watch) = silence {
                watched = true;
                let (since, told) = path.expected;
                let silent = now.since(path.rtp.heard_at().max(since)) >= watch.after;
                if silent != told {
                    path.expected.1 = silent;
                    let mark = watch.mark;
                    self.notices.push_back(MediaNotice::Silence { mark, silent });
                }
            }
            if path.fast.iter().any(|open| now.since(open.grew_at) >= STANDSTILL) {
                still.push(key);
            }
        }
        for key in still {
            self.close_from(key);
        }
        let again = watched || self.open > 0;
        let unproven = self.open > 0 && !self.proven;
        self.look_at = again.then_some(now + if unproven { FIRST_LOOK } else { LOOK });
    }

    /// There is something to look at from now on.
    pub(super) fn look_on(&mut self, now: Moment) {
        self.look_at.get_or_insert(now + LOOK);
    }

    /// A fast path has just been opened.
    pub(super) fn look_soon(&mut self, now: Moment) {
        self.look_on(now);
        if !self.proven {
            let soon = now + FIRST_LOOK;
            self.look_at = self.look_at.map(|at| at.min(soon));
        }
    }
}
