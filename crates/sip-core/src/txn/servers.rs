//! The requests that we were sent: machines, the way back, and the answers that may have to be
//! given again.

use std::net::SocketAddr;

use base::{Changes, ConnId, Flow, Moment};
use bytes::Bytes;
use sip_msg::{Compose, Draft, Message, Method};

use super::desk::{Alarm, Desk};
use super::heard::Heard;
use super::invite_server::InviteServer;
use super::kept::KeptServer;
use super::key::{Key, ServerKey};
use super::noninvite_server::NonInviteServer;
use super::pace::{Due, ServerAct, ServerEvent, Terms};
use super::print::{Press, Print};
use super::table::Table;
use super::via;

/// All requests that we were sent and that live.
#[derive(Debug)]
pub(super) struct Servers<O> {
    table: Table<Print, Server<O>>,
    press: Press,
}

#[derive(Debug)]
struct Server<O> {
    owner: Option<O>,
    machine: Machine,
    /// The way by which answers go.
    way_back: Flow,
    /// Where a new connection finds the sender if its own is closed.
    listening_port: u16,
    /// The request and where it came from, until its final answer has been given; to an INVITE, until that
    /// is acknowledged.
    asked: Option<Box<Asked>>,
    /// The last answer; nothing once it need not be given again.
    answer: Option<Bytes>,
}

#[derive(Debug)]
struct Asked {
    request: Message,
    source: SocketAddr,
}

#[derive(Debug)]
enum Machine {
    Invite(InviteServer),
    NonInvite(NonInviteServer),
}

impl Machine {
    fn step(&mut self, event: ServerEvent, terms: Terms) -> ServerAct {
        match self {
            Machine::Invite(machine) => machine.step(event, terms),
            Machine::NonInvite(machine) => machine.step(event, terms),
        }
    }

    fn alarm(&self) -> Option<Due> {
        match self {
            Machine::Invite(machine) => machine.alarm(),
            Machine::NonInvite(machine) => machine.alarm(),
        }
    }

    fn is_pending(&self) -> bool {
        match self {
            Machine::Invite(machine) => machine.is_pending(),
            Machine::NonInvite(machine) => machine.is_pending(),
        }
    }

    /// Whether an INVITE's final answer waits for its ACK.
    fn awaits_ack(&self) -> bool {
        matches!(self, Machine::Invite(machine) if machine.awaits_ack())
    }

    fn may_repeat(&self) -> bool {
        match self {
            Machine::Invite(machine) => machine.may_repeat(),
            Machine::NonInvite(machine) => machine.may_repeat(),
        }
    }

    fn is_over(&self) -> bool {
        match self {
            Machine::Invite(machine) => machine.is_over(),
            Machine::NonInvite(machine) => machine.is_over(),
        }
    }
}

impl<O: Copy> Servers<O> {
    pub(super) fn new(desk: &mut Desk) -> Servers<O> {
        Servers { table: Table::new(), press: Press::new(&mut desk.chance) }
    }

    pub(super) fn have_changed(&self) -> bool {
        self.table.changes.are_some()
    }

