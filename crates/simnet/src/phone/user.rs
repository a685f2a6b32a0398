//! What the user of a phone does.

use base::Moment;
use sip_core::Oversize;
use sip_msg::{Direction, Name};

use super::call::{Call, CallNo, CallState};
use super::keyring::Keyring;
use super::offers::SDP;
use super::state::{Alarm, Phone, Purpose};
use crate::dialog::Dialog;
use crate::rtp_end::RtpEnd;

/// How a call is asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    pub number: String,
    pub replaces: Option<String>,
    pub for_transfer: Option<(CallNo, u32)>,
    pub referred_by: Option<String>,
    pub authorization: Option<(Name, String)>,
}

impl Phone {
    /// Dials a number (or a whole `sip:` URI).
    pub fn dial(&mut self, now: Moment, number: &str) -> CallNo {
        self.ask_for(now, Wanted { number: number.to_owned(), ..Wanted::default() })
    }

    /// Dials with a Replaces header (RFC 3891): takes the very call that it names.
    pub fn dial_replacing(&mut self, now: Moment, number: &str, replaces: &str) -> CallNo {
        let replaces = Some(replaces.to_owned());
        self.ask_for(now, Wanted { number: number.to_owned(), replaces, ..Wanted::default() })
    }

    pub(super) fn ask_for(&mut self, now: Moment, wanted: Wanted) -> CallNo {
        let no = CallNo(self.next_call);
        self.next_call += 1;
        let uri = match wanted.number.contains(':') {
            true => wanted.number.clone(),
            false => format!("sip:{}@{}", wanted.number.replace('#', "%23"), self.account.domain),
        };
        let dialog = Dialog::asked(
            self.proxy(),
            format!("c{}@{}", self.chance.token(10), self.account.address.ip()),
            &self.own_name(),
            self.chance.token(8),
            &format!("<{uri}>"),
            &uri,
            &self.contact(),
        );
        let mut media = RtpEnd::new(self.free_rtp(), self.account.frequency, self.chance.u32());
        media.speak(now, self.speaking);
        let keyring = Keyring::of(&self.habits, &mut self.chance);
        self.calls.push(Call {
            no,
            dialog,
            state: CallState::Calling,
            is_ours: true,
            dialled: wanted.number.clone(),
            invite: None,
            server: None,
            request: None,
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
            shown: None,
            from: None,
            alert_info: None,
            transfer: None,
            for_transfer: wanted.for_transfer,
            reliable: None,
            rseq_seen: None,
            timer: None,
            reason: None,
            up_since: None,
            said: bytes::Bytes::new(),
        });
        self.invite(now, no, &wanted);
        no
    }

    /// Sends the INVITE that begins a call; again with credentials after a challenge.
    pub(super) fn invite(&mut self, now: Moment, no: CallNo, wanted: &Wanted) {
        let habits = self.habits.clone();
        let agent = self.account.user_agent.clone();
        let flow = self.proxy();
        let Some(call) = self.call_mut(no) else { return };
        let mut request = call
            .dialog
            .request("INVITE")
            .line(Name::UserAgent, agent)
            .line(
                Name::Allow,
                "INVITE, ACK, BYE, CANCEL, OPTIONS, NOTIFY, REFER, INFO, UPDATE, PRACK",
            )
            .line(Name::Supported, "100rel, timer, replaces, norefersub");
        if let Some(replaces) = &wanted.replaces {
            request = request.line(Name::Replaces, replaces).line(Name::Require, "replaces");
        }
        if let Some(by) = &wanted.referred_by {
            request = request.line(Name::ReferredBy, by);
        }
        if let Some((name, credentials)) = &wanted.authorization {
            request = request.line(*name, credentials);
        }
        if let Some(seconds) = habits.session_expires {
            request = request.line(Name::SessionExpires, seconds.to_string());
        }
        for line in &habits.extra_lines {
            if let Some((name, value)) = line.split_once(':') {
                request = request.other(name.trim(), value.trim());
            }
        }
        if !habits.offers_late {
            let offer = call.offer(&habits.formats);
            request = request.body(SDP, offer);
        }
        let draft = request.finish();
        let key = self.layer.request(now, flow, Purpose::Invite(no), &draft, Oversize::TryTcp);
        if let Some(call) = self.call_mut(no) {
            call.invite = Some(key);
        }
    }

    /// The newest call for which `fits` holds.
    fn newest(&self, fits: impl Fn(&Call) -> bool) -> Option<CallNo> {
        self.calls.iter().rev().find(|call| fits(call)).map(|call| call.no)
    }

