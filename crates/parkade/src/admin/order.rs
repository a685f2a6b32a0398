//! An operator's orders on their way to those who carry them out.

use std::net::IpAddr;

use park_core::{Command, Reply};
use tokio::sync::{mpsc, oneshot};

use crate::admin::metrics::Figures;
use crate::logging::LevelOfLog;
use crate::sip::BanView;

/// An order, and where its answer goes.
#[derive(Debug)]
pub(crate) enum AdminOrder {
    /// For the engine.
    Engine {
        /// What is ordered.
        command: Command,
        /// Where the answer goes.
        answer: oneshot::Sender<Reply>,
    },
    /// For its task: what it has counted.
    Figures(oneshot::Sender<Box<Figures>>),
    /// For its task: who is banned.
    Bans(oneshot::Sender<Vec<BanView>>),
    /// For its task: an address is to be heard again.
    Unban {
        /// Which.
        ip: IpAddr,
        /// How many bans of it there were.
        answer: oneshot::Sender<usize>,
    },
}

/// The configuration is to be read again; the answer is whether that is done, or why not.
pub(crate) type ReloadAsked = oneshot::Sender<Result<(), String>>;

/// What of the program itself operators may change while it runs.
#[derive(Debug)]
pub struct Steering {
    /// How much is told in the log.
    pub(crate) level: LevelOfLog,
    /// Who reads the configuration again.
    pub(crate) reloads: mpsc::Sender<ReloadAsked>,
}
