//! All metrics, put together when somebody reads them.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use axum::http::StatusCode;
use park_core::{Command, Counts, Metrics, Reply};
use rtp_flow::Why;

use crate::admin::desk::{Board, Desk, something_else};
use crate::admin::metrics::cluster;
use crate::admin::metrics::figures::Figures;
use crate::admin::metrics::process::Process;
use crate::admin::metrics::tally::Kind;
use crate::admin::metrics::text::{Labels, Page};
use crate::admin::problem::Problem;
use crate::admin::tap::Way;
use crate::journal::JournalFigures;
use crate::lock::lock;
use crate::sip::Turned;

/// All metrics as text.
///
/// # Errors
/// If the engine does not answer.
pub(in crate::admin) async fn scrape(desk: &Desk) -> Result<String, Problem> {
    let counted = match desk.ask(Command::Metrics).await? {
        Reply::Metrics(counted) => counted,
        other => return Err(something_else(&other)),
    };
    let board = desk.board().await?;
    let figures = desk.figures().await?;
    let mut page = Page::default();
    program(&mut page);
    house(&mut page, &counted.counts);
    engine(&mut page, &counted);
    lots(&mut page, &board);
    outcomes(&mut page, desk);
    sip(&mut page, &figures);
    media(&mut page, &figures);
    guard(&mut page, &figures);
    cluster::told(&mut page, counted.cluster.as_ref(), figures.store.as_ref());
    figures.journal.iter().for_each(|journal| written(&mut page, journal));
    operators(&mut page, desk);
    page.text().map_err(|_| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written down")
    })
}

