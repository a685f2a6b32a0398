//! The operators' thread: everything that people and their programs see and steer, kept away from the
//! thread that carries calls.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use base::Moment;
use park_core::{Command, Fact, Reply, Told};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::admin::desk::Desk;
use crate::admin::door::{HttpDoor, LocalDoor};
use crate::admin::event;
use crate::admin::records::{RecordFile, RecordView};
use crate::admin::routes;
use crate::admin::tap::Batch;
use crate::admin::trace::{Homer, Seen};
use crate::config::{AdminSettings, RecordSettings, TraceSettings};
use crate::lock::{lock, read, write};

const MIB: usize = 1 << 20;
/// By then the streams of a call that has ended have told what they were like.
const LAST_WORD: Duration = Duration::from_secs(1);

/// The doors that are open.
#[derive(Debug, Default)]
pub(crate) struct Doors {
    /// The Unix socket.
    pub(crate) local: Option<LocalDoor>,
    /// HTTP.
    pub(crate) http: Option<HttpDoor>,
}

/// The running thread.
#[derive(Debug)]
pub(crate) struct Operators(JoinHandle<()>);

impl Operators {
    /// Serves at these doors until `batches` end.
    ///
    /// # Errors
    /// If the system has no thread for it.
    pub(crate) fn start(
        doors: Doors,
        desk: Arc<Desk>,
        first: (AdminSettings, TraceSettings),
        batches: mpsc::Receiver<Batch>,
    ) -> io::Result<Operators> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new().name("operators".into()).spawn(move || {
            runtime.block_on(serve(doors, desk, first, batches));
            runtime.shutdown_background();
        })?;
        Ok(Operators(thread))
    }

    /// Waits until it has ended.
    pub(crate) fn join(self) {
        if self.0.join().is_err() {
            tracing::error!("bug: the operators' thread has ended in a panic");
        }
    }
}

async fn serve(
    doors: Doors,
    desk: Arc<Desk>,
    (admin, trace): (AdminSettings, TraceSettings),
    mut batches: mpsc::Receiver<Batch>,
) {
    let mut work = Work { homer: None, finishing: JoinSet::new(), desk: Arc::clone(&desk) };
    // Before anybody is let in.
    work.admin(admin);
    work.trace(&trace);
    let routes = routes::all(Arc::clone(&desk));
    let Doors { local, http } = doors;
    let local = local.map(Arc::new);
    if let Some(door) = local.clone() {
        let routes = routes.clone();
        tokio::spawn(async move { said("socket", door.serve(routes).await) });
    }
    if let Some(door) = http {
        tokio::spawn(async move { said("listen", door.serve(routes).await) });
    }
    while let Some(batch) = batches.recv().await {
        work.take(batch);
        while work.finishing.try_join_next().is_some() {}
    }
    // What was told last is still written down and sent.
    work.finishing.join_all().await;
    let hooks = std::mem::take(&mut *lock(&desk.hooks));
    hooks.end().await;
    drop(local);
}

fn said(which: &str, served: io::Result<()>) {
    if let Err(error) = served {
        tracing::error!("admin.{which}: nobody is served any more: {error}");
    }
}

/// Completes a record with what the sound of its call was like, tells it and writes it down.
async fn finish(desk: Arc<Desk>, mut record: RecordView) {
    if let Some(call) = record.call_id.clone() {
        tokio::time::sleep(LAST_WORD).await;
        record.streams = lock(&desk.records).streams(&call);
        if record.streams.is_empty()
            && let Ok(Reply::Streams { streams }) =
                desk.ask(Command::Streams { call: Some(call) }).await
        {
            record.streams = streams;
        }
    }
    let event = desk.tell("record", &record);
    let mut file = lock(&desk.record_file);
    if let Some(Err(error)) = file.as_mut().map(|file| file.write(&event.json)) {
        tracing::error!(park = record.park, "records.file: a record is not written: {error}");
    }
}

