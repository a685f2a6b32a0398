//! The engine's task: one input in, outputs out until idle, then the next one.

use std::collections::VecDeque;
use std::time::Duration;

use base::{ConnId, Flow, Moment, Side, Transport};
use bytes::Bytes;
use park_core::{Command, Counts, Engine, Input, Output, Reply};
use rtp_flow::MediaNotice;
use rustc_hash::FxHashMap;
use sd_notify::NotifyState;
use sip_msg::SipUri;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::admin::{AdminOrder, Figures, Tap, Way};
use crate::clock::Clock;
use crate::cluster::{Link, StoreNews};
use crate::config::{Listen, Settings};
use crate::journal::Journal;
use crate::logging::{FactLog, LevelOfLog};
use crate::resolve::{Found, Resolver};
use crate::shell::certificates::{self, Certificates};
use crate::shell::ending::{Ending, Step};
use crate::shell::inbox::{Inbox, Next};
use crate::shell::media::Media;
use crate::shell::nodes;
use crate::shell::order::Order;
use crate::shell::reload::merge;
use crate::sip::{Ended, Ends, Guard, StreamEvent, Verdict};
use crate::tls::Tls;

/// How long the first port pairs may take before the program goes on without them.
const FIRST_PORTS: Duration = Duration::from_secs(2);

/// How often the shell looks after itself.
const TICK: Duration = Duration::from_secs(1);

/// The same while the program ends.
const LAST_TICKS: Duration = Duration::from_millis(100);

/// After this many batches of datagrams the other tasks have their turn.
const BATCHES: u32 = 4;

/// The ticket of the shell's own question; the admin door's begin after it.
const OWN_TICKET: u64 = 0;

