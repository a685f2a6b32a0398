//! Requests that reach the back-to-back PBX: new calls, and what comes within them.

use base::{Flow, Moment};
use bytes::Bytes;
use sip_core::ServerKey;
use sip_msg::{Compose, Message, Name, NameAddr, ReplacesId};

use super::leg::{ForTransfer, Leg, LegNo, LegState};
use super::state::{Alarm, LONGEST_RINGING, Pbx, Purpose, Target};
use crate::dialog::{Dialog, uri_user};

/// Which lines of a caller's INVITE the PBX shows to the called.
const SHOWN: [Name; 3] = [Name::AlertInfo, Name::SessionExpires, Name::Subject];

impl Pbx {
    pub(super) fn new_call(
        &mut self,
        now: Moment,
        server: ServerKey,
        request: Message,
        flow: Flow,
    ) {
        if !self.is_authorized(&request, Name::ProxyAuthorization) {
            self.challenge(now, server, &request, 407);
            return;
        }
        let no = self.take_leg(server, &request, flow);
        if let Some(replaces) = request.get(Name::Replaces) {
            match ReplacesId::read(replaces).and_then(|id| self.named(&id)) {
                Some(old) => self.replace(now, no, old),
                None => self.refuse(now, no, 481),
            }
            return;
        }
        let user = uri_user(request.uri());
        let targets = self.targets(now, &user);
        if targets.is_empty() {
            self.refuse(now, no, 404);
            return;
        }
        self.alarms.set(Alarm::Unanswered(no), now + LONGEST_RINGING);
        for target in targets {
            let fork = self.call_out(now, &user, &target, no, None);
            if let Some(leg) = self.leg_mut(no) {
                leg.forks.push(fork);
            }
        }
    }

    fn take_leg(&mut self, server: ServerKey, request: &Message, flow: Flow) -> LegNo {
        let no = LegNo(self.next_leg);
        self.next_leg += 1;
        let dialog = Dialog::got(request, flow, self.chance.token(8), &self.contact(no));
        let mut leg = self.blank_leg(no, dialog);
        leg.user = uri_user(request.from().uri());
        leg.identity = identity(request, &self.settings.domain);
        leg.server = Some(server);
        leg.said = body_of(request);
        leg.offered_late = request.body().is_empty();
        leg.request = Some(request.clone());
        self.legs.insert(no, leg);
        no
    }

    fn blank_leg(&self, no: LegNo, dialog: Dialog) -> Leg {
        Leg {
            no,
            dialog,
            user: String::new(),
            identity: String::new(),
            state: LegState::Early,
            server: None,
            request: None,
            client: None,
            offered_late: false,
            given: Bytes::new(),
            peer: None,
            forks: Vec::new(),
            caller: None,
            for_transfer: None,
            said: Default::default(),
            unacknowledged: None,
            owes_ack: None,
            changing: false,
            owed: None,
            then_peer: false,
        }
    }

    /// Calls `target` for the leg `caller`, which it gets connected with; its own description is
    /// the offer.
    pub(super) fn call_out(
        &mut self,
        now: Moment,
        user: &str,
        target: &Target,
        caller: LegNo,
        for_transfer: Option<ForTransfer>,
    ) -> LegNo {
        let no = LegNo(self.next_leg);
        self.next_leg += 1;
        let domain = self.settings.domain.clone();
        let from = self.legs.get(&caller).map(|leg| leg.identity.clone()).unwrap_or_default();
        let dialog = Dialog::asked(
            target.flow,
            format!("b{}@{}", self.chance.token(10), self.settings.address.ip()),
            &from,
            self.chance.token(8),
            &format!("<sip:{user}@{domain}>"),
            &target.uri,
            &self.contact(no),
        );
        let mut leg = self.blank_leg(no, dialog);
        leg.user = user.to_owned();
        leg.identity = format!("<sip:{user}@{domain}>");
        leg.caller = Some(caller);
        leg.for_transfer = for_transfer;
        let mut invite = leg
            .dialog
            .request("INVITE")
            .line(Name::Supported, "timer, replaces")
            .line(Name::Allow, "INVITE, ACK, BYE, CANCEL, OPTIONS, NOTIFY, REFER, INFO, UPDATE")
            .line(Name::PAssertedIdentity, &from);
        let source = self.legs.get(&caller);
        let request = source.and_then(|leg| leg.request.clone());
        if for_transfer.is_none()
            && let Some(request) = &request
        {
            for name in SHOWN {
                for value in request.all(name) {
                    invite = invite.line(name, value);
                }
            }
            if let Some(value) = request.other("X-Story") {
                invite = invite.other("X-Story", value);
            }
        }
        let said = source.map(|leg| leg.said.clone()).unwrap_or_default();
        leg.offered_late = said.1.is_empty();
        leg.given = said.1.clone();
        if !leg.offered_late {
            invite = invite.body(&said.0, said.1);
        }
        let client = self.send(now, target.flow, Purpose::Invite(no), &invite.finish());
        leg.client = Some(client);
        self.legs.insert(no, leg);
        no
    }

