//! What goes on between two connected legs: re-INVITEs pass, legs end together, and legs that were
//! put together by a transfer are given each other's description.

use base::Moment;
use bytes::Bytes;
use sip_core::{ClientKey, ServerKey};
use sip_msg::{Compose, Message, Name};

use super::incoming::body_of;
use super::leg::{LegNo, LegState};
use super::state::{Pbx, Purpose};

impl Pbx {
    /// A re-INVITE on leg `no`: the same on its peer.
    pub(super) fn change_asked(
        &mut self,
        now: Moment,
        no: LegNo,
        server: ServerKey,
        request: &Message,
    ) {
        let Some(leg) = self.leg_mut(no) else { return };
        if leg.changing || leg.unacknowledged.is_some() || !leg.is_up() {
            self.say(now, server, request, 491);
            return;
        }
        leg.dialog.refresh(request);
        let peer = leg.peer;
        let Some(peer) = peer.and_then(|peer| self.leg_mut(peer)).filter(|leg| leg.is_up()) else {
            self.change_agreed_alone(now, no, server, request);
            return;
        };
        if peer.changing || peer.unacknowledged.is_some() {
            self.say(now, server, request, 491);
            return;
        }
        peer.changing = true;
        let peer_no = peer.no;
        let (kind, body) = body_of(request);
        peer.offered_late = body.is_empty();
        let mut change = peer.dialog.request("INVITE").line(Name::Supported, "timer, replaces");
        if let Some(timer) = request.get(Name::SessionExpires) {
            change = change.line(Name::SessionExpires, timer);
        }
        if !body.is_empty() {
            change = change.body(&kind, body.clone());
        }
        let (draft, flow) = (change.finish(), peer.dialog.way());
        self.send(now, flow, Purpose::Change(peer_no, Some((no, server))), &draft);
        if let Some(leg) = self.leg_mut(no) {
            leg.changing = true;
            if !body.is_empty() {
                leg.said = (kind, body);
            }
        }
    }

    /// Nobody is connected with this leg: it is told what it was told before.
    fn change_agreed_alone(
        &mut self,
        now: Moment,
        no: LegNo,
        server: ServerKey,
        request: &Message,
    ) {
        let said = body_of(request);
        let Some(leg) = self.leg_mut(no) else { return };
        leg.unacknowledged = Some(server);
        if !said.1.is_empty() {
            leg.said = said;
        }
        let given = leg.said.clone();
        let draft = Compose::response_to(request, 200, None)
            .line(Name::Contact, format!("<{}>", leg.dialog.contact))
            .body(&given.0, given.1)
            .finish();
        self.layer.respond(now, server, 200, &draft);
    }

    /// The peer has agreed to a re-INVITE of `asker`: 200 with the peer's answer.
    pub(super) fn change_agreed(
        &mut self,
        now: Moment,
        asker: LegNo,
        server: ServerKey,
        peer: LegNo,
        ack_later: Option<(ClientKey, u32)>,
    ) {
        let said = self.legs.get(&peer).map(|leg| leg.said.clone()).unwrap_or_default();
        let Some(request) = self.layer.request_of(server).cloned() else { return };
        let Some(leg) = self.leg_mut(asker) else { return };
        leg.changing = false;
        leg.unacknowledged = Some(server);
        leg.owes_ack = ack_later.map(|(client, number)| (peer, client, number));
        let mut answer = Compose::response_to(&request, 200, None)
            .line(Name::Contact, format!("<{}>", leg.dialog.contact))
            .line(Name::Supported, "timer, replaces");
        if let Some(timer) = request.get(Name::SessionExpires) {
            answer = answer.line(Name::SessionExpires, timer).line(Name::Require, "timer");
        }
        let draft = answer.body(&said.0, said.1).finish();
        self.layer.respond(now, server, 200, &draft);
    }

    /// Any other request within a leg goes to its peer; without one it is agreed to.
    pub(super) fn pass(&mut self, now: Moment, no: LegNo, server: ServerKey, request: &Message) {
        let peer = self.legs.get(&no).and_then(|leg| leg.peer);
        let Some(peer) = peer.and_then(|peer| self.leg_mut(peer)) else {
            self.say(now, server, request, 200);
            return;
        };
        let (kind, body) = body_of(request);
        let mut passed = peer.dialog.request(request.cseq().1);
        for name in [
            Name::Event,
            Name::SubscriptionState,
            Name::InfoPackage,
            Name::SessionExpires,
            Name::PAssertedIdentity,
            Name::RemotePartyId,
        ] {
            if let Some(value) = request.get(name) {
                passed = passed.line(name, value);
            }
        }
        if !body.is_empty() {
            passed = passed.body(&kind, body);
        }
        let (draft, flow) = (passed.finish(), peer.dialog.way());
        self.send(now, flow, Purpose::Pass(server), &draft);
    }

