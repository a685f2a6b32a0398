//! Reads along what changes at the store: a stream, so that nothing is missed that was told between two readings.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;

use park_core::{ClusterNews, SharedCall};
use redis::streams::{StreamId, StreamReadReply};
use redis::{RedisResult, cmd};

use crate::cluster::address::PATIENCE;
use crate::cluster::link::Work;
use crate::cluster::membership::Membership;

/// For how long the server lets a reading wait.
const WAIT: Duration = Duration::from_secs(1);
/// How many changes are read at once.
const MANY: usize = 1000;

/// Reads on from a position until nobody listens any more; then, or when the server is away, says so.
pub(super) fn follow(
    own: &Arc<Membership>,
    (session, listening): (u64, &AtomicBool),
    position: String,
    work: &Sender<Work>,
) {
    let ended = read_on(own, (session, listening), position, work);
    // Whoever listened may have gone.
    let _ = work.send(Work::Deaf { session, why: ended.err().map(|error| error.to_string()) });
}

fn read_on(
    own: &Membership,
    (session, listening): (u64, &AtomicBool),
    mut position: String,
    work: &Sender<Work>,
) -> RedisResult<()> {
    let mut connection = own.store.connect(WAIT + PATIENCE)?;
    let wait = usize::try_from(WAIT.as_millis()).unwrap_or(usize::MAX);
    while listening.load(Ordering::Relaxed) {
        let mut read = cmd("XREAD");
        read.arg("COUNT").arg(MANY).arg("BLOCK").arg(wait);
        read.arg("STREAMS").arg(&own.keys.changes).arg(&position);
        let reply: Option<StreamReadReply> = read.query(&mut *connection)?;
        let entries = reply.into_iter().flat_map(|reply| reply.keys).flat_map(|key| key.ids);
        for entry in entries {
            position.clone_from(&entry.id);
            let heard = match meant(own, &entry) {
                Some(news) => work.send(Work::Changed { session, news }),
                None if is_join(&entry) => work.send(Work::Joined { session }),
                None => Ok(()),
            };
            if heard.is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Whether an entry says that a node has come.
fn is_join(entry: &StreamId) -> bool {
    entry.get::<String>("what").is_some_and(|what| what == "join")
}

/// What an entry says; what a later version may write is passed over.
fn meant(own: &Membership, entry: &StreamId) -> Option<ClusterNews> {
    let text = |name: &str| -> Option<String> { entry.get(name) };
    let park = text("park")?;
    match text("what")?.as_str() {
        "put" => {
            let record: Vec<u8> = entry.get("record")?;
            Some(ClusterNews::Put(SharedCall { park, node: text("node")?, record }))
        }
        "gone" => Some(ClusterNews::Gone { park }),
        "lost" if text("node")? == own.node => Some(ClusterNews::Lost { park, by: text("by")? }),
        _ => None,
    }
}
