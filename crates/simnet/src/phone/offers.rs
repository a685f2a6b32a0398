//! Offers and answers (RFC 3264), re-INVITEs and session timers (RFC 4028).

use std::time::Duration;

use base::Moment;
use sip_core::Oversize;
use sip_msg::{Direction, Message, Name};

use super::call::{Call, CallNo, CallState, Change};
use super::keyring::Keyring;
use super::state::{Alarm, Phone, Purpose};
use crate::sdp::{self, FarAudio, Lock};

/// The content type of a description.
pub(super) const SDP: &str = "application/sdp";

impl Call {
    /// Our description as an offer: what we wish.
    pub(super) fn offer(&mut self, formats: &[u8]) -> String {
        self.version += 1;
        let lock = self.keyring.offer();
        let text = sdp::write(self.media.local, &lock, formats, self.version, self.wish);
        self.said = text.clone().into();
        text
    }

    /// Our description as an answer to what we have just heard.
    pub(super) fn answer_text(&mut self, formats: &[u8]) -> String {
        self.version += 1;
        let theirs = self.far.as_ref().map(|far| far.formats.clone()).unwrap_or_default();
        let both: Vec<u8> = theirs.into_iter().filter(|f| formats.contains(f)).collect();
        let plain = || (Lock { proto: "RTP/AVP".into(), lines: Vec::new() }, None);
        let (lock, srtp) = self.far.as_ref().map_or_else(plain, |far| self.keyring.answer(far));
        self.media.lock(srtp);
        let text = sdp::write(self.media.local, &lock, &both, self.version, self.agreed);
        self.said = text.clone().into();
        text
    }
}

/// The far audio in a message's body, if it has a description.
pub(super) fn far_audio(message: &Message) -> Option<FarAudio> {
    let body = message.body();
    let range = sip_msg::sdp_part(message.content_type()?, &body)?;
    FarAudio::read(&body[range])
}

impl Phone {
    /// Whether the offer in a message, if there is one, has an audio format that we can speak.
    pub(super) fn can_speak(&self, message: &Message) -> bool {
        let ours = &self.habits.formats;
        far_audio(message).is_none_or(|far| {
            let format = far.formats.iter().any(|f| ours.contains(f));
            format && Keyring::can_speak(&self.habits, &far)
        })
    }

    /// Sends a re-INVITE, or queues it behind the one that is under way.
    pub(super) fn change(&mut self, now: Moment, no: CallNo, change: Change) {
        let formats = self.habits.formats.clone();
        let expires = self.habits.session_expires;
        let Some(call) = self.call_mut(no).filter(|call| call.state == CallState::Up) else {
            return;
        };
        if call.change.is_some() || call.unacknowledged.is_some() {
            call.queued = Some(change);
            return;
        }
        let offer = match change {
            Change::Direction => call.offer(&formats),
            Change::Refresh => String::from_utf8_lossy(&call.said).into_owned(),
        };
        let mut request = call.dialog.request("INVITE").line(Name::Supported, "timer, replaces");
        if let Some((seconds, ours)) = call.timer {
            let who = if ours { "uac" } else { "uas" };
            request = request.line(Name::SessionExpires, format!("{seconds};refresher={who}"));
        } else if let Some(seconds) = expires {
            request = request.line(Name::SessionExpires, seconds.to_string());
        }
        let draft = request.body(SDP, offer).finish();
        let flow = call.dialog.way();
        let key = self.layer.request(now, flow, Purpose::Change(no), &draft, Oversize::TryTcp);
        if let Some(call) = self.call_mut(no) {
            call.change = Some((key, change));
        }
    }

    /// Starts what has waited for its turn.
    pub(super) fn unqueue(&mut self, now: Moment, no: CallNo) {
        if let Some(change) = self.call_mut(no).and_then(|call| call.queued.take()) {
            self.change(now, no, change);
        }
    }

    /// Sets the audio direction that the user wishes.
    pub(super) fn wish(&mut self, now: Moment, no: CallNo, wish: Direction) {
        if let Some(call) = self.call_mut(no) {
            call.wish = wish;
            call.media.may_send = wish == Direction::SendRecv && call.media.may_send;
        }
        self.change(now, no, Change::Direction);
    }

    /// A re-INVITE or UPDATE from the far side, or the offer in its absence.
    pub(super) fn renegotiate(
        &mut self,
        no: CallNo,
        request: &Message,
    ) -> Option<(String, Option<String>)> {
        let formats = self.habits.formats.clone();
        let timer = session_timer(request);
        let call = self.call_mut(no)?;
        if let Some((seconds, ours)) = timer {
            call.timer = Some((seconds, !ours));
        }
        let body = match far_audio(request) {
            Some(far) => {
                call.hear_offer(far);
                call.answer_text(&formats)
            }
            None if request.body().is_empty() && request.cseq().1 == "INVITE" => {
                call.owes_answer = true;
                call.offer(&formats)
            }
            None => String::new(),
        };
        let expires = call
            .timer
            .filter(|_| timer.is_some())
            .map(|(s, ours)| format!("{s};refresher={}", if ours { "uas" } else { "uac" }));
        Some((body, expires))
    }

    /// Arms the session timer after a 2xx that was sent or heard: `ours` says who refreshes.
    pub(super) fn arm_timer(&mut self, now: Moment, no: CallNo) {
        let Some((seconds, ours)) = self.call_mut(no).and_then(|call| call.timer) else { return };
        let (half, all) = (u64::from(seconds / 2), u64::from(seconds));
        self.alarms.set(Alarm::TimerEnd(no), now + Duration::from_secs(all));
        if ours {
            self.alarms.set(Alarm::Timer(no), now + Duration::from_secs(half));
        } else {
            self.alarms.stop(Alarm::Timer(no));
        }
    }

    /// Learns the session timer from the 2xx to our INVITE.
    pub(super) fn hear_timer(&mut self, now: Moment, no: CallNo, response: &Message) {
        if let Some((seconds, ours)) = session_timer(response)
            && let Some(call) = self.call_mut(no)
        {
            call.timer = Some((seconds, ours));
            self.arm_timer(now, no);
        }
    }
}

/// Session-Expires: its seconds, and whether the UAC refreshes (RFC 4028 §4; where nobody is named
/// the UAC does).
pub(super) fn session_timer(message: &Message) -> Option<(u32, bool)> {
    let value = message.get(Name::SessionExpires)?;
    let seconds = value.split(';').next()?.trim().parse().ok()?;
    Some((seconds, !value.contains("refresher=uas")))
}