    /// Answers the call that rings here; says whether one does.
    pub fn answer(&mut self, now: Moment) -> bool {
        let Some(no) = self.newest(|call| call.state == CallState::RingingHere) else {
            return false;
        };
        self.answer_call(now, no);
        true
    }

    /// Refuses the call that rings here with this status.
    pub fn decline(&mut self, now: Moment, status: u16) -> bool {
        let Some(no) = self.newest(|call| call.state == CallState::RingingHere) else {
            return false;
        };
        self.refuse_call(now, no, status);
        true
    }

    /// Holds the newest call that is up and not held.
    pub fn hold(&mut self, now: Moment) -> bool {
        let Some(no) = self.newest(|call| call.state == CallState::Up && !call.holds()) else {
            return false;
        };
        let inactive = self.habits.holds_inactive;
        self.wish(now, no, if inactive { Direction::Inactive } else { Direction::SendOnly });
        true
    }

    /// Resumes the newest call that is held.
    pub fn resume(&mut self, now: Moment) -> bool {
        let Some(no) = self.newest(|call| call.state == CallState::Up && call.holds()) else {
            return false;
        };
        self.wish(now, no, Direction::SendRecv);
        true
    }

    /// Ends the newest call, whatever its state.
    pub fn hang_up(&mut self, now: Moment) -> bool {
        let Some(no) = self.newest(|call| call.is_alive() && !call.given_up) else {
            return false;
        };
        self.hang_up_call(now, no);
        true
    }

    /// Ends this call: by BYE, CANCEL or a refusal.
    pub fn hang_up_call(&mut self, now: Moment, no: CallNo) {
        let Some(call) = self.call_mut(no) else { return };
        match call.state {
            CallState::Up => self.bye(now, no),
            CallState::RingingHere => self.refuse_call(now, no, 486),
            CallState::Calling | CallState::RingingThere => {
                call.given_up = true;
                if let Some(key) = call.invite {
                    self.layer.cancel(now, key, None);
                }
            }
            CallState::Ended => {}
        }
    }

    /// Ends every call.
    pub fn hang_up_all(&mut self, now: Moment) {
        let living: Vec<CallNo> =
            self.calls.iter().filter(|c| c.is_alive() && !c.given_up).map(|c| c.no).collect();
        for no in living {
            self.hang_up_call(now, no);
        }
    }

    pub(super) fn bye(&mut self, now: Moment, no: CallNo) {
        let Some(call) = self.call_mut(no).filter(|call| call.is_alive()) else { return };
        let draft = call.dialog.request("BYE").finish();
        let flow = call.dialog.way();
        self.send(now, flow, Purpose::Nothing, &draft);
        self.end(now, no);
    }

    /// Turns the microphones of all calls on or off, of those to come too.
    pub fn speak(&mut self, now: Moment, on: bool) {
        self.speaking = on;
        for call in &mut self.calls {
            call.media.speak(now, on && call.is_alive());
        }
    }

    /// Presses keys in the newest call that is up, as telephone-events; says whether there is one.
    /// Packets of each key whose places are in `lost` do not arrive.
    pub fn press(&mut self, now: Moment, keys: &str, lost: &[u8]) -> bool {
        let call = self.calls.iter_mut().rev().find(|call| call.state == CallState::Up);
        call.map(|call| call.media.press(now, keys, lost)).is_some()
    }

    /// The plug is pulled: nothing more is sent or heard until [`Phone::switch_on`].
    pub fn switch_off(&mut self) {
        self.is_off = true;
    }

    /// Its network cable is pulled or put in again: it forgets nothing, but hears and says nothing.
    pub fn plug(&mut self, into_network: bool) {
        self.is_off = !into_network;
    }

    /// Whether the plug is out.
    pub fn is_switched_off(&self) -> bool {
        self.is_off
    }

    /// Refreshes its registration no more.
    pub fn rest(&mut self) {
        self.alarms.stop(Alarm::Refresh);
    }

    /// Comes up with nothing in mind of what was before.
    pub fn switch_on(&mut self) {
        // Ports are picked anew too: what still arrives at the old ones is nobody's.
        let mut account = self.account.clone();
        account.rtp_base += 200;
        let again =
            Phone::new(account, self.habits.clone(), base::Chance::from_seed(self.chance.u64()));
        *self = again;
    }

    /// Answers a call by itself after a while, if it still rings.
    pub(super) fn answer_later(&mut self, now: Moment, no: CallNo) {
        if let Some(after) = self.habits.answers_after {
            self.alarms.set(Alarm::Answer(no), now + after);
        }
    }
}
