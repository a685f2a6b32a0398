//! The requests that we sent: machines, what may have to be sent again, CANCELs and ACKs.

use base::{ConnId, Flow, Moment, Side, Transport};
use bytes::Bytes;
use sip_msg::{Draft, Message, Name, NameAddr};

use super::branch::{Asks, Branch};
use super::desk::{Alarm, Desk};
use super::heard::{Failure, Heard, Oversize};
use super::invite_client::InviteClient;
use super::key::ClientKey;
use super::noninvite_client::NonInviteClient;
use super::pace::{ClientAct, ClientEvent, Terms};
use super::table::Table;
use super::via;

/// Above this a datagram may be cut up on the way, and lost (RFC 3261 §18.1.1).
const LARGEST_DATAGRAM: usize = 1300;

/// All requests that we sent and that live.
#[derive(Debug)]
pub(super) struct Clients<O> {
    table: Table<Branch, Client<O>>,
}

#[derive(Debug)]
struct Client<O> {
    owner: O,
    branch: Branch,
    flow: Flow,
    machine: Machine,
    /// The request, or the ACK for a refusal; nothing once nothing can be sent again.
    sent: Option<Bytes>,
    /// The same request for the datagram, while a connection is tried in its stead.
    instead: Option<Box<(Flow, Bytes)>>,
    /// Whether the owner wants to hear no more than a 2xx to an INVITE.
    silent: bool,
}

#[derive(Debug)]
enum Machine {
    Invite(InviteClient, Box<Calls>),
    NonInvite(NonInviteClient),
}

/// What an INVITE has beside its machine.
#[derive(Debug)]
struct Calls {
    /// From which its CANCEL and the ACK of a refusal are made; nothing after its final answer.
    invite: Option<Draft>,
    cancel: Cancel,
    /// One per To-tag that answered 2xx.
    answers: Vec<Answer>,
}

