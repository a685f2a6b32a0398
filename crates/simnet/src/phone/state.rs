//! All that a phone remembers.

use base::{Chance, Deadlines, Flow, Moment, Side, Transport};
use sip_core::{Layer, Oversize, Timing};
use sip_msg::{Draft, Message};

use super::call::{Call, CallNo, CallState};
use super::habits::{Account, Habits};
use crate::dialog::Dialog;

/// For what a request was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Register,
    Invite(CallNo),
    Change(CallNo),
    Refer(CallNo),
    Prack(CallNo),
    Subscribe(u32),
    Other(u32),
    Nothing,
}

/// What a phone is woken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Alarm {
    Refresh,
    Answer(CallNo),
    Retry(CallNo),
    Timer(CallNo),
    TimerEnd(CallNo),
    Reliable(CallNo),
}

/// The phone's registration.
#[derive(Debug, Clone)]
pub(super) struct Registration {
    pub call_id: String,
    pub tag: String,
    pub cseq: u32,
    pub expires: u32,
    pub credentials: Option<String>,
    pub tried: bool,
    pub star: bool,
}

/// A subscription that the phone has asked for.
#[derive(Debug, Clone)]
pub(super) struct Subscription {
    pub event: String,
    /// The types of bodies that it asked for; none: it did not say.
    pub accept: Option<&'static str>,
    pub user: String,
    pub dialog: Dialog,
    pub answer: Option<u16>,
    pub bodies: Vec<String>,
    pub is_over: bool,
    /// The Refer-To of the REFER that opened it, if it was one.
    pub refer_to: Option<String>,
}

/// A NOTIFY out of any dialog, as it was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// When.
    pub at: Moment,
    /// Its Event.
    pub event: String,
    /// Its Content-Type.
    pub content_type: String,
    /// Its body.
    pub body: String,
}

/// A request of the user's own making, and what came of it.
#[derive(Debug, Clone)]
pub(super) struct Errand {
    pub no: u32,
    pub method: String,
    pub answer: Option<Message>,
}

/// A phone.
#[derive(Debug)]
pub struct Phone {
    pub(super) account: Account,
    pub(super) habits: Habits,
    pub(super) layer: Layer<Purpose>,
    pub(super) chance: Chance,
    pub(super) alarms: Deadlines<Alarm>,
    pub(super) calls: Vec<Call>,
    pub(super) next_call: u32,
    pub(super) registration: Registration,
    /// The status of the latest final answer to a REGISTER.
    pub(super) registered: Option<u16>,
    pub(super) register_contacts: Vec<String>,
    pub(super) subscriptions: Vec<Subscription>,
    pub(super) errands: Vec<Errand>,
    pub(super) notices: Vec<Notice>,
    /// The body by which it was told last what is parked for its own extension.
    pub(super) screen: String,
    pub(super) heard: Vec<Message>,
    pub(super) is_off: bool,
    pub(super) speaking: bool,
}

impl Phone {
    /// A phone that is switched on and has said nothing yet.
    pub fn new(account: Account, habits: Habits, mut chance: Chance) -> Phone {
        let registration = Registration {
            call_id: format!("r{}@{}", chance.token(10), account.address.ip()),
            tag: chance.token(8),
            cseq: 0,
            expires: 0,
            credentials: None,
            tried: false,
            star: false,
        };
        let layer = Layer::new(Timing::default(), Chance::from_seed(chance.u64()));
        Phone {
            account,
            habits,
            layer,
            chance,
            alarms: Deadlines::default(),
            calls: Vec::new(),
            next_call: 1,
            registration,
            registered: None,
            register_contacts: Vec::new(),
            subscriptions: Vec::new(),
            errands: Vec::new(),
            notices: Vec::new(),
            screen: String::new(),
            heard: Vec::new(),
            is_off: false,
            speaking: false,
        }
    }

    /// The flow to its outbound proxy.
    pub(super) fn proxy(&self) -> Flow {
        Flow {
            side: Side::Phones,
            transport: self.account.transport,
            local: self.account.address,
            peer: self.account.proxy,
            conn: None,
        }
    }

    /// Its Contact URI.
    pub(super) fn contact(&self) -> String {
        let said = self.habits.says_address.unwrap_or(self.account.address);
        let user = &self.account.user;
        match self.account.transport {
            _ if self.account.is_sips => format!("sips:{user}@{said}"),
            Transport::Udp => format!("sip:{user}@{said}"),
            stream => format!("sip:{user}@{said};transport={}", stream.in_uri()),
        }
    }

    /// Its From value, without tag.
    pub(super) fn own_name(&self) -> String {
        let Account { display, user, domain, .. } = &self.account;
        format!("\"{display}\" <sip:{user}@{domain}>")
    }

    pub(super) fn send(&mut self, now: Moment, flow: Flow, purpose: Purpose, draft: &Draft) {
        let _ = self.layer.request(now, flow, purpose, draft, Oversize::TryTcp);
    }

    pub(super) fn call_mut(&mut self, no: CallNo) -> Option<&mut Call> {
        self.calls.iter_mut().find(|call| call.no == no)
    }

    /// The call of an in-dialog request.
    pub(super) fn owner_of(&self, request: &Message) -> Option<CallNo> {
        self.calls.iter().find(|call| call.dialog.owns(request)).map(|call| call.no)
    }

    /// An RTP port that no living call has.
    /// What it hears from now on may come from other sources than before.
    pub(crate) fn expects_new_sources(&mut self) {
        for call in &mut self.calls {
            call.media.ear.expects_a_new_source();
        }
    }

    pub(super) fn free_rtp(&self) -> std::net::SocketAddr {
        let ip = self.account.address.ip();
        let taken = |port: u16| {
            self.calls.iter().any(|call| call.is_alive() && call.media.local.port() == port)
        };
        let port = (0..64u16).map(|i| self.account.rtp_base + 2 * i).find(|port| !taken(*port));
        (ip, port.unwrap_or(self.account.rtp_base)).into()
    }

    /// Marks a call as over; a re-INVITE that is still under way is given up with it.
    pub(super) fn end(&mut self, now: Moment, no: CallNo) {
        for alarm in [
            Alarm::Answer(no),
            Alarm::Retry(no),
            Alarm::Timer(no),
            Alarm::TimerEnd(no),
            Alarm::Reliable(no),
        ] {
            self.alarms.stop(alarm);
        }
        let Some(call) = self.call_mut(no) else { return };
        call.state = CallState::Ended;
        call.media.may_send = false;
        if let Some((change, _)) = call.change.take() {
            self.layer.abandon(now, change);
        }
    }
}
