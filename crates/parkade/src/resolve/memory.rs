//! What the DNS has said before: good enough while it cannot be asked (RFC 8767).

use rustc_hash::FxHashMap;

use crate::resolve::names::{Question, Record};

/// The last answer to each question of a walk.
#[derive(Debug, Default)]
pub(super) struct Memory {
    said: FxHashMap<Question, Said>,
    walk: u64,
}

#[derive(Debug)]
struct Said {
    list: Vec<Record>,
    /// The walk that last asked.
    walk: u64,
}

impl Memory {
    /// A new walk begins.
    pub(super) fn begin(&mut self) {
        self.walk += 1;
    }

    pub(super) fn keep(&mut self, question: Question, list: &[Record]) {
        self.said.insert(question, Said { list: list.to_vec(), walk: self.walk });
    }

    /// What was said before, if anything was; that there are no records counts.
    pub(super) fn recall(&self, question: &Question) -> Option<Vec<Record>> {
        self.said.get(question).map(|said| said.list.clone())
    }

    /// Forgets what this walk, which went to its end, has not asked.
    pub(super) fn end(&mut self) {
        let walk = self.walk;
        self.said.retain(|_, said| said.walk == walk);
    }
}
