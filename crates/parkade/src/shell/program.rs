//! The program, opened: every socket is bound, and nothing is served yet.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base::{Chance, Side, Transport};
use park_core::Engine;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::admin::{Batch, Desk, Doors, HttpDoor, LocalDoor, Operators, Steering, Tap, acceptor};
use crate::clock::{Clock, first_version};
use crate::cluster::{Link, Membership};
use crate::config::{
    AdminListen, AdminSettings, KeepMode, Listen, Settings, TraceSettings, USUAL_HTTP,
    default_sockets, warnings,
};
use crate::journal::{Journal, Records};
use crate::kept_sockets::{KeptSockets, Purpose};
use crate::limits::{make_room_for_files, raise_open_files, take_small_pages};
use crate::resolve::Resolver;
use crate::shell::certificates::Certificates;
use crate::shell::failure::CannotStart;
use crate::shell::inbox::Inbox;
use crate::shell::media::Media;
use crate::shell::order::Order;
use crate::shell::task::Task;
use crate::sip::Ends;
use crate::tls::Tls;

/// How many events of streams, or orders, may wait.
const MOST_WAITING: usize = 1024;

/// The program, opened.
#[derive(Debug)]
pub struct Program {
    task: Task,
    doors: Doors,
    desk: Arc<Desk>,
    /// What the operators' thread begins with.
    first: (AdminSettings, TraceSettings),
    batches: mpsc::Receiver<Batch>,
}

impl Program {
    /// Opens everything that can fail: sockets, the admin door, music, media workers. Must be
    /// called within a tokio runtime. `steering` is what
    /// operators may change of the program itself.
    ///
    /// # Errors
    /// What cannot be opened; nothing is left open then.
    pub fn open(
        mut settings: Settings,
        steering: Option<Steering>,
    ) -> Result<Program, CannotStart> {
        let targets = settings.engine.pbx_targets.join(", then ");
        tracing::info!("parkade {}, for the PBX at {targets}", env!("CARGO_PKG_VERSION"));
        for warning in warnings(&settings) {
            tracing::warn!("{warning}");
        }
        raise_open_files();
        make_room_for_files(&(settings.media.first_port..=settings.media.last_port));
        take_small_pages();
        let mut chance = seeded()?;
        let (stream_events, streams) = mpsc::channel(MOST_WAITING);
        let phones = settings.phones_listen.iter().map(|l| (Side::Phones, *l));
        let wanted: Vec<_> =
            phones.chain(settings.pbx_listen.iter().map(|l| (Side::Pbx, *l))).collect();
        let tls = Tls::load(&settings.tls).map_err(CannotStart::Tls)?;
        if let Some(tls) = &tls {
            tls.tell();
            tls.warn();
        }
        let kept = Arc::new(take_over(&settings, &wanted));
        let mut ends = Ends::bind(&wanted, &kept, stream_events, tls)?;
        ends.streams.limit(settings.security.half_open);
        let doors = open_doors(&settings.admin)?;
        let (notices, media_notices) = mpsc::unbounded_channel();
        // Two runs of the program have different names.
        let run = chance.token(8);
        let membership = settings.cluster.as_ref().map(|own| Arc::new(own.membership(&run)));
        let (journal, records) = open_journal(&settings, membership.as_ref());
        let media = Media::start(&settings, !records.is_empty(), kept, notices)?;
        let (told, found) = mpsc::unbounded_channel();
        let (admin, admin_orders) = mpsc::channel(MOST_WAITING);
        let resolver = Resolver::new(told, Chance::from_seed(chance.u64()));
        let clock = Clock::start();
        let url = doors.http.as_ref().and_then(|door| door.url().ok());
        let level = steering.as_ref().map(|steering| steering.level.clone());
        let desk = Desk::new(admin, clock, steering, url, run).map_err(CannotStart::Entropy)?;
        let desk = Arc::new(desk);
        let (tap, batches) = Tap::new(&settings.trace);
        let first = (settings.admin.clone(), settings.trace.clone());
        settings.engine.first_version = first_version(SystemTime::now());
        settings.engine.journal = journal.as_ref().map(Journal::gather);
        settings.keeps_calls &= journal.is_some();
        let (store_told, store_news) = mpsc::unbounded_channel();
        let store = membership
            .map(|own| Link::start(own, store_told))
            .transpose()
            .map_err(CannotStart::Store)?;
        let engine = Engine::restore(settings.engine.clone(), chance, clock.now(), records);
        let (certificates_told, certificates_read) = mpsc::unbounded_channel();
        let inbox = Inbox {
            streams,
            media: media_notices,
            found,
            admin: admin_orders,
            store: store_news,
            // Nobody orders anything before the program is served.
            orders: mpsc::channel(1).1,
            tls: certificates_read,
            sleep: Box::pin(tokio::time::sleep_until(Instant::now() + Duration::from_secs(1))),
            armed: None,
        };
        let task = Task::new(
            engine,
            clock,
            ends,
            inbox,
            resolver,
            media,
            journal,
            store,
            tap,
            settings,
            level,
            Certificates::new(certificates_told),
        );
        Ok(Program { task, doors, desk, first, batches })
    }

