//! All that the PBX remembers.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use base::{Chance, Deadlines, Flow, Moment, Side, Transport};
use sip_core::{ClientKey, Layer, Oversize, ServerKey, Timing};
use sip_msg::{Draft, Message};

use super::leg::{Leg, LegNo, LegState};
use super::registrar::Binding;
use crate::dialog::Dialog;

/// What kind of PBX.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// A new dialog on each side (as Asterisk, FreeSWITCH, 3CX).
    BackToBack,
    /// A stateful, record-routing, forking proxy (as Kamailio): one Call-ID from end to end.
    Proxy,
}

/// What kind of PBX, and whether it asks for passwords.
#[derive(Debug, Clone)]
pub struct PbxSettings {
    /// Its domain.
    pub domain: String,
    /// Its address.
    pub address: SocketAddr,
    /// By which transport it is reached.
    pub transport: Transport,
    /// Its kind.
    pub style: Style,
    /// Whether REGISTER and INVITE need credentials.
    pub digest: bool,
    /// The longest registration that it grants, in seconds.
    pub longest_registration: u32,
    /// Whether it hangs up a leg by itself when a transfer from that leg has succeeded.
    pub byes_after_transfer: bool,
    /// Whether its answers say that it takes UPDATE (RFC 3311).
    pub says_update: bool,
    /// Numbers whose calls go elsewhere, whatever phones they have.
    pub forwards: BTreeMap<String, String>,
    /// The status with which it refuses every REFER, if it does.
    pub refuses_refer: Option<u16>,
    /// Whether it tells who watches a user without calls by a NOTIFY without a body, as presence servers
    /// do to whom nothing was published.
    pub says_nothing_of_idle: bool,
}

impl PbxSettings {
    /// A back-to-back PBX at `address`, without passwords.
    pub fn at(address: SocketAddr, domain: &str) -> PbxSettings {
        PbxSettings {
            domain: domain.to_owned(),
            address,
            transport: Transport::Udp,
            style: Style::BackToBack,
            digest: false,
            longest_registration: 3600,
            byes_after_transfer: false,
            says_update: false,
            forwards: BTreeMap::new(),
            refuses_refer: None,
            says_nothing_of_idle: false,
        }
    }

    /// The password of a user.
    pub fn password_of(&self, user: &str) -> String {
        format!("secret-{user}")
    }
}

/// How long it lets somebody ring.
pub(super) const LONGEST_RINGING: std::time::Duration = std::time::Duration::from_secs(180);

/// For what a request was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Invite(LegNo),
    /// A re-INVITE on a leg; for a re-INVITE on another leg, or of the PBX's own.
    Change(LegNo, Option<(LegNo, ServerKey)>),
    /// A request that is passed on: the answer goes back to this transaction.
    Pass(ServerKey),
    /// A request that is proxied.
    Relay(u32),
    Nothing,
}

/// Where somebody is reached.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub uri: String,
    pub flow: Flow,
}

/// Somebody who is told of events.
#[derive(Debug)]
pub(super) struct Subscriber {
    pub dialog: Dialog,
    pub event: String,
    /// Whose state is told.
    pub user: String,
    /// How many notices there have been.
    pub told: u32,
}

/// What the PBX is woken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Alarm {
    /// A description is still owed to this leg.
    Owed(LegNo),
    /// Nobody has answered this caller for too long.
    Unanswered(LegNo),
    /// The same, as a proxy (RFC 3261 §16.8, timer C).
    TimerC(u32),
}

/// A request under way through the proxy.
#[derive(Debug)]
pub(super) struct Relay {
    pub no: u32,
    pub server: ServerKey,
    pub is_invite: bool,
    pub clients: Vec<ClientKey>,
    pub waiting: usize,
    pub best: Option<(u16, Draft)>,
    pub is_over: bool,
}

/// A 2xx that went through the proxy and whose ACK is to follow.
#[derive(Debug)]
pub(super) struct Accepted {
    pub call_id: String,
    pub from_tag: Option<String>,
    pub to_tag: Option<String>,
    pub number: u32,
    pub server: ServerKey,
    pub client: ClientKey,
}