/// What is done with all that is told and seen.
#[derive(Debug)]
struct Work {
    desk: Arc<Desk>,
    homer: Option<Homer>,
    /// Records that wait for the last word on their streams.
    finishing: JoinSet<()>,
}

impl Work {
    fn take(&mut self, batch: Batch) {
        let Batch { told, bans, seen, unseen, untold, settings } = batch;
        if let Some(settings) = settings {
            let (admin, trace) = *settings;
            self.admin(admin);
            self.trace(&trace);
        }
        self.desk.missed.facts.fetch_add(untold, Ordering::Relaxed);
        self.desk.missed.messages.fetch_add(unseen, Ordering::Relaxed);
        if untold > 0 {
            tracing::warn!(untold, "operators and webhooks were not told everything");
        }
        if unseen > 0 {
            tracing::warn!(unseen, "traces: messages were left out");
        }
        self.see(seen);
        for (at, news, left_out) in &bans {
            let (kind, view) = event::of_ban(self.desk.clock, *at, news, *left_out);
            self.desk.tell(kind, &view);
        }
        for (at, told) in &told {
            self.keep(told);
            lock(&self.desk.outcomes).hear(at.since(Moment::ZERO), told);
            if let Some((kind, view)) = event::of(self.desk.clock, *at, told) {
                self.desk.tell(kind, &view);
            }
            let mut records = lock(&self.desk.records);
            if let Some(record) = records.hear(self.desk.clock, *at, told) {
                self.finishing.spawn(finish(Arc::clone(&self.desk), record));
            }
        }
    }

    /// What was said in a call is remembered longer while the call is parked.
    fn keep(&self, told: &Told) {
        let parked = match &told.fact {
            Fact::Parked { .. } => true,
            fact if fact.is_end_of_park() => false,
            _ => return,
        };
        if let Some(call) = &told.call {
            let mut traces = lock(&self.desk.traces);
            traces.parked(call, parked);
        }
    }

    fn admin(&mut self, settings: AdminSettings) {
        let AdminSettings { tokens, open_metrics, records, webhooks, .. } = settings;
        lock(&self.desk.hooks).set(&webhooks);
        self.records(records.as_ref());
        self.desk.access.reload(tokens);
        self.desk.open_metrics.store(open_metrics, Ordering::Relaxed);
    }

    fn records(&self, settings: Option<&RecordSettings>) {
        let mut file = lock(&self.desk.record_file);
        if file.as_ref().map(RecordFile::settings) == settings {
            return;
        }
        let opened = settings.map(RecordFile::open).transpose();
        *file = opened.unwrap_or_else(|error| {
            tracing::error!("records.file: no records are written: {error}");
            None
        });
    }

    fn trace(&mut self, settings: &TraceSettings) {
        let TraceSettings { memory, redact_names, hep } = settings;
        let mut traces = lock(&self.desk.traces);
        traces.set_limit(*memory as usize * MIB);
        let mut redactor = write(&self.desk.redactor);
        redactor.set_names(*redact_names);
        if self.homer.as_ref().map(Homer::settings) == hep.as_ref() {
            return;
        }
        let opened = hep.as_ref();
        let opened = opened.map(|hep| Homer::open(hep, Arc::clone(&self.desk.homer_counts)));
        let opened = opened.transpose();
        self.homer = opened.unwrap_or_else(|error| {
            tracing::error!("hep.to: messages are not sent to Homer: {error}");
            None
        });
    }

    fn see(&mut self, seen: Vec<Seen>) {
        if let Some(homer) = &mut self.homer {
            let redactor = read(&self.desk.redactor);
            for seen in &seen {
                homer.send(seen, &redactor, self.desk.clock);
            }
        }
        let mut traces = lock(&self.desk.traces);
        if !traces.is_off() {
            for seen in seen {
                traces.see(seen);
            }
        }
    }
}