    /// The SIP sockets that are bound, with their ports.
    pub fn bound(&self) -> Vec<(Side, Transport, SocketAddr)> {
        let ends = self.task.ends().bound().iter();
        ends.map(|(side, listen)| (*side, listen.transport, listen.address)).collect()
    }

    /// Where the Unix socket for operators is, if it could be opened.
    pub fn admin_socket(&self) -> Option<PathBuf> {
        self.doors.local.as_ref().map(|door| door.path().to_owned())
    }

    /// Serves until ordered to end, or until nobody can order it any more.
    pub async fn serve(self, orders: mpsc::Receiver<Order>) {
        for (side, transport, address) in self.bound() {
            tracing::info!(%side, "listening on {}:{address}", transport.in_uri());
        }
        let Program { task, doors, desk, first, batches } = self;
        if let Some(door) = &doors.local {
            tracing::info!("admin door at {}", door.path().display());
        }
        if let Some(url) = desk.door() {
            tracing::info!("parking board at {url}");
        }
        let operators = Operators::start(doors, desk, first, batches)
            .inspect_err(|error| tracing::error!("nobody can see or steer: {error}"));
        task.serve(orders).await;
        // What was told last is still written down and sent.
        if let Ok(operators) = operators {
            operators.join();
        }
    }
}

/// The journal, where there is one, and what an earlier run has written.
fn open_journal(settings: &Settings, own: Option<&Arc<Membership>>) -> (Option<Journal>, Records) {
    let shared = settings.cluster.as_ref().is_some_and(|cluster| cluster.journal);
    let sync = settings.state.as_ref().map_or(KeepMode::Batch, |state| state.sync);
    let opened = match (own, &settings.state) {
        (Some(own), _) if shared => Journal::open_shared(own.clone(), sync),
        (_, Some(state)) => Journal::open(&state.file, state.sync),
        (_, None) => None,
    };
    opened.map_or((None, Vec::new()), |(journal, records)| (Some(journal), records))
}

/// The sockets of the run before that are of use to this one.
fn take_over(settings: &Settings, listens: &[(Side, Listen)]) -> KeptSockets {
    let media = &settings.media;
    let (ports, addresses) =
        (media.first_port..=media.last_port, [media.phones_address, media.pbx_address]);
    KeptSockets::take_over(|purpose, address| match purpose {
        Purpose::Sip => listens.iter().any(|(_, listen)| listen.address == address),
        Purpose::Media => addresses.contains(&address.ip()) && ports.contains(&address.port()),
    })
}

fn seeded() -> Result<Chance, CannotStart> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(CannotStart::Entropy)?;
    Ok(Chance::from_entropy(seed))
}

fn open_doors(settings: &AdminSettings) -> Result<Doors, CannotStart> {
    Ok(Doors { local: open_local(settings)?, http: open_http(settings)? })
}

/// Opens the Unix socket where it is configured; else at the first of the usual places that can be had.
/// A house without it still carries calls.
fn open_local(settings: &AdminSettings) -> Result<Option<LocalDoor>, CannotStart> {
    if let Some(path) = &settings.socket {
        let failed = |error| CannotStart::Door { path: path.clone(), error };
        return LocalDoor::open(path).map(Some).map_err(failed);
    }
    let mut why = Vec::new();
    for path in default_sockets() {
        match LocalDoor::open(&path) {
            Ok(door) => return Ok(Some(door)),
            Err(error) => why.push(format!("{}: {error}", path.display())),
        }
    }
    tracing::warn!("no admin door, parkade parked will not work: {}", why.join("; "));
    Ok(None)
}

/// Opens the HTTP door where it is configured; else at the usual place, if that can be had.
fn open_http(settings: &AdminSettings) -> Result<Option<HttpDoor>, CannotStart> {
    let (address, needed) = match settings.listen {
        AdminListen::Off => return Ok(None),
        AdminListen::Usual => (USUAL_HTTP, false),
        AdminListen::At(address) => (address, true),
    };
    let tls = settings.tls.as_ref().map(acceptor).transpose();
    match tls.and_then(|tls| HttpDoor::open(address, tls)) {
        Ok(door) => Ok(Some(door)),
        Err(error) if needed => Err(CannotStart::Http { address, error }),
        Err(error) => {
            tracing::warn!("no parking board: {address}: {error}; write admin.listen");
            Ok(None)
        }
    }
}

/// Opens the program and serves until `shutdown` completes; then ends it gently.
///
/// # Errors
/// If it cannot be opened.
pub async fn run(
    settings: Settings,
    shutdown: impl Future<Output = ()>,
) -> Result<(), CannotStart> {
    let program = Program::open(settings, None)?;
    let (orders, taken) = mpsc::channel(4);
    let mut served = std::pin::pin!(program.serve(taken));
    tokio::select! {
        () = &mut served => {}
        () = shutdown => {
            // Served until this order at least, so it is taken.
            let _ = orders.send(Order::End).await;
            served.await;
        }
    }
    Ok(())
}
