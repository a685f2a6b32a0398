//! What every request needs: the way to the engine, the feed, the doorkeeper. Lists that many ask for
//! are made once for all of them.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use bytes::Bytes;
use park_core::{Command, LotView, Reply};
use serde::Serialize;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::admin::access::Access;
use crate::admin::event::Event;
use crate::admin::feed::Feed;
use crate::admin::hooks::Hooks;
use crate::admin::metrics::{Figures, Outcomes};
use crate::admin::order::{AdminOrder, Steering};
use crate::admin::problem::Problem;
use crate::admin::records::{RecordFile, Records};
use crate::admin::trace::{HomerCounts, Redactor, Traces};
use crate::admin::views::{Dated, ParkedList};
use crate::admin::webhook::HookCounts;
use crate::clock::Clock;
use crate::lock::lock;
use crate::sip::BanView;

/// The engine answers at once; if it does not within this time, it hangs.
const PATIENCE: Duration = Duration::from_secs(5);
/// A list of parked calls is shown again for so long, if no event has come since it was made.
const FRESH: Duration = Duration::from_millis(250);

/// All that the rooms of the admin door share.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(super) orders: mpsc::Sender<AdminOrder>,
    pub(super) feed: Feed,
    pub(super) access: Access,
    pub(super) clock: Clock,
    pub(super) steering: Option<Steering>,
    pub(super) open_metrics: AtomicBool,
    /// What was said lately.
    pub(super) traces: std::sync::Mutex<Traces>,
    /// What of it may be shown.
    pub(super) redactor: RwLock<Redactor>,
    /// What became of parked calls.
    pub(super) outcomes: std::sync::Mutex<Outcomes>,
    /// What could not be told.
    pub(super) missed: Missed,
    /// Messages for Homer.
    pub(super) homer_counts: Arc<HomerCounts>,
    /// Who is told of events by webhook.
    pub(super) hooks: std::sync::Mutex<Hooks>,
    /// The records of parked calls that are being made, …
    pub(super) records: std::sync::Mutex<Records>,
    /// … and the file where they go, if there is one.
    pub(super) record_file: std::sync::Mutex<Option<RecordFile>>,
    /// What became of events that were sent to webhooks.
    pub(super) hook_counts: Arc<HookCounts>,
    /// Where the HTTP door is, for a browser.
    pub(super) door: Option<String>,
    board: Mutex<Option<Board>>,
}

/// What operators were not told, as there was too much of it.
#[derive(Debug, Default)]
pub(super) struct Missed {
    pub(super) facts: AtomicU64,
    pub(super) messages: AtomicU64,
}

/// The parked calls and lots, as they were a moment ago.
#[derive(Debug, Clone)]
pub(super) struct Board {
    made: Instant,
    /// After which event.
    position: u64,
    /// The calls, …
    pub(super) calls: Arc<[Dated]>,
    /// … the lots, …
    pub(super) lots: Arc<[LotView]>,
    /// … and both as JSON.
    pub(super) json: Bytes,
}

