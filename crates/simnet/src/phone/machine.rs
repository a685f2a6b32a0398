//! The phone's one door: what it hears, what it is woken for.

use std::net::SocketAddr;

use base::{Flow, Moment};
use bytes::Bytes;
use sip_core::{Failure, Heard};
use sip_msg::Message;

use super::call::{CallState, Change};
use super::state::{Alarm, Phone, Purpose};
use crate::party::Party;

impl Party for Phone {
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
            self.ring(now, alarm);
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
        self.account.address
    }
}

impl Phone {
    fn hear(&mut self, now: Moment, heard: Heard<Purpose>) {
        match heard {
            Heard::Request { server, request, flow } => self.request(now, server, request, flow),
            Heard::Ack { request, .. } => self.ack(now, &request),
            Heard::Cancel { invite, request, .. } => self.cancelled(now, invite, &request),
            Heard::Response { client, owner, response, .. } => {
                self.response(now, client, owner, &response);
            }
            Heard::Failed { owner, why, .. } => {
                let status = match why {
                    Failure::Timeout => 408,
                    Failure::Unreachable => 503,
                };
                self.failed(now, owner, status);
            }
            Heard::Unacknowledged { server, .. } => {
                let unheard = self.calls.iter().find(|c| c.unacknowledged == Some(server));
                if let Some(no) = unheard.map(|call| call.no) {
                    self.bye(now, no);
                }
            }
            Heard::Absorbed => {}
        }
    }

    fn ring(&mut self, now: Moment, alarm: Alarm) {
        match alarm {
            Alarm::Refresh => self.register_again(now),
            Alarm::Answer(no) => self.answer_call(now, no),
            Alarm::Retry(no) => self.change(now, no, Change::Direction),
            Alarm::Timer(no) => self.change(now, no, Change::Refresh),
            Alarm::TimerEnd(no) => {
                if self.call_mut(no).is_some_and(|call| call.state == CallState::Up) {
                    self.bye(now, no);
                }
            }
            Alarm::Reliable(no) => self.repeat_reliable(now, no),
        }
    }
}
