//! What is counted beside what happens: no fact is worth it, but somebody may want to know how much of
//! it there was.

use rustc_hash::FxHashMap;

use crate::command::{Malformed, NoticesTold};
use crate::patience::Taken;

/// A notice of this kind, whether it was subscribed to, and the class of its answer (0: none).
type Told = (&'static str, bool, u16);

/// Totals since the start. What may be a key is fixed by us, so that nobody outside makes them grow.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    notices: FxHashMap<Told, u64>,
    malformed: FxHashMap<&'static str, u64>,
}

impl Tally {
    /// A notice has its answer, or will have none.
    pub(crate) fn notice(&mut self, kind: &'static str, subscribed: bool, taken: &Taken) {
        let class = if taken.was_answered() { taken.status / 100 } else { 0 };
        *self.notices.entry((kind, subscribed, class)).or_default() += 1;
    }

    /// A message was dropped.
    pub(crate) fn malformed(&mut self, why: &'static str) {
        *self.malformed.entry(why).or_default() += 1;
    }

    /// The notices, in order.
    pub(crate) fn notices(&self) -> Vec<NoticesTold> {
        let mut all: Vec<(&Told, &u64)> = self.notices.iter().collect();
        all.sort();
        let told = |(&(notice, subscribed, class), &notices): (&Told, &u64)| NoticesTold {
            notice: notice.to_owned(),
            subscribed,
            answer: if class == 0 { "none".to_owned() } else { format!("{class}xx") },
            notices,
        };
        all.into_iter().map(told).collect()
    }

    /// The malformed messages, in order.
    pub(crate) fn dropped(&self) -> Vec<Malformed> {
        let mut all: Vec<_> = self.malformed.iter().map(|(why, count)| (*why, *count)).collect();
        all.sort_unstable();
        all.into_iter().map(|(why, messages)| Malformed { why: why.to_owned(), messages }).collect()
    }
}