impl Desk {
    /// A desk for this run of the program, which is known by `run`. Until the settings are told nobody is
    /// let in by HTTP, and no message is kept.
    ///
    /// # Errors
    /// If the system gives no random numbers.
    pub(crate) fn new(
        orders: mpsc::Sender<AdminOrder>,
        clock: Clock,
        steering: Option<Steering>,
        door: Option<String>,
        run: String,
    ) -> Result<Desk, getrandom::Error> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt)?;
        let hook_counts = Arc::<HookCounts>::default();
        let hooks = Hooks::new(&run, Arc::clone(&hook_counts));
        Ok(Desk {
            orders,
            feed: Feed::new(run),
            access: Access::default(),
            clock,
            steering,
            open_metrics: AtomicBool::new(false),
            traces: std::sync::Mutex::new(Traces::within(0)),
            redactor: RwLock::new(Redactor::new(salt)),
            outcomes: std::sync::Mutex::new(Outcomes::new()),
            missed: Missed::default(),
            homer_counts: Arc::default(),
            hooks: std::sync::Mutex::new(hooks),
            records: std::sync::Mutex::default(),
            record_file: std::sync::Mutex::default(),
            hook_counts,
            door,
            board: Mutex::default(),
        })
    }

    /// Tells an event to whoever wants it.
    pub(super) fn tell(&self, kind: &'static str, view: &impl Serialize) -> Arc<Event> {
        let event = self.feed.tell(kind, view);
        lock(&self.hooks).tell(&event);
        event
    }

    /// Where the HTTP door is, for a browser, if it is open.
    pub(crate) fn door(&self) -> Option<&str> {
        self.door.as_deref()
    }

    /// Asks the engine.
    ///
    /// # Errors
    /// What it has refused; or that it does not answer.
    pub(super) async fn ask(&self, command: Command) -> Result<Reply, Problem> {
        let (answer, answered) = oneshot::channel();
        match self.answered(AdminOrder::Engine { command, answer }, answered).await? {
            Reply::Refused { status, why } => Err(Problem::refused(status, why)),
            reply => Ok(reply),
        }
    }

    /// Asks the engine's task what it has counted.
    ///
    /// # Errors
    /// If it does not answer.
    pub(super) async fn figures(&self) -> Result<Box<Figures>, Problem> {
        let (answer, answered) = oneshot::channel();
        self.answered(AdminOrder::Figures(answer), answered).await
    }

    /// Asks the engine's task who is banned.
    ///
    /// # Errors
    /// If it does not answer.
    pub(super) async fn bans(&self) -> Result<Vec<BanView>, Problem> {
        let (answer, answered) = oneshot::channel();
        self.answered(AdminOrder::Bans(answer), answered).await
    }

    /// Has an address heard again; tells how many bans of it there were.
    ///
    /// # Errors
    /// If the engine's task does not answer.
    pub(super) async fn unban(&self, ip: IpAddr) -> Result<usize, Problem> {
        let (answer, answered) = oneshot::channel();
        self.answered(AdminOrder::Unban { ip, answer }, answered).await
    }

    async fn answered<T>(
        &self,
        order: AdminOrder,
        answered: oneshot::Receiver<T>,
    ) -> Result<T, Problem> {
        let asked = async {
            self.orders.send(order).await.map_err(|_| Problem::ending())?;
            answered.await.map_err(|_| Problem::ending())
        };
        tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| {
            let detail = format!("the engine has not answered for {} s", PATIENCE.as_secs());
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail))
        })
    }

    /// Has the engine do something.
    ///
    /// # Errors
    /// What it has refused; or that it does not answer.
    pub(super) async fn order(&self, command: Command) -> Result<(), Problem> {
        match self.ask(command).await? {
            Reply::Done => Ok(()),
            other => Err(something_else(&other)),
        }
    }

    /// The parked calls and lots. However many ask, the engine lists them a few times a second at most.
    ///
    /// # Errors
    /// If the engine does not answer.
    pub(super) async fn board(&self) -> Result<Board, Problem> {
        let mut kept = self.board.lock().await;
        let position = self.feed.position();
        if let Some(board) = &*kept
            && board.position == position
            && board.made.elapsed() < FRESH
        {
            return Ok(board.clone());
        }
        let (calls, lots, elsewhere) = match self.ask(Command::Parked).await? {
            Reply::Parked { calls, lots, elsewhere } => (calls, lots, elsewhere),
            other => return Err(something_else(&other)),
        };
        let now = self.clock.now();
        let parked = calls.into_iter().map(|call| Dated::of(call, self.clock, now)).collect();
        let list = ParkedList { parked, lots, elsewhere };
        let json = serde_json::to_vec(&list)
            .map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?
            .into();
        let ParkedList { parked, lots, .. } = list;
        let (calls, lots) = (parked.into(), lots.into());
        let board = Board { made: Instant::now(), position, calls, lots, json };
        *kept = Some(board.clone());
        Ok(board)
    }
}

/// The engine has answered what was not asked: a bug of ours.
pub(super) fn something_else(reply: &Reply) -> Problem {
    tracing::error!("bug: the engine answers an operator with {reply:?}");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the engine has answered something else")
}
