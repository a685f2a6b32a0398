//! What is in the house, and what every room needs: the time, chance, the transaction layer, port
//! leases, alarms, and the tray on which things to be done outside are laid.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use base::{Chance, Flow, Moment, Side, Transport};
use dialects::{Codes, Templates};
use rtp_flow::{Leases, Plan};
use sip_core::{Layer, ServerKey};
use sip_msg::{Compose, Message, Name, SipUri};

use crate::alarms::Alarms;
use crate::calls::{Legs, Passes, Rebinding, Survey};
use crate::cluster::Cluster;
use crate::contacts::Contacts;
use crate::journal::Written;
use crate::keys::{BindingKey, Owner};
use crate::lobby::Lobby;
use crate::lots::Lots;
use crate::refusal::Refusal;
use crate::settings::{LotSettings, Settings};
use crate::tally::Tally;
use crate::told::{Asked, Fact, Told};
use crate::uplink::Uplink;
use crate::watches::Watches;
use crate::words::Output;

/// Everything in the house, owned once.
pub(crate) struct House {
    pub(crate) at: Moment,
    pub(crate) settings: Settings,
    pub(crate) codes: Vec<Codes>,
    pub(crate) templates: Templates,
    pub(crate) chance: Chance,
    pub(crate) layer: Layer<Owner>,
    pub(crate) leases: Leases,
    pub(crate) alarms: Alarms,
    pub(crate) tray: VecDeque<Output>,
    pub(crate) legs: Legs,
    pub(crate) passes: Passes,
    pub(crate) contacts: Contacts,
    /// Bindings that have registered and are told their lamps next.
    pub(crate) to_greet: Vec<BindingKey>,
    pub(crate) lots: Lots,
    pub(crate) cluster: Cluster,
    pub(crate) watches: Watches,
    pub(crate) uplink: Uplink,
    /// Operators' questions about streams that are not answered yet.
    pub(crate) surveys: Vec<Survey>,
    /// Ports of an earlier run of the program that are not bound again yet.
    pub(crate) rebinding: Rebinding,
    /// Calls that wait for port pairs.
    pub(crate) lobby: Lobby,
    /// What stands in the journal.
    pub(crate) written: Written,
    pub(crate) draining: bool,
    pub(crate) dropped: u64,
    pub(crate) notices_refused: u64,
    pub(crate) bugs: u64,
    pub(crate) tally: Tally,
}

/// The codes of a lot, as the dialects read them.
pub(crate) fn codes_of(lot: &LotSettings) -> Codes {
    Codes {
        park: lot.park.clone(),
        group_park: lot.group_park.clone(),
        retrieve: lot.retrieve.clone(),
        pickup: lot.pickup.clone(),
        any_slot: lot.any_slot.clone(),
        slots: lot.slots.clone(),
        extensions: lot.extensions.clone(),
    }
}

/// The port counts: a PBX on the same machine has the same address.
fn is_our_port(uri: &SipUri<'_>, flow: &Flow) -> bool {
    let asked = Transport::of_uri(uri.is_sips(), uri.param("transport"));
    // A phone with its account over TLS may leave that out of its URIs.
    let usual = asked.unwrap_or(flow.transport).default_port();
    uri.port().unwrap_or(usual) == flow.local.port()
}

impl House {
    /// Tells a fact.
    pub(crate) fn tell(&mut self, call: Option<&str>, fact: Fact) {
        let (call, leg) = (call.map(Into::into), fact.leg());
        self.tray.push_back(Output::Told(Told { call, leg, fact }));
    }

    /// A promise of ours is broken: loud in tests, counted and survived elsewhere.
    pub(crate) fn bug(&mut self, call: Option<&str>, what: &str) {
        debug_assert!(false, "bug: {what}");
        self.bugs += 1;
        self.tell(call, Fact::Bug { what: what.into() });
    }

    /// A message is dropped.
    pub(crate) fn drop_message(&mut self, from: SocketAddr, why: &str) {
        self.dropped += 1;
        self.tell(None, Fact::Dropped { from, why: why.into() });
    }

    /// Lays a plan for the media workers on the tray.
    pub(crate) fn plan(&mut self, plan: Plan) {
        self.tray.push_back(Output::Media(plan));
    }

