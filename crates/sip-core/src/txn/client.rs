//! One request that we sent: its machine, and what may have to be sent again or after it.

use base::{ConnId, Flow, Moment};
use bytes::Bytes;
use sip_msg::{Draft, Message};
use smallvec::SmallVec;

use super::branch::{Asks, Branch};
use super::desk::{Alarm, Desk};
use super::invite_client::InviteClient;
use super::kept::{Cancel, ClientState, KeptClient};
use super::key::ClientKey;
use super::noninvite_client::NonInviteClient;
use super::pace::{ClientAct, ClientEvent, Due, Terms};
use super::via;

#[derive(Debug)]
pub(super) struct Client<O> {
    pub(super) owner: O,
    pub(super) branch: Branch,
    pub(super) flow: Flow,
    /// Whether the owner wants to hear no more than a 2xx to an INVITE.
    pub(super) silent: bool,
    machine: Machine,
    /// The request, or the ACK for a refusal; nothing once nothing can be sent again.
    sent: Option<Bytes>,
    /// The same request for the datagram, while a connection is tried in its stead.
    instead: Option<Box<(Flow, Bytes)>>,
}

#[derive(Debug)]
enum Machine {
    Invite(InviteClient, Box<Sequel>),
    NonInvite(NonInviteClient),
}

/// What may follow an INVITE: its CANCEL, the ACKs for its answers.
#[derive(Debug)]
struct Sequel {
    /// From which its CANCEL and the ACK of a refusal are made; nothing after its final answer.
    invite: Option<Draft>,
    cancel: Cancel,
    /// One per To-tag that answered 2xx.
    answers: SmallVec<[Answer; 1]>,
}

#[derive(Debug)]
struct Answer {
    to_tag: Box<str>,
    /// Our ACK for it and the way by which it went.
    ack: Option<(Flow, Bytes)>,
}

impl Machine {
    fn start(draft: &Draft, terms: Terms) -> Machine {
        if Asks::of_draft(draft) != Asks::Invite {
            return Machine::NonInvite(NonInviteClient::start(terms));
        }
        let invite = Some(draft.clone());
        let sequel = Sequel { invite, cancel: Cancel::No, answers: SmallVec::new() };
        Machine::Invite(InviteClient::start(terms), Box::new(sequel))
    }

    fn step(&mut self, event: ClientEvent, terms: Terms) -> ClientAct {
        match self {
            Machine::Invite(machine, _) => machine.step(event, terms),
            Machine::NonInvite(machine) => machine.step(event, terms),
        }
    }

    /// One that has come so far, and what was sent last, if that may have to be sent again.
    fn go_on(
        state: ClientState,
        (flow, branch): (&Flow, Branch),
        terms: Terms,
    ) -> Option<(Machine, Option<Bytes>)> {
        let with_invite = |machine, invite, cancel, tags: Vec<Box<str>>| {
            let answers = tags.into_iter().map(|to_tag| Answer { to_tag, ack: None }).collect();
            Machine::Invite(machine, Box::new(Sequel { invite, cancel, answers }))
        };
        match state {
            ClientState::Invite { draft, rings, cancel } => {
                let draft = Draft::of_request(draft)?;
                let sent = (!rings).then(|| draft.with_vias(&[via::of_ours(flow, branch)]));
                let machine = match rings {
                    true => InviteClient::ringing(matches!(cancel, Cancel::Sent), terms),
                    false => InviteClient::start(terms),
                };
                Some((with_invite(machine, Some(draft), cancel, Vec::new()), sent))
            }
            ClientState::Accepted { tags } => {
                let machine = InviteClient::accepted(terms);
                Some((with_invite(machine, None, Cancel::No, tags), None))
            }
            ClientState::Other { sent } => {
                Some((Machine::NonInvite(NonInviteClient::start(terms)), Some(sent)))
            }
        }
    }

    fn alarm(&self) -> Option<Due> {
        match self {
            Machine::Invite(machine, _) => machine.alarm(),
            Machine::NonInvite(machine) => machine.alarm(),
        }
    }

    fn is_unheard(&self) -> bool {
        match self {
            Machine::Invite(machine, _) => machine.is_unheard(),
            Machine::NonInvite(machine) => machine.is_unheard(),
        }
    }

    fn is_over(&self) -> bool {
        match self {
            Machine::Invite(machine, _) => machine.is_over(),
            Machine::NonInvite(machine) => machine.is_over(),
        }
    }
}

impl<O: Copy> Client<O> {
    /// The request that `draft` says, to be launched by `flow`.
    pub(super) fn new(
        owner: O,
        branch: Branch,
        flow: Flow,
        draft: &Draft,
        terms: Terms,
    ) -> Client<O> {
        let sent = Some(draft.with_vias(&[via::of_ours(&flow, branch)]));
        let machine = Machine::start(draft, terms);
        Client { owner, branch, flow, silent: false, machine, sent, instead: None }
    }

