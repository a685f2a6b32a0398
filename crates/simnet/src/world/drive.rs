//! The driver: the earliest event first; at one moment what arrives goes before alarms, the house
//! before the phones, these before the PBX, and media last.

use std::net::SocketAddr;
use std::time::Duration;

use base::{ConnId, Flow, Moment, Side, Transport};
use bytes::Bytes;
use park_core::{Command, Fact, Input, Output, Reply, Told};
use sip_msg::Message;

use super::state::World;
use crate::dialog::uri_address;
use crate::party::Party;
use crate::phone::Phone;
use crate::wire::{Carries, Parcel};

/// More steps than this at one moment mean that somebody goes round in circles.
const MOST_STEPS: u32 = 1_000;

impl World {
    /// Lets this much time pass.
    #[track_caller]
    pub fn pass(&mut self, time: Duration) -> &mut World {
        let until = self.now + time;
        while self.step(until) {}
        self
    }

    /// Makes the next step, unless it lies after `until`; then time goes on to `until`.
    #[track_caller]
    pub(crate) fn step(&mut self, until: Moment) -> bool {
        let Some((at, who)) = self.next() else {
            self.now = until;
            return false;
        };
        if at > until {
            self.now = until;
            return false;
        }
        if at > self.now {
            self.now = at;
            self.steps_now = 0;
        }
        self.steps += 1;
        self.steps_now += 1;
        if self.steps_now > MOST_STEPS {
            self.fail(&format!("{MOST_STEPS} steps at one moment; the last by {who:?}"));
        }
        match who {
            Who::Wire => self.arrive(),
            Who::House => self.feed(Input::Wake),
            Who::Seat(at) => self.with_phone(at, |phone, now| phone.wake(now)),
            Who::Pbx => self.with_pbx(|pbx, now| pbx.wake(now)),
            Who::Rtp(at) => self.speak_due(at),
            Who::Music => self.music_due(),
            Who::Ports => {
                let notice = self.media.as_mut().and_then(|media| media.pairs_come());
                notice.into_iter().for_each(|notice| self.feed(Input::Media(notice)));
            }
        }
        self.stepped();
        true
    }

    fn next(&self) -> Option<(Moment, Who)> {
        let mut next: Option<(Moment, Who)> = None;
        let mut offer = |at: Option<Moment>, who: Who| {
            if let Some(at) = at {
                let at = at.max(self.now);
                if next.is_none_or(|(soonest, _)| at < soonest) {
                    next = Some((at, who));
                }
            }
        };
        offer(self.wire.next(), Who::Wire);
        offer(self.wake_at, Who::House);
        for (at, seat) in self.seats.iter().enumerate() {
            offer(seat.phone.next(), Who::Seat(at));
        }
        offer(self.pbx.as_ref().and_then(Party::next), Who::Pbx);
        offer(self.media.as_ref().and_then(|media| media.next_pairs()), Who::Ports);
        if self.real_media {
            offer(self.media.as_ref().and_then(|media| media.next()), Who::Music);
            for (at, seat) in self.seats.iter().enumerate() {
                offer(seat.phone.rtp_next(), Who::Rtp(at));
            }
        }
        next
    }

    // What arrives.

    fn arrive(&mut self) {
        let Some(parcel) = self.wire.arrive(self.now) else { return };
        let Parcel { from, to, carries, bytes } = parcel;
        let (transport, conn) = match carries {
            Carries::Rtp => return self.rtp_arrives(from, to, &bytes),
            Carries::Sip(transport, conn) => (transport, conn),
        };
        if self.house_side(to).is_some() {
            let Some(side) = self.house_side(to) else { return };
            if let Ok(message) = Message::read(bytes.clone()) {
                self.invariants.reached(self.now, &message);
            }
            let flow = Flow { side, transport, local: to, peer: from, conn };
            self.feed(Input::Sip { flow, bytes });
            return;
        }
        let flow = Flow { side: Side::Phones, transport, local: to, peer: from, conn: None };
        if to == self.map.pbx {
            self.with_pbx(|pbx, now| pbx.handle(now, flow, bytes));
        } else if let Some(at) = self.seat_at(to) {
            self.with_phone(at, |phone, now| phone.handle(now, flow, bytes));
        } else {
            self.outside.push(Parcel { from, to, carries, bytes });
        }
    }

