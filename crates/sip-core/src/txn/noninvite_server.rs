//! Non-INVITE server transaction: RFC 3261 §17.2.2, figure 8.

use base::Moment;

use super::pace::{Due, ServerAct, ServerEvent, Terms};

/// The machine.
#[derive(Debug)]
pub(super) struct NonInviteServer {
    phase: Phase,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Not answered; repetitions are absorbed.
    Trying,
    /// Answered provisionally; a repetition is answered so again.
    Proceeding,
    /// Answered; a repetition is answered again. Timer J.
    Completed {
        until: Moment,
    },
    Over,
}

impl NonInviteServer {
    pub(super) fn start() -> NonInviteServer {
        NonInviteServer { phase: Phase::Trying }
    }

    /// Takes one step.
    pub(super) fn step(&mut self, event: ServerEvent, terms: Terms) -> ServerAct {
        let (phase, act) = match self.phase {
            Phase::Trying => trying(event, terms),
            Phase::Proceeding => proceeding(event, terms),
            Phase::Completed { until } => completed(until, event),
            Phase::Over => (Phase::Over, ServerAct::Nothing),
        };
        self.phase = phase;
        act
    }

    /// When it wants to be woken.
    pub(super) fn alarm(&self) -> Option<Due> {
        match self.phase {
            Phase::Completed { until } => Some(Due::AtLeisure(until)),
            Phase::Trying | Phase::Proceeding | Phase::Over => None,
        }
    }

    /// Whether no final answer has been given.
    pub(super) fn is_pending(&self) -> bool {
        matches!(self.phase, Phase::Trying | Phase::Proceeding)
    }

    /// Whether the last answer may have to be sent again.
    pub(super) fn may_repeat(&self) -> bool {
        !self.is_over()
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }
}

fn trying(event: ServerEvent, terms: Terms) -> (Phase, ServerAct) {
    match event {
        ServerEvent::Respond(status) => responded(status, terms),
        ServerEvent::Again | ServerEvent::Ack | ServerEvent::Acked | ServerEvent::Alarm => {
            (Phase::Trying, ServerAct::Nothing)
        }
    }
}

fn proceeding(event: ServerEvent, terms: Terms) -> (Phase, ServerAct) {
    match event {
        ServerEvent::Respond(status) => responded(status, terms),
        ServerEvent::Again => (Phase::Proceeding, ServerAct::Resend),
        ServerEvent::Ack | ServerEvent::Acked | ServerEvent::Alarm => {
            (Phase::Proceeding, ServerAct::Nothing)
        }
    }
}

fn responded(status: u16, terms: Terms) -> (Phase, ServerAct) {
    if status < 200 {
        return (Phase::Proceeding, ServerAct::Send);
    }
    if terms.reliable {
        return (Phase::Over, ServerAct::Send);
    }
    (Phase::Completed { until: terms.at + terms.timing.j(terms.reliable) }, ServerAct::Send)
}

fn completed(until: Moment, event: ServerEvent) -> (Phase, ServerAct) {
    match event {
        ServerEvent::Again => (Phase::Completed { until }, ServerAct::Resend),
        ServerEvent::Alarm => (Phase::Over, ServerAct::Nothing),
        ServerEvent::Ack | ServerEvent::Acked | ServerEvent::Respond(_) => {
            (Phase::Completed { until }, ServerAct::Nothing)
        }
    }
}