    /// The leg that a Replaces names, seen from here.
    pub(super) fn named(&self, id: &ReplacesId) -> Option<LegNo> {
        let mut up = self.legs.values().filter(|leg| leg.is_up());
        let found = up.find(|leg| {
            leg.dialog.call_id == id.call_id
                && leg.dialog.local_tag == id.to_tag
                && leg.dialog.remote_tag.as_deref() == Some(&id.from_tag)
        });
        found.map(|leg| leg.no)
    }

    /// A caller whom nobody has answered is told so.
    pub(super) fn unanswered(&mut self, now: Moment, no: LegNo) {
        if self.legs.get(&no).is_some_and(|leg| leg.server.is_some()) {
            self.give_up_forks(now, no, None);
            self.refuse(now, no, 480);
        }
    }

    /// Refuses the INVITE of a leg.
    pub(super) fn refuse(&mut self, now: Moment, no: LegNo, status: u16) {
        let Some(leg) = self.leg_mut(no) else { return };
        leg.state = LegState::Ended;
        self.alarms.stop(Alarm::Unanswered(no));
        let Some(leg) = self.leg_mut(no) else { return };
        if let (Some(server), Some(request)) = (leg.server.take(), leg.request.clone()) {
            let tag = leg.dialog.local_tag.clone();
            let answer = Compose::response_to(&request, status, None).to_tag(&tag).finish();
            self.layer.respond(now, server, status, &answer);
        }
    }

    pub(super) fn cancelled(&mut self, now: Moment, invite: ServerKey, reason: Option<&str>) {
        if let Some(relay) = self.relays.iter().find(|r| r.server == invite && !r.is_over) {
            for client in relay.clients.clone() {
                self.layer.cancel(now, client, reason);
            }
            return;
        }
        let asked = self.legs.values().find(|leg| leg.server == Some(invite));
        let Some(no) = asked.map(|leg| leg.no) else { return };
        self.give_up_forks(now, no, None);
        self.refuse(now, no, 487);
    }

    /// CANCELs the legs that are being tried for `no`, but one.
    pub(super) fn give_up_forks(&mut self, now: Moment, no: LegNo, but: Option<LegNo>) {
        let forks = self.leg_mut(no).map(|leg| std::mem::take(&mut leg.forks)).unwrap_or_default();
        for fork in forks.into_iter().filter(|fork| Some(*fork) != but) {
            let Some(leg) = self.leg_mut(fork) else { continue };
            if leg.state == LegState::Early {
                leg.caller = None;
                if let Some(client) = leg.client {
                    self.layer.cancel(now, client, None);
                }
            }
        }
    }

    /// A request within a leg's dialog.
    pub(super) fn within(&mut self, now: Moment, server: ServerKey, request: &Message) {
        if self.subscription_request(now, server, request) {
            return;
        }
        let Some(no) = self.owner_of(request) else {
            self.say(now, server, request, 481);
            return;
        };
        if !self.leg_mut(no).is_some_and(|leg| leg.dialog.rises(request)) {
            self.say(now, server, request, 500);
            return;
        }
        match request.cseq().1 {
            "BYE" => {
                self.say(now, server, request, 200);
                self.ended(now, no, request.get(Name::Reason));
            }
            "INVITE" => self.change_asked(now, no, server, request),
            "REFER" => self.asked_to_transfer(now, no, server, request),
            "PRACK" | "OPTIONS" => self.say(now, server, request, 200),
            _ => self.pass(now, no, server, request),
        }
    }
}

/// Who a caller is shown as: display name and user, in the PBX's domain.
pub(super) fn identity(request: &Message, domain: &str) -> String {
    let from = request.from();
    let user = uri_user(from.uri());
    match from.display() {
        Some(display) => format!("\"{display}\" <sip:{user}@{domain}>"),
        None => format!("<sip:{user}@{domain}>"),
    }
}

/// A message's body with its content type.
pub(super) fn body_of(message: &Message) -> (String, bytes::Bytes) {
    (message.content_type().unwrap_or("application/sdp").to_owned(), message.body())
}

/// The URI inside a name-addr value.
pub(super) fn bare_uri(value: &str) -> Option<String> {
    NameAddr::read(value).map(|name| name.uri().to_owned())
}