#[derive(Debug)]
enum Cancel {
    No,
    /// As soon as a provisional comes; with this Reason.
    Wanted(Option<Box<str>>),
    Sent,
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
        let calls = Calls { invite, cancel: Cancel::No, answers: Vec::new() };
        Machine::Invite(InviteClient::start(terms), Box::new(calls))
    }

    fn step(&mut self, event: ClientEvent, terms: Terms) -> ClientAct {
        match self {
            Machine::Invite(machine, _) => machine.step(event, terms),
            Machine::NonInvite(machine) => machine.step(event, terms),
        }
    }

    fn alarm(&self) -> Option<Moment> {
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

impl<O: Copy> Clients<O> {
    pub(super) fn new() -> Clients<O> {
        Clients { table: Table::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn owner(&self, key: ClientKey) -> Option<O> {
        self.table.get(key.0).map(|client| client.owner)
    }

    pub(super) fn heard_anything(&self, key: ClientKey) -> bool {
        self.table.get(key.0).is_some_and(|client| !client.machine.is_unheard())
    }

    /// Sends a new request.
    pub(super) fn request(
        &mut self,
        desk: &mut Desk,
        at: Moment,
        flow: Flow,
        owner: O,
        draft: &Draft,
        oversize: Oversize,
    ) -> ClientKey {
        let asks = Asks::of_draft(draft);
        let branch = self.unused_branch(desk, flow.side, asks);
        let bytes = draft.with_vias(&[via::of_ours(&flow, branch)]);
        let too_large = flow.transport == Transport::Udp && bytes.len() > LARGEST_DATAGRAM;
        let (flow, bytes, instead) = if too_large && oversize == Oversize::TryTcp {
            let stream = Flow { transport: Transport::Tcp, conn: None, ..flow };
            let streamed = draft.with_vias(&[via::of_ours(&stream, branch)]);
            (stream, streamed, Some(Box::new((flow, bytes))))
        } else {
            (flow, bytes, None)
        };
        let machine = Machine::start(draft, desk.terms(at, &flow));
        let sent = Some(bytes);
        let client = Client { owner, branch, flow, machine, sent, instead, silent: false };
        self.launch(desk, client)
    }

    fn unused_branch(&self, desk: &mut Desk, side: Side, asks: Asks) -> Branch {
        loop {
            let branch = Branch::fresh(&mut desk.chance, side, asks);
            if !self.table.contains(&branch) {
                return branch;
            }
        }
    }

    fn launch(&mut self, desk: &mut Desk, client: Client<O>) -> ClientKey {
        if let Some(bytes) = &client.sent {
            desk.send(client.flow, bytes.clone());
        }
        let alarm = client.machine.alarm();
        let key = ClientKey(self.table.insert(client.branch, client));
        desk.arm(Alarm::Client(key), alarm);
        key
    }

    /// A response has come.
    pub(super) fn hear(
        &mut self,
        desk: &mut Desk,
        at: Moment,
        flow: Flow,
        response: Message,
    ) -> Heard<O> {
        // More than one Via: it has lost its way (RFC 3261 §8.1.3.3).
        let found = Branch::answered_by(&response, flow.side)
            .filter(|_| response.values(Name::Via).nth(1).is_none())
            .and_then(|branch| self.table.find(&branch));
        let Some(key) = found.map(ClientKey) else { return Heard::Absorbed };
        let Some(client) = self.table.get_mut(key.0) else { return Heard::Absorbed };
        let (owner, silent) = (client.owner, client.silent);
        let status = response.status();
        let is_first_word = client.machine.is_unheard();
        let act = client.step(desk, key, at, ClientEvent::of(status));
        client.instead = None;
        let tells = match act {
            ClientAct::Hear if status <= 100 => is_first_word && !silent,
            ClientAct::Hear => client.wants(desk, &response),
            ClientAct::AckAndHear => {
                client.acknowledge(desk, &response);
                !silent
            }
            ClientAct::Resend => {
                client.resend(desk);
                false
            }
            ClientAct::Nothing | ClientAct::Fail(_) => false,
        };
        client.let_go();
        self.follow(desk, at, key);
        self.sweep(key);
        if !tells {
            return Heard::Absorbed;
        }
        Heard::Response { client: key, owner, response, flow }
    }

    /// The alarm of `key` is due.
    pub(super) fn alarm(
        &mut self,
        desk: &mut Desk,
        at: Moment,
        key: ClientKey,
    ) -> Option<Heard<O>> {
        let client = self.table.get_mut(key.0)?;
        match client.step(desk, key, at, ClientEvent::Alarm) {
            ClientAct::Resend => {
                client.resend(desk);
                None
            }
            ClientAct::Fail(why) => self.fail(key, why),
            ClientAct::Nothing | ClientAct::Hear | ClientAct::AckAndHear => {
                self.sweep(key);
                None
            }
        }
    }

    fn fail(&mut self, key: ClientKey, why: Failure) -> Option<Heard<O>> {
        let client = self.table.remove(key.0)?;
        (!client.silent).then_some(Heard::Failed { client: key, owner: client.owner, why })
    }

    fn sweep(&mut self, key: ClientKey) {
        if self.table.get(key.0).is_some_and(|client| client.machine.is_over()) {
            self.table.remove(key.0);
        }
    }

    /// Sends the ACK for a 2xx, and keeps it for as long as that 2xx may be repeated.
    pub(super) fn ack(&mut self, desk: &mut Desk, key: ClientKey, flow: Flow, draft: &Draft) {
        let branch = self.unused_branch(desk, flow.side, Asks::Other);
        let bytes = draft.with_vias(&[via::of_ours(&flow, branch)]);
        desk.send(flow, bytes.clone());
        let Some(client) = self.table.get_mut(key.0) else { return };
        let Machine::Invite(_, calls) = &mut client.machine else { return };
        let to = draft.get(Name::To).and_then(NameAddr::read);
        let to_tag = to.as_ref().and_then(NameAddr::tag).unwrap_or("");
        match calls.answers.iter_mut().find(|answer| &*answer.to_tag == to_tag) {
            Some(answer) => answer.ack = Some((flow, bytes)),
            None => calls.answers.push(Answer { to_tag: to_tag.into(), ack: Some((flow, bytes)) }),
        }
    }

    /// Cancels an INVITE: now, or once it has been heard of.
    pub(super) fn cancel(
        &mut self,
        desk: &mut Desk,
        at: Moment,
        key: ClientKey,
        reason: Option<&str>,
    ) {
        let Some(client) = self.table.get_mut(key.0) else { return };
        let Machine::Invite(_, calls) = &mut client.machine else { return };
        if matches!(calls.cancel, Cancel::No) {
            calls.cancel = Cancel::Wanted(reason.map(Box::from));
        }
        self.follow(desk, at, key);
    }

    /// Its owner wants to hear no more of it.
    pub(super) fn abandon(&mut self, desk: &mut Desk, at: Moment, key: ClientKey) {
        if let Some(client) = self.table.get_mut(key.0) {
            client.silent = true;
            self.cancel(desk, at, key, None);
        }
    }

    /// Sends the CANCEL if one is wanted and may go (§9.1).
    fn follow(&mut self, desk: &mut Desk, at: Moment, key: ClientKey) {
        let Some(client) = self.table.get_mut(key.0) else { return };
        let Some(cancel) = client.cancel_that_may_go(desk, at, key) else { return };
        self.launch(desk, cancel);
    }

    /// What was sent by `failed` was not delivered.
    pub(super) fn unreachable(
        &mut self,
        desk: &mut Desk,
        at: Moment,
        failed: &Flow,
    ) -> Vec<Heard<O>> {
        let mut lost = Vec::new();
        for (key, client) in self.table.iter_mut() {
            let key = ClientKey(key);
            if client.machine.is_unheard() && via::is_same_way(&client.flow, failed) {
                lost.extend(client.undelivered(desk, at, key).then_some(key));
            }
        }
        lost.into_iter().filter_map(|key| self.fail(key, Failure::Unreachable)).collect()
    }

    /// The connection is gone: what waits for its first answer there has failed, and what is yet to
    /// be sent needs a new one.
    pub(super) fn closed(&mut self, desk: &mut Desk, at: Moment, conn: ConnId) -> Vec<Heard<O>> {
        let mut lost = Vec::new();
        for (key, client) in self.table.iter_mut() {
            let key = ClientKey(key);
            if client.flow.conn == Some(conn) {
                client.flow.conn = None;
                let was_waiting = client.machine.is_unheard();
                lost.extend((was_waiting && client.undelivered(desk, at, key)).then_some(key));
            }
            client.forget_connection(conn);
        }
        lost.into_iter().filter_map(|key| self.fail(key, Failure::Unreachable)).collect()
    }
}

impl<O: Copy> Client<O> {
    fn step(
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

    fn resend(&self, desk: &mut Desk) {
        if let Some(bytes) = &self.sent {
            desk.send(self.flow, bytes.clone());
        }
    }

    /// Forgets what can no longer be sent.
    fn let_go(&mut self) {
        match &mut self.machine {
            Machine::Invite(machine, calls) if machine.is_accepted() => calls.invite = None,
            Machine::NonInvite(machine) if machine.is_answered() => {}
            Machine::Invite(..) | Machine::NonInvite(_) => return,
        }
        self.sent = None;
    }

    /// Whether the owner is to hear this response. A 2xx to an INVITE that has been heard already
    /// is answered with its ACK again.
    fn wants(&mut self, desk: &mut Desk, response: &Message) -> bool {
        let is_success = (200..300).contains(&response.status());
        let Machine::Invite(_, calls) = &mut self.machine else { return !self.silent };
        if !is_success {
            return !self.silent;
        }
        let to_tag = response.to_tag().unwrap_or("");
        match calls.answers.iter().find(|answer| &*answer.to_tag == to_tag) {
            Some(Answer { ack: Some((flow, bytes)), .. }) => {
                desk.send(*flow, bytes.clone());
                false
            }
            Some(Answer { ack: None, .. }) => false,
            None => {
                calls.answers.push(Answer { to_tag: to_tag.into(), ack: None });
                true
            }
        }
    }

    /// Acknowledges a refusal, and keeps the ACK in place of the INVITE (RFC 3261 §17.1.1.3).
    fn acknowledge(&mut self, desk: &mut Desk, refusal: &Message) {
        let Machine::Invite(_, calls) = &mut self.machine else { return };
        let Some(invite) = calls.invite.take() else { return };
        let via = via::of_ours(&self.flow, self.branch);
        self.sent = Some(invite.ack(refusal).with_vias(&[via]));
        self.resend(desk);
    }

    /// The CANCEL of this INVITE, if it is wanted and may go.
    fn cancel_that_may_go(
        &mut self,
        desk: &mut Desk,
        at: Moment,
        key: ClientKey,
    ) -> Option<Client<O>> {
        let Machine::Invite(machine, calls) = &mut self.machine else { return None };
        if !machine.is_ringing() || !matches!(calls.cancel, Cancel::Wanted(_)) {
            return None;
        }
        let Cancel::Wanted(reason) = std::mem::replace(&mut calls.cancel, Cancel::Sent) else {
            return None;
        };
        let cancel = calls.invite.as_ref()?.cancel(reason.as_deref());
        self.step(desk, key, at, ClientEvent::Cancelled);
        Some(Client {
            owner: self.owner,
            branch: self.branch.of_its_cancel(),
            flow: self.flow,
            machine: Machine::start(&cancel, desk.terms(at, &self.flow)),
            sent: Some(cancel.with_vias(&[via::of_ours(&self.flow, self.branch)])),
            instead: None,
            silent: true,
        })
    }

    /// The request was not delivered. Tries the datagram if a stream was tried in its stead; says
    /// whether all is lost.
    fn undelivered(&mut self, desk: &mut Desk, at: Moment, key: ClientKey) -> bool {
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
        self.resend(desk);
        desk.arm(Alarm::Client(key), self.machine.alarm());
        false
    }

    fn forget_connection(&mut self, conn: ConnId) {
        let Machine::Invite(_, calls) = &mut self.machine else { return };
        for (flow, _) in calls.answers.iter_mut().filter_map(|answer| answer.ack.as_mut()) {
            if flow.conn == Some(conn) {
                flow.conn = None;
            }
        }
    }
}