    /// The size of the request on the wire, in bytes.
    pub(super) fn size(&self) -> usize {
        self.sent.as_ref().map_or(0, Bytes::len)
    }

    /// Takes the place of `datagram`, which is kept for when no connection can be made.
    pub(super) fn instead_of(mut self, datagram: Client<O>) -> Client<O> {
        self.instead = datagram.sent.map(|bytes| Box::new((datagram.flow, bytes)));
        self
    }

    /// It goes on where it was.
    pub(super) fn go_on(kept: KeptClient<O>, terms: Terms) -> Option<Client<O>> {
        let KeptClient { owner, branch, flow, silent, instead, state } = kept;
        let (machine, sent) = Machine::go_on(state, (&flow, branch), terms)?;
        Some(Client { owner, branch, flow, silent, machine, sent, instead: instead.map(Box::new) })
    }

    /// What is to be kept of it.
    pub(super) fn kept(&self) -> Option<KeptClient<O>> {
        let state = match &self.machine {
            Machine::Invite(machine, sequel) if machine.is_accepted() => {
                if sequel.answers.iter().all(|answer| answer.ack.is_some()) {
                    return None;
                }
                let tags = sequel.answers.iter().map(|answer| answer.to_tag.clone()).collect();
                ClientState::Accepted { tags }
            }
            Machine::Invite(machine, sequel) => ClientState::Invite {
                draft: Bytes::copy_from_slice(sequel.invite.as_ref()?.as_bytes()),
                rings: machine.is_ringing(),
                cancel: sequel.cancel.clone(),
            },
            Machine::NonInvite(machine) if machine.is_answered() => return None,
            Machine::NonInvite(_) => ClientState::Other { sent: self.sent.clone()? },
        };
        let instead = self.instead.as_deref().cloned();
        let (owner, branch, flow, silent) = (self.owner, self.branch, self.flow, self.silent);
        Some(KeptClient { owner, branch, flow, silent, instead, state })
    }

    /// When it wants to be woken.
    pub(super) fn alarm(&self) -> Option<Due> {
        self.machine.alarm()
    }

    /// Whether nothing at all has been heard.
    pub(super) fn is_unheard(&self) -> bool {
        self.machine.is_unheard()
    }

    pub(super) fn is_over(&self) -> bool {
        self.machine.is_over()
    }

    /// Lets the machine take a step.
    pub(super) fn step(
        &mut self,
        desk: &mut Desk,
        key: ClientKey,
        at: Moment,
        event: ClientEvent,
    ) -> ClientAct {
        let before = self.machine.alarm();
        let act = self.machine.step(event, desk.terms(at, &self.flow));
        let after = self.machine.alarm();
        if event == ClientEvent::Alarm || before != after {
            desk.arm(Alarm::Client(key), after);
        }
        act
    }

    /// Sends what was sent last (at launch: for the first time).
    pub(super) fn send(&self, desk: &mut Desk) {
        if let Some(bytes) = &self.sent {
            desk.send(self.flow, bytes.clone());
        }
    }

    /// Takes a response; says whether the owner is to hear it.
    pub(super) fn hear(
        &mut self,
        desk: &mut Desk,
        key: ClientKey,
        at: Moment,
        response: &Message,
    ) -> bool {
        let status = response.status();
        let is_first_word = self.is_unheard();
        let act = self.step(desk, key, at, ClientEvent::of(status));
        self.instead = None;
        let tells = match act {
            ClientAct::Hear if status <= 100 => is_first_word && !self.silent,
            ClientAct::Hear => self.wants(desk, response),
            ClientAct::AckAndHear => {
                self.acknowledge(desk, response);
                !self.silent
            }
            ClientAct::Resend => {
                self.send(desk);
                false
            }
            ClientAct::Nothing | ClientAct::Fail(_) => false,
        };
        self.let_go();
        tells
    }

    /// Forgets what can no longer be sent.
    fn let_go(&mut self) {
        match &mut self.machine {
            Machine::Invite(machine, sequel) if machine.is_accepted() => sequel.invite = None,
            Machine::Invite(machine, _) if machine.is_ringing() => {}
            Machine::NonInvite(machine) if machine.is_answered() => {}
            Machine::Invite(..) | Machine::NonInvite(_) => return,
        }
        self.sent = None;
    }

