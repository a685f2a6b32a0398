//! Requests that reach a phone.

use std::time::Duration;

use base::{Flow, Moment};
use sip_core::ServerKey;
use sip_msg::{Compose, Direction, Message, Name, ReplacesId};

use super::call::{Call, CallNo, CallState, Reliable};
use super::keyring::Keyring;
use super::offers::{SDP, far_audio};
use super::state::{Alarm, Notice, Phone};
use crate::dialog::Dialog;
use crate::rtp_end::RtpEnd;

impl Phone {
    pub(super) fn request(&mut self, now: Moment, server: ServerKey, request: Message, flow: Flow) {
        let method = request.cseq().1.to_owned();
        self.heard.push(request.clone());
        if request.to_tag().is_none() {
            match method.as_str() {
                "INVITE" => self.new_call(now, server, request, flow),
                "NOTIFY" => self.notice(now, server, &request),
                "REFER" if self.habits.has_status_line => self.status_line(now, server, &request),
                "OPTIONS" | "MESSAGE" | "INFO" => self.say(now, server, &request, 200),
                _ => self.say(now, server, &request, 405),
            }
            return;
        }
        if method == "NOTIFY" && self.subscription_notice(now, server, &request) {
            return;
        }
        let Some(no) = self.owner_of(&request) else {
            self.say(now, server, &request, 481);
            return;
        };
        let rising = self.call_mut(no).is_some_and(|call| call.dialog.rises(&request));
        if !rising {
            self.say(now, server, &request, 500);
            return;
        }
        match method.as_str() {
            "INVITE" => self.changed(now, no, server, &request),
            "UPDATE" => self.updated(now, no, server, &request),
            "BYE" => {
                self.say(now, server, &request, 200);
                self.refuse_unanswered(now, no);
                if let Some(call) = self.call_mut(no) {
                    call.reason = request.get(Name::Reason).map(str::to_owned);
                }
                self.end(now, no);
            }
            "PRACK" => self.acknowledged_reliably(now, no, server, &request),
            "REFER" => self.asked_to_transfer(now, no, server, &request),
            "NOTIFY" => self.transfer_notice(now, no, server, &request),
            "INFO" | "MESSAGE" | "OPTIONS" => self.say(now, server, &request, 200),
            _ => self.say(now, server, &request, 405),
        }
    }

    /// A plain answer.
    pub(super) fn say(&mut self, now: Moment, server: ServerKey, request: &Message, status: u16) {
        let tag = self.chance.token(8);
        let mut answer = Compose::response_to(request, status, None).to_tag(&tag);
        if let Some(seconds) = self.habits.retry_after.filter(|_| status == 503) {
            answer = answer.line(Name::RetryAfter, seconds.to_string());
        }
        if request.cseq().1 == "OPTIONS" {
            answer = answer.line(Name::Allow, "INVITE, ACK, BYE, CANCEL, OPTIONS, NOTIFY, REFER");
        }
        self.layer.respond(now, server, status, &answer.finish());
    }

    fn new_call(&mut self, now: Moment, server: ServerKey, request: Message, flow: Flow) {
        if let Some(status) = self.habits.declines_with {
            self.say(now, server, &request, status);
            return;
        }
        if !self.can_speak(&request) {
            self.say(now, server, &request, 488);
            return;
        }
        let replaced = request.get(Name::Replaces).map(ReplacesId::read);
        let replaced = match replaced {
            None => None,
            Some(id) => {
                let named = id.and_then(|id| {
                    self.calls.iter().find(|call| {
                        call.is_alive()
                            && call.dialog.call_id == id.call_id
                            && call.dialog.local_tag == id.to_tag
                            && call.dialog.remote_tag.as_deref() == Some(&id.from_tag)
                    })
                });
                match named {
                    Some(call) => Some(call.no),
                    None => return self.say(now, server, &request, 481),
                }
            }
        };
        let no = self.take_call(now, server, &request, flow);
        if let Some(old) = replaced {
            self.answer_call(now, no);
            if self.call_mut(old).is_some_and(|call| call.state == CallState::Up) {
                self.bye(now, old);
            } else {
                self.hang_up_call(now, old);
            }
            return;
        }
        if !self.habits.is_mute {
            self.provisional(now, no);
        }
        self.answer_later(now, no);
    }