    /// What we call ourselves in signalling by this flow.
    pub(crate) fn address(&self, flow: &Flow) -> SocketAddr {
        let advertised = match flow.side {
            Side::Phones => self.settings.phones_advertise,
            Side::Pbx => self.settings.pbx_advertise,
        };
        SocketAddr::new(advertised.unwrap_or(flow.local.ip()), flow.local.port())
    }

    /// What SDP calls us towards the peer of this flow.
    pub(crate) fn media_address(&self, flow: &Flow) -> IpAddr {
        let (media, signalling) = match flow.side {
            Side::Phones => (self.settings.media_phones_advertise, self.settings.phones_advertise),
            Side::Pbx => (self.settings.media_pbx_advertise, self.settings.pbx_advertise),
        };
        media.or(signalling).unwrap_or(flow.local.ip())
    }

    /// A Contact URI of ours with this user part: `sips` if TLS was asked for all the way (RFC 3261
    /// §8.1.1.8, §12.1.1), which a flow without TLS cannot promise.
    pub(crate) fn contact(&self, flow: &Flow, user: &str, is_sips: bool) -> String {
        let address = self.address(flow);
        match flow.transport {
            Transport::Udp => format!("sip:{user}@{address}"),
            Transport::Tls if is_sips => format!("sips:{user}@{address}"),
            stream => format!("sip:{user}@{address};transport={}", stream.in_uri()),
        }
    }

    /// Whether a URI's host is ours on either side, as seen by this flow.
    pub(crate) fn is_us(&self, uri: &SipUri<'_>, flow: &Flow) -> bool {
        let Some(ip) = uri.host_ip() else { return false };
        let ours =
            [Some(flow.local.ip()), self.settings.phones_advertise, self.settings.pbx_advertise];
        ours.contains(&Some(ip)) && is_our_port(uri, flow)
    }

    /// Whether a Route names us: by an address, or as our certificates do.
    pub(crate) fn is_our_route(&self, uri: &SipUri<'_>, flow: &Flow) -> bool {
        let is_it = |name: &String| name.eq_ignore_ascii_case(uri.host());
        let by_name = || self.settings.names.iter().any(is_it) && is_our_port(uri, flow);
        self.is_us(uri, flow) || by_name()
    }

    /// Answers a request ourselves.
    pub(crate) fn answer(&mut self, server: ServerKey, request: &Message, status: u16) {
        let tag = self.chance.token(10);
        let draft = Compose::response_to(request, status, None).to_tag(&tag).finish();
        self.layer.respond(self.at, server, status, &draft);
    }

    /// Answers a request, which has not asked for a park or a retrieve, with what a rule said.
    pub(crate) fn refuse(&mut self, server: ServerKey, request: &Message, refusal: &Refusal) {
        let is_call = request.cseq().1 == "INVITE" && request.to_tag().is_none();
        let asked = if is_call { Asked::Call } else { Asked::Other };
        self.refuse_ask(server, request, asked, refusal);
    }

    /// Answers a request that has asked for this with what a rule said.
    pub(crate) fn refuse_ask(
        &mut self,
        server: ServerKey,
        request: &Message,
        asked: Asked,
        refusal: &Refusal,
    ) {
        let tag = self.chance.token(10);
        let status = refusal.status();
        let mut draft = Compose::response_to(request, status, None).to_tag(&tag);
        if let Some(seconds) = refusal.retry_after() {
            draft = draft.line(Name::RetryAfter, seconds.to_string());
        }
        if let Some(types) = refusal.accept() {
            draft = draft.line(Name::Accept, types);
        }
        if let Some(warning) = refusal.warning() {
            draft = draft.other("Warning", warning);
        }
        draft = draft.line(Name::Reason, refusal.reason());
        self.layer.respond(self.at, server, status, &draft.finish());
        self.tell_refused(request.call_id(), asked, request.from().uri().to_string(), refusal);
    }

    /// Tells that `who` was refused in a call.
    pub(crate) fn tell_refused(
        &mut self,
        call_id: &str,
        asked: Asked,
        who: String,
        refusal: &Refusal,
    ) {
        let (status, why) = (refusal.status(), refusal.to_string());
        self.tell(Some(call_id), Fact::Refused { status, asked, who, why });
    }
}