    fn rtp_arrives(&mut self, from: SocketAddr, to: SocketAddr, bytes: &Bytes) {
        let now = self.now;
        let Some(media) = &mut self.media else { return };
        if media.is_house(to) {
            let onward = media.arrive(now, from, to, bytes);
            let notices = media.notices();
            if let Some((from, to, bytes)) = onward {
                self.put_rtp(from, to, bytes);
            }
            for notice in notices {
                self.feed(Input::Media(notice));
            }
            return;
        }
        if let Some(seat) =
            self.seats.iter_mut().find(|seat| seat.phone.account().address.ip() == to.ip())
        {
            seat.phone.hear_rtp(now, to, bytes);
        } else {
            let (carries, bytes) = (Carries::Rtp, bytes.clone());
            self.outside.push(Parcel { from, to, carries, bytes });
        }
    }

    pub(crate) fn house_side(&self, address: SocketAddr) -> Option<Side> {
        match address {
            at if at == self.map.phones_side => Some(Side::Phones),
            at if at == self.map.pbx_side => Some(Side::Pbx),
            _ => None,
        }
    }

    fn seat_at(&self, address: SocketAddr) -> Option<usize> {
        self.seats.iter().position(|seat| seat.phone.account().address == address)
    }

    // The house.

    /// Hands the engine one input, drains it, then hands it what followed from that.
    #[track_caller]
    pub(crate) fn feed(&mut self, input: Input) {
        self.inputs.push_back(input);
        while let Some(input) = self.inputs.pop_front() {
            let now = self.now;
            let Some(engine) = &mut self.engine else { return };
            self.has_acted = true;
            engine.handle(now, input);
            self.drain();
        }
    }

    #[track_caller]
    pub(crate) fn drain(&mut self) {
        let mut has_told = false;
        loop {
            let Some(engine) = &mut self.engine else { return };
            match engine.poll() {
                Output::Send { flow, bytes } => self.house_sends(flow, bytes),
                Output::Media(plan) => {
                    let now = self.now;
                    let Some(media) = &mut self.media else { return };
                    match media.plan(now, plan) {
                        Ok(Some(notice)) => self.inputs.push_back(Input::Media(notice)),
                        Ok(None) => {}
                        Err(what) => self.fail(&what),
                    }
                    let Some(media) = &mut self.media else { return };
                    self.inputs.extend(media.notices().into_iter().map(Input::Media));
                }
                Output::Cluster(order) => self.orders.push(order),
                Output::Journal(steps) => self.write_down(steps),
                Output::Resolve { target, uri } => self.resolve(target, &uri),
                Output::Told(told) => {
                    has_told = true;
                    self.tell(told);
                }
                Output::Reply { ticket, reply } => {
                    self.replies.insert(ticket, reply);
                }
                Output::Idle { wake_at, why } => {
                    self.wake_at = wake_at;
                    if wake_at.is_some_and(|at| at < self.now) {
                        self.fail(&format!("the house asks to be woken in the past, for {why}"));
                    }
                    break;
                }
            }
        }
        if let Some(Err(what)) = self.media.as_ref().map(|media| media.check()) {
            self.fail(&what);
        }
        if has_told && self.inputs.is_empty() {
            self.check_parked();
        }
    }

    fn resolve(&mut self, target: usize, uri: &str) {
        let known = self.names.get(uri).cloned();
        let literal = uri_address(uri);
        let transport = literal.map_or(Transport::Udp, |(_, transport)| transport);
        let found = known.or_else(|| literal.map(|(address, _)| vec![address]));
        let hops = found.unwrap_or_default().into_iter().map(|peer| Flow {
            side: Side::Pbx,
            transport,
            local: self.map.pbx_side,
            peer,
            conn: None,
        });
        let hops = hops.collect();
        self.inputs.push_back(Input::Resolved { target, hops });
    }

    fn tell(&mut self, told: Told) {
        self.ladder.told(self.now, told.clone());
        if let Fact::Bug { what } = &told.fact {
            self.fail(&format!("the house tells of a bug: {what}"));
        }
        if let Err(what) = self.board.told(self.now, &told) {
            self.fail(&what);
        }
        self.told.push((self.now, told));
    }

    /// What the house says is parked is what it has told, call by call and in all that is shown of it.
    #[track_caller]
    pub(crate) fn check_parked(&mut self) {
        let Reply::Parked { calls, .. } = self.command(Command::Parked) else {
            self.fail("no list of parked calls")
        };
        if let Err(what) = self.board.equals(self.now, &calls) {
            self.fail(&what);
        }
    }

    /// Orders something at the admin door.
    #[track_caller]
    pub fn command(&mut self, command: Command) -> Reply {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.feed(Input::Command { ticket, command });
        match self.replies.remove(&ticket) {
            Some(reply) => reply,
            None => self.fail("the house does not answer a command"),
        }
    }