fn labels<const N: usize>(all: [(&'static str, &str); N]) -> Labels {
    all.map(|(name, value)| (name, value.to_owned())).to_vec()
}

fn program(page: &mut Page) {
    let version = labels([("version", env!("CARGO_PKG_VERSION"))]);
    page.gauges(("parkade_build_info", "The version that runs."), [(version, 1.0)]);
    let Process { cpu, resident, descriptors, began } = Process::now();
    page.seconds(("process_cpu_seconds", "Processor time."), cpu);
    page.gauge(
        ("process_resident_memory_bytes", "Memory that is really there."),
        resident as usize,
    );
    page.gauge(("process_open_fds", "Open files and sockets."), descriptors as usize);
    let since = ("process_start_time_seconds", "When it began, since 1970.");
    page.gauges(since, [(Vec::new(), began)]);
}

/// What the journal has written.
fn written(page: &mut Page, journal: &JournalFigures) {
    let commits = ("parkade_journal_commits", "Commits of the journal.");
    page.counter(commits, journal.commits);
    let records = ("parkade_journal_records", "Records of the journal written or taken out.");
    page.counter(records, journal.records);
    let failures = ("parkade_journal_failures", "Commits of the journal that the disk refused.");
    page.counter(failures, journal.failures);
    let last =
        ("parkade_journal_window_seconds", "What a crash would have lost at the last commit.");
    page.gauges(last, [(Vec::new(), journal.last_window.as_secs_f64())]);
    let longest =
        ("parkade_journal_longest_window_seconds", "The most that a crash would have lost so far.");
    page.gauges(longest, [(Vec::new(), journal.longest_window.as_secs_f64())]);
}

fn house(page: &mut Page, counts: &Counts) {
    page.gauge(("parkade_legs", "Legs, of calls and of subscriptions."), counts.legs);
    page.gauge(("parkade_bindings", "Registered Contacts."), counts.bindings);
    page.gauge(("parkade_subscriptions", "Subscriptions to what is parked."), counts.watches);
    page.gauge(("parkade_transactions", "SIP transactions."), counts.transactions);
    page.gauge(("parkade_pending_requests", "Requests on their way through."), counts.pending);
    page.gauge(("parkade_alarms", "Alarms that are set."), counts.alarms);
    page.gauge(("parkade_port_pairs", "Pairs of RTP ports in use."), counts.pairs);
    let draining = usize::from(counts.draining);
    page.gauge(("parkade_draining", "Whether new calls are refused."), draining);
    let dropped = ("parkade_sip_dropped", "Messages dropped as malformed or foreign.");
    page.counter(dropped, counts.dropped);
    let bugs = ("parkade_bugs", "Broken inner promises; should stay 0.");
    page.counter(bugs, counts.bugs);
}

/// What the engine counts: calls, legs, notices, transactions, ports.
fn engine(page: &mut Page, counted: &Metrics) {
    let calls = counted.calls.iter();
    let calls = calls.map(|of| (labels([("state", of.state.word())]), of.calls as f64));
    page.gauges(("parkade_calls", "Calls by how far they have come."), calls);
    let legs = counted
        .legs
        .iter()
        .map(|of| (labels([("side", &of.side), ("stage", of.stage.word())]), of.legs as f64));
    page.gauges(("parkade_call_legs", "Legs of calls by how far they have come."), legs);
    let notices = counted.notices.iter().map(|of| {
        let subscribed = if of.subscribed { "yes" } else { "no" };
        let labels =
            labels([("notice", &of.notice), ("subscribed", subscribed), ("answer", &of.answer)]);
        (labels, of.notices)
    });
    page.counters(("parkade_notices", "Notices to phones, by their answers."), notices);
    let malformed = counted.malformed.iter();
    let malformed = malformed.map(|of| (labels([("reason", &of.why)]), of.messages));
    page.counters(("parkade_sip_malformed", "Messages dropped as malformed, and why."), malformed);
    page.counter(("parkade_sip_retransmissions", "Messages sent again."), counted.repeated);
    page.counter(("parkade_sip_absorbed", "Repetitions that were absorbed."), counted.absorbed);
    let what = "Requests without a final answer in time, and 2xx without an ACK.";
    page.counter(("parkade_sip_timeouts", what), counted.timed_out);
    let what = "Requests that could not be delivered.";
    page.counter(("parkade_sip_undelivered", what), counted.undelivered);
    let pairs = counted.pairs.iter().flat_map(|of| {
        let states = [("leased", of.leased), ("ready", of.ready), ("resting", of.resting)];
        states.map(|(state, pairs)| (labels([("side", &of.side), ("state", state)]), pairs as f64))
    });
    let what = "Pairs of RTP ports: in use, bound and ready, left alone for a moment.";
    page.gauges(("parkade_port_pool", what), pairs);
}

fn lots(page: &mut Page, board: &Board) {
    let of = |lot: &park_core::LotView| labels([("lot", &lot.lot), ("domain", &lot.domain)]);
    let parked = board.lots.iter().map(|lot| (of(lot), lot.parked as f64));
    page.gauges(("parkade_parked_calls", "Parked calls of a lot, extensions included."), parked);
    let slots = board.lots.iter().map(|lot| (of(lot), lot.slots as f64));
    page.gauges(("parkade_lot_slots", "Numbered slots of a lot."), slots);
    let free = board.lots.iter().map(|lot| (of(lot), lot.free as f64));
    page.gauges(("parkade_lot_slots_free", "How many of them are free."), free);
    let longest = board.calls.iter().map(|dated| dated.call.parked_for_s).max().unwrap_or(0);
    let what = ("parkade_longest_wait_seconds", "How long the call that waits longest has waited.");
    page.gauge(what, longest as usize);
    let mut states: BTreeMap<&str, f64> = BTreeMap::new();
    for dated in board.calls.iter() {
        *states.entry(dated.call.state.word()).or_default() += 1.0;
    }
    let states = states.into_iter().map(|(state, count)| (labels([("state", state)]), count));
    page.gauges(("parkade_parked_states", "Parked calls by what becomes of them."), states);
}

fn outcomes(page: &mut Page, desk: &Desk) {
    let outcomes = lock(&desk.outcomes);
    let counts = outcomes.counts.iter();
    let counts = counts.map(|((asked, outcome), count)| {
        (labels([("asked", asked), ("outcome", outcome)]), *count)
    });
    let what = "What became of parks, retrieves, recalls and waits: ok, a word, or a SIP status.";
    page.counters(("parkade_outcomes", what), counts);
    let park = "From when a park was asked for until it stood.";
    page.histogram(("parkade_park_seconds", park), &outcomes.park);
    let retrieve = "From a retriever's INVITE until it had the call.";
    page.histogram(("parkade_retrieve_seconds", retrieve), &outcomes.retrieve);
    let recall = "From when a recall began to ring until it was answered.";
    page.histogram(("parkade_recall_seconds", recall), &outcomes.recall);
    let waited = "How long calls were parked until somebody had them.";
    page.histogram(("parkade_waited_seconds", waited), &outcomes.waited);
}

fn sip(page: &mut Page, figures: &Figures) {
    let way = |way| match way {
        Way::In => "in",
        Way::Out => "out",
    };
    let (mut requests, mut responses, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for (side, passed, kind, count) in figures.counted.sip.iter() {
        let mut labels = labels([("side", &side.to_string()), ("way", way(passed))]);
        match kind {
            Kind::Request(method) => {
                labels.push(("method", method.to_owned()));
                requests.push((labels, count));
            }
            Kind::Response(code) => {
                labels.push(("code", code.to_string()));
                responses.push((labels, count));
            }
            Kind::Neither => others.push((labels, count)),
        }
    }
    for lines in [&mut requests, &mut responses, &mut others] {
        lines.sort();
    }
    page.counters(("parkade_sip_requests", "SIP requests, repetitions included."), requests);
    page.counters(("parkade_sip_responses", "SIP responses, repetitions included."), responses);
    page.counters(("parkade_sip_keep_alives", "Keep-alives, and what is no SIP."), others);
    page.gauge(("parkade_sip_connections", "Open TCP connections."), figures.streams);
    tls(page, figures);
    page.gauge(("parkade_engine_waiting", "Inputs that wait for the engine."), figures.waiting);
    let turns = "How long the engine takes for one input, with all that follows from it.";
    page.histogram(("parkade_engine_turn_seconds", turns), &figures.counted.turns);
}

fn tls(page: &mut Page, figures: &Figures) {
    let tls = &figures.tls;
    page.gauge(("parkade_tls_connections", "Open TLS connections."), tls.connections);
    let handshakes = tls.handshakes.iter().map(|((side, way, outcome), count)| {
        let side = side.to_string();
        (labels([("side", side.as_str()), ("way", way), ("outcome", outcome)]), *count)
    });
    let what = "TLS handshakes by who connected (in: to us) and what came of it.";
    page.counters(("parkade_tls_handshakes", what), handshakes);
    let until = tls.certificates.iter();
    let until = until.map(|(file, until)| (labels([("file", file.as_str())]), *until as f64));
    let what = "When each certificate of ours expires, in seconds since 1970.";
    page.gauges(("parkade_tls_certificate_expires_seconds", what), until);
}

fn media(page: &mut Page, figures: &Figures) {
    let media = &figures.media;
    let paths = [("user", media.forwarded), ("kernel", media.fast), ("music", media.paced)];
    let packets = paths.map(|(path, count)| (labels([("path", path)]), count));
    let what =
        "RTP and RTCP packets by who sent them on: user space, the kernel; or music of ours.";
    page.counters(("parkade_rtp_packets", what), packets);
    let dropped = Why::ALL.iter().zip(media.dropped);
    let dropped = dropped.map(|(why, count)| (labels([("reason", why.as_str())]), count));
    page.counters(("parkade_rtp_dropped", "Packets that were dropped, and why."), dropped);
    let paths = [("user", media.user_streams()), ("kernel", media.fast_paths)];
    let streams = paths.map(|(path, count)| (labels([("path", path)]), count as f64));
    let what =
        "Directions of streams by who forwards them; a stream that hears music is user space's.";
    page.gauges(("parkade_rtp_streams", what), streams);
    page.counter(("parkade_rtp_unsent", "Packets that the system did not take."), media.unsent);
    let late = "How often a media worker was so late that packets waited at their sockets.";
    page.counter(("parkade_rtp_worker_late", late), media.full);
}

fn guard(page: &mut Page, figures: &Figures) {
    let guard = &figures.guard;
    let turned = Turned::ALL.iter().zip(guard.turned);
    let turned = turned.map(|(why, count)| (labels([("reason", why.as_str())]), count));
    let what = "Messages and connections of strangers that were turned away, and why.";
    page.counters(("parkade_guard_turned_away", what), turned);
    page.counter(("parkade_guard_bans", "Bans that were imposed."), guard.bans);
    page.gauge(("parkade_guard_banned", "Who is banned now."), guard.banned);
    page.gauge(("parkade_guard_sources", "Strangers that are remembered."), guard.sources);
}

fn operators(page: &mut Page, desk: &Desk) {
    page.gauge(("parkade_event_listeners", "Who listens to /events."), desk.feed.listeners());
    page.counter(("parkade_events", "Events told."), desk.feed.position());
    let hooks = &desk.hook_counts;
    let all = [
        ("taken", &hooks.taken),
        ("failed", &hooks.failed),
        ("given-up", &hooks.given_up),
        ("left-out", &hooks.left_out),
    ];
    let all =
        all.map(|(outcome, count)| (labels([("outcome", outcome)]), count.load(Ordering::Relaxed)));
    let what = "What became of events for webhooks; failed attempts are made again.";
    page.counters(("parkade_webhook_events", what), all);
    let homer = &desk.homer_counts;
    let sent = [("sent", &homer.sent), ("lost", &homer.lost)];
    let sent = sent
        .map(|(outcome, count)| (labels([("outcome", outcome)]), count.load(Ordering::Relaxed)));
    page.counters(("parkade_hep_packets", "Messages for Homer."), sent);
    let traces = lock(&desk.traces);
    page.gauge(("parkade_trace_bytes", "Memory that traces take, about."), traces.bytes());
    page.gauge(("parkade_trace_calls", "Calls of which something is kept."), traces.len());
    let missed = &desk.missed;
    let all = [("fact", &missed.facts), ("message", &missed.messages)];
    let all = all.map(|(what, count)| (labels([("what", what)]), count.load(Ordering::Relaxed)));
    let what = "What operators were not told, as there was too much of it.";
    page.counters(("parkade_operators_missed", what), all);
}
