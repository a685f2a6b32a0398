//! The PBX as a stateful, record-routing, forking proxy (RFC 3261 §16): Call-ID, tags and CSeq are
//! the same on both sides of it.

use base::{Flow, Moment, Transport};
use sip_core::{ClientKey, ServerKey};
use sip_msg::{Edit, Message, Name, SipUri};

use super::incoming::bare_uri;
use super::state::{Accepted, Alarm, LONGEST_RINGING, Pbx, Purpose, Relay, Target};
use crate::dialog::{uri_address, uri_user};

impl Pbx {
    pub(super) fn relay(&mut self, now: Moment, server: ServerKey, request: &Message) {
        let is_invite = request.cseq().1 == "INVITE";
        let begins = request.to_tag().is_none();
        if request.max_forwards() == Some(0) {
            self.say(now, server, request, 483);
            return;
        }
        if begins && is_invite && !self.is_authorized(request, Name::ProxyAuthorization) {
            self.challenge(now, server, request, 407);
            return;
        }
        let targets = match begins {
            true => self.first_targets(now, request),
            false => self.next_hop(request).into_iter().collect(),
        };
        if targets.is_empty() {
            self.say(now, server, request, 404);
            return;
        }
        let no = self.next_relay;
        self.next_relay += 1;
        let mut clients = Vec::new();
        for target in &targets {
            let draft = self.onward(request, &target.uri, begins).finish();
            clients.push(self.send(now, target.flow, Purpose::Relay(no), &draft));
        }
        if is_invite {
            self.alarms.set(Alarm::TimerC(no), now + LONGEST_RINGING);
        }
        let waiting = clients.len();
        self.relays.retain(|relay| !relay.is_over);
        self.relays.push(Relay {
            no,
            server,
            is_invite,
            clients,
            waiting,
            best: None,
            is_over: false,
        });
    }

    pub(super) fn give_up_relay(&mut self, now: Moment, no: u32) {
        if let Some(relay) = self.relays.iter().find(|relay| relay.no == no && !relay.is_over) {
            for client in relay.clients.clone() {
                self.layer.cancel(now, client, None);
            }
        }
    }

    fn first_targets(&self, now: Moment, request: &Message) -> Vec<Target> {
        let uri = request.uri();
        let ours = SipUri::read(uri).is_some_and(|uri| {
            uri.host().eq_ignore_ascii_case(&self.settings.domain)
                || uri.host_ip() == Some(self.settings.address.ip())
        });
        match ours {
            true => self.targets(now, &uri_user(uri)),
            false => self.next_hop(request).into_iter().collect(),
        }
    }

    /// Loose routing (RFC 3261 §16.4): past our own Route, to the next, or to the Request-URI.
    fn next_hop(&self, request: &Message) -> Option<Target> {
        let own = self.settings.address;
        let routes: Vec<String> = request.values(Name::Route).filter_map(bare_uri).collect();
        let next = routes
            .into_iter()
            .find(|route| uri_address(route).is_none_or(|(address, _)| address != own))
            .unwrap_or_else(|| request.uri().to_owned());
        let (peer, transport) = uri_address(&next)?;
        let flow = Flow { peer, transport, conn: None, ..self.own_flow() };
        Some(Target { uri: request.uri().to_owned(), flow })
    }

