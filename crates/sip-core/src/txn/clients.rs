//! All requests that we sent: which one a response answers, and what follows from that.

use base::{Changes, ConnId, Flow, Moment, Side, Transport};
use bytes::Bytes;
use sip_msg::{Draft, Message, Name, NameAddr};

use super::branch::{Asks, Branch};
use super::client::Client;
use super::desk::{Alarm, Desk};
use super::heard::{Failure, Heard, Oversize};
use super::kept::KeptClient;
use super::key::{ClientKey, Key};
use super::pace::{ClientAct, ClientEvent};
use super::table::Table;
use super::via;

/// Above this a datagram may be cut up on the way, and lost (RFC 3261 §18.1.1).
const LARGEST_DATAGRAM: usize = 1300;

/// All requests that we sent and that live.
#[derive(Debug)]
pub(super) struct Clients<O> {
    table: Table<Branch, Client<O>>,
}

impl<O: Copy> Clients<O> {
    pub(super) fn new() -> Clients<O> {
        Clients { table: Table::new() }
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

    pub(super) fn owner(&self, key: ClientKey) -> Option<O> {
        self.table.get(key.0).map(|client| client.owner)
    }

    pub(super) fn heard_anything(&self, key: ClientKey) -> bool {
        self.table.get(key.0).is_some_and(|client| !client.is_unheard())
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
        let branch = self.unused_branch(desk, flow.side, Asks::of_draft(draft));
        let mut client = Client::new(owner, branch, flow, draft, desk.terms(at, &flow));
        let too_large = flow.transport == Transport::Udp && client.size() > LARGEST_DATAGRAM;
        if too_large && oversize == Oversize::TryTcp {
            let stream = Flow { transport: Transport::Tcp, conn: None, ..flow };
            let terms = desk.terms(at, &stream);
            client = Client::new(owner, branch, stream, draft, terms).instead_of(client);
        }
        self.launch(desk, client)
    }

    /// What is to be kept of one.
    pub(super) fn kept(&self, key: ClientKey) -> Option<KeptClient<O>> {
        self.table.get(key.0)?.kept()
    }

    /// One of an earlier run of the program goes on.
    pub(super) fn go_on(
        &mut self,
        desk: &mut Desk,
        at: Moment,
        kept: KeptClient<O>,
    ) -> Option<ClientKey> {
        let terms = desk.terms(at, &kept.flow);
        let key = self.launch(desk, Client::go_on(kept, terms)?);
        self.follow(desk, at, key);
        Some(key)
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
        client.send(desk);
        let alarm = client.alarm();
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
        let found = found.map(ClientKey);
        let Some((key, client)) = found.and_then(|key| Some((key, self.table.get_mut(key.0)?)))
        else {
            desk.counts.absorbed += 1;
            return Heard::Absorbed;
        };
        let owner = client.owner;
        let tells = client.hear(desk, key, at, &response);
        self.follow(desk, at, key);
        self.sweep(key);
        if !tells {
            desk.counts.absorbed += 1;
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
                desk.counts.repeated += 1;
                client.send(desk);
                None
            }
            ClientAct::Fail(why) => self.fail(desk, key, why),
            ClientAct::Nothing | ClientAct::Hear | ClientAct::AckAndHear => {
                self.sweep(key);
                None
            }
        }
    }

    fn fail(&mut self, desk: &mut Desk, key: ClientKey, why: Failure) -> Option<Heard<O>> {
        let client = self.table.remove(key.0)?;
        match why {
            Failure::Timeout => desk.counts.timed_out += 1,
            Failure::Unreachable => desk.counts.undelivered += 1,
        }
        (!client.silent).then_some(Heard::Failed { client: key, owner: client.owner, why })
    }

    fn sweep(&mut self, key: ClientKey) {
        if self.table.get(key.0).is_some_and(|client| client.is_over()) {
            self.table.remove(key.0);
        }
    }

    /// Sends the ACK for a 2xx, and keeps it for as long as that 2xx may be repeated.
    pub(super) fn ack(&mut self, desk: &mut Desk, key: ClientKey, flow: Flow, draft: &Draft) {
        let bytes = self.ack_once(desk, flow, draft);
        let Some(client) = self.table.get_mut(key.0) else { return };
        let to = draft.get(Name::To).and_then(NameAddr::read);
        client.keep_ack(to.as_ref().and_then(NameAddr::tag).unwrap_or(""), flow, bytes);
    }

    /// Sends an ACK. Gives its bytes.
    fn ack_once(&mut self, desk: &mut Desk, flow: Flow, draft: &Draft) -> Bytes {
        let branch = self.unused_branch(desk, flow.side, Asks::Other);
        let bytes = draft.with_vias(&[via::of_ours(&flow, branch)]);
        desk.send(flow, bytes.clone());
        bytes
    }

    /// Cancels an INVITE: now, or once it has been heard of.
    pub(super) fn cancel(
        &mut self,
        desk: &mut Desk,
        at: Moment,
        key: ClientKey,
        reason: Option<&str>,
    ) {
        if let Some(client) = self.table.get_mut(key.0) {
            client.want_cancel(reason);
            self.follow(desk, at, key);
        }
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
        let Some(cancel) = client.cancel_that_may_go(desk, key, at) else { return };
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
            if client.is_unheard() && via::is_same_way(&client.flow, failed) {
                let is_lost = client.undelivered(desk, key, at);
                lost.push((key, is_lost));
            }
        }
        self.all_undelivered(desk, lost)
    }

    /// The connection is gone: what waits for its first answer there has failed, and what is yet to
    /// be sent needs a new one.
    pub(super) fn closed(&mut self, desk: &mut Desk, at: Moment, conn: ConnId) -> Vec<Heard<O>> {
        let mut lost = Vec::new();
        for (key, client) in self.table.iter_mut() {
            let key = ClientKey(key);
            let was_its = client.flow.conn == Some(conn);
            client.forget_connection(conn);
            if was_its && client.is_unheard() {
                let is_lost = client.undelivered(desk, key, at);
                lost.push((key, is_lost));
            }
        }
        self.all_undelivered(desk, lost)
    }

    /// What was not delivered has failed, or goes by another way now.
    fn all_undelivered(&mut self, desk: &mut Desk, lost: Vec<(ClientKey, bool)>) -> Vec<Heard<O>> {
        let mut failed = Vec::new();
        for (key, is_lost) in lost {
            if is_lost {
                failed.extend(self.fail(desk, key, Failure::Unreachable));
            } else {
                self.table.changes.note(key.0);
            }
        }
        failed
    }
}
