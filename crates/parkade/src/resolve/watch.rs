//! Keeps the addresses of every target of the PBX current, for as long as the program runs.

use std::sync::Arc;

use base::Chance;
use rustc_hash::FxHashMap;
use tokio::sync::{Notify, mpsc};

use crate::resolve::dns::Dns;
use crate::resolve::memory::Memory;
use crate::resolve::standing::Standing;
use crate::resolve::walk::{Hop, literal, walk};

/// The addresses of a target.
#[derive(Debug)]
pub(crate) struct Found {
    /// The number of the target.
    pub(crate) target: usize,
    /// Best first; empty if it leads nowhere.
    pub(crate) hops: Vec<Hop>,
}

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
    let mut standing = Standing::new(uri);
    let mut memory = Memory::default();
    let mut asked = true;
    loop {
        let dns = Dns::open();
        let walked = walk(standing.uri(), &dns, &mut memory, &mut chance).await;
        let has_changed = standing.take(walked);
        if (asked || has_changed) && told.send(Found { target, hops: standing.hops() }).is_err() {
            return;
        }
        asked = tokio::select! {
            () = now.notified() => true,
            () = tokio::time::sleep(standing.rest) => false,
            () = told.closed() => return,
        };
    }
}
