//! Transfers that the back-to-back PBX is asked for: by REFER, and by INVITE with Replaces.

use base::Moment;
use sip_core::ServerKey;
use sip_msg::{Compose, Message, Name, ReplacesId, SipUri};

use super::incoming::bare_uri;
use super::leg::{ForTransfer, LegNo, LegState};
use super::state::{Pbx, Purpose};
use crate::dialog::uri_user;

impl Pbx {
    /// A REFER on leg `no`: its peer is to be connected with somebody else. The leg itself is left
    /// for the asker to end (RFC 5589 §6.1), unless the PBX is set to end it.
    pub(super) fn asked_to_transfer(
        &mut self,
        now: Moment,
        no: LegNo,
        server: ServerKey,
        request: &Message,
    ) {
        let target = request.get(Name::ReferTo).and_then(bare_uri);
        let refused = self.settings.refuses_refer;
        let peer = self.legs.get(&no).and_then(|leg| leg.peer);
        let (Some(target), None) = (target, refused) else {
            self.say(now, server, request, refused.unwrap_or(400));
            return;
        };
        let Some(peer) = peer else {
            self.say(now, server, request, 403);
            return;
        };
        let answer = Compose::response_to(request, 202, None)
            .line(Name::Contact, format!("<{}>", self.contact(no)))
            .finish();
        self.layer.respond(now, server, 202, &answer);
        let asked = ForTransfer { referrer: no, number: request.cseq().0, transferee: peer };
        self.tell_progress(now, asked, 100);
        let replaces = SipUri::read(&target).and_then(|uri| {
            let mut headers = uri.headers();
            headers
                .find(|(name, _)| name.eq_ignore_ascii_case("Replaces"))
                .map(|(_, value)| value.to_string())
        });
        match replaces {
            Some(replaces) => self.transfer_attended(now, asked, &replaces),
            None => {
                let user = uri_user(&target);
                match self.targets(now, &user).into_iter().next() {
                    Some(target) => {
                        self.call_out(now, &user, &target, peer, Some(asked));
                    }
                    None => self.transfer_failed(now, asked, 404),
                }
            }
        }
    }

    fn transfer_attended(&mut self, now: Moment, asked: ForTransfer, replaces: &str) {
        let other = ReplacesId::read(replaces).and_then(|id| self.named(&id));
        let target = other.and_then(|other| self.legs.get(&other)?.peer.map(|peer| (other, peer)));
        let Some((other, target)) = target else {
            self.transfer_failed(now, asked, 481);
            return;
        };
        for no in [asked.referrer, other] {
            if let Some(leg) = self.leg_mut(no) {
                leg.peer = None;
            }
        }
        self.join(now, asked.transferee, target, false);
        self.tell_progress(now, asked, 200);
        self.hang_up(now, other, None);
        if self.settings.byes_after_transfer {
            self.hang_up(now, asked.referrer, None);
        }
    }

    /// The target of a transfer has answered on leg `no`.
    pub(super) fn transferred(&mut self, now: Moment, no: LegNo, asked: ForTransfer) {
        // Another transfer may have been quicker: the transferee is with somebody else then.
        let free = |peer: Option<LegNo>| peer.is_none_or(|peer| peer == asked.referrer);
        let transferee = self.legs.get(&asked.transferee);
        if !transferee.is_some_and(|leg| leg.is_up() && free(leg.peer)) {
            self.hang_up(now, no, None);
            return;
        }
        if let Some(leg) = self.leg_mut(asked.referrer) {
            leg.peer = None;
        }
        self.tell_progress(now, asked, 200);
        let said = self.legs.get(&asked.transferee).map(|leg| &leg.said.1);
        let knows = said == self.legs.get(&no).map(|leg| &leg.given);
        self.join(now, asked.transferee, no, knows);
        if self.settings.byes_after_transfer {
            self.hang_up(now, asked.referrer, None);
        }
    }

    /// The target was not reached: everything stays as it was.
    pub(super) fn transfer_failed(&mut self, now: Moment, asked: ForTransfer, status: u16) {
        self.tell_progress(now, asked, status);
        // The referrer may have hung up meanwhile: then nobody is left for the transferee.
        let gone = self.legs.get(&asked.referrer).is_none_or(|leg| leg.state == LegState::Ended);
        if gone {
            self.hang_up(now, asked.transferee, None);
        }
    }

    fn tell_progress(&mut self, now: Moment, asked: ForTransfer, status: u16) {
        let Some(leg) = self.leg_mut(asked.referrer).filter(|leg| leg.is_up()) else { return };
        let state = match status {
            100..200 => "active;expires=60",
            _ => "terminated;reason=noresource",
        };
        let fragment = format!("SIP/2.0 {status} {}\r\n", sip_msg::reason_phrase(status));
        let draft = leg
            .dialog
            .request("NOTIFY")
            .line(Name::Event, format!("refer;id={}", asked.number))
            .line(Name::SubscriptionState, state)
            .body("message/sipfrag;version=2.0", fragment)
            .finish();
        let flow = leg.dialog.way();
        self.send(now, flow, Purpose::Nothing, &draft);
    }

    /// An INVITE with Replaces: leg `no` takes the place of leg `old` (RFC 3891 §3).
    pub(super) fn replace(&mut self, now: Moment, no: LegNo, old: LegNo) {
        let Some(peer) = self.legs.get(&old).and_then(|leg| leg.peer) else {
            self.refuse(now, no, 481);
            return;
        };
        let given = self.legs.get(&peer).map(|leg| leg.said.clone()).unwrap_or_default();
        let Some(leg) = self.leg_mut(no) else { return };
        let (Some(server), Some(request)) = (leg.server.take(), leg.request.clone()) else {
            return;
        };
        leg.state = LegState::Up;
        leg.unacknowledged = Some(server);
        let draft = Compose::response_to(&request, 200, None)
            .to_tag(&leg.dialog.local_tag)
            .line(Name::Contact, format!("<{}>", leg.dialog.contact))
            .body(&given.0, given.1)
            .finish();
        self.layer.respond(now, server, 200, &draft);
        if let Some(leg) = self.leg_mut(old) {
            leg.peer = None;
        }
        self.join(now, peer, no, true);
        self.hang_up(now, old, None);
    }
}
