//! The engine's task: one input in, outputs out until idle, then the next one.

use std::collections::VecDeque;
use std::time::Duration;

use base::{Flow, Moment};
use bytes::Bytes;
use park_core::{Engine, Input, Output, Reply};
use rtp_flow::MediaNotice;
use rustc_hash::FxHashMap;
use sd_notify::NotifyState;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::admin::{Tap, Way};
use crate::clock::Clock;
use crate::cluster::Link;
use crate::config::Settings;
use crate::journal::Journal;
use crate::logging::{FactLog, LevelOfLog};
use crate::resolve::Resolver;
use crate::shell::certificates::{self, Certificates};
use crate::shell::ending::Ending;
use crate::shell::inbox::{Inbox, Next};
use crate::shell::media::Media;
use crate::shell::order::Order;
use crate::shell::system::tell_system;
use crate::sip::{Ends, Guard};

/// How long the first port pairs may take before the program goes on without them.
const FIRST_PORTS: Duration = Duration::from_secs(2);

/// How often the shell looks after itself.
const TICK: Duration = Duration::from_secs(1);

/// The same while the program ends.
pub(super) const LAST_TICKS: Duration = Duration::from_millis(100);

/// After this many batches of datagrams the other tasks have their turn.
const BATCHES: u32 = 4;

/// The ticket of the shell's own question; the admin door's begin after it.
pub(super) const OWN_TICKET: u64 = 0;

/// The engine and all that it reaches.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) engine: Engine,
    pub(super) clock: Clock,
    pub(super) ends: Ends,
    pub(super) inbox: Inbox,
    pub(super) resolver: Resolver,
    pub(super) media: Media,
    pub(super) journal: Option<Journal>,
    pub(super) store: Option<Link>,
    pub(super) facts: FactLog,
    pub(super) tap: Tap,
    pub(super) guard: Guard,
    /// Whose message is being handled.
    pub(super) heard: Option<Flow>,
    pub(super) level: Option<LevelOfLog>,
    pub(super) certificates: Certificates,
    pub(super) settings: Settings,
    pub(super) answers: FxHashMap<u64, oneshot::Sender<Reply>>,
    pub(super) last_ticket: u64,
    /// What became known while something else was handled.
    pub(super) pending: VecDeque<Input>,
    /// Room for one batch of datagrams.
    pub(super) taken: Vec<(Flow, Bytes)>,
    pub(super) wake_at: Option<Moment>,
    pub(super) tick_at: Moment,
    pub(super) ending: Ending,
    pub(super) over: bool,
}

impl Task {
    #[expect(clippy::too_many_arguments, reason = "called once, with all parts of the program")]
    pub(super) fn new(
        engine: Engine,
        clock: Clock,
        ends: Ends,
        inbox: Inbox,
        resolver: Resolver,
        media: Media,
        journal: Option<Journal>,
        store: Option<Link>,
        tap: Tap,
        settings: Settings,
        level: Option<LevelOfLog>,
        certificates: Certificates,
    ) -> Task {
        Task {
            engine,
            clock,
            ends,
            inbox,
            resolver,
            media,
            journal,
            store,
            facts: FactLog::new(),
            tap,
            guard: Guard::new(settings.security.clone()),
            heard: None,
            level,
            certificates,
            ending: Ending::with(settings.grace, settings.keeps_calls),
            settings,
            answers: FxHashMap::default(),
            last_ticket: OWN_TICKET,
            pending: VecDeque::new(),
            taken: Vec::new(),
            wake_at: None,
            tick_at: clock.now() + TICK,
            over: false,
        }
    }

    pub(super) fn ends(&self) -> &Ends {
        &self.ends
    }

    /// Serves until the end is ordered and has come, or until nobody can order it any more.
    pub(super) async fn serve(mut self, orders: mpsc::Receiver<Order>) {
        self.inbox.orders = orders;
        self.ends.accept_streams();
        certificates::warn(&self.settings.tls);
        self.ends.believe(&self.settings.tls.pbx.fingerprints);
        self.certificates.watch(&self.settings.tls, false);
        self.drain(self.clock.now());
        self.settle();
        self.first_ports().await;
        tell_system(&[NotifyState::Ready]);
        let mut batches = 0;
        while !self.over {
            let now = self.clock.now();
            self.media.flush(now);
            self.tap.flush(now);
            let alarms = [self.wake_at, self.media.due(), self.tap.due()];
            let due = alarms.into_iter().flatten().fold(self.tick_at, Moment::min);
            let next = self.inbox.next(&mut self.ends, self.clock, Some(due)).await;
            batches = if matches!(next, Next::Datagrams(_)) { batches + 1 } else { 0 };
            self.take(next);
            self.settle();
            if batches >= BATCHES {
                batches = 0;
                tokio::task::yield_now().await;
            }
        }
        // What has changed last; the journal keeps it when it is dropped.
        self.turn(Input::Keep);
        self.media.stop(self.ending.leaves_calls());
        self.tap.flush(self.clock.now());
        tracing::info!("ended");
    }

