//! The PBX's one door: what it hears, what it is woken for.

use std::net::SocketAddr;

use base::{Flow, Moment};
use bytes::Bytes;
use sip_core::{Failure, Heard, ServerKey};
use sip_msg::{Compose, Message, Name};

use super::state::{Alarm, Pbx, Purpose, Style};
use crate::party::Party;

impl Party for Pbx {
    fn handle(&mut self, now: Moment, flow: Flow, bytes: Bytes) {
        if self.is_off {
            return;
        }
        let Ok(message) = Message::read(bytes) else { return };
        let heard = self.layer.hear(now, flow, message);
        self.hear(now, heard);
    }

    fn wake(&mut self, now: Moment) {
        while let Some(heard) = self.layer.wake(now) {
            self.hear(now, heard);
        }
        while let Some(alarm) = self.alarms.expired(now) {
            match alarm {
                Alarm::Owed(leg) => self.pay(now, leg),
                Alarm::Unanswered(leg) => self.unanswered(now, leg),
                Alarm::TimerC(relay) => self.give_up_relay(now, relay),
            }
        }
    }

    fn poll(&mut self) -> Option<(Flow, Bytes)> {
        loop {
            let sent = self.layer.poll()?;
            if !self.is_off {
                return Some(sent);
            }
        }
    }

    fn next(&self) -> Option<Moment> {
        let own = self.alarms.next().map(|(at, _)| at);
        [own, self.layer.next()].into_iter().flatten().min()
    }

    fn address(&self) -> SocketAddr {
        self.settings.address
    }
}

impl Pbx {
    fn hear(&mut self, now: Moment, heard: Heard<Purpose>) {
        match heard {
            Heard::Request { server, request, flow } => {
                self.heard.push(request.clone());
                self.request(now, server, request, flow);
            }
            Heard::Ack { request, .. } => {
                self.heard.push(request.clone());
                match self.settings.style {
                    Style::BackToBack => self.ack(now, &request),
                    Style::Proxy => self.relay_ack(now, &request),
                }
            }
            Heard::Cancel { invite, request, .. } => {
                self.heard.push(request.clone());
                self.cancelled(now, invite, request.get(Name::Reason));
            }
            Heard::Response { client, owner, response, .. } => {
                if response.status() >= 200 {
                    self.answers.push(response.clone());
                }
                self.response(now, client, owner, &response);
            }
            Heard::Failed { client, owner, why } => {
                let status = match why {
                    Failure::Timeout => 408,
                    Failure::Unreachable => 503,
                };
                self.failed(now, client, owner, status);
            }
            Heard::Unacknowledged { server, .. } => {
                let unheard = self.legs.values().find(|leg| leg.unacknowledged == Some(server));
                if let Some(no) = unheard.map(|leg| leg.no) {
                    self.hang_up(now, no, None);
                }
            }
            Heard::Absorbed => {}
        }
    }

    fn request(&mut self, now: Moment, server: ServerKey, request: Message, flow: Flow) {
        let method = request.cseq().1.to_owned();
        let in_dialog = request.to_tag().is_some();
        match (method.as_str(), in_dialog, self.settings.style) {
            ("REGISTER", false, _) => self.register(now, server, &request, flow),
            (_, _, Style::Proxy) => self.relay(now, server, &request),
            ("INVITE", false, _) => self.new_call(now, server, request, flow),
            (_, false, _) => self.other(now, server, &request, flow),
            (_, true, _) => self.within(now, server, &request),
        }
    }

    /// A plain answer.
    pub(super) fn say(&mut self, now: Moment, server: ServerKey, request: &Message, status: u16) {
        let tag = self.chance.token(8);
        let answer = Compose::response_to(request, status, None).to_tag(&tag).finish();
        self.layer.respond(now, server, status, &answer);
    }
}
