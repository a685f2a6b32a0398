//! INVITE server transaction: RFC 3261 §17.2.1, figure 7, with the Accepted state of RFC 6026 §7.1,
//! and the repetition of the 2xx that RFC 3261 §13.3.1.4 asks of the user agent.

use base::Moment;

use super::pace::{Due, Repeat, ServerAct, ServerEvent, Terms, earlier};

/// The machine.
#[derive(Debug)]
pub(super) struct InviteServer {
    phase: Phase,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// No final answer yet.
    Proceeding,
    /// Refused, not yet acknowledged. Timers G and H.
    Completed {
        resend: Option<Repeat>,
        until: Moment,
    },
    /// The refusal is acknowledged; absorbs repeated ACKs. Timer I.
    Confirmed {
        until: Moment,
    },
    /// Answered 2xx, which is repeated over any transport until its ACK. Timer L.
    Accepted {
        unacked: Option<Repeat>,
        until: Moment,
    },
    Over,
}

impl InviteServer {
    pub(super) fn start() -> InviteServer {
        InviteServer { phase: Phase::Proceeding }
    }

    /// It was answered so in an earlier run of the program, and nobody has acknowledged that.
    pub(super) fn answered(status: u16, terms: Terms) -> InviteServer {
        InviteServer { phase: proceeding(ServerEvent::Respond(status), terms).0 }
    }

    /// Whether a final answer waits for its ACK.
    pub(super) fn awaits_ack(&self) -> bool {
        match self.phase {
            Phase::Completed { .. } => true,
            Phase::Accepted { unacked, .. } => unacked.is_some(),
            Phase::Proceeding | Phase::Confirmed { .. } | Phase::Over => false,
        }
    }

    /// Takes one step.
    pub(super) fn step(&mut self, event: ServerEvent, terms: Terms) -> ServerAct {
        let (phase, act) = match self.phase {
            Phase::Proceeding => proceeding(event, terms),
            Phase::Completed { resend, until } => completed(resend, until, event, terms),
            Phase::Confirmed { until } => confirmed(until, event),
            Phase::Accepted { unacked, until } => accepted(unacked, until, event, terms),
            Phase::Over => (Phase::Over, ServerAct::Nothing),
        };
        self.phase = phase;
        act
    }

    /// When it wants to be woken.
    pub(super) fn alarm(&self) -> Option<Due> {
        match self.phase {
            Phase::Proceeding | Phase::Over => None,
            Phase::Completed { resend, until } => Some(Due::Exactly(earlier(resend, until))),
            Phase::Confirmed { until } | Phase::Accepted { unacked: None, until } => {
                Some(Due::AtLeisure(until))
            }
            Phase::Accepted { unacked, until } => Some(Due::Exactly(earlier(unacked, until))),
        }
    }

    /// Whether no final answer has been given.
    pub(super) fn is_pending(&self) -> bool {
        matches!(self.phase, Phase::Proceeding)
    }

    /// Whether the last answer may have to be sent again.
    pub(super) fn may_repeat(&self) -> bool {
        self.is_pending() || self.awaits_ack()
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }
}

fn proceeding(event: ServerEvent, terms: Terms) -> (Phase, ServerAct) {
    match event {
        ServerEvent::Again => (Phase::Proceeding, ServerAct::Resend),
        ServerEvent::Respond(..=199) => (Phase::Proceeding, ServerAct::Send),
        ServerEvent::Respond(200..=299) => {
            let until = terms.at + terms.timing.patience();
            (Phase::Accepted { unacked: Some(Repeat::first(terms)), until }, ServerAct::Send)
        }
        ServerEvent::Respond(_) => {
            let resend = (!terms.reliable).then(|| Repeat::first(terms));
            let until = terms.at + terms.timing.patience();
            (Phase::Completed { resend, until }, ServerAct::Send)
        }
        ServerEvent::Ack | ServerEvent::Acked | ServerEvent::Alarm => {
            (Phase::Proceeding, ServerAct::Nothing)
        }
    }
}

fn completed(
    resend: Option<Repeat>,
    until: Moment,
    event: ServerEvent,
    terms: Terms,
) -> (Phase, ServerAct) {
    let stay = Phase::Completed { resend, until };
    match event {
        ServerEvent::Again => (stay, ServerAct::Resend),
        ServerEvent::Ack if terms.reliable => (Phase::Over, ServerAct::Nothing),
        ServerEvent::Ack => {
            let until = terms.at + terms.timing.i(terms.reliable);
            (Phase::Confirmed { until }, ServerAct::Nothing)
        }
        // Nobody can do anything about an unacknowledged refusal.
        ServerEvent::Alarm if terms.at >= until => (Phase::Over, ServerAct::Nothing),
        ServerEvent::Alarm => match resend {
            Some(repeat) if terms.at >= repeat.due => {
                let resend = Some(repeat.slower_until_t2(terms));
                (Phase::Completed { resend, until }, ServerAct::Resend)
            }
            Some(_) | None => (stay, ServerAct::Nothing),
        },
        ServerEvent::Acked | ServerEvent::Respond(_) => (stay, ServerAct::Nothing),
    }
}

fn confirmed(until: Moment, event: ServerEvent) -> (Phase, ServerAct) {
    match event {
        ServerEvent::Alarm => (Phase::Over, ServerAct::Nothing),
        ServerEvent::Again | ServerEvent::Ack | ServerEvent::Acked | ServerEvent::Respond(_) => {
            (Phase::Confirmed { until }, ServerAct::Nothing)
        }
    }
}

fn accepted(
    unacked: Option<Repeat>,
    until: Moment,
    event: ServerEvent,
    terms: Terms,
) -> (Phase, ServerAct) {
    let stay = Phase::Accepted { unacked, until };
    match event {
        // An ACK for a 2xx should have its own branch; from one that has not, it is still the owner's.
        ServerEvent::Ack => (stay, ServerAct::HearAck),
        ServerEvent::Acked => (Phase::Accepted { unacked: None, until }, ServerAct::Nothing),
        ServerEvent::Alarm if terms.at >= until => match unacked {
            Some(_) => (Phase::Over, ServerAct::Unacknowledged),
            None => (Phase::Over, ServerAct::Nothing),
        },
        ServerEvent::Alarm => match unacked {
            Some(repeat) if terms.at >= repeat.due => {
                let unacked = Some(repeat.slower_until_t2(terms));
                (Phase::Accepted { unacked, until }, ServerAct::Resend)
            }
            Some(_) | None => (stay, ServerAct::Nothing),
        },
        // The 2xx has its own pace: a repeated INVITE does not hasten it.
        ServerEvent::Again | ServerEvent::Respond(_) => (stay, ServerAct::Nothing),
    }
}
