//! Answers to what a phone has asked.

use std::time::Duration;

use base::Moment;
use sip_core::ClientKey;
use sip_msg::{Message, Name};

use super::call::{CallNo, CallState, Change};
use super::incoming::shown_identity;
use super::offers::{SDP, far_audio};
use super::state::{Alarm, Phone, Purpose};
use super::user::Wanted;
use crate::digest;

impl Phone {
    pub(super) fn response(
        &mut self,
        now: Moment,
        client: ClientKey,
        purpose: Purpose,
        response: &Message,
    ) {
        let status = response.status();
        match purpose {
            Purpose::Invite(no) if status < 200 => self.ringing(now, no, response),
            Purpose::Invite(no) if status < 300 => self.answered(now, no, client, response),
            Purpose::Invite(no) => self.turned_down(now, no, response),
            Purpose::Change(no) if status >= 200 => {
                self.change_answered(now, no, client, response);
            }
            Purpose::Refer(no) if status >= 200 => self.refer_answered(now, no, response),
            Purpose::Register if status >= 200 => self.register_answered(now, response),
            Purpose::Subscribe(no) if status >= 200 => self.subscribe_answered(now, no, response),
            Purpose::Other(no) if status >= 200 => self.errand_answered(no, response),
            _ => {}
        }
    }

    /// No answer at all.
    pub(super) fn failed(&mut self, now: Moment, purpose: Purpose, status: u16) {
        match purpose {
            Purpose::Invite(no) => {
                if let Some(call) = self.call_mut(no) {
                    call.refused = Some(status);
                }
                self.end(now, no);
                self.tell_referrer(now, no, status);
            }
            // RFC 3261 §14.1: a re-INVITE without an answer ends the dialog.
            Purpose::Change(no) => self.bye(now, no),
            Purpose::Refer(no) => {
                if let Some(transfer) = self.call_mut(no).and_then(|c| c.transfer.as_mut()) {
                    transfer.answer = Some(status);
                }
            }
            Purpose::Register => self.registered = Some(status),
            _ => {}
        }
    }

    fn ringing(&mut self, now: Moment, no: CallNo, response: &Message) {
        if response.status() == 100 || response.to_tag().is_none() {
            return;
        }
        let Some(call) = self.call_mut(no).filter(|call| call.state != CallState::Up) else {
            return;
        };
        if call.state == CallState::Ended {
            return;
        }
        call.state = CallState::RingingThere;
        call.dialog.learn(response);
        if let Some(identity) = shown_identity(response) {
            call.shown = Some(identity);
        }
        if let Some(far) = far_audio(response) {
            call.hear_answer(far);
            call.media.may_send = false;
        }
        let reliable = response.has_option(Name::Require, "100rel");
        let rseq = response.get(Name::RSeq).and_then(|text| text.trim().parse::<u32>().ok());
        let Some(rseq) = rseq.filter(|_| reliable) else { return };
        // A repetition of one that we have acknowledged is absorbed (RFC 3262 §4).
        if call.rseq_seen.is_some_and(|seen| rseq <= seen) {
            return;
        }
        call.rseq_seen = Some(rseq);
        let invite = response.cseq().0;
        let draft = call
            .dialog
            .request("PRACK")
            .line(Name::RAck, format!("{rseq} {invite} INVITE"))
            .finish();
        let flow = call.dialog.way();
        self.send(now, flow, Purpose::Prack(no), &draft);
    }

    fn answered(&mut self, now: Moment, no: CallNo, client: ClientKey, response: &Message) {
        let Some(call) = self.call_mut(no) else { return };
        let fork = matches!(call.state, CallState::Up | CallState::Ended)
            && call.dialog.remote_tag.as_deref() != response.to_tag();
        let mut dialog = call.dialog.clone();
        dialog.learn(response);
        let unwanted = fork || call.given_up || call.state == CallState::Ended;
        if !unwanted {
            call.dialog = dialog.clone();
            call.state = CallState::Up;
            call.up_since = Some(now);
            call.shown = shown_identity(response).or(call.shown.take());
        }
        let answer = self.answer_in_ack(no, response, unwanted);
        let mut ack = dialog.request_numbered("ACK", response.cseq().0);
        if let Some(text) = answer {
            ack = ack.body(SDP, text);
        }
        self.layer.ack(now, client, dialog.way(), &ack.finish());
        if unwanted {
            // RFC 3261 §13.2.2.4: a second dialog of a forked INVITE, or a late answer.
            let bye = dialog.request("BYE").finish();
            self.send(now, dialog.way(), Purpose::Nothing, &bye);
            if !fork {
                self.end(now, no);
            }
            return;
        }
        self.hear_timer(now, no, response);
        self.tell_referrer(now, no, response.status());
        self.unqueue(now, no);
    }

