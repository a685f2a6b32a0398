//! Answers to what the back-to-back PBX has asked.

use std::time::Duration;

use base::Moment;
use sip_core::{ClientKey, ServerKey};
use sip_msg::{Compose, Draft, Edit, Message, Name};

use super::incoming::body_of;
use super::leg::{LegNo, LegState};
use super::state::{Alarm, Pbx, Purpose};

impl Pbx {
    pub(super) fn response(
        &mut self,
        now: Moment,
        client: ClientKey,
        purpose: Purpose,
        response: &Message,
    ) {
        let status = response.status();
        match purpose {
            Purpose::Invite(no) if status < 200 => self.rings(now, no, response),
            Purpose::Invite(no) if status < 300 => self.answered(now, no, client, response),
            Purpose::Invite(no) => self.turned_down(now, no, status),
            Purpose::Change(no, whose) if status >= 200 => {
                self.change_answered(now, no, whose, client, response);
            }
            Purpose::Pass(server) if status >= 200 => self.pass_back(now, server, response),
            Purpose::Relay(no) => self.relay_back(now, no, client, response),
            _ => {}
        }
    }

    /// No answer at all.
    pub(super) fn failed(&mut self, now: Moment, client: ClientKey, purpose: Purpose, status: u16) {
        match purpose {
            Purpose::Invite(no) => self.turned_down(now, no, status),
            Purpose::Change(no, whose) => {
                if let Some((asker, server)) = whose {
                    self.answer_change(now, asker, server, status);
                }
                self.hang_up(now, no, None);
            }
            Purpose::Pass(server) => {
                if let Some(request) = self.layer.request_of(server).cloned() {
                    self.say(now, server, &request, status);
                }
            }
            Purpose::Relay(no) => self.relay_failed(now, no, client, status),
            Purpose::Nothing => {}
        }
    }

    /// The answer to a passed request goes back where it came from.
    fn pass_back(&mut self, now: Moment, server: ServerKey, response: &Message) {
        let Some(request) = self.layer.request_of(server).cloned() else { return };
        let (kind, body) = body_of(response);
        let mut answer = Compose::response_to(&request, response.status(), None);
        if let Some(no) = self.owner_of(&request) {
            answer = answer.line(Name::Contact, format!("<{}>", self.contact(no)));
        }
        let tag = self.chance.token(8);
        answer = answer.to_tag(&tag);
        if !body.is_empty() {
            answer = answer.body(&kind, body);
        }
        self.layer.respond(now, server, response.status(), &answer.finish());
    }

    fn rings(&mut self, now: Moment, no: LegNo, response: &Message) {
        if response.status() == 100 || response.to_tag().is_none() {
            return;
        }
        let Some(leg) = self.leg_mut(no) else { return };
        leg.dialog.learn(response);
        let Some(caller) = leg.caller.filter(|_| leg.for_transfer.is_none()) else { return };
        let Some(caller) = self.legs.get(&caller) else { return };
        let (Some(server), Some(request)) = (caller.server, caller.request.clone()) else { return };
        let mut answer = Compose::response_to(&request, response.status(), None)
            .to_tag(&caller.dialog.local_tag)
            .line(Name::Contact, format!("<{}>", caller.dialog.contact));
        let (kind, body) = body_of(response);
        if !body.is_empty() {
            answer = answer.body(&kind, body);
        }
        self.layer.respond(now, server, response.status(), &answer.finish());
    }

    fn answered(&mut self, now: Moment, no: LegNo, client: ClientKey, response: &Message) {
        let number = response.cseq().0;
        let shown = identity_of(response);
        let Some(leg) = self.leg_mut(no) else { return };
        let fork =
            leg.state != LegState::Early && leg.dialog.remote_tag.as_deref() != response.to_tag();
        let mut dialog = leg.dialog.clone();
        dialog.learn(response);
        if fork || leg.caller.is_none() {
            let ack = dialog.request_numbered("ACK", number).finish();
            self.layer.ack(now, client, dialog.way(), &ack);
            let bye = dialog.request("BYE").finish();
            self.send(now, dialog.way(), Purpose::Nothing, &bye);
            if let Some(leg) = self.leg_mut(no).filter(|_| !fork) {
                leg.state = LegState::Ended;
            }
            return;
        }
        leg.dialog = dialog.clone();
        leg.state = LegState::Up;
        leg.said = body_of(response);
        if let Some(shown) = shown {
            leg.identity = shown;
        }
        let (late, caller, transfer) = (leg.offered_late, leg.caller.take(), leg.for_transfer);
        let Some(caller) = caller else { return };
        if !late {
            let ack = dialog.request_numbered("ACK", number).finish();
            self.layer.ack(now, client, dialog.way(), &ack);
        }
        if let Some(transfer) = transfer {
            self.transferred(now, no, transfer);
            return;
        }
        self.alarms.stop(Alarm::Unanswered(caller));
        self.give_up_forks(now, caller, Some(no));
        let said = self.legs.get(&no).map(|leg| leg.said.clone()).unwrap_or_default();
        let identity = self.legs.get(&no).map(|leg| leg.identity.clone()).unwrap_or_default();
        let timer = response.get(Name::SessionExpires).map(str::to_owned);
        let says_update = self.settings.says_update;
        let Some(leg) = self.leg_mut(caller) else { return };
        let (Some(server), Some(request)) = (leg.server.take(), leg.request.clone()) else {
            // The caller has gone meanwhile.
            self.hang_up(now, no, None);
            return;
        };
        leg.state = LegState::Up;
        leg.peer = Some(no);
        leg.unacknowledged = Some(server);
        if late {
            leg.owes_ack = Some((no, client, number));
        }
        let mut answer = Compose::response_to(&request, 200, None)
            .to_tag(&leg.dialog.local_tag)
            .line(Name::Contact, format!("<{}>", leg.dialog.contact))
            .line(Name::Supported, "timer, replaces")
            .line(Name::PAssertedIdentity, &identity);
        if let Some(timer) = timer {
            answer = answer.line(Name::SessionExpires, timer).line(Name::Require, "timer");
        }
        if says_update {
            answer = answer.line(Name::Allow, "INVITE, ACK, BYE, CANCEL, UPDATE");
        }
        let draft = answer.body(&said.0, said.1).finish();
        if let Some(leg) = self.leg_mut(no) {
            leg.peer = Some(caller);
        }
        self.layer.respond(now, server, 200, &draft);
    }

