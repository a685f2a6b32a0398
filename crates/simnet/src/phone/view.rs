//! What can be seen of a phone from outside.

use std::net::SocketAddr;

use base::Moment;
use bytes::Bytes;
use sip_msg::Message;

use super::call::{Call, CallNo, CallState, Transfer};
use super::habits::{Account, Habits};
use super::state::{Notice, Phone};

impl Phone {
    /// Who it is.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// How it behaves; to be changed at will.
    pub fn habits_mut(&mut self) -> &mut Habits {
        &mut self.habits
    }

    /// All its calls, oldest first, the ended ones too.
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// One call.
    pub fn call(&self, no: CallNo) -> Option<&Call> {
        self.calls.iter().find(|call| call.no == no)
    }

    /// The newest call that is not over.
    pub fn current(&self) -> Option<&Call> {
        self.calls.iter().rev().find(|call| call.is_alive())
    }

    /// The newest call.
    pub fn latest(&self) -> Option<&Call> {
        self.calls.last()
    }

    /// Whether it rings.
    pub fn rings(&self) -> bool {
        self.calls.iter().any(|call| call.state == CallState::RingingHere)
    }

    /// Whether it has a call that is up.
    pub fn is_up(&self) -> bool {
        self.calls.iter().any(|call| call.state == CallState::Up)
    }

    /// How many calls are not over.
    pub fn living_calls(&self) -> usize {
        self.calls.iter().filter(|call| call.is_alive()).count()
    }

    /// The latest transfer that it asked for.
    pub fn latest_transfer(&self) -> Option<&Transfer> {
        self.calls.iter().rev().find_map(|call| call.transfer.as_ref())
    }

    /// The status of the latest final answer to a REGISTER; 408 for none.
    pub fn registered(&self) -> Option<u16> {
        self.registered
    }

    /// The Contact values of that answer.
    pub fn registered_contacts(&self) -> &[String] {
        &self.register_contacts
    }

    /// All NOTIFYs that it had out of dialog, oldest first.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// What its screen shows of parked calls: the body by which it was told last what is parked for
    /// its extension, however it was told, if calls are in it.
    pub fn parked_shown(&self) -> Option<&str> {
        (calls_in(&self.screen) > 0).then_some(self.screen.as_str())
    }

    /// Whether it is there and has registered.
    pub fn is_registered(&self) -> bool {
        !self.is_off && self.registered == Some(200) && self.registration.expires > 0
    }

    /// Whether it shows what a REFER writes on its status line.
    pub fn has_status_line(&self) -> bool {
        self.habits.has_status_line
    }

    /// Whether it takes a NOTIFY of this event that it did not subscribe to.
    pub fn takes_notice(&self, event: &str) -> bool {
        self.habits.notice_status_of(event) < 300
    }

    /// All requests that it heard, oldest first.
    pub fn heard(&self) -> &[Message] {
        &self.heard
    }

    /// The final answer to an errand.
    pub fn errand(&self, no: u32) -> Option<&Message> {
        self.errands.iter().find(|errand| errand.no == no)?.answer.as_ref()
    }

    /// The final answer to the latest errand with this method.
    pub fn latest_errand(&self, method: &str) -> Option<&Message> {
        self.errands.iter().rev().find(|errand| errand.method == method)?.answer.as_ref()
    }

    /// (event, final answer, bodies heard, over) of each subscription.
    pub fn subscriptions(&self) -> impl Iterator<Item = (&str, Option<u16>, &[String], bool)> {
        self.subscriptions
            .iter()
            .map(|s| (s.event.as_str(), s.answer, s.bodies.as_slice(), s.is_over))
    }

    /// The bodies heard in its newest subscription to the dialogs of `user`, oldest first.
    pub fn watched(&self, user: &str) -> Option<&[String]> {
        let to = format!("<sip:{user}@");
        let of =
            |s: &&super::state::Subscription| s.event == "dialog" && s.dialog.remote.contains(&to);
        self.subscriptions.iter().rev().find(of).map(|s| s.bodies.as_slice())
    }

    /// All that it watches: the event, the user, and the body heard last.
    pub fn watches(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        let alive = self
            .subscriptions
            .iter()
            .filter(|s| !s.is_over && s.answer.is_some_and(|status| status < 300));
        alive.filter_map(|s| Some((s.event.as_str(), s.user.as_str(), s.bodies.last()?.as_str())))
    }

    /// How many SIP transactions it has.
    pub fn transactions(&self) -> usize {
        self.layer.len()
    }

    /// An RTP packet has arrived at one of its ports.
    pub fn hear_rtp(&mut self, now: Moment, at: SocketAddr, packet: &[u8]) {
        let ends = self.calls.iter_mut().rev().filter(|call| call.is_alive());
        if let Some(call) = ends.into_iter().find(|call| call.media.local == at) {
            call.media.hear(now, packet);
        }
    }

    /// The RTP packets that are due: (from, to, packet).
    pub fn rtp_due(&mut self, now: Moment) -> Vec<(SocketAddr, SocketAddr, Bytes)> {
        let mut due = Vec::new();
        for call in self.calls.iter_mut().filter(|call| call.is_alive()) {
            // An end that may not send still keeps its clock.
            while call.media.next().is_some_and(|at| at <= now) {
                if let Some((to, packet)) = call.media.due(now) {
                    due.push((call.media.local, to, packet));
                }
            }
        }
        due
    }

    /// When the next RTP packet is due.
    pub fn rtp_next(&self) -> Option<Moment> {
        let living = self.calls.iter().filter(|call| call.is_alive());
        living.filter_map(|call| call.media.next()).min()
    }
}

/// How many parked calls a body tells of, in whatever words: BroadWorks' call park XML, dialogs that
/// have not ended, or lines of text. A status line says no more than where the first one is.
pub(crate) fn calls_in(body: &str) -> usize {
    if body.contains("<statustext>") {
        // The phone's own phrase for "parked at" is a byte 0x80 and an exclamation mark.
        return usize::from(body.contains("\u{FFFD}!"));
    }
    if body.contains("<dialog-info") {
        let dialogs = body.split("<dialog ").skip(1);
        return dialogs.filter(|text| is_ours(text) && !text.contains(">terminated<")).count();
    }
    let lines = body.lines().filter(|line| line.starts_with("Parked: ") && *line != "Parked: none");
    body.matches("<parked>").count() + lines.count()
}

/// Whether a dialog is a parked call's: those of the PBX here have no Call-ID.
pub(crate) fn is_ours(dialog: &str) -> bool {
    dialog.split('>').next().unwrap_or_default().contains("call-id=")
}