    fn take_call(
        &mut self,
        now: Moment,
        server: ServerKey,
        request: &Message,
        flow: Flow,
    ) -> CallNo {
        let no = CallNo(self.next_call);
        self.next_call += 1;
        let dialog = Dialog::got(request, flow, self.chance.token(8), &self.contact());
        let mut media = RtpEnd::new(self.free_rtp(), self.account.frequency, self.chance.u32());
        media.speak(now, self.speaking);
        let keyring = Keyring::of(&self.habits, &mut self.chance);
        let mut call = Call {
            no,
            dialog,
            state: CallState::RingingHere,
            is_ours: false,
            dialled: String::new(),
            invite: None,
            server: Some(server),
            request: Some(request.clone()),
            media,
            keyring,
            wish: Direction::SendRecv,
            agreed: Direction::Inactive,
            far: None,
            version: 0,
            change: None,
            queued: None,
            owes_answer: false,
            unacknowledged: None,
            refused: None,
            given_up: false,
            shown: shown_identity(request),
            from: request.get(Name::From).map(str::to_owned),
            alert_info: request.get(Name::AlertInfo).map(str::to_owned),
            transfer: None,
            for_transfer: None,
            reliable: None,
            rseq_seen: None,
            timer: None,
            reason: None,
            up_since: None,
            said: bytes::Bytes::new(),
        };
        if let Some(far) = far_audio(request) {
            call.hear_offer(far);
            call.media.may_send &= self.habits.early_media;
        }
        self.calls.push(call);
        no
    }

    /// 180, or 183 with a description; reliably if both sides can (RFC 3262 §3).
    fn provisional(&mut self, now: Moment, no: CallNo) {
        let habits = self.habits.clone();
        let Some(call) = self.call_mut(no) else { return };
        let (Some(server), Some(request)) = (call.server, call.request.clone()) else { return };
        let early = habits.early_media && call.far.is_some();
        let status = if early { 183 } else { 180 };
        let reliable = habits.reliable && request.has_option(Name::Supported, "100rel");
        let mut answer = Compose::response_to(&request, status, None)
            .to_tag(&call.dialog.local_tag)
            .line(Name::Contact, format!("<{}>", call.dialog.contact));
        for route in request.all(Name::RecordRoute) {
            answer = answer.line(Name::RecordRoute, route);
        }
        if reliable {
            answer = answer.line(Name::Require, "100rel").line(Name::RSeq, "1");
        }
        if early {
            let text = call.answer_text(&habits.formats);
            answer = answer.body(SDP, text);
        }
        let draft = answer.finish();
        if reliable {
            let wait_us = 500_000;
            call.reliable = Some(Reliable { rseq: 1, draft: draft.clone(), status, wait_us });
            self.alarms.set(Alarm::Reliable(no), now + Duration::from_micros(wait_us));
        }
        self.layer.respond(now, server, status, &draft);
    }

    pub(super) fn repeat_reliable(&mut self, now: Moment, no: CallNo) {
        let Some(call) = self.call_mut(no) else { return };
        let (Some(server), Some(reliable)) = (call.server, call.reliable.as_mut()) else { return };
        reliable.wait_us *= 2;
        let (wait, status) = (Duration::from_micros(reliable.wait_us), reliable.status);
        let draft = reliable.draft.clone();
        // RFC 3262 §3: after 64·T1 the INVITE is refused with a 5xx.
        if wait > Duration::from_secs(32) {
            self.refuse_call(now, no, 504);
            return;
        }
        self.alarms.set(Alarm::Reliable(no), now + wait);
        self.layer.respond(now, server, status, &draft);
    }