/// A PBX.
#[derive(Debug)]
pub struct Pbx {
    pub(super) settings: PbxSettings,
    pub(super) layer: Layer<Purpose>,
    pub(super) chance: Chance,
    pub(super) alarms: Deadlines<Alarm>,
    pub(super) bindings: BTreeMap<String, Vec<Binding>>,
    pub(super) routes: BTreeMap<String, SocketAddr>,
    pub(super) legs: BTreeMap<LegNo, Leg>,
    pub(super) next_leg: u32,
    pub(super) relays: Vec<Relay>,
    pub(super) next_relay: u32,
    pub(super) accepted: Vec<Accepted>,
    pub(super) subscriptions: Vec<Subscriber>,
    pub(super) heard: Vec<Message>,
    pub(super) answers: Vec<Message>,
    pub(super) nonce: String,
    pub(super) is_off: bool,
}

impl Pbx {
    /// A PBX that knows nobody.
    pub fn new(settings: PbxSettings, mut chance: Chance) -> Pbx {
        let layer = Layer::new(Timing::default(), Chance::from_seed(chance.u64()));
        let nonce = chance.token(12);
        Pbx {
            settings,
            layer,
            chance,
            alarms: Deadlines::default(),
            bindings: BTreeMap::new(),
            routes: BTreeMap::new(),
            legs: BTreeMap::new(),
            next_leg: 1,
            relays: Vec::new(),
            next_relay: 1,
            accepted: Vec::new(),
            subscriptions: Vec::new(),
            heard: Vec::new(),
            answers: Vec::new(),
            nonce,
            is_off: false,
        }
    }

    /// A number that is reached outside, at this address, without registration.
    pub fn route(&mut self, number: &str, address: SocketAddr) {
        self.routes.insert(number.to_owned(), address);
    }

    /// Its settings; to be changed at will.
    pub fn settings_mut(&mut self) -> &mut PbxSettings {
        &mut self.settings
    }

    /// The plug is pulled or put in again; what was known stays known, calls are forgotten.
    pub fn power(&mut self, on: bool) {
        self.is_off = !on;
        if on {
            self.legs.clear();
            self.layer = Layer::new(Timing::default(), Chance::from_seed(self.chance.u64()));
        }
    }

    /// All requests that it heard, oldest first.
    pub fn heard(&self) -> &[Message] {
        &self.heard
    }

    /// All final answers that it got to requests of its own making, oldest first.
    pub fn answers(&self) -> &[Message] {
        &self.answers
    }

    /// The legs that are not over, each in a few words.
    pub fn living_legs(&self) -> Vec<String> {
        let living = self.legs.values().filter(|leg| leg.state != LegState::Ended);
        let words = |leg: &Leg| {
            format!("{} of {}, {:?}, peer {:?}", leg.dialog.call_id, leg.user, leg.state, leg.peer)
        };
        living.map(words).collect()
    }

    /// How many SIP transactions it has.
    pub fn transactions(&self) -> usize {
        self.layer.len()
    }

    /// A flow of its own. Which side of the house it names means nothing here, but it is the same
    /// for all flows.
    pub(super) fn own_flow(&self) -> Flow {
        let address = self.settings.address;
        Flow {
            side: Side::Phones,
            transport: Transport::Udp,
            local: address,
            peer: address,
            conn: None,
        }
    }

    pub(super) fn contact(&self, leg: LegNo) -> String {
        self.contact_as(&leg.0.to_string())
    }

    /// A Contact URI of its own with this user.
    pub(super) fn contact_as(&self, user: &str) -> String {
        let PbxSettings { address, transport, .. } = &self.settings;
        match transport {
            Transport::Udp => format!("sip:{user}@{address}"),
            stream => format!("sip:{user}@{address};transport={}", stream.in_uri()),
        }
    }

    pub(super) fn send(
        &mut self,
        now: Moment,
        flow: Flow,
        purpose: Purpose,
        draft: &Draft,
    ) -> ClientKey {
        self.layer.request(now, flow, purpose, draft, Oversize::TryTcp)
    }

    pub(super) fn leg_mut(&mut self, no: LegNo) -> Option<&mut Leg> {
        self.legs.get_mut(&no)
    }

    /// The leg of an in-dialog request.
    pub(super) fn owner_of(&self, request: &Message) -> Option<LegNo> {
        let mut living = self.legs.values().filter(|leg| leg.state != LegState::Ended);
        living.find(|leg| leg.dialog.owns(request)).map(|leg| leg.no)
    }
}
