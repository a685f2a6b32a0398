//! The one door of the transaction layer: messages, orders and wake-ups in; what was heard and what
//! is to be sent out.

use std::collections::VecDeque;

use base::{Chance, ConnId, Deadlines, Flow, Moment};
use bytes::Bytes;
use sip_msg::{Draft, Message};

use super::clients::Clients;
use super::counts::TxnCounts;
use super::desk::{Alarm, Desk};
use super::heard::{Heard, Oversize};
use super::kept::{KeptClient, KeptServer};
use super::key::{ClientKey, ServerKey};
use super::servers::Servers;
use super::timing::Timing;

/// All transactions of the house (RFC 3261 §17, RFC 6026). `O` names who owns one, in the words of
/// the layer's user; the layer only gives it back.
///
/// Whatever a call here wants sent waits in [`poll`](Layer::poll); whatever it wants done later is
/// due at [`next`](Layer::next) and done by [`wake`](Layer::wake). A key that has outlived its
/// transaction does nothing.
#[derive(Debug)]
pub struct Layer<O> {
    desk: Desk,
    clients: Clients<O>,
    servers: Servers<O>,
}

impl<O: Copy> Layer<O> {
    /// A layer without transactions. Branches and tags come from `chance`.
    pub fn new(timing: Timing, chance: Chance) -> Layer<O> {
        let alarms = Deadlines::default();
        let lingering = Deadlines::default();
        let (tray, counts) = (VecDeque::new(), TxnCounts::default());
        let mut desk = Desk { timing, chance, alarms, lingering, tray, counts };
        let servers = Servers::new(&mut desk);
        Layer { desk, clients: Clients::new(), servers }
    }

    /// Takes a message that came by `flow`. A new INVITE is answered 100 at once (§17.2.1 would let
    /// us wait 200 ms, but a message costs less than an alarm); a CANCEL is answered here.
    pub fn hear(&mut self, at: Moment, flow: Flow, message: Message) -> Heard<O> {
        if message.is_request() {
            self.servers.hear(&mut self.desk, at, flow, message)
        } else {
            self.clients.hear(&mut self.desk, at, flow, message)
        }
    }

    /// Makes `owner` the owner of a request that we were sent.
    pub fn adopt(&mut self, server: ServerKey, owner: O) {
        self.servers.adopt(server, owner);
    }

    /// Who adopted a request that we were sent.
    pub fn owner(&self, server: ServerKey) -> Option<O> {
        self.servers.owner(server)
    }

    /// Who owns a request that we sent.
    pub fn client_owner(&self, client: ClientKey) -> Option<O> {
        self.clients.owner(client)
    }

    /// The request, as long as it has no final answer.
    pub fn request_of(&self, server: ServerKey) -> Option<&Message> {
        self.servers.request_of(server)
    }

    /// Whether the request has no final answer yet.
    pub fn is_pending(&self, server: ServerKey) -> bool {
        self.servers.is_pending(server)
    }

    /// Answers a request: with the Vias that it came with (`received` and `rport` filled in), by the
    /// way that RFC 3261 §18.2.2 says. A 2xx to an INVITE is repeated over any transport until
    /// [`acked`](Layer::acked), at most 64·T1 (§13.3.1.4). Says whether the answer went out: after a
    /// final one none does.
    pub fn respond(&mut self, at: Moment, server: ServerKey, status: u16, draft: &Draft) -> bool {
        self.servers.respond(&mut self.desk, at, server, status, draft)
    }

    /// The ACK for our 2xx has come ([`Heard::Ack`] does not say whose it is: its dialog does).
    pub fn acked(&mut self, at: Moment, server: ServerKey) {
        self.servers.acked(&mut self.desk, at, server);
    }

    /// Sends a request other than ACK and CANCEL by `flow`, with a Via of ours.
    pub fn request(
        &mut self,
        at: Moment,
        flow: Flow,
        owner: O,
        draft: &Draft,
        oversize: Oversize,
    ) -> ClientKey {
        self.clients.request(&mut self.desk, at, flow, owner, draft, oversize)
    }

    /// Sends the ACK for a 2xx. It is kept under its To-tag and sent again each time that this 2xx
    /// is repeated, until 64·T1 after the first 2xx. Goes out even when the transaction is over.
    pub fn ack(&mut self, _at: Moment, client: ClientKey, flow: Flow, draft: &Draft) {
        self.clients.ack(&mut self.desk, client, flow, draft);
    }