/// The engine and all that it reaches.
#[derive(Debug)]
pub(super) struct Task {
    engine: Engine,
    clock: Clock,
    ends: Ends,
    inbox: Inbox,
    resolver: Resolver,
    media: Media,
    journal: Option<Journal>,
    store: Option<Link>,
    facts: FactLog,
    tap: Tap,
    guard: Guard,
    /// Whose message is being handled.
    heard: Option<Flow>,
    level: Option<LevelOfLog>,
    certificates: Certificates,
    settings: Settings,
    answers: FxHashMap<u64, oneshot::Sender<Reply>>,
    last_ticket: u64,
    /// What became known while something else was handled.
    pending: VecDeque<Input>,
    /// Room for one batch of datagrams.
    taken: Vec<(Flow, Bytes)>,
    wake_at: Option<Moment>,
    tick_at: Moment,
    ending: Ending,
    over: bool,
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
        self.media.stop();
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
                MediaNotice::Exhausted { side: empty } => empty != side,
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
    fn turn(&mut self, input: Input) {
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
            self.tick_at = at + if self.ending.is_near() { LAST_TICKS } else { TICK };
            if let Some(step) = self.ending.tick(at) {
                self.end(step);
            }
        }
    }

    fn datagrams(&mut self, socket: usize) {
        let mut taken = std::mem::take(&mut self.taken);
        let (at, engine, guard) = (self.clock.now(), &self.engine, &mut self.guard);
        let dead = self.ends.udp.receive(socket, |flow, bytes| {
            if guard.judge(at, &flow, bytes, |flow, uri| engine.standing(flow, uri))
                == Verdict::Pass
            {
                taken.push((flow, Bytes::copy_from_slice(bytes)));
            }
        });
        self.tell_bans(at);
        self.pending.extend(dead.into_iter().map(|flow| Input::Unreachable { flow }));
        for (flow, bytes) in taken.drain(..) {
            self.turn(Input::Sip { flow, bytes });
        }
        self.taken = taken;
    }

    fn stream(&mut self, event: StreamEvent) {
        match event {
            StreamEvent::Accepted { side, transport, local, peer, stream } => {
                self.accepted(Flow { side, transport, local, peer, conn: None }, stream);
            }
            StreamEvent::Secured { conn, shown } => self.ends.streams.secured(conn, shown),
            StreamEvent::Alias { conn, port } => self.ends.streams.alias(conn, port),
            StreamEvent::Sip { flow, bytes } => self.said(flow, bytes),
            StreamEvent::Closed { conn, unsent, ended } => self.closed(conn, &unsent, &ended),
        }
    }

    /// A message has come by a stream. Whoever is not heard is told so by the end of the connection.
    fn said(&mut self, flow: Flow, bytes: Bytes) {
        let (at, engine) = (self.clock.now(), &self.engine);
        match self.guard.judge(at, &flow, &bytes, |flow, uri| engine.standing(flow, uri)) {
            Verdict::Pass => self.turn(Input::Sip { flow, bytes }),
            Verdict::Turn(why) => {
                if let Some(conn) = flow.conn
                    && self.ends.streams.closed(conn, None).is_some()
                {
                    self.facts.stream_ended(at, flow.peer, why.as_str());
                    self.turn(Input::Closed { conn });
                }
            }
        }
        self.tell_bans(at);
    }

    fn tell_bans(&mut self, at: Moment) {
        for news in self.guard.news() {
            self.facts.banned(at, &news);
        }
    }

    fn accepted(&mut self, flow: Flow, stream: TcpStream) {
        let (at, engine) = (self.clock.now(), &self.engine);
        let standing = |flow: &Flow, uri: Option<&str>| engine.standing(flow, uri);
        let open = (self.ends.streams.open(), self.ends.streams.len_from(flow.peer.ip()));
        let admitted = self.guard.admit_connection(at, &flow, open, standing);
        let taken = admitted.and_then(|()| self.ends.streams.accept(flow, stream));
        if let Err(why) = taken {
            self.facts.stream_ended(at, flow.peer, why);
        }
    }

    fn closed(&mut self, conn: ConnId, unsent: &[Flow], ended: &Ended) {
        let at = self.clock.now();
        let failed = match ended {
            Ended::NotSecured(failed) => Some(failed.failure),
            Ended::Quietly | Ended::For(_) => None,
        };
        let flow = self.ends.streams.closed(conn, failed);
        match (flow, ended) {
            (Some(flow), Ended::For(why)) => self.facts.stream_ended(at, flow.peer, why),
            (Some(flow), Ended::NotSecured(failed)) => {
                self.facts.not_secured(at, &flow, &failed.what);
            }
            _ => {}
        }
        self.turn(Input::Closed { conn });
        for (i, flow) in unsent.iter().enumerate() {
            if !unsent[..i].contains(flow) {
                self.turn(Input::Unreachable { flow: *flow });
            }
        }
    }

    fn found(&mut self, found: Found) {
        let at = self.clock.now();
        let target = self.settings.engine.pbx_targets.get(found.target);
        if let Some(uri) = target.and_then(|uri| SipUri::read(uri)) {
            let there = found.hops.iter().map(|(_, peer)| *peer).collect();
            self.ends.learn(found.target, uri.host(), there);
        }
        let ends = &mut self.ends;
        let flow = |(transport, peer)| ends.flow_to(at, Side::Pbx, transport, peer);
        let hops = found.hops.into_iter().filter_map(flow).collect();
        self.turn(Input::Resolved { target: found.target, hops });
    }

    fn store(&mut self, news: StoreNews) {
        let (at, ends) = (self.clock.now(), &mut self.ends);
        let reach = |there: Listen| ends.flow_to(at, Side::Pbx, there.transport, there.address);
        let news = nodes::in_words(news, reach);
        self.turn(Input::Cluster(news));
    }

    fn admin(&mut self, order: AdminOrder) {
        match order {
            AdminOrder::Engine { command, answer } => {
                self.last_ticket += 1;
                let ticket = self.last_ticket;
                self.answers.insert(ticket, answer);
                self.turn(Input::Command { ticket, command });
            }
            AdminOrder::Figures(answer) => {
                let figures = Figures {
                    counted: self.tap.counted(),
                    waiting: self.pending.len() + self.inbox.waiting(),
                    streams: self.ends.streams.len(Transport::Tcp),
                    tls: certificates::figures(&self.ends),
                    media: self.media.counts(),
                    guard: self.guard.counts(self.clock.now()),
                    journal: self.journal.as_ref().map(Journal::figures),
                    store: self.store.as_ref().map(Link::figures),
                };
                // Whoever asked may have gone.
                let _ = answer.send(Box::new(figures));
            }
            AdminOrder::Bans(answer) => {
                // As above.
                let _ = answer.send(self.guard.banned(self.clock.now()));
            }
            AdminOrder::Unban { ip, answer } => {
                let _ = answer.send(self.guard.lift(ip));
            }
        }
    }

    fn own(&mut self, command: Command) {
        self.turn(Input::Command { ticket: OWN_TICKET, command });
    }

    fn end(&mut self, step: Step) {
        self.tick_at = self.clock.now() + LAST_TICKS;
        match step {
            Step::Drain => {
                tell_system(&[NotifyState::Stopping]);
                let grace = humantime::format_duration(self.settings.grace);
                match self.settings.keeps_calls {
                    true => tracing::info!("ending: calls are kept for the next start"),
                    false => {
                        tracing::info!(
                            "ending: new calls are refused, calls may go on for {grace}"
                        );
                    }
                }
                self.own(Command::Drain);
                self.own(Command::Counts);
            }
            Step::Count => self.own(Command::Counts),
            Step::EndAll => {
                self.own(Command::EndAll);
                self.own(Command::Counts);
            }
            Step::Leave => self.over = true,
        }
    }

    fn counted(&mut self, at: Moment, counts: &Counts) {
        match self.ending.left(at, counts) {
            Some(Step::Leave) => self.over = true,
            Some(_) => {
                let command = Command::EndAll;
                self.pending.push_back(Input::Command { ticket: OWN_TICKET, command });
            }
            None => {}
        }
    }

    /// The files of TLS have been read anew. Connections that are open stay as they are.
    fn new_certificates(&mut self, tls: Option<Tls>) {
        let names = tls.as_ref().map(Tls::names).unwrap_or_default();
        self.ends.streams.set_tls(tls);
        if names != self.settings.engine.names {
            self.settings.engine.names = names;
            self.turn(Input::Reload(Box::new(self.settings.engine.clone())));
        }
    }

    fn reload(&mut self, new: Settings) {
        tell_system(&[NotifyState::Reloading]);
        let (merged, left) = merge(&self.settings, new);
        for name in &left {
            tracing::warn!("{name} cannot change while parkade runs; restart it for that");
        }
        if let Some(level) = &self.level {
            level.set(merged.log.level);
        }
        self.media.reload(&merged);
        self.ending.set(merged.grace, merged.keeps_calls);
        self.guard.reload(merged.security.clone());
        self.tap.settings(&merged.admin, &merged.trace);
        // The files are read beside the engine; what is read from them comes back.
        self.certificates.watch(&merged.tls, true);
        certificates::warn(&merged.tls);
        self.ends.believe(&merged.tls.pbx.fingerprints);
        self.turn(Input::Reload(Box::new(merged.engine.clone())));
        self.settings = merged;
        tracing::info!("settings reloaded");
        tell_system(&[NotifyState::Ready]);
    }
}

fn tell_system(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager could not be told");
    }
}