    fn acknowledged_reliably(
        &mut self,
        now: Moment,
        no: CallNo,
        server: ServerKey,
        request: &Message,
    ) {
        let rack = request.get(Name::RAck).unwrap_or_default().to_owned();
        let expected = self.call_mut(no).and_then(|call| {
            let invite = call.request.as_ref()?.cseq().0;
            Some(format!("{} {invite} INVITE", call.reliable.as_ref()?.rseq))
        });
        if expected.as_deref() == Some(rack.as_str()) {
            if let Some(call) = self.call_mut(no) {
                call.reliable = None;
            }
            self.alarms.stop(Alarm::Reliable(no));
            self.say(now, server, request, 200);
        } else {
            self.say(now, server, request, 481);
        }
    }

    /// Answers a call that rings here: 200 with our description.
    pub(super) fn answer_call(&mut self, now: Moment, no: CallNo) {
        let habits = self.habits.clone();
        let agent = self.account.user_agent.clone();
        let Some(call) = self.call_mut(no) else { return };
        let (Some(server), Some(request)) = (call.server.take(), call.request.clone()) else {
            return;
        };
        let mut answer = Compose::response_to(&request, 200, None)
            .to_tag(&call.dialog.local_tag)
            .line(Name::Contact, format!("<{}>", call.dialog.contact))
            .line(Name::UserAgent, agent)
            .line(Name::Supported, "timer, replaces, norefersub");
        for route in request.all(Name::RecordRoute) {
            answer = answer.line(Name::RecordRoute, route);
        }
        if let Some(far) = far_audio(&request) {
            call.hear_offer(far);
        }
        let text = if call.far.is_some() {
            call.answer_text(&habits.formats)
        } else {
            call.owes_answer = true;
            call.offer(&habits.formats)
        };
        if let Some((seconds, ours)) = super::offers::session_timer(&request) {
            call.timer = Some((seconds, !ours));
            let who = if ours { "uac" } else { "uas" };
            answer = answer
                .line(Name::SessionExpires, format!("{seconds};refresher={who}"))
                .line(Name::Require, "timer");
        }
        call.state = CallState::Up;
        call.up_since = Some(now);
        call.reliable = None;
        call.unacknowledged = Some(server);
        let draft = answer.body(SDP, text).finish();
        self.alarms.stop(Alarm::Answer(no));
        self.alarms.stop(Alarm::Reliable(no));
        self.layer.respond(now, server, 200, &draft);
        self.arm_timer(now, no);
    }

    pub(super) fn refuse_call(&mut self, now: Moment, no: CallNo, status: u16) {
        let Some(call) = self.call_mut(no) else { return };
        let (Some(server), Some(request)) = (call.server.take(), call.request.clone()) else {
            return;
        };
        let tag = call.dialog.local_tag.clone();
        let answer = Compose::response_to(&request, status, None).to_tag(&tag).finish();
        self.layer.respond(now, server, status, &answer);
        self.end(now, no);
    }

    fn refuse_unanswered(&mut self, now: Moment, no: CallNo) {
        if self.call_mut(no).is_some_and(|call| call.server.is_some()) {
            self.refuse_call(now, no, 487);
        }
    }

    pub(super) fn cancelled(&mut self, now: Moment, invite: ServerKey, request: &Message) {
        let rings = self.calls.iter_mut().find(|call| call.server == Some(invite));
        if let Some(call) = rings {
            call.reason = request.get(Name::Reason).map(str::to_owned);
            let no = call.no;
            self.refuse_call(now, no, 487);
        }
    }

    pub(super) fn ack(&mut self, now: Moment, request: &Message) {
        let Some(no) = self.owner_of(request) else { return };
        let Some(call) = self.call_mut(no) else { return };
        let Some(server) = call.unacknowledged.take() else { return };
        if call.owes_answer {
            call.owes_answer = false;
            if let Some(far) = far_audio(request) {
                call.hear_answer(far);
            }
        }
        self.layer.acked(now, server);
        self.unqueue(now, no);
    }

