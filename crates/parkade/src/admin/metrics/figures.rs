//! What the engine's task and the media workers have counted.

use std::time::Duration;

use crate::admin::metrics::histogram::Histogram;
use crate::admin::metrics::tally::SipTally;
use crate::cluster::StoreFigures;
use crate::journal::JournalFigures;
use crate::media::MediaCounts;
use crate::sip::{GuardCounts, Handshakes};

/// How long a turn of the engine may take, in seconds: the bounds of the buckets. They are close together where the
/// slowest of a hundred lies, so that it is seen when that changes.
const TURNS: [f64; 17] = [
    10e-6, 25e-6, 50e-6, 75e-6, 100e-6, 125e-6, 150e-6, 200e-6, 250e-6, 350e-6, 500e-6, 1e-3,
    2.5e-3, 5e-3, 10e-3, 25e-3, 100e-3,
];

/// What the engine's task has counted since it began.
#[derive(Debug, Clone)]
pub(crate) struct Counted {
    /// SIP messages.
    pub(crate) sip: SipTally,
    /// How long the engine's turns took.
    pub(crate) turns: Histogram,
}

impl Counted {
    /// Nothing yet.
    pub(crate) fn new() -> Counted {
        Counted { sip: SipTally::default(), turns: Histogram::with(&TURNS) }
    }

    /// A turn of the engine took so long.
    pub(crate) fn turn(&mut self, took: Duration) {
        self.turns.observe(took.as_secs_f64());
    }
}

/// What TLS is like.
#[derive(Debug, Clone)]
pub(crate) struct TlsFigures {
    /// Connections that are open.
    pub(crate) connections: usize,
    /// What became of handshakes.
    pub(crate) handshakes: Handshakes,
    /// Our certificates by their file, and until when each holds, in seconds since 1970.
    pub(crate) certificates: Vec<(String, u64)>,
}

/// The same at one moment, and what only the task can see.
#[derive(Debug, Clone)]
pub(crate) struct Figures {
    /// What it has counted.
    pub(crate) counted: Counted,
    /// How many inputs wait for the engine.
    pub(crate) waiting: usize,
    /// TCP connections that are open.
    pub(crate) streams: usize,
    /// The encrypted ones.
    pub(crate) tls: TlsFigures,
    /// What the media workers have counted.
    pub(crate) media: MediaCounts,
    /// What was turned away at the door.
    pub(crate) guard: GuardCounts,
    /// What was done at the nodes' store, if there is one.
    pub(crate) store: Option<StoreFigures>,
    /// What the journal has done, if there is one.
    pub(crate) journal: Option<JournalFigures>,
}