    /// Takes the description of a 2xx; the answer for the ACK, if it was an offer.
    fn answer_in_ack(&mut self, no: CallNo, response: &Message, ignore: bool) -> Option<String> {
        let formats = self.habits.formats.clone();
        let offers_late = self.habits.offers_late;
        let call = self.call_mut(no)?;
        let far = far_audio(response)?;
        let owed = offers_late && call.said.is_empty();
        if ignore {
            return owed.then(|| call.answer_text(&formats));
        }
        if owed {
            call.hear_offer(far);
            return Some(call.answer_text(&formats));
        }
        call.hear_answer(far);
        None
    }

    fn turned_down(&mut self, now: Moment, no: CallNo, response: &Message) {
        let status = response.status();
        if matches!(status, 401 | 407)
            && let Some(credentials) = self.credentials(response, "INVITE", no)
        {
            let name = match status {
                401 => Name::Authorization,
                _ => Name::ProxyAuthorization,
            };
            let Some(call) = self.call_mut(no) else { return };
            if !call.given_up {
                let wanted = Wanted {
                    number: call.dialled.clone(),
                    for_transfer: call.for_transfer,
                    authorization: Some((name, credentials)),
                    ..Wanted::default()
                };
                call.dialog.remote_tag = None;
                self.invite(now, no, &wanted);
                return;
            }
        }
        if let Some(call) = self.call_mut(no) {
            call.refused = Some(status);
        }
        self.end(now, no);
        self.tell_referrer(now, no, status);
    }

    /// Credentials for a challenge of a call's INVITE; none if they have been tried.
    fn credentials(&mut self, response: &Message, method: &str, no: CallNo) -> Option<String> {
        let challenge =
            response.get(Name::WwwAuthenticate).or(response.get(Name::ProxyAuthenticate))?;
        let (user, password) = (self.account.user.clone(), self.account.password.clone());
        let call = self.call_mut(no)?;
        if call.dialog.local_cseq > 1 {
            return None;
        }
        digest::answer(challenge, &user, &password, method, &call.dialog.target)
    }

    fn change_answered(&mut self, now: Moment, no: CallNo, client: ClientKey, response: &Message) {
        let status = response.status();
        // RFC 3261 §14.1: who owns the Call-ID waits 2.1 to 4 s, the other 0 to 2 s.
        let wait_ms = match self.call_mut(no).is_some_and(|call| call.is_ours) {
            true => 2_100 + 10 * self.chance.below(191),
            false => 10 * self.chance.below(201),
        };
        let Some(call) = self.call_mut(no) else { return };
        let change = call.change.take();
        if status < 300 {
            call.dialog.refresh(response);
            if let Some(far) = far_audio(response) {
                call.hear_answer(far);
            }
            let ack = call.dialog.request_numbered("ACK", response.cseq().0).finish();
            let (flow, alive) = (call.dialog.way(), call.is_alive());
            self.layer.ack(now, client, flow, &ack);
            if alive {
                self.hear_timer(now, no, response);
                self.unqueue(now, no);
            }
            return;
        }
        match status {
            491 if change.is_some_and(|(_, change)| change == Change::Refresh) => {
                self.alarms.set(Alarm::Timer(no), now + Duration::from_millis(wait_ms));
            }
            491 => self.alarms.set(Alarm::Retry(no), now + Duration::from_millis(wait_ms)),
            // RFC 3261 §12.2.1.2: the dialog is gone.
            408 | 481 => self.bye(now, no),
            _ => self.unqueue(now, no),
        }
    }
}