    /// Which may have changed since somebody has last asked.
    pub(super) fn changes(&mut self) -> &mut Changes<Key> {
        &mut self.table.changes
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn owner(&self, key: ServerKey) -> Option<O> {
        self.table.get(key.0)?.owner
    }

    pub(super) fn adopt(&mut self, key: ServerKey, owner: O) {
        if let Some(server) = self.table.get_mut(key.0) {
            server.owner = Some(owner);
        }
    }

    pub(super) fn request_of(&self, key: ServerKey) -> Option<&Message> {
        let server = self.table.get(key.0).filter(|server| server.machine.is_pending())?;
        Some(&server.asked.as_ref()?.request)
    }

    pub(super) fn is_pending(&self, key: ServerKey) -> bool {
        self.table.get(key.0).is_some_and(|server| server.machine.is_pending())
    }

    /// A request has come.
    pub(super) fn hear(
        &mut self,
        desk: &mut Desk,
        at: Moment,
        flow: Flow,
        request: Message,
    ) -> Heard<O> {
        match request.method() {
            Some(Method::Ack) => self.hear_ack(desk, at, flow, request),
            Some(Method::Cancel) => self.hear_cancel(desk, at, flow, request),
            Some(method) => {
                let print = self.press.of(&request, flow.side, method.as_str());
                self.hear_other(desk, at, flow, request, print)
            }
            None => Heard::Absorbed,
        }
    }

    fn hear_other(
        &mut self,
        desk: &mut Desk,
        at: Moment,
        flow: Flow,
        request: Message,
        print: Print,
    ) -> Heard<O> {
        if let Some(key) = self.table.find(&print).map(ServerKey) {
            self.hear_again(desk, at, flow, key);
            return Heard::Absorbed;
        }
        let is_invite = request.method() == Some(&Method::Invite);
        let server = self.admit(flow, print, request.clone());
        if is_invite {
            self.respond(desk, at, server, 100, &trying(&request));
        }
        Heard::Request { server, request, flow }
    }

    fn admit(&mut self, flow: Flow, print: Print, request: Message) -> ServerKey {
        let via = request.via();
        let machine = match request.method() {
            Some(Method::Invite) => Machine::Invite(InviteServer::start()),
            _ => Machine::NonInvite(NonInviteServer::start()),
        };
        let (way_back, listening_port) =
            (via::way_back(flow, &via), via::listening_port(flow.transport, &via));
        let asked = Some(Box::new(Asked { request, source: flow.peer }));
        let server = Server { owner: None, machine, way_back, listening_port, asked, answer: None };
        ServerKey(self.table.insert(print, server))
    }

    /// What is to be kept of one: a request that somebody is to answer, or an answer that nobody has
    /// acknowledged.
    pub(super) fn kept(&self, key: ServerKey) -> Option<KeptServer<O>> {
        let server = self.table.get(key.0)?;
        let Asked { request, source } = server.asked.as_deref()?;
        let answer = server.answer.clone();
        let answered = match server.machine.awaits_ack() {
            true => Some(Message::read(answer.clone()?).ok()?.status()),
            false => None,
        };
        if answered.is_none() && server.owner.is_none() {
            return None;
        }
        let flow = Flow { peer: *source, ..server.way_back };
        Some(KeptServer {
            owner: server.owner,
            request: request.bytes().clone(),
            flow,
            answer,
            answered,
        })
    }

    /// One of an earlier run of the program goes on.
    pub(super) fn go_on(
        &mut self,
        desk: &mut Desk,
        at: Moment,
        kept: KeptServer<O>,
    ) -> Option<ServerKey> {
        let KeptServer { owner, request, flow, answer, answered } = kept;
        let request = Message::read(request).ok()?;
        let print = self.press.of(&request, flow.side, request.method()?.as_str());
        let key = self.admit(flow, print, request);
        let server = self.table.get_mut(key.0)?;
        (server.owner, server.answer) = (owner, answer);
        if let Some(status) = answered {
            let terms = desk.terms(at, &server.way_back);
            server.machine = Machine::Invite(InviteServer::answered(status, terms));
            desk.arm(Alarm::Server(key), server.machine.alarm());
        }
        Some(key)
    }

    fn hear_again(&mut self, desk: &mut Desk, at: Moment, flow: Flow, key: ServerKey) {
        let Some(server) = self.table.get_mut(key.0) else { return };
        desk.counts.absorbed += 1;
        // A sender that has connected anew waits on its new connection.
        if flow.transport.is_reliable() && server.way_back.transport == flow.transport {
            server.way_back = flow;
        }
        if server.step(desk, key, at, ServerEvent::Again) == ServerAct::Resend {
            desk.counts.repeated += 1;
            server.repeat(desk);
        }
    }

    fn hear_ack(&mut self, desk: &mut Desk, at: Moment, flow: Flow, ack: Message) -> Heard<O> {
        let print = self.press.of(&ack, flow.side, "INVITE");
        let Some(key) = self.table.find(&print).map(ServerKey) else {
            return Heard::Ack { request: ack, flow };
        };
        let Some(server) = self.table.get_mut(key.0) else { return Heard::Absorbed };
        let act = server.step(desk, key, at, ServerEvent::Ack);
        self.settle(key);
        match act {
            ServerAct::HearAck => Heard::Ack { request: ack, flow },
            ServerAct::Nothing
            | ServerAct::Send
            | ServerAct::Resend
            | ServerAct::Unacknowledged => Heard::Absorbed,
        }
    }

    /// A CANCEL is a transaction of its own, answered here (§9.2).
    fn hear_cancel(
        &mut self,
        desk: &mut Desk,
        at: Moment,
        flow: Flow,
        cancel: Message,
    ) -> Heard<O> {
        let print = self.press.of(&cancel, flow.side, "CANCEL");
        if let Some(key) = self.table.find(&print).map(ServerKey) {
            self.hear_again(desk, at, flow, key);
            return Heard::Absorbed;
        }
        let invite = self.table.find(&self.press.of(&cancel, flow.side, "INVITE")).map(ServerKey);
        let status = if invite.is_some() { 200 } else { 481 };
        let to_tag = invite.and_then(|key| self.to_tag_given(key));
        let to_tag = to_tag.unwrap_or_else(|| desk.chance.token(10));
        let answer = Compose::response_to(&cancel, status, None).to_tag(&to_tag).finish();
        let own = self.admit(flow, print, cancel.clone());
        self.respond(desk, at, own, status, &answer);
        match invite {
            Some(invite) if self.is_pending(invite) => {
                Heard::Cancel { invite, owner: self.owner(invite), request: cancel }
            }
            Some(_) | None => Heard::Absorbed,
        }
    }

    /// The To-tag that our answers to an INVITE carry: its CANCEL should be answered with the same.
    fn to_tag_given(&self, invite: ServerKey) -> Option<String> {
        let answer = self.table.get(invite.0)?.answer.clone()?;
        Some(Message::read(answer).ok()?.to_tag()?.to_owned())
    }

    /// Answers; says whether the answer went out.
    pub(super) fn respond(
        &mut self,
        desk: &mut Desk,
        at: Moment,
        key: ServerKey,
        status: u16,
        draft: &Draft,
    ) -> bool {
        let Some(server) = self.table.get_mut(key.0) else { return false };
        let Some(asked) = &server.asked else { return false };
        let bytes = draft.with_vias(&via::of_answer(&asked.request, asked.source));
        if server.step(desk, key, at, ServerEvent::Respond(status)) != ServerAct::Send {
            return false;
        }
        server.answer = Some(bytes);
        server.repeat(desk);
        self.settle(key);
        true
    }

    /// The ACK for our 2xx has come.
    pub(super) fn acked(&mut self, desk: &mut Desk, at: Moment, key: ServerKey) {
        if let Some(server) = self.table.get_mut(key.0) {
            server.step(desk, key, at, ServerEvent::Acked);
            self.settle(key);
        }
    }

    /// The alarm of `key` is due.
    pub(super) fn alarm(
        &mut self,
        desk: &mut Desk,
        at: Moment,
        key: ServerKey,
    ) -> Option<Heard<O>> {
        let server = self.table.get_mut(key.0)?;
        let owner = server.owner;
        let act = server.step(desk, key, at, ServerEvent::Alarm);
        if act == ServerAct::Resend {
            desk.counts.repeated += 1;
            server.repeat(desk);
        }
        desk.counts.timed_out += u64::from(act == ServerAct::Unacknowledged);
        self.settle(key);
        (act == ServerAct::Unacknowledged).then_some(Heard::Unacknowledged { server: key, owner })
    }

    /// Forgets what is not needed any more, all of it if the machine is over.
    fn settle(&mut self, key: ServerKey) {
        let Some(server) = self.table.get_mut(key.0) else { return };
        if !server.machine.is_pending() && !server.machine.awaits_ack() {
            server.asked = None;
        }
        if !server.machine.may_repeat() {
            server.answer = None;
        }
        if server.machine.is_over() {
            self.table.remove(key.0);
        }
    }

    /// The connection is gone: later answers go by a new one to where the sender listens
    /// (RFC 3261 §18.2.2).
    pub(super) fn closed(&mut self, conn: ConnId) {
        for (_, server) in self.table.iter_mut() {
            if server.way_back.conn == Some(conn) {
                server.way_back.conn = None;
                server.way_back.peer.set_port(server.listening_port);
            }
        }
    }
}

impl<O> Server<O> {
    fn step(
        &mut self,
        desk: &mut Desk,
        key: ServerKey,
        at: Moment,
        event: ServerEvent,
    ) -> ServerAct {
        let before = self.machine.alarm();
        let act = self.machine.step(event, desk.terms(at, &self.way_back));
        let after = self.machine.alarm();
        if event == ServerEvent::Alarm || before != after {
            desk.arm(Alarm::Server(key), after);
        }
        act
    }

    fn repeat(&self, desk: &mut Desk) {
        if let Some(bytes) = &self.answer {
            desk.send(self.way_back, bytes.clone());
        }
    }
}

/// The 100 that stops the INVITE's repetition; a Timestamp goes back as it came (§8.2.6.1).
fn trying(invite: &Message) -> Draft {
    let compose = Compose::response_to(invite, 100, None);
    match invite.other("Timestamp") {
        Some(timestamp) => compose.other("Timestamp", timestamp).finish(),
        None => compose.finish(),
    }
}

#[cfg(test)]
mod tests {
    use super::Server;

    #[test]
    fn what_lingers_of_a_request_is_small() {
        let server = size_of::<Server<u64>>();
        assert!(server <= 240, "{server}");
    }
}
