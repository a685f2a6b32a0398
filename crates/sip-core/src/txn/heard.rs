//! The words of the layer's door: what a message or an alarm turned out to mean.

use base::Flow;
use sip_msg::Message;

use super::key::{ClientKey, ServerKey};

/// What the layer makes of a message or of an alarm. `O` says who owns a transaction.
#[derive(Debug)]
pub enum Heard<O> {
    /// A new request, neither ACK nor CANCEL. Answer it by [`Layer::respond`](super::Layer::respond)
    /// sooner or later: a transaction without a final answer stays for ever.
    Request {
        /// The transaction.
        server: ServerKey,
        /// The request.
        request: Message,
        /// The way by which it came.
        flow: Flow,
    },
    /// An ACK that is not for a refusal of ours: for a 2xx, or a stray one.
    Ack {
        /// The ACK.
        request: Message,
        /// The way by which it came.
        flow: Flow,
    },
    /// A CANCEL of an INVITE that has no final answer yet; the CANCEL itself has been answered 200.
    Cancel {
        /// The INVITE, which wants its 487.
        invite: ServerKey,
        /// Who adopted the INVITE.
        owner: Option<O>,
        /// The CANCEL (it may carry a Reason).
        request: Message,
    },
    /// An answer to a request of ours: 100 only as the first word, other provisionals always, a final
    /// once; to an INVITE each 2xx with a new To-tag.
    Response {
        /// The transaction.
        client: ClientKey,
        /// Its owner.
        owner: O,
        /// The answer.
        response: Message,
        /// The way by which it came.
        flow: Flow,
    },
    /// A request of ours will have no final answer. The transaction is gone.
    Failed {
        /// The transaction that was.
        client: ClientKey,
        /// Its owner.
        owner: O,
        /// Why.
        why: Failure,
    },
    /// Our 2xx to an INVITE got no ACK within 64·T1 (RFC 3261 §13.3.1.4: hang up). The transaction
    /// is gone.
    Unacknowledged {
        /// The transaction that was.
        server: ServerKey,
        /// Who adopted it.
        owner: Option<O>,
    },
    /// A repetition or a stray; there is nothing to do.
    Absorbed,
}

/// Why a request of ours has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failure {
    /// Nobody answered in time: timer B or F, or 64·T1 after a CANCEL.
    Timeout,
    /// The transport could not deliver it (RFC 3261 §17.1.4).
    Unreachable,
}

/// What to do with a request that is too large for one datagram (RFC 3261 §18.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Oversize {
    /// Over 1,300 bytes it goes by TCP to the same peer, and by UDP if that peer takes no TCP.
    TryTcp,
    /// By the flow that was given, whatever its size.
    Stay,
}