    fn house_sends(&mut self, flow: Flow, bytes: Bytes) {
        let message = match Message::read(bytes.clone()) {
            Ok(message) => message,
            // What was damaged on the way in may come out as it is.
            Err(_) if self.invariants.is_damaged => return,
            Err(why) => self.fail(&format!(
                "the house sends what cannot be read ({why:?}): {}",
                String::from_utf8_lossy(&bytes)
            )),
        };
        if self.house_side(flow.local) != Some(flow.side) {
            self.fail(&format!("the house sends from {} on the side of {}", flow.local, flow.side));
        }
        let checked = self.invariants.sent(flow.local, flow.peer, &message);
        if flow.transport.is_reliable() {
            let at = self.seat_at(flow.peer);
            let listens =
                flow.peer == self.map.pbx || at.is_some_and(|at| self.seats[at].takes_tcp);
            if !listens {
                self.inputs.push_back(Input::Unreachable { flow });
                return;
            }
        }
        self.put_sip(flow.local, flow.peer, flow.transport, flow.conn, message);
        if let Err(what) = checked {
            self.fail(&what);
        }
    }

    // The wire.

    fn put_sip(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        transport: Transport,
        conn: Option<ConnId>,
        message: Message,
    ) {
        let counts = self.house_side(from).is_some() || self.house_side(to).is_some();
        let conn = match transport {
            Transport::Udp => None,
            Transport::Tcp | Transport::Tls => {
                Some(conn.unwrap_or_else(|| self.connection(from, to)))
            }
        };
        let bytes = message.bytes().clone();
        let parcel = Parcel { from, to, carries: Carries::Sip(transport, conn), bytes };
        let fault = self.wire.put(self.now, parcel, counts);
        let (from, to) = (self.name_of(from), self.name_of(to));
        self.ladder.said(self.now, &from, &to, message, fault);
    }

    /// The connection between two addresses, made if there is none.
    pub(crate) fn connection(&mut self, from: SocketAddr, to: SocketAddr) -> ConnId {
        let key = (from.min(to), from.max(to));
        if let Some(conn) = self.conns.get(&key) {
            return *conn;
        }
        let conn = ConnId(self.next_conn);
        self.next_conn += 1;
        self.conns.insert(key, conn);
        conn
    }

    pub(crate) fn put_rtp(&mut self, from: SocketAddr, to: SocketAddr, bytes: Bytes) {
        let parcel = Parcel { from, to, carries: Carries::Rtp, bytes };
        self.wire.put(self.now, parcel, false);
    }

    // The parties.

    /// Lets a phone do something, then takes what it sends.
    pub(crate) fn with_phone<R>(
        &mut self,
        at: usize,
        act: impl FnOnce(&mut Phone, Moment) -> R,
    ) -> R {
        let now = self.now;
        let result = act(&mut self.seats[at].phone, now);
        while let Some((flow, bytes)) = self.seats[at].phone.poll() {
            self.party_sends(flow, bytes);
        }
        result
    }

    pub(crate) fn with_pbx<R: Default>(
        &mut self,
        act: impl FnOnce(&mut crate::pbx::Pbx, Moment) -> R,
    ) -> R {
        let now = self.now;
        let result = self.pbx.as_mut().map(|pbx| act(pbx, now)).unwrap_or_default();
        while let Some((flow, bytes)) = self.pbx.as_mut().and_then(Party::poll) {
            self.party_sends(flow, bytes);
        }
        result
    }

    pub(crate) fn party_sends(&mut self, flow: Flow, bytes: Bytes) {
        let Ok(message) = Message::read(bytes) else {
            self.fail("a phone or the PBX sends what cannot be read");
        };
        self.put_sip(flow.local, flow.peer, flow.transport, None, message);
    }

    fn speak_due(&mut self, at: usize) {
        let now = self.now;
        for (from, to, bytes) in self.seats[at].phone.rtp_due(now) {
            self.put_rtp(from, to, bytes);
        }
    }

    fn music_due(&mut self) {
        let now = self.now;
        let due = self.media.as_mut().map(|media| media.due(now)).unwrap_or_default();
        for (from, to, bytes) in due {
            self.put_rtp(from, to, bytes);
        }
        let notices = self.media.as_mut().map(|media| media.notices()).unwrap_or_default();
        for notice in notices {
            self.feed(Input::Media(notice));
        }
    }
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy)]
enum Who {
    Wire,
    House,
    Seat(usize),
    Pbx,
    Rtp(usize),
    Music,
    Ports,
}
