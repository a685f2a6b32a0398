//! What every machine is told at each step, and the pace of retransmissions.

use std::time::Duration;

use base::Moment;

use super::heard::Failure;
use super::timing::Timing;

/// The terms under which a machine takes a step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) at: Moment,
    /// Whether the transport itself delivers or fails, so that nothing need be sent twice.
    pub(super) reliable: bool,
    pub(super) timing: Timing,
}

/// When to send again, and after how long the time after that.
#[derive(Debug, Clone, Copy)]
pub(super) struct Repeat {
    pub(super) due: Moment,
    pause: Duration,
}

impl Repeat {
    /// The first repetition, T1 from now.
    pub(super) fn first(terms: Terms) -> Repeat {
        Repeat { due: terms.at + terms.timing.t1, pause: terms.timing.t1 }
    }

    /// The next one after twice the pause (timer A).
    pub(super) fn slower(self, at: Moment) -> Repeat {
        let pause = self.pause * 2;
        Repeat { due: at + pause, pause }
    }

    /// The next one after twice the pause, at most T2 (timers E and G, and a 2xx).
    pub(super) fn slower_until_t2(self, terms: Terms) -> Repeat {
        let pause = (self.pause * 2).min(terms.timing.t2);
        Repeat { due: terms.at + pause, pause }
    }

    /// The next one after T2 (timer E once something has been heard).
    pub(super) fn at_t2(terms: Terms) -> Repeat {
        Repeat { due: terms.at + terms.timing.t2, pause: terms.timing.t2 }
    }
}

/// The earlier of a repetition and an end.
pub(super) fn earlier(repeat: Option<Repeat>, end: Moment) -> Moment {
    repeat.map_or(end, |repeat| repeat.due.min(end))
}

/// When a machine wants to be woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// At this moment: something is to be said again, or given up.
    Exactly(Moment),
    /// At this moment or a little later: it only absorbs what is repeated (timers D, I, J, K, L, M).
    AtLeisure(Moment),
}

/// What a client machine meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClientEvent {
    /// 1xx.
    Provisional,
    /// 2xx.
    Success,
    /// 300–699.
    Refusal,
    /// The moment of its alarm has come.
    Alarm,
    /// The transport could not deliver the request.
    Unreachable,
    /// Our CANCEL has gone out after it.
    Cancelled,
}

impl ClientEvent {
    /// The event that a response with this status is.
    pub(super) fn of(status: u16) -> ClientEvent {
        match status {
            ..=199 => ClientEvent::Provisional,
            200..=299 => ClientEvent::Success,
            300.. => ClientEvent::Refusal,
        }
    }
}

/// What a client machine wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClientAct {
    Nothing,
    /// Send again what was sent last.
    Resend,
    /// Tell the owner.
    Hear,
    /// Acknowledge a refusal and tell the owner.
    AckAndHear,
    /// Tell the owner that it failed.
    Fail(Failure),
}

/// What a server machine meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServerEvent {
    /// The same request once more.
    Again,
    /// An ACK that matches (INVITE only).
    Ack,
    /// The owner has seen the ACK for its 2xx (INVITE only).
    Acked,
    /// The owner answers with this status.
    Respond(u16),
    /// The moment of its alarm has come.
    Alarm,
}

/// What a server machine wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServerAct {
    Nothing,
    /// Send the owner's new answer.
    Send,
    /// Send the last answer again.
    Resend,
    /// Give the ACK to the owner.
    HearAck,
    /// Tell the owner that its 2xx was never acknowledged.
    Unacknowledged,
}