    fn onward<'m>(&self, request: &'m Message, uri: &str, begins: bool) -> Edit<'m> {
        let own = self.settings.address;
        let rest: Vec<String> = request
            .values(Name::Route)
            .filter(|route| {
                let uri = bare_uri(route);
                uri.and_then(|uri| uri_address(&uri)).is_none_or(|(address, _)| address != own)
            })
            .map(str::to_owned)
            .collect();
        let hops = request.max_forwards().unwrap_or(70).saturating_sub(1);
        let edit = Edit::of(request)
            .request_line(uri)
            .set_all(Name::Route, rest)
            .set(Name::MaxForwards, hops.to_string());
        if begins && matches!(request.cseq().1, "INVITE" | "SUBSCRIBE" | "REFER") {
            let transport = match self.settings.transport {
                Transport::Udp => String::new(),
                stream => format!(";transport={}", stream.in_uri()),
            };
            let mut recorded = vec![format!("<sip:{own}{transport};lr>")];
            recorded.extend(request.values(Name::RecordRoute).map(str::to_owned));
            return edit.set_all(Name::RecordRoute, recorded);
        }
        edit
    }

    pub(super) fn relay_back(
        &mut self,
        now: Moment,
        no: u32,
        client: ClientKey,
        response: &Message,
    ) {
        let status = response.status();
        let draft = Self::copy_of(response);
        let Some(relay) = self.relays.iter_mut().find(|relay| relay.no == no) else {
            if (200..300).contains(&status) && response.cseq().1 == "INVITE" {
                self.end_stray(now, client, response);
            }
            return;
        };
        let server = relay.server;
        match status {
            100 => {}
            101..200 if relay.is_over => {}
            101..200 => {
                self.layer.respond(now, server, status, &draft);
            }
            200..300 if relay.is_over && relay.is_invite => self.end_stray(now, client, response),
            200..300 => {
                relay.is_over = true;
                let others: Vec<ClientKey> = match relay.is_invite {
                    true => relay.clients.iter().copied().filter(|c| *c != client).collect(),
                    false => Vec::new(),
                };
                if relay.is_invite {
                    self.accepted.push(Accepted {
                        call_id: response.call_id().to_owned(),
                        from_tag: response.from_tag().map(str::to_owned),
                        to_tag: response.to_tag().map(str::to_owned),
                        number: response.cseq().0,
                        server,
                        client,
                    });
                }
                self.layer.respond(now, server, status, &draft);
                for other in others {
                    self.layer.cancel(now, other, None);
                }
            }
            _ => {
                relay.waiting = relay.waiting.saturating_sub(1);
                if relay.best.as_ref().is_none_or(|(best, _)| status < *best) {
                    relay.best = Some((status, draft));
                }
                self.give_best(now, no);
            }
        }
    }

    pub(super) fn relay_failed(&mut self, now: Moment, no: u32, _client: ClientKey, status: u16) {
        if let Some(relay) = self.relays.iter_mut().find(|relay| relay.no == no) {
            relay.waiting = relay.waiting.saturating_sub(1);
            if relay.best.is_none()
                && let Some(request) = self.layer.request_of(relay.server)
            {
                let tag = self.chance.token(8);
                let answer =
                    sip_msg::Compose::response_to(request, status, None).to_tag(&tag).finish();
                relay.best = Some((status, answer));
            }
            self.give_best(now, no);
        }
    }

    fn give_best(&mut self, now: Moment, no: u32) {
        let Some(relay) = self.relays.iter_mut().find(|relay| relay.no == no) else { return };
        if relay.waiting > 0 || relay.is_over {
            return;
        }
        relay.is_over = true;
        let server = relay.server;
        if let Some((status, draft)) = relay.best.take() {
            self.layer.respond(now, server, status, &draft);
        }
    }

    /// A second branch was answered too: it is acknowledged and ended from here.
    fn end_stray(&mut self, now: Moment, client: ClientKey, response: &Message) {
        let flow = self.own_flow();
        let mut dialog = crate::dialog::Dialog {
            call_id: response.call_id().to_owned(),
            local: response.get(Name::From).unwrap_or_default().to_owned(),
            local_tag: response.from_tag().unwrap_or_default().to_owned(),
            remote: String::new(),
            remote_tag: None,
            local_cseq: response.cseq().0,
            remote_cseq: None,
            target: String::new(),
            routes: Vec::new(),
            contact: format!("sip:{}", self.settings.address),
            flow,
        };
        dialog.learn(response);
        dialog.routes.clear();
        let ack = dialog.request_numbered("ACK", response.cseq().0).finish();
        self.layer.ack(now, client, dialog.way(), &ack);
        let bye = dialog.request("BYE").finish();
        self.send(now, dialog.way(), Purpose::Nothing, &bye);
    }

    /// The ACK of a 2xx that went through us.
    pub(super) fn relay_ack(&mut self, now: Moment, request: &Message) {
        let at = self.accepted.iter().rposition(|accepted| {
            accepted.call_id == request.call_id()
                && accepted.number == request.cseq().0
                && accepted.from_tag.as_deref() == request.from_tag()
                && accepted.to_tag.as_deref() == request.to_tag()
        });
        let Some(at) = at else { return };
        let accepted = self.accepted.remove(at);
        let Some(target) = self.next_hop(request) else { return };
        let draft = self.onward(request, request.uri(), false).finish();
        self.layer.acked(now, accepted.server);
        self.layer.ack(now, accepted.client, target.flow, &draft);
    }
}