    /// Leg `no` was ended by its far side.
    pub(super) fn ended(&mut self, now: Moment, no: LegNo, reason: Option<&str>) {
        self.give_up_forks(now, no, None);
        self.refuse_if_asked(now, no);
        let Some(leg) = self.leg_mut(no) else { return };
        leg.state = LegState::Ended;
        let (peer, caller) = (leg.peer.take(), leg.caller.take());
        if let Some(caller) = caller.and_then(|caller| self.leg_mut(caller)) {
            caller.forks.retain(|fork| *fork != no);
        }
        if let Some(peer) = peer {
            if let Some(leg) = self.leg_mut(peer) {
                leg.peer = None;
            }
            self.hang_up(now, peer, reason);
        }
    }

    fn refuse_if_asked(&mut self, now: Moment, no: LegNo) {
        if self.legs.get(&no).is_some_and(|leg| leg.server.is_some()) {
            self.refuse(now, no, 487);
        }
    }

    /// Ends leg `no` from here, and whoever is connected with it.
    pub(super) fn hang_up(&mut self, now: Moment, no: LegNo, reason: Option<&str>) {
        self.refuse_if_asked(now, no);
        let Some(leg) = self.leg_mut(no) else { return };
        if leg.state == LegState::Up {
            let mut bye = leg.dialog.request("BYE");
            if let Some(reason) = reason {
                bye = bye.line(Name::Reason, reason);
            }
            let (draft, flow) = (bye.finish(), leg.dialog.way());
            self.send(now, flow, Purpose::Nothing, &draft);
        } else if leg.state == LegState::Early
            && let Some(client) = leg.client
        {
            leg.caller = None;
            self.layer.cancel(now, client, reason);
            return;
        }
        let Some(leg) = self.leg_mut(no) else { return };
        leg.state = LegState::Ended;
        if let Some(peer) = leg.peer.take() {
            if let Some(leg) = self.leg_mut(peer) {
                leg.peer = None;
            }
            self.hang_up(now, peer, reason);
        }
    }

    /// The PBX ends every leg that has a living dialog with `user`.
    pub fn hang_up_user(&mut self, now: Moment, user: &str) {
        let legs: Vec<LegNo> =
            self.legs.values().filter(|l| l.is_up() && l.user == user).map(|l| l.no).collect();
        for no in legs {
            self.hang_up(now, no, Some("SIP;cause=200;text=\"ended by the PBX\""));
        }
    }

    /// Connects two answered legs; `newer`, if its INVITE carried the other's description, knows it.
    pub(super) fn join(&mut self, now: Moment, one: LegNo, newer: LegNo, newer_knows: bool) {
        let said = self.legs.get(&newer).map(|leg| leg.said.1.clone()).unwrap_or_default();
        if let Some(leg) = self.leg_mut(newer) {
            leg.peer = Some(one);
        }
        if let Some(leg) = self.leg_mut(one) {
            leg.peer = Some(newer);
            leg.owed = Some(said);
            leg.then_peer = !newer_knows;
        }
        self.pay(now, one);
    }

    /// The peer of `no` is owed what `no` has said.
    pub(super) fn owe_peer(&mut self, now: Moment, no: LegNo) {
        let Some(leg) = self.legs.get(&no) else { return };
        let (said, peer) = (leg.said.1.clone(), leg.peer);
        if let Some(leg) = peer.and_then(|peer| self.leg_mut(peer)) {
            leg.owed = Some(said);
            let peer = leg.no;
            self.pay(now, peer);
        }
    }

    /// Gives leg `no` the description that it is owed, if it is free to hear it.
    pub(super) fn pay(&mut self, now: Moment, no: LegNo) {
        let Some(leg) = self.leg_mut(no) else { return };
        if !leg.is_up() || leg.changing || leg.unacknowledged.is_some() {
            return;
        }
        let Some(owed) = leg.owed.clone().filter(|owed: &Bytes| !owed.is_empty()) else { return };
        leg.changing = true;
        leg.offered_late = false;
        let draft = leg.dialog.request("INVITE").body("application/sdp", owed).finish();
        let flow = leg.dialog.way();
        self.send(now, flow, Purpose::Change(no, None), &draft);
    }
}
