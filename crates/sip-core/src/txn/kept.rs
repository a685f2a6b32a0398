//! Transactions as they outlive the program: as much of one that is not over as it takes to go on with it.
//! What nobody has answered with a word is sent again: a repetition to whom it has reached, and no more.

use base::Flow;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::branch::Branch;

/// A request that we sent, and that is not over.
#[derive(Debug, Serialize, Deserialize)]
pub struct KeptClient<O> {
    /// Who owns it.
    pub owner: O,
    pub(super) branch: Branch,
    pub(super) flow: Flow,
    pub(super) silent: bool,
    pub(super) instead: Option<(Flow, Bytes)>,
    pub(super) state: ClientState,
}

/// How far it has come.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ClientState {
    /// An INVITE without a final answer.
    Invite {
        /// Without its Via.
        draft: Bytes,
        /// A provisional has come.
        rings: bool,
        cancel: Cancel,
    },
    /// An INVITE that was answered 2xx with these To-tags, and waits for an ACK of ours.
    Accepted { tags: Vec<Box<str>> },
    /// Any other without a final answer, as it went out.
    Other { sent: Bytes },
}

/// The CANCEL of an INVITE of ours.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Cancel {
    No,
    /// As soon as a provisional comes; with this Reason.
    Wanted(Option<Box<str>>),
    Sent,
}

/// A request that we were sent, and that is not over.
#[derive(Debug, Serialize, Deserialize)]
pub struct KeptServer<O> {
    /// Who adopted it.
    pub owner: Option<O>,
    pub(super) request: Bytes,
    /// The way by which it came.
    pub flow: Flow,
    pub(super) answer: Option<Bytes>,
    /// The status of our final answer, which waits for its ACK.
    pub(super) answered: Option<u16>,
}