    /// Cancels an INVITE of ours: now, or as soon as a provisional has come (§9.1). Its final answer
    /// is still heard, be it 487 or a 2xx that crossed; none within 64·T1 is
    /// [`Failure::Timeout`](super::heard::Failure::Timeout). `reason` is the value of a Reason line
    /// (RFC 3326). Nothing happens for other methods or after a final answer.
    pub fn cancel(&mut self, at: Moment, client: ClientKey, reason: Option<&str>) {
        self.clients.cancel(&mut self.desk, at, client, reason);
    }

    /// Whether a provisional or more has come.
    pub fn heard_anything(&self, client: ClientKey) -> bool {
        self.clients.heard_anything(client)
    }

    /// The owner wants to hear no more of this request; an INVITE is cancelled. One thing is still
    /// heard: a new 2xx to an INVITE, which must be acknowledged and hung up.
    pub fn abandon(&mut self, at: Moment, client: ClientKey) {
        self.clients.abandon(&mut self.desk, at, client);
    }

    /// What was sent by `flow` could not be delivered: requests that wait there for their first
    /// answer fail, or turn from TCP to UDP where that was promised.
    pub fn unreachable(&mut self, at: Moment, flow: &Flow) -> Vec<Heard<O>> {
        self.clients.unreachable(&mut self.desk, at, flow)
    }

    /// A stream connection has ended: requests that wait there for their first answer fail; what
    /// else was to go by it goes by a new connection.
    pub fn closed(&mut self, at: Moment, conn: ConnId) -> Vec<Heard<O>> {
        self.servers.closed(conn);
        self.clients.closed(&mut self.desk, at, conn)
    }

    /// Deals with alarms that are due at `at`, up to the first that its owner must hear of. Call it
    /// until it gives none.
    pub fn wake(&mut self, at: Moment) -> Option<Heard<O>> {
        while let Some(alarm) = self.desk.expired(at) {
            let heard = match alarm {
                Alarm::Client(key) => self.clients.alarm(&mut self.desk, at, key),
                Alarm::Server(key) => self.servers.alarm(&mut self.desk, at, key),
            };
            if heard.is_some() {
                return heard;
            }
        }
        None
    }

    /// When there is something to do next. Finished transactions are forgotten up to a quarter of a
    /// second late, many at a time.
    pub fn next(&self) -> Option<Moment> {
        self.desk.next()
    }

    /// The next message to be sent, and by which way.
    pub fn poll(&mut self) -> Option<(Flow, Bytes)> {
        self.desk.tray.pop_front()
    }

    /// Whether any may have changed since this was last asked for or forgotten.
    pub fn have_changed(&self) -> bool {
        self.clients.have_changed() || self.servers.have_changed()
    }

    /// Which may have changed since this was last asked.
    pub fn changed(&mut self) -> (Vec<ClientKey>, Vec<ServerKey>) {
        let clients = self.clients.changes().take().into_iter().map(ClientKey).collect();
        let servers = self.servers.changes().take().into_iter().map(ServerKey).collect();
        (clients, servers)
    }

    /// Nobody wants to know what has changed.
    pub fn forget_changes(&mut self) {
        self.clients.changes().forget();
        self.servers.changes().forget();
    }

    /// What is to outlive the program of a request that we sent; nothing if it is over, or only absorbs
    /// repetitions.
    pub fn kept_client(&self, client: ClientKey) -> Option<KeptClient<O>> {
        self.clients.kept(client)
    }

    /// What is to outlive the program of a request that we were sent; nothing if it is over, only absorbs
    /// repetitions, or is nobody's.
    pub fn kept_server(&self, server: ServerKey) -> Option<KeptServer<O>> {
        self.servers.kept(server)
    }

    /// A request that an earlier run of the program sent goes on. If nothing was heard of it, it is sent
    /// again. Nothing if it cannot be read.
    pub fn go_on_client(&mut self, at: Moment, kept: KeptClient<O>) -> Option<ClientKey> {
        self.clients.go_on(&mut self.desk, at, kept)
    }

    /// A request that an earlier run of the program was sent waits for its answer, or that for its ACK.
    /// Nothing if it cannot be read.
    pub fn go_on_server(&mut self, at: Moment, kept: KeptServer<O>) -> Option<ServerKey> {
        self.servers.go_on(&mut self.desk, at, kept)
    }

    /// How many transactions are alive, those included that only absorb repetitions.
    pub fn len(&self) -> usize {
        self.clients.len() + self.servers.len()
    }

    /// What happened to them so far.
    pub fn counts(&self) -> TxnCounts {
        self.desk.counts
    }

    /// Whether none is alive.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
