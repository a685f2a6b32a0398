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

    /// What its screen shows of parked calls: the body of the latest `park-info`, if calls are in it.
    pub fn parked_shown(&self) -> Option<&str> {
        let latest = self.notices.iter().rev().find(|notice| notice.event == "park-info")?;
        latest.body.contains("<parked>").then_some(latest.body.as_str())
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

    /// All users whose dialogs it watches, with the body heard last.
    pub fn watches(&self) -> impl Iterator<Item = (&str, &str)> {
        let alive = self.subscriptions.iter().filter(|s| {
            s.event == "dialog" && !s.is_over && s.answer.is_some_and(|status| status < 300)
        });
        alive.filter_map(|s| {
            let user = s.dialog.remote.split("<sip:").nth(1)?.split('@').next()?;
            Some((user, s.bodies.last()?.as_str()))
        })
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
