//! What the engine's task hands to the operators' thread: facts at once, messages in batches, so that
//! a call costs it no more than a place in a list. If nobody takes them, messages are left out first.

use std::net::SocketAddr;
use std::time::Duration;

use base::{Flow, Moment};
use bytes::Bytes;
use park_core::Told;
use tokio::sync::mpsc;

use crate::admin::metrics::Counted;
use crate::config::{AdminSettings, TraceSettings};
use crate::sip::News;

/// Messages may wait for so long, in microseconds, so that many go in one batch.
const PATIENCE_US: u64 = 50_000;
/// A batch of so many goes at once.
const FULL: usize = 256;
/// While nobody takes batches, so many messages are kept, …
const MOST_MESSAGES: usize = 8_192;
/// … and so many facts.
const MOST_FACTS: usize = 65_536;
/// How many batches may wait.
const BATCHES: usize = 256;

/// Which way a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Way {
    /// It came.
    In,
    /// It was sent.
    Out,
}

/// A message that came or was sent.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// When.
    pub(crate) at: Moment,
    /// Which way.
    pub(crate) way: Way,
    /// Between whom.
    pub(crate) flow: Flow,
    /// The whole message.
    pub(crate) bytes: Bytes,
}

impl Seen {
    /// Who sent it, and to whom.
    pub(crate) fn ends(&self) -> (SocketAddr, SocketAddr) {
        match self.way {
            Way::In => (self.flow.peer, self.flow.local),
            Way::Out => (self.flow.local, self.flow.peer),
        }
    }
}

/// What has been seen and told since the last batch.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Facts.
    pub(crate) told: Vec<(Moment, Told)>,
    /// Bans and their ends, each with how many were left out before it.
    pub(crate) bans: Vec<(Moment, News, u64)>,
    /// Messages.
    pub(crate) seen: Vec<Seen>,
    /// How many messages were left out.
    pub(crate) unseen: u64,
    /// How many facts were left out.
    pub(crate) untold: u64,
    /// New settings.
    pub(crate) settings: Option<Box<(AdminSettings, TraceSettings)>>,
}

/// The engine's end of it.
#[derive(Debug)]
pub(crate) struct Tap {
    batch: Batch,
    /// When the first message of the batch came.
    since: Option<Moment>,
    /// Whether messages are wanted at all.
    messages: bool,
    counted: Counted,
    to: mpsc::Sender<Batch>,
}

impl Tap {
    /// A tap, and where it leads.
    pub(crate) fn new(trace: &TraceSettings) -> (Tap, mpsc::Receiver<Batch>) {
        let (to, batches) = mpsc::channel(BATCHES);
        let messages = wants_messages(trace);
        (
            Tap { batch: Batch::default(), since: None, messages, counted: Counted::new(), to },
            batches,
        )
    }

    /// A fact.
    pub(crate) fn told(&mut self, at: Moment, told: Told) {
        if self.batch.told.len() < MOST_FACTS {
            self.batch.told.push((at, told));
        } else {
            self.batch.untold += 1;
        }
    }

    /// Somebody was banned, or is heard again; so many such news were left out before. Whoever tells them
    /// limits how many there are.
    pub(crate) fn banned(&mut self, at: Moment, news: News, left_out: u64) {
        self.batch.bans.push((at, news, left_out));
    }

    /// A message.
    pub(crate) fn seen(&mut self, at: Moment, way: Way, flow: Flow, bytes: &Bytes) {
        self.counted.sip.count(flow.side, way, bytes);
        if !self.messages {
            return;
        }
        if self.batch.seen.len() < MOST_MESSAGES {
            self.batch.seen.push(Seen { at, way, flow, bytes: bytes.clone() });
            self.since.get_or_insert(at);
        } else {
            self.batch.unseen += 1;
        }
    }

    /// A turn of the engine took so long.
    pub(crate) fn turned(&mut self, took: Duration) {
        self.counted.turn(took);
    }

