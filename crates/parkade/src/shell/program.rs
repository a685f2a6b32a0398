//! The program, opened: every socket is bound, and nothing is served yet.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use base::{Chance, Side, Transport};
use park_core::Engine;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::admin::Door;
use crate::clock::{Clock, first_version};
use crate::config::{Settings, default_sockets};
use crate::limits::{raise_open_files, take_small_pages};
use crate::logging::LevelOfLog;
use crate::resolve::Resolver;
use crate::shell::failure::CannotStart;
use crate::shell::inbox::Inbox;
use crate::shell::media::Media;
use crate::shell::order::Order;
use crate::shell::task::Task;
use crate::sip::Ends;

/// How many events of streams, or orders, may wait.
const MOST_WAITING: usize = 1024;

/// The program, opened.
#[derive(Debug)]
pub struct Program {
    task: Task,
    door: Option<Door>,
    admin: mpsc::Sender<crate::admin::AdminOrder>,
}

impl Program {
    /// Opens everything that can fail: sockets, the admin door, music, media workers. Must be
    /// called within a tokio runtime. `level` lets a reload change how much is logged.
    ///
    /// # Errors
    /// What cannot be opened; nothing is left open then.
    pub fn open(mut settings: Settings, level: Option<LevelOfLog>) -> Result<Program, CannotStart> {
        let targets = settings.engine.pbx_targets.join(", then ");
        tracing::info!("parkade {}, for the PBX at {targets}", env!("CARGO_PKG_VERSION"));
        raise_open_files();
        take_small_pages();
        let mut chance = seeded()?;
        let (stream_events, streams) = mpsc::channel(MOST_WAITING);
        let phones = settings.phones_listen.iter().map(|l| (Side::Phones, *l));
        let wanted: Vec<_> =
            phones.chain(settings.pbx_listen.iter().map(|l| (Side::Pbx, *l))).collect();
        let ends = Ends::bind(&wanted, stream_events)?;
        let door = open_door(&settings)?;
        let (notices, media_notices) = mpsc::unbounded_channel();
        let media = Media::start(&settings, notices)?;
        let (told, found) = mpsc::unbounded_channel();
        let (admin, admin_orders) = mpsc::channel(MOST_WAITING);
        let resolver = Resolver::new(told, Chance::from_seed(chance.u64()));
        let clock = Clock::start();
        settings.engine.first_version = first_version(SystemTime::now());
        let engine = Engine::new(settings.engine.clone(), chance, clock.now());
        let inbox = Inbox {
            streams,
            media: media_notices,
            found,
            admin: admin_orders,
            // Nobody orders anything before the program is served.
            orders: mpsc::channel(1).1,
            sleep: Box::pin(tokio::time::sleep_until(Instant::now() + Duration::from_secs(1))),
            armed: None,
        };
        let task = Task::new(engine, clock, ends, inbox, resolver, media, settings, level);
        Ok(Program { task, door, admin })
    }

    /// The SIP sockets that are bound, with their ports.
    pub fn bound(&self) -> Vec<(Side, Transport, SocketAddr)> {
        let ends = self.task.ends().bound().iter();
        ends.map(|(side, listen)| (*side, listen.transport, listen.address)).collect()
    }

    /// Where the admin door is, if it could be opened.
    pub fn admin_socket(&self) -> Option<PathBuf> {
        self.door.as_ref().map(|door| door.path().to_owned())
    }

    /// Serves until ordered to end, or until nobody can order it any more.
    pub async fn serve(mut self, orders: mpsc::Receiver<Order>) {
        for (side, transport, address) in self.bound() {
            tracing::info!(%side, "listening on {}:{address}", transport.in_uri());
        }
        if let Some(door) = self.door.take() {
            tracing::info!("admin door at {}", door.path().display());
            tokio::spawn(door.serve(self.admin.clone()));
        }
        self.task.serve(orders).await;
    }
}

fn seeded() -> Result<Chance, CannotStart> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(CannotStart::Entropy)?;
    Ok(Chance::from_entropy(seed))
}

/// Opens the door where it is configured; else at the first of the usual places that can be had. A
/// house without a door still carries calls.
fn open_door(settings: &Settings) -> Result<Option<Door>, CannotStart> {
    if let Some(path) = &settings.admin_socket {
        let failed = |error| CannotStart::Door { path: path.clone(), error };
        return Door::open(path).map(Some).map_err(failed);
    }
    let mut why = Vec::new();
    for path in default_sockets() {
        match Door::open(&path) {
            Ok(door) => return Ok(Some(door)),
            Err(error) => why.push(format!("{}: {error}", path.display())),
        }
    }
    tracing::warn!("no admin door, parkade parked will not work: {}", why.join("; "));
    Ok(None)
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