    fn turned_down(&mut self, now: Moment, no: LegNo, status: u16) {
        let Some(leg) = self.leg_mut(no) else { return };
        leg.state = LegState::Ended;
        let (caller, transfer) = (leg.caller.take(), leg.for_transfer);
        if let Some(transfer) = transfer {
            self.transfer_failed(now, transfer, status);
            return;
        }
        let Some(caller) = caller.and_then(|caller| self.leg_mut(caller)) else { return };
        caller.forks.retain(|fork| *fork != no);
        if caller.forks.is_empty() && caller.server.is_some() {
            let caller = caller.no;
            self.refuse(now, caller, status);
        }
    }

    /// The ACK of a 2xx that we gave.
    pub(super) fn ack(&mut self, now: Moment, request: &Message) {
        // A leg that has ended meanwhile is still acknowledged.
        let owner = self.legs.values().find(|leg| leg.dialog.owns(request));
        let Some(no) = owner.map(|leg| leg.no) else { return };
        let Some(leg) = self.leg_mut(no) else { return };
        if let Some(server) = leg.unacknowledged.take() {
            let owed = leg.owes_ack.take();
            self.layer.acked(now, server);
            if let Some((other, client, number)) = owed {
                let (kind, body) = body_of(request);
                if let Some(leg) = self.leg_mut(no) {
                    leg.said = (kind.clone(), body.clone());
                }
                if let Some(leg) = self.leg_mut(other) {
                    let ack = leg.dialog.request_numbered("ACK", number);
                    let draft = ack.body(&kind, body).finish();
                    let flow = leg.dialog.way();
                    self.layer.ack(now, client, flow, &draft);
                }
            }
            self.pay(now, no);
        }
    }

    fn change_answered(
        &mut self,
        now: Moment,
        no: LegNo,
        whose: Option<(LegNo, ServerKey)>,
        client: ClientKey,
        response: &Message,
    ) {
        let (status, number) = (response.status(), response.cseq().0);
        let wait = Duration::from_millis(10 * self.chance.below(400));
        let Some(leg) = self.leg_mut(no) else { return };
        leg.changing = false;
        let late = leg.offered_late;
        if status < 300 {
            leg.dialog.refresh(response);
            leg.owed = leg.owed.take().filter(|_| whose.is_some());
            let said = body_of(response);
            if !said.1.is_empty() {
                leg.said = said;
            }
            let then_peer = std::mem::take(&mut leg.then_peer);
            let (ack, flow) =
                (leg.dialog.request_numbered("ACK", number).finish(), leg.dialog.way());
            match whose {
                Some((asker, server)) => {
                    if !late {
                        self.layer.ack(now, client, flow, &ack);
                    }
                    self.change_agreed(now, asker, server, no, late.then_some((client, number)));
                }
                None => {
                    self.layer.ack(now, client, flow, &ack);
                    if then_peer {
                        self.owe_peer(now, no);
                    }
                }
            }
            self.pay(now, no);
            return;
        }
        match whose {
            Some((asker, server)) => self.answer_change(now, asker, server, status),
            None if status == 491 => self.alarms.set(Alarm::Owed(no), now + wait),
            // It does not transcode: who cannot be joined is not kept.
            None => self.hang_up(now, no, None),
        }
        if matches!(status, 408 | 481) {
            self.hang_up(now, no, None);
        }
    }

    /// A plain answer to a re-INVITE.
    pub(super) fn answer_change(
        &mut self,
        now: Moment,
        asker: LegNo,
        server: ServerKey,
        status: u16,
    ) {
        if let Some(leg) = self.leg_mut(asker) {
            leg.changing = false;
        }
        if let Some(request) = self.layer.request_of(server).cloned() {
            self.say(now, server, &request, status);
        }
    }

    /// Copies a response without its Vias.
    pub(super) fn copy_of(response: &Message) -> Draft {
        Edit::of(response).finish()
    }
}

fn identity_of(response: &Message) -> Option<String> {
    response.get(Name::PAssertedIdentity).map(str::to_owned).or_else(|| {
        let to = response.to();
        to.display().map(|_| identity_in_to(response))
    })
}

fn identity_in_to(response: &Message) -> String {
    let value = response.get(Name::To).unwrap_or_default();
    value.split(";tag=").next().unwrap_or_default().to_owned()
}
