//! INVITE client transaction: RFC 3261 §17.1.1, figure 5, with the Accepted state of RFC 6026 §7.2.

use base::Moment;

use super::heard::Failure;
use super::pace::{ClientAct, ClientEvent, Due, Repeat, Terms, earlier};

/// The machine.
#[derive(Debug)]
pub(super) struct InviteClient {
    phase: Phase,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Sent; nothing heard. Timers A and B.
    Calling {
        resend: Option<Repeat>,
        timeout: Moment,
    },
    /// A provisional has come. Rings as long as its owner likes, unless cancelled.
    Proceeding {
        give_up: Option<Moment>,
    },
    /// A 2xx has come; more may follow from other branches. Timer M.
    Accepted {
        until: Moment,
    },
    /// Refused and acknowledged. Timer D.
    Completed {
        until: Moment,
    },
    Over,
}

impl InviteClient {
    /// The INVITE has just been sent.
    pub(super) fn start(terms: Terms) -> InviteClient {
        let resend = (!terms.reliable).then(|| Repeat::first(terms));
        let timeout = terms.at + terms.timing.patience();
        InviteClient { phase: Phase::Calling { resend, timeout } }
    }

    /// It went out in an earlier run of the program, and a provisional has come; `cancelled`: its CANCEL
    /// has gone out too.
    pub(super) fn ringing(cancelled: bool, terms: Terms) -> InviteClient {
        let give_up = cancelled.then(|| terms.at + terms.timing.patience());
        InviteClient { phase: Phase::Proceeding { give_up } }
    }

    /// It was answered 2xx in an earlier run of the program.
    pub(super) fn accepted(terms: Terms) -> InviteClient {
        InviteClient { phase: Phase::Accepted { until: terms.at + terms.timing.patience() } }
    }

    /// Takes one step.
    pub(super) fn step(&mut self, event: ClientEvent, terms: Terms) -> ClientAct {
        let (phase, act) = match self.phase {
            Phase::Calling { resend, timeout } => calling(resend, timeout, event, terms),
            Phase::Proceeding { give_up } => proceeding(give_up, event, terms),
            Phase::Accepted { until } => accepted(until, event),
            Phase::Completed { until } => completed(until, event),
            Phase::Over => (Phase::Over, ClientAct::Nothing),
        };
        self.phase = phase;
        act
    }

    /// When it wants to be woken.
    pub(super) fn alarm(&self) -> Option<Due> {
        match self.phase {
            Phase::Calling { resend, timeout } => Some(Due::Exactly(earlier(resend, timeout))),
            Phase::Proceeding { give_up } => give_up.map(Due::Exactly),
            Phase::Accepted { until } | Phase::Completed { until } => Some(Due::AtLeisure(until)),
            Phase::Over => None,
        }
    }

    /// Whether nothing at all has been heard.
    pub(super) fn is_unheard(&self) -> bool {
        matches!(self.phase, Phase::Calling { .. })
    }

    /// Whether a provisional has come and no final: the one time at which a CANCEL may go (§9.1).
    pub(super) fn is_ringing(&self) -> bool {
        matches!(self.phase, Phase::Proceeding { .. })
    }

    /// Whether a 2xx has come, so that the request need not be kept.
    pub(super) fn is_accepted(&self) -> bool {
        matches!(self.phase, Phase::Accepted { .. })
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }
}

fn calling(
    resend: Option<Repeat>,
    timeout: Moment,
    event: ClientEvent,
    terms: Terms,
) -> (Phase, ClientAct) {
    let stay = Phase::Calling { resend, timeout };
    match event {
        ClientEvent::Provisional => (Phase::Proceeding { give_up: None }, ClientAct::Hear),
        ClientEvent::Success | ClientEvent::Refusal => answered(event, terms),
        ClientEvent::Alarm if terms.at >= timeout => {
            (Phase::Over, ClientAct::Fail(Failure::Timeout))
        }
        ClientEvent::Alarm => match resend {
            Some(repeat) if terms.at >= repeat.due => {
                let resend = Some(repeat.slower(terms.at));
                (Phase::Calling { resend, timeout }, ClientAct::Resend)
            }
            Some(_) | None => (stay, ClientAct::Nothing),
        },
        ClientEvent::Unreachable => (Phase::Over, ClientAct::Fail(Failure::Unreachable)),
        ClientEvent::Cancelled => (stay, ClientAct::Nothing),
    }
}

fn proceeding(give_up: Option<Moment>, event: ClientEvent, terms: Terms) -> (Phase, ClientAct) {
    let stay = Phase::Proceeding { give_up };
    match event {
        ClientEvent::Provisional => (stay, ClientAct::Hear),
        ClientEvent::Success | ClientEvent::Refusal => answered(event, terms),
        ClientEvent::Alarm if give_up.is_some_and(|moment| terms.at >= moment) => {
            (Phase::Over, ClientAct::Fail(Failure::Timeout))
        }
        ClientEvent::Cancelled => {
            let give_up = Some(terms.at + terms.timing.patience());
            (Phase::Proceeding { give_up }, ClientAct::Nothing)
        }
        // The request has arrived: what cannot be delivered now is not the request.
        ClientEvent::Alarm | ClientEvent::Unreachable => (stay, ClientAct::Nothing),
    }
}

/// The first final answer.
fn answered(event: ClientEvent, terms: Terms) -> (Phase, ClientAct) {
    if event == ClientEvent::Success {
        let until = terms.at + terms.timing.patience();
        return (Phase::Accepted { until }, ClientAct::Hear);
    }
    if terms.reliable {
        return (Phase::Over, ClientAct::AckAndHear);
    }
    let until = terms.at + terms.timing.d(terms.reliable);
    (Phase::Completed { until }, ClientAct::AckAndHear)
}

fn accepted(until: Moment, event: ClientEvent) -> (Phase, ClientAct) {
    match event {
        ClientEvent::Success => (Phase::Accepted { until }, ClientAct::Hear),
        ClientEvent::Alarm => (Phase::Over, ClientAct::Nothing),
        ClientEvent::Provisional
        | ClientEvent::Refusal
        | ClientEvent::Unreachable
        | ClientEvent::Cancelled => (Phase::Accepted { until }, ClientAct::Nothing),
    }
}

fn completed(until: Moment, event: ClientEvent) -> (Phase, ClientAct) {
    match event {
        // What was sent last is the ACK.
        ClientEvent::Refusal => (Phase::Completed { until }, ClientAct::Resend),
        ClientEvent::Alarm => (Phase::Over, ClientAct::Nothing),
        ClientEvent::Provisional
        | ClientEvent::Success
        | ClientEvent::Unreachable
        | ClientEvent::Cancelled => (Phase::Completed { until }, ClientAct::Nothing),
    }
}
