//! The words at the house's one door: what goes in and what comes out.

use base::{ConnId, Flow, Moment};
use bytes::Bytes;
use rtp_flow::{MediaNotice, Plan};

use crate::cluster::{ClusterNews, ClusterOrder};
use crate::command::{Command, Reply};
use crate::journal::JournalStep;
use crate::settings::Settings;
use crate::told::Told;

/// One thing that happened outside.
#[derive(Debug)]
pub enum Input {
    /// One SIP message (a datagram, or one message cut from a stream).
    Sip {
        /// The way by which it came.
        flow: Flow,
        /// Its bytes.
        bytes: Bytes,
    },
    /// A stream connection has ended.
    Closed {
        /// Which.
        conn: ConnId,
    },
    /// What was sent by this flow could not be delivered (refused connection, no route).
    Unreachable {
        /// The flow as it was given to [`Output::Send`].
        flow: Flow,
    },
    /// A word from the media workers.
    Media(MediaNotice),
    /// An answer to [`Output::Resolve`], best first; empty if the name leads nowhere.
    Resolved {
        /// The number of the target.
        target: usize,
        /// The flows by which it is reached, `conn` unset.
        hops: Vec<Flow>,
    },
    /// An order from the admin door.
    Command {
        /// Returned with the [`Output::Reply`].
        ticket: u64,
        /// What is ordered.
        command: Command,
    },
    /// News of the store that all nodes share.
    Cluster(ClusterNews),
    /// New settings, checked whole.
    Reload(Box<Settings>),
    /// The time of [`Output::Idle`] has come.
    Wake,
    /// The program is about to end: what has changed is written down at once.
    Keep,
}

/// One thing to be done outside.
#[derive(Debug)]
pub enum Output {
    /// Send these bytes by this flow. A stream flow without `conn` is connected first (or an open
    /// connection to the same peer used).
    Send {
        /// The way.
        flow: Flow,
        /// One whole SIP message.
        bytes: Bytes,
    },
    /// An order to the media workers.
    Media(Plan),
    /// What this turn has changed of that which must outlive the program: comes before anything that the
    /// turn sends. These steps hold together or not at all.
    Journal(Vec<JournalStep>),
    /// An order to the store that all nodes share; answered by [`Input::Cluster`].
    Cluster(ClusterOrder),
    /// Find the addresses of `pbx.target[target]` (RFC 3263); answered by [`Input::Resolved`].
    Resolve {
        /// The number of the target.
        target: usize,
        /// Its URI as configured.
        uri: String,
    },
    /// A fact, for logs and whoever else listens.
    Told(Told),
    /// The answer to a command.
    Reply {
        /// The ticket of the command.
        ticket: u64,
        /// The answer.
        reply: Reply,
    },
    /// Nothing more to do until new input, or until `wake_at`.
    Idle {
        /// When to hand in [`Input::Wake`].
        wake_at: Option<Moment>,
        /// Which room asked for it.
        why: &'static str,
    },
}
