//! What one phone has been told unasked, and which ways of telling it does not take.

use std::time::Duration;

use base::Moment;
use dialects::{NoticeKind, ParkEvent};
use serde::{Deserialize, Serialize};
use sip_core::ahead;
use smallvec::SmallVec;

/// What has happened to a parked call, and who did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct News {
    pub(crate) event: ParkEvent,
    pub(crate) by: Option<String>,
}

impl News {
    pub(crate) fn by(event: ParkEvent, who: impl Into<String>) -> News {
        News { event, by: Some(who.into()) }
    }
}

impl From<ParkEvent> for News {
    fn from(event: ParkEvent) -> News {
        News { event, by: None }
    }
}

/// A notice that the phone has not answered yet.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct UnderWay {
    pub(super) kind: NoticeKind,
    /// What it says has happened.
    pub(super) news: Option<News>,
    /// The lamp may have been lit before it.
    pub(super) was_lit: bool,
}

/// What one phone has been told by notices.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct NoticeLine {
    /// The Call-ID and From tag of its notices, once one was sent.
    pub(super) ids: Option<(Box<str>, Box<str>)>,
    #[serde(serialize_with = "ahead")]
    pub(super) cseq: u32,
    /// How many dialog-info documents it was sent.
    #[serde(serialize_with = "ahead")]
    pub(super) documents: u32,
    /// By which ids the calls were told that it knows of; none: it may have forgotten, or never knew.
    pub(super) told: Option<Vec<Box<str>>>,
    /// Its lamp may be lit: then even "nothing" is news.
    pub(super) may_be_lit: bool,
    pub(super) under_way: Option<UnderWay>,
    /// The state changed while a notice was under way.
    #[serde(default)]
    pub(super) stale: bool,
    /// What has happened that it is still to be told.
    pub(super) news: Option<News>,
    /// Which notices it does not take.
    pub(super) refused: SmallVec<[NoticeKind; 4]>,
    /// The last notice had no answer at all.
    pub(super) is_silent: bool,
    /// How many notices in a row it could not take, and until when it is left alone for that.
    pub(super) failures: u32,
    pub(super) rests_until: Option<Moment>,
}

impl NoticeLine {
    /// After a restart; a notice whose record could not be read may never have come. Gives until when the phone
    /// is left alone.
    pub(crate) fn restored(&mut self, is_under_way: bool) -> Option<Moment> {
        if !is_under_way && self.under_way.take().is_some() {
            self.told = None;
        }
        self.rests_until
    }

    /// The phone has registered again. One that starts anew may have learnt what it refused before.
    /// Says whether there is something that it should be told again.
    pub(crate) fn registered(&mut self, starts_anew: bool) -> bool {
        if starts_anew {
            self.refused.clear();
        }
        starts_anew || self.is_silent
    }

    /// It is told from the beginning.
    pub(super) fn forget(&mut self) {
        self.told = None;
        self.is_silent = false;
        self.failures = 0;
        self.rests_until = None;
    }

    /// It could not take a notice: it is left alone until then.
    pub(super) fn rest(&mut self, now: Moment, pause: Duration) -> Moment {
        let until = now + pause;
        self.rests_until = Some(until);
        until
    }
}