    /// Whether the owner is to hear this response. A 2xx to an INVITE that has been heard already
    /// is answered with its ACK again.
    fn wants(&mut self, desk: &mut Desk, response: &Message) -> bool {
        let is_success = (200..300).contains(&response.status());
        let Machine::Invite(_, sequel) = &mut self.machine else { return !self.silent };
        if !is_success {
            return !self.silent;
        }
        let to_tag = response.to_tag().unwrap_or("");
        match sequel.answers.iter().find(|answer| &*answer.to_tag == to_tag) {
            Some(Answer { ack: Some((flow, bytes)), .. }) => {
                desk.send(*flow, bytes.clone());
                false
            }
            Some(Answer { ack: None, .. }) => false,
            None => {
                sequel.answers.push(Answer { to_tag: to_tag.into(), ack: None });
                true
            }
        }
    }

    /// Acknowledges a refusal, and keeps the ACK in place of the INVITE (RFC 3261 §17.1.1.3).
    fn acknowledge(&mut self, desk: &mut Desk, refusal: &Message) {
        let Machine::Invite(_, sequel) = &mut self.machine else { return };
        let Some(invite) = sequel.invite.take() else { return };
        let via = via::of_ours(&self.flow, self.branch);
        self.sent = Some(invite.ack(refusal).with_vias(&[via]));
        self.send(desk);
    }

    /// Keeps the ACK that went out for the 2xx with this To-tag.
    pub(super) fn keep_ack(&mut self, to_tag: &str, flow: Flow, ack: Bytes) {
        let Machine::Invite(_, sequel) = &mut self.machine else { return };
        let ack = Some((flow, ack));
        match sequel.answers.iter_mut().find(|answer| &*answer.to_tag == to_tag) {
            Some(answer) => answer.ack = ack,
            None => sequel.answers.push(Answer { to_tag: to_tag.into(), ack }),
        }
    }

    /// Has the INVITE cancelled as soon as that may be.
    pub(super) fn want_cancel(&mut self, reason: Option<&str>) {
        let Machine::Invite(_, sequel) = &mut self.machine else { return };
        if matches!(sequel.cancel, Cancel::No) {
            sequel.cancel = Cancel::Wanted(reason.map(Box::from));
        }
    }

    /// The CANCEL of this INVITE, to be launched, if it is wanted and may go (§9.1).
    pub(super) fn cancel_that_may_go(
        &mut self,
        desk: &mut Desk,
        key: ClientKey,
        at: Moment,
    ) -> Option<Client<O>> {
        let Machine::Invite(machine, sequel) = &mut self.machine else { return None };
        let Cancel::Wanted(reason) = &sequel.cancel else { return None };
        if !machine.is_ringing() {
            return None;
        }
        let draft = sequel.invite.as_ref()?.cancel(reason.as_deref());
        sequel.cancel = Cancel::Sent;
        self.step(desk, key, at, ClientEvent::Cancelled);
        let (branch, terms) = (self.branch.of_its_cancel(), desk.terms(at, &self.flow));
        let cancel = Client::new(self.owner, branch, self.flow, &draft, terms);
        Some(Client { silent: true, ..cancel })
    }

    /// The request was not delivered. Tries the datagram if a stream was tried in its stead; says
    /// whether all is lost.
    pub(super) fn undelivered(&mut self, desk: &mut Desk, key: ClientKey, at: Moment) -> bool {
        let Some(instead) = self.instead.take() else {
            self.step(desk, key, at, ClientEvent::Unreachable);
            return true;
        };
        let (flow, bytes) = *instead;
        self.flow = flow;
        self.sent = Some(bytes);
        let terms = desk.terms(at, &flow);
        match &mut self.machine {
            Machine::Invite(machine, _) => *machine = InviteClient::start(terms),
            Machine::NonInvite(machine) => *machine = NonInviteClient::start(terms),
        }
        self.send(desk);
        desk.arm(Alarm::Client(key), self.machine.alarm());
        false
    }

    /// The connection is gone: what is yet to be sent needs a new one.
    pub(super) fn forget_connection(&mut self, conn: ConnId) {
        let forget = |flow: &mut Flow| {
            if flow.conn == Some(conn) {
                flow.conn = None;
            }
        };
        forget(&mut self.flow);
        let Machine::Invite(_, sequel) = &mut self.machine else { return };
        for (flow, _) in sequel.answers.iter_mut().filter_map(|answer| answer.ack.as_mut()) {
            forget(flow);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Client, Sequel};

    #[test]
    fn what_lingers_of_a_request_is_small() {
        // Half a minute of 500 calls/s each way leaves some 30,000 of them.
        let (client, sequel) = (size_of::<Client<u64>>(), size_of::<Sequel>());
        assert!(client <= 224, "{client}");
        assert!(sequel <= 288, "{sequel}");
    }
}
