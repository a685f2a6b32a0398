//! Events for all who listen. Whoever does not keep up is left behind and must begin anew; nobody
//! makes the house remember more than a fixed number.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::broadcast;

use crate::admin::event::Event;
use crate::lock::lock;

/// So many events are kept for those who come back.
const KEPT: usize = 1_024;

/// The feed.
#[derive(Debug)]
pub(crate) struct Feed {
    /// Tells the events of this run of the program from those of the one before.
    run: String,
    kept: Mutex<VecDeque<Arc<Event>>>,
    live: broadcast::Sender<Arc<Event>>,
}

/// What a listener gets first.
#[derive(Debug)]
pub(crate) struct Joined {
    /// What it has missed; none if that is not known any more: it must read everything anew.
    pub(crate) missed: Option<Vec<Arc<Event>>>,
    /// What comes.
    pub(crate) live: broadcast::Receiver<Arc<Event>>,
}

impl Feed {
    /// A feed for this run of the program.
    pub(crate) fn new(run: String) -> Feed {
        let (live, _) = broadcast::channel(KEPT);
        Feed { run, kept: Mutex::default(), live }
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Arc<Event>>> {
        lock(&self.kept)
    }

    /// Tells everybody.
    pub(crate) fn tell(&self, kind: &'static str, view: &impl Serialize) -> Arc<Event> {
        // Nothing in it can fail to be written.
        let json = serde_json::to_string(view).unwrap_or_default();
        let mut kept = self.kept();
        let number = kept.back().map_or(1, |last| last.number + 1);
        // JSON has no line breaks in it, so one line holds it.
        let frame = format!("id: {}-{number}\nevent: {kind}\ndata: {json}\n\n", self.run);
        let (json, frame) = (Bytes::from(json), Bytes::from(frame));
        let event = Arc::new(Event { number, kind, json, frame });
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back(Arc::clone(&event));
        // Under the lock, so that nobody joins between the two. It may be that nobody listens.
        let _ = self.live.send(Arc::clone(&event));
        event
    }

    /// The number of the last event.
    pub(crate) fn position(&self) -> u64 {
        self.kept().back().map_or(0, |last| last.number)
    }

    /// How many listen.
    pub(crate) fn listeners(&self) -> usize {
        self.live.receiver_count()
    }

    /// Somebody listens from now on; `after` is the id of the last event that it has seen, if any.
    pub(crate) fn join(&self, after: Option<&str>) -> Joined {
        let kept = self.kept();
        let live = self.live.subscribe();
        let Some(after) = after else { return Joined { missed: Some(Vec::new()), live } };
        let seen = after
            .rsplit_once('-')
            .filter(|(run, _)| *run == self.run)
            .and_then(|(_, number)| number.parse::<u64>().ok());
        let first = kept.front().map_or(1, |event| event.number);
        let last = kept.back().map_or(0, |event| event.number);
        let missed = seen
            .filter(|seen| (first - 1..=last).contains(seen))
            .map(|seen| kept.iter().filter(|event| event.number > seen).map(Arc::clone).collect());
        Joined { missed, live }
    }
}

#[cfg(test)]
mod tests {
    use crate::admin::event::EventView;

    use super::*;

    fn numbers(joined: &Joined) -> Option<Vec<u64>> {
        Some(joined.missed.as_ref()?.iter().map(|event| event.number).collect())
    }

    #[test]
    fn who_comes_back_gets_what_it_has_missed() {
        let feed = Feed::new("5f".into());
        for _ in 0..3 {
            feed.tell("parked", &EventView::default());
        }
        assert_eq!(numbers(&feed.join(None)), Some(vec![]));
        assert_eq!(numbers(&feed.join(Some("5f-1"))), Some(vec![2, 3]));
        assert_eq!(numbers(&feed.join(Some("5f-3"))), Some(vec![]));
        let mut joined = feed.join(Some("5f-2"));
        feed.tell("retrieved", &EventView::default());
        assert_eq!(joined.live.try_recv().unwrap().kind, "retrieved");
    }

    #[test]
    fn who_has_been_away_for_too_long_or_comes_from_another_run_begins_anew() {
        let feed = Feed::new("5f".into());
        for _ in 0..KEPT + 10 {
            feed.tell("parked", &EventView::default());
        }
        assert_eq!(numbers(&feed.join(Some("5f-9"))), None);
        assert_eq!(numbers(&feed.join(Some("5f-10"))).map(|all| all.len()), Some(KEPT));
        assert_eq!(numbers(&feed.join(Some("5e-1000"))), None);
        assert_eq!(numbers(&feed.join(Some("5f-2000"))), None);
        assert_eq!(numbers(&feed.join(Some("nonsense"))), None);
        assert_eq!(feed.position(), KEPT as u64 + 10);
    }

    #[test]
    fn an_event_is_one_line_whatever_is_in_it() {
        let feed = Feed::new("5f".into());
        let event = feed.tell(
            "parked",
            &EventView {
                parkee_name: Some("a\n\nevent: x\r\u{2028}".into()),
                ..EventView::default()
            },
        );
        let text = std::str::from_utf8(&event.frame).unwrap();
        assert_eq!(text.lines().count(), 4, "{text}");
        assert_eq!(text.lines().filter(|line| line.starts_with("event:")).count(), 1);
        assert!(text.starts_with("id: 5f-1\nevent: parked\ndata: {"), "{text}");
    }
}