    /// What has been counted since the start.
    pub(crate) fn counted(&self) -> Counted {
        self.counted.clone()
    }

    /// New settings.
    pub(crate) fn settings(&mut self, admin: &AdminSettings, trace: &TraceSettings) {
        self.messages = wants_messages(trace);
        self.batch.settings = Some(Box::new((admin.clone(), trace.clone())));
    }

    /// When [`Tap::flush`] is to be called at the latest.
    pub(crate) fn due(&self) -> Option<Moment> {
        self.since.map(|since| Moment::from_micros(since.as_micros() + PATIENCE_US))
    }

    /// Hands over what should not wait.
    pub(crate) fn flush(&mut self, now: Moment) {
        let batch = &self.batch;
        let urgent = !batch.told.is_empty() || !batch.bans.is_empty() || batch.settings.is_some();
        let waits = batch.seen.len() >= FULL || self.due().is_some_and(|due| due <= now);
        if !urgent && !waits {
            return;
        }
        match self.to.try_reserve() {
            Ok(place) => {
                place.send(std::mem::take(&mut self.batch));
                self.since = None;
            }
            // Tried again with what comes next, or when this much time has passed once more.
            Err(mpsc::error::TrySendError::Full(())) => self.since = Some(now),
            Err(mpsc::error::TrySendError::Closed(())) => {
                self.batch = Batch::default();
                self.since = None;
            }
        }
    }
}

fn wants_messages(trace: &TraceSettings) -> bool {
    trace.memory > 0 || trace.hep.is_some()
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use base::{Side, Transport};
    use park_core::Fact;
    use rtp_flow::Dry;

    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::from_micros(millis * 1_000)
    }

    fn flow() -> Flow {
        let address = SocketAddr::from(([127, 0, 0, 1], 5060));
        Flow {
            side: Side::Phones,
            transport: Transport::Udp,
            local: address,
            peer: address,
            conn: None,
        }
    }

    fn fact() -> Told {
        Told { call: None, leg: None, fact: Fact::NoPorts { why: Dry::UsedUp } }
    }

    #[test]
    fn facts_go_at_once_and_take_the_messages_with_them() {
        let (mut tap, mut batches) = Tap::new(&TraceSettings::default());
        tap.seen(at(0), Way::In, flow(), &Bytes::from_static(b"x"));
        tap.flush(at(1));
        assert!(batches.try_recv().is_err(), "a message waits for others");
        tap.told(at(2), fact());
        tap.flush(at(2));
        let batch = batches.try_recv().unwrap();
        assert_eq!((batch.told.len(), batch.seen.len()), (1, 1));
        assert_eq!(tap.due(), None);
    }

    #[test]
    fn a_message_does_not_wait_for_ever() {
        let (mut tap, mut batches) = Tap::new(&TraceSettings::default());
        tap.seen(at(7), Way::Out, flow(), &Bytes::from_static(b"x"));
        assert_eq!(tap.due(), Some(at(57)));
        tap.flush(at(57));
        assert_eq!(batches.try_recv().unwrap().seen.len(), 1);
    }

    #[test]
    fn what_nobody_takes_is_bounded_and_counted_and_facts_are_kept_longest() {
        let (mut tap, mut batches) = Tap::new(&TraceSettings::default());
        for _ in 0..BATCHES {
            tap.told(at(0), fact());
            tap.flush(at(0));
        }
        for _ in 0..MOST_MESSAGES + 3 {
            tap.seen(at(1), Way::In, flow(), &Bytes::from_static(b"x"));
        }
        for _ in 0..10_000 {
            tap.told(at(1), fact());
            tap.flush(at(1));
        }
        while batches.try_recv().is_ok() {}
        tap.flush(at(2));
        let batch = batches.try_recv().unwrap();
        assert_eq!((batch.told.len(), batch.untold), (10_000, 0));
        assert_eq!((batch.seen.len(), batch.unseen), (MOST_MESSAGES, 3));
    }
}