    /// Waits for the first port pairs of each side, so that the first call finds some.
    async fn first_ports(&mut self) {
        let mut sides = self.media.stocking();
        self.media.flush(self.clock.now());
        let deadline = Instant::now() + FIRST_PORTS;
        while !sides.is_empty() {
            let Ok(Some(notice)) = timeout_at(deadline, self.inbox.media.recv()).await else {
                return;
            };
            sides.retain(|side| match &notice {
                MediaNotice::Stocked { pairs } => pairs.iter().all(|pair| pair.side != *side),
                MediaNotice::Exhausted { side: empty, .. } => empty != side,
                // Nothing else can be said before there is a call.
                _ => true,
            });
            self.turn(Input::Media(notice));
        }
    }

    fn take(&mut self, next: Next) {
        match next {
            Next::Due => self.due(),
            Next::Datagrams(socket) => self.datagrams(socket),
            Next::Stream(event) => self.stream(event),
            Next::Media(notice) => self.turn(Input::Media(notice)),
            Next::Found(found) => self.found(found),
            Next::Store(news) => self.store(news),
            Next::Admin(order) => self.admin(order),
            Next::Order(Order::End) => {
                let step = self.ending.order(self.clock.now());
                self.end(step);
            }
            Next::Order(Order::Reload(settings)) => self.reload(*settings),
            Next::Tls(tls) => self.new_certificates(tls.map(|tls| *tls)),
        }
    }

    /// One turn of the engine.
    pub(super) fn turn(&mut self, input: Input) {
        let at = self.clock.now();
        if let Input::Sip { flow, bytes } = &input {
            self.tap.seen(at, Way::In, *flow, bytes);
            self.heard = Some(*flow);
        }
        self.engine.handle(at, input);
        self.drain(at);
        self.heard = None;
        self.tell_bans(at);
        self.tap.turned(self.clock.now().since(at));
    }

    /// Does what the engine wants done, until it is idle.
    fn drain(&mut self, at: Moment) {
        loop {
            match self.engine.poll() {
                Output::Send { flow, bytes } => {
                    let engine = &self.engine;
                    if !self.guard.may_send(&flow, &bytes, |flow, uri| engine.standing(flow, uri)) {
                        continue;
                    }
                    self.tap.seen(at, Way::Out, flow, &bytes);
                    for flow in self.ends.send(flow, bytes) {
                        self.pending.push_back(Input::Unreachable { flow });
                    }
                }
                Output::Media(plan) => self.media.order(at, plan),
                Output::Journal(steps) => {
                    if let Some(journal) = &self.journal {
                        journal.write(steps);
                    }
                }
                Output::Cluster(order) => {
                    if let Some(store) = &self.store {
                        store.order(order);
                    }
                }
                Output::Resolve { target, uri } => self.resolver.ask(target, &uri),
                Output::Told(told) => {
                    let engine = &self.engine;
                    let standing = |flow: &Flow, uri: Option<&str>| engine.standing(flow, uri);
                    self.guard.told(at, self.heard.as_ref(), &told.fact, standing);
                    self.facts.tell(at, &told);
                    self.tap.told(at, told);
                }
                Output::Reply { ticket: OWN_TICKET, reply: Reply::Counts(counts) } => {
                    self.counted(at, &counts);
                }
                Output::Reply { ticket, reply } => {
                    if let Some(answer) = self.answers.remove(&ticket) {
                        // Whoever asked may have gone.
                        let _ = answer.send(reply);
                    }
                }
                Output::Idle { wake_at, .. } => {
                    self.wake_at = wake_at;
                    return;
                }
            }
        }
    }

    /// Hands in what became known meanwhile.
    fn settle(&mut self) {
        // What comes up while these are handled waits for the next round, so that the sockets have
        // their turn.
        for _ in 0..self.pending.len() {
            if let Some(input) = self.pending.pop_front() {
                self.turn(input);
            }
        }
        if !self.pending.is_empty() {
            self.wake_at = Some(self.clock.now());
        }
    }

    fn due(&mut self) {
        let at = self.clock.now();
        if self.wake_at.is_some_and(|due| due <= at) {
            self.turn(Input::Wake);
        }
        if at >= self.tick_at {
            self.facts.sweep(at);
            self.guard.sweep(at);
            self.tell_bans(at);
            self.tick_at = at + if self.ending.is_near() { LAST_TICKS } else { TICK };
            if let Some(step) = self.ending.tick(at) {
                self.end(step);
            }
        }
    }
}