    /// A re-INVITE.
    fn changed(&mut self, now: Moment, no: CallNo, server: ServerKey, request: &Message) {
        let busy =
            self.call_mut(no).is_some_and(|c| c.change.is_some() || c.state != CallState::Up);
        if busy || self.call_mut(no).is_some_and(|call| call.unacknowledged.is_some()) {
            // RFC 3261 §14.2: our own change is under way.
            self.say(now, server, request, 491);
            return;
        }
        if !self.can_speak(request) {
            // RFC 3261 §14.2: the session stays as it was.
            self.say(now, server, request, 488);
            return;
        }
        let Some((body, expires)) = self.renegotiate(no, request) else { return };
        let Some(call) = self.call_mut(no) else { return };
        call.dialog.refresh(request);
        call.unacknowledged = Some(server);
        if let Some(identity) = shown_identity(request) {
            call.shown = Some(identity);
        }
        let mut answer = Compose::response_to(request, 200, None)
            .line(Name::Contact, format!("<{}>", call.dialog.contact))
            .line(Name::Supported, "timer, replaces, norefersub");
        if let Some(expires) = expires {
            answer = answer.line(Name::SessionExpires, expires).line(Name::Require, "timer");
        }
        let draft = answer.body(SDP, body).finish();
        self.layer.respond(now, server, 200, &draft);
        self.arm_timer(now, no);
    }

    /// An UPDATE (RFC 3311).
    fn updated(&mut self, now: Moment, no: CallNo, server: ServerKey, request: &Message) {
        if self.call_mut(no).is_some_and(|c| c.change.is_some()) && !request.body().is_empty() {
            self.say(now, server, request, 491);
            return;
        }
        if !self.can_speak(request) {
            // RFC 3261 §14.2: the session stays as it was.
            self.say(now, server, request, 488);
            return;
        }
        let Some((body, expires)) = self.renegotiate(no, request) else { return };
        let Some(call) = self.call_mut(no) else { return };
        call.dialog.refresh(request);
        if let Some(identity) = shown_identity(request) {
            call.shown = Some(identity);
        }
        let contact = format!("<{}>", call.dialog.contact);
        let mut answer = Compose::response_to(request, 200, None).line(Name::Contact, contact);
        if let Some(expires) = expires {
            answer = answer.line(Name::SessionExpires, expires).line(Name::Require, "timer");
        }
        if !body.is_empty() {
            answer = answer.body(SDP, body);
        }
        self.layer.respond(now, server, 200, &answer.finish());
        self.arm_timer(now, no);
    }

    /// A NOTIFY that belongs to no subscription: a notice.
    fn notice(&mut self, now: Moment, server: ServerKey, request: &Message) {
        let event = request.get(Name::Event).unwrap_or_default().to_owned();
        let status = self.habits.notice_status_of(&event);
        self.say(now, server, request, status);
        if status < 300 {
            let body = String::from_utf8_lossy(&request.body()).into_owned();
            if ["park-info", "call-info", "dialog"].contains(&event.as_str()) {
                self.screen.clone_from(&body);
            }
            let content_type = request.content_type().unwrap_or_default().to_owned();
            self.notices.push(Notice { at: now, event, content_type, body });
        }
    }

    /// A REFER that writes on the status line; what came of it is told by a REFER back.
    fn status_line(&mut self, now: Moment, server: ServerKey, request: &Message) {
        self.say(now, server, request, 202);
        self.screen = String::from_utf8_lossy(&request.body()).into_owned();
        if let Some(contact) = crate::dialog::contact_uri(request) {
            let kind = "application/x-cisco-remotecc-response+xml";
            let body = "<x-cisco-remotecc-response><response><code>200</code></response>\r\n\
                        </x-cisco-remotecc-response>\r\n";
            self.ask_at(now, "REFER", &contact, &[], Some((kind, body.as_bytes())));
        }
    }
}

/// Whom a message says we talk to (RFC 3325; the older Remote-Party-ID).
pub(super) fn shown_identity(message: &Message) -> Option<String> {
    message
        .get(Name::PAssertedIdentity)
        .or_else(|| message.get(Name::RemotePartyId))
        .map(str::to_owned)
}
