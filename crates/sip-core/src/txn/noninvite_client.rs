//! Non-INVITE client transaction: RFC 3261 §17.1.2, figure 6.

use base::Moment;

use super::heard::Failure;
use super::pace::{ClientAct, ClientEvent, Due, Repeat, Terms, earlier};

/// The machine.
#[derive(Debug)]
pub(super) struct NonInviteClient {
    phase: Phase,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Sent; nothing heard. Timers E and F.
    Trying {
        resend: Option<Repeat>,
        timeout: Moment,
    },
    /// A provisional has come; still repeated, every T2. Timers E and F.
    Proceeding {
        resend: Option<Repeat>,
        timeout: Moment,
    },
    /// Answered; absorbs repeated answers. Timer K.
    Completed {
        until: Moment,
    },
    Over,
}

impl NonInviteClient {
    /// The request has just been sent.
    pub(super) fn start(terms: Terms) -> NonInviteClient {
        let resend = (!terms.reliable).then(|| Repeat::first(terms));
        let timeout = terms.at + terms.timing.patience();
        NonInviteClient { phase: Phase::Trying { resend, timeout } }
    }

    /// Takes one step.
    pub(super) fn step(&mut self, event: ClientEvent, terms: Terms) -> ClientAct {
        let (phase, act) = match self.phase {
            Phase::Trying { resend, timeout } => trying(resend, timeout, event, terms),
            Phase::Proceeding { resend, timeout } => proceeding(resend, timeout, event, terms),
            Phase::Completed { until } => completed(until, event),
            Phase::Over => (Phase::Over, ClientAct::Nothing),
        };
        self.phase = phase;
        act
    }

    /// When it wants to be woken.
    pub(super) fn alarm(&self) -> Option<Due> {
        match self.phase {
            Phase::Trying { resend, timeout } | Phase::Proceeding { resend, timeout } => {
                Some(Due::Exactly(earlier(resend, timeout)))
            }
            Phase::Completed { until } => Some(Due::AtLeisure(until)),
            Phase::Over => None,
        }
    }

    /// Whether nothing at all has been heard.
    pub(super) fn is_unheard(&self) -> bool {
        matches!(self.phase, Phase::Trying { .. })
    }

    /// Whether the final answer has come, so that the request need not be kept.
    pub(super) fn is_answered(&self) -> bool {
        matches!(self.phase, Phase::Completed { .. } | Phase::Over)
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }
}

fn trying(
    resend: Option<Repeat>,
    timeout: Moment,
    event: ClientEvent,
    terms: Terms,
) -> (Phase, ClientAct) {
    let stay = Phase::Trying { resend, timeout };
    match event {
        ClientEvent::Provisional => (Phase::Proceeding { resend, timeout }, ClientAct::Hear),
        ClientEvent::Success | ClientEvent::Refusal => answered(terms),
        ClientEvent::Alarm if terms.at >= timeout => {
            (Phase::Over, ClientAct::Fail(Failure::Timeout))
        }
        ClientEvent::Alarm => match resend {
            Some(repeat) if terms.at >= repeat.due => {
                let resend = Some(repeat.slower_until_t2(terms));
                (Phase::Trying { resend, timeout }, ClientAct::Resend)
            }
            Some(_) | None => (stay, ClientAct::Nothing),
        },
        ClientEvent::Unreachable => (Phase::Over, ClientAct::Fail(Failure::Unreachable)),
        ClientEvent::Cancelled => (stay, ClientAct::Nothing),
    }
}

fn proceeding(
    resend: Option<Repeat>,
    timeout: Moment,
    event: ClientEvent,
    terms: Terms,
) -> (Phase, ClientAct) {
    let stay = Phase::Proceeding { resend, timeout };
    match event {
        ClientEvent::Provisional => (stay, ClientAct::Hear),
        ClientEvent::Success | ClientEvent::Refusal => answered(terms),
        ClientEvent::Alarm if terms.at >= timeout => {
            (Phase::Over, ClientAct::Fail(Failure::Timeout))
        }
        ClientEvent::Alarm => match resend {
            Some(repeat) if terms.at >= repeat.due => {
                let resend = Some(Repeat::at_t2(terms));
                (Phase::Proceeding { resend, timeout }, ClientAct::Resend)
            }
            Some(_) | None => (stay, ClientAct::Nothing),
        },
        ClientEvent::Unreachable | ClientEvent::Cancelled => (stay, ClientAct::Nothing),
    }
}

fn answered(terms: Terms) -> (Phase, ClientAct) {
    if terms.reliable {
        return (Phase::Over, ClientAct::Hear);
    }
    (Phase::Completed { until: terms.at + terms.timing.k(terms.reliable) }, ClientAct::Hear)
}

fn completed(until: Moment, event: ClientEvent) -> (Phase, ClientAct) {
    match event {
        ClientEvent::Alarm => (Phase::Over, ClientAct::Nothing),
        ClientEvent::Provisional
        | ClientEvent::Success
        | ClientEvent::Refusal
        | ClientEvent::Unreachable
        | ClientEvent::Cancelled => (Phase::Completed { until }, ClientAct::Nothing),
    }
}
