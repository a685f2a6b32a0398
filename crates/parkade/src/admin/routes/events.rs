//! Events as they happen: server-sent events.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream::unfold;
use serde::Deserialize;
use tokio::sync::broadcast;
use tokio::time::timeout;
use utoipa::IntoParams;

use crate::admin::desk::Desk;
use crate::admin::event::Event;
use crate::admin::problem::Problem;
use crate::admin::routes::body::Asked;
use crate::config::EVENT_KINDS;

/// So many may listen at once.
const MOST_LISTENERS: usize = 1_000;
/// After so long without an event a comment is sent, by which a dead connection is noticed.
const BEAT: Duration = Duration::from_secs(15);
/// A browser comes back after so many milliseconds.
const HELLO: &[u8] = b"retry: 1000\n: parkade\n\n";
/// What was missed is not known any more.
const RESET: &[u8] = b"event: reset\ndata: {}\n\n";

/// Which events are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Only these kinds, with commas between them: `parked,retrieved`.
    kinds: Option<String>,
}

/// A listener.
struct Listener {
    first: VecDeque<Bytes>,
    live: broadcast::Receiver<Arc<Event>>,
    kinds: Option<Vec<&'static str>>,
}

/// Events as they happen, as server-sent events: `id`, `event` (the kind) and `data`, a JSON object.
///
/// With `Last-Event-ID` those that were missed come first; if they are not known any more an event
/// `reset` says so: then read the lists anew. Whoever does not keep up is disconnected.
#[utoipa::path(get, path = "/events", tag = "events",
    params(Which, ("Last-Event-ID" = Option<String>, Header, description = "The last event seen.")),
    responses((status = 200, body = String, content_type = "text/event-stream")))]
pub(super) async fn events(
    State(desk): State<Arc<Desk>>,
    Asked(which): Asked<Which>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if desk.feed.listeners() >= MOST_LISTENERS {
        let detail = format!("{MOST_LISTENERS} listen already");
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail));
    }
    let kinds = which.kinds.as_deref().map(kinds).transpose()?;
    let after = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let joined = desk.feed.join(after.filter(|id| !id.is_empty()));
    let mut listener = Listener { first: VecDeque::new(), live: joined.live, kinds };
    listener.first.push_back(Bytes::from_static(HELLO));
    match joined.missed {
        Some(missed) => {
            let wanted = missed.iter().filter(|event| listener.wants(event));
            let frames: Vec<Bytes> = wanted.map(|event| event.frame.clone()).collect();
            listener.first.extend(frames);
        }
        None => listener.first.push_back(Bytes::from_static(RESET)),
    }
    let stream = unfold(listener, |mut listener| async move {
        let frame = listener.next().await?;
        Some((Ok::<Bytes, Infallible>(frame), listener))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // Some proxies keep back what they think is a file.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(stream)).into_response())
}

fn kinds(text: &str) -> Result<Vec<&'static str>, Problem> {
    let one = |word: &str| {
        EVENT_KINDS.iter().find(|kind| **kind == word).copied().ok_or_else(|| {
            let detail =
                format!("{word:?} is no kind of event; there are {}", EVENT_KINDS.join(", "));
            Problem::new(StatusCode::BAD_REQUEST, detail)
        })
    };
    text.split(',').map(|word| one(word.trim())).collect()
}

impl Listener {
    fn wants(&self, event: &Event) -> bool {
        self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&event.kind))
    }

    /// What is to be sent next; none if it has not kept up.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.pop_front() {
            return Some(first);
        }
        loop {
            match timeout(BEAT, self.live.recv()).await {
                Ok(Ok(event)) if self.wants(&event) => return Some(event.frame.clone()),
                Ok(Ok(_)) => {}
                // It comes back with the id of the last event that it has seen.
                Ok(Err(_)) => return None,
                Err(_) => return Some(Bytes::from_static(b":\n\n")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::event::EventView;
    use crate::admin::feed::Feed;

    #[tokio::test]
    async fn who_does_not_keep_up_is_let_go_and_the_others_hear_all() {
        let feed = Feed::new("5f".into());
        let listener =
            || Listener { first: VecDeque::new(), live: feed.join(None).live, kinds: None };
        let (mut slow, mut quick) = (listener(), listener());
        for _ in 0..2_000 {
            let event = feed.tell("parked", &EventView::default());
            assert_eq!(quick.next().await, Some(event.frame.clone()));
        }
        assert_eq!(slow.next().await, None, "what has gone by is not kept for one that is slow");
        drop(slow);
        assert_eq!(feed.listeners(), 1);
    }
}
