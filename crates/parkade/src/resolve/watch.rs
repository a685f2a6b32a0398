//! Keeps the addresses of every target of the PBX current, for as long as the program runs.

use std::sync::Arc;
use std::time::Duration;

use base::Chance;
use rustc_hash::FxHashMap;
use tokio::sync::{Notify, mpsc};

use crate::resolve::dns::Dns;
use crate::resolve::names::Answer;
use crate::resolve::walk::{Hop, literal, walk};

/// The addresses of a target.
#[derive(Debug)]
pub(crate) struct Found {
    /// The number of the target.
    pub(crate) target: usize,
    /// Best first; empty if it leads nowhere.
    pub(crate) hops: Vec<Hop>,
}

/// A name that leads nowhere is asked for again after this; twice as long each time, up to
/// [`SELDOM`].
const OFTEN: Duration = Duration::from_secs(5);

/// At most this much time passes between two walks that found nothing.
const SELDOM: Duration = Duration::from_secs(60);

/// Records of shorter life are not followed any faster.
const SHORTEST: Duration = Duration::from_secs(30);

/// One watcher for each target whose host is a name.
#[derive(Debug)]
pub(crate) struct Resolver {
    watched: FxHashMap<usize, (String, Arc<Notify>)>,
    found: mpsc::UnboundedSender<Found>,
    chance: Chance,
}

impl Resolver {
    /// `found` is told the addresses, each time that they are asked for or have changed.
    pub(crate) fn new(found: mpsc::UnboundedSender<Found>, chance: Chance) -> Resolver {
        Resolver { watched: FxHashMap::default(), found, chance }
    }

    /// Asks for the addresses of a target now.
    pub(crate) fn ask(&mut self, target: usize, uri: &str) {
        if let Some(hop) = literal(uri) {
            // Nobody listens any more only when the program ends; so below.
            let _ = self.found.send(Found { target, hops: vec![hop] });
            return;
        }
        if let Some((known, now)) = self.watched.get(&target)
            && known == uri
        {
            now.notify_one();
            return;
        }
        let now = Arc::new(Notify::new());
        let chance = Chance::from_seed(self.chance.u64());
        let told = self.found.clone();
        tokio::spawn(watch(target, uri.to_owned(), Arc::clone(&now), told, chance));
        self.watched.insert(target, (uri.to_owned(), now));
    }
}

async fn watch(
    target: usize,
    uri: String,
    now: Arc<Notify>,
    told: mpsc::UnboundedSender<Found>,
    mut chance: Chance,
) {
    let mut last: Option<Vec<Hop>> = None;
    let mut asked = true;
    let mut pause = OFTEN;
    loop {
        let Answer { list, holds_for } = match Dns::open() {
            Ok(dns) => walk(&uri, &dns, &mut chance).await,
            Err(error) => {
                tracing::warn!(%error, "names cannot be resolved");
                Answer { list: Vec::new(), holds_for: Duration::ZERO }
            }
        };
        pause = match list.is_empty() {
            true => (pause * 2).min(SELDOM),
            false => OFTEN / 2,
        };
        let rest = if list.is_empty() { pause } else { holds_for.max(SHORTEST) };
        let list = match (&last, list.is_empty()) {
            // A name server that is away for a while must not take the PBX away.
            (Some(known), true) => known.clone(),
            _ => list,
        };
        // Servers of equal weight change places at every walk: that is no change.
        let changed = last.as_ref().is_none_or(|last| sorted(last) != sorted(&list));
        if asked || changed {
            if told.send(Found { target, hops: list.clone() }).is_err() {
                return;
            }
            last = Some(list);
        }
        asked = tokio::select! {
            () = now.notified() => true,
            () = tokio::time::sleep(rest) => false,
            () = told.closed() => return,
        };
    }
}

fn sorted(hops: &[Hop]) -> Vec<Hop> {
    let mut sorted = hops.to_vec();
    sorted.sort_unstable();
    sorted
}
