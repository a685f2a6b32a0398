//! The Park soft key of Cisco's enterprise phones: a REFER out of dialog names the call by its ids. One
//! kind of phone is told where the call is by a line on its screen, before its leg ends; the other by
//! NOTIFYs in the dialog of its REFER, from the park to its end.

use std::time::Duration;

use base::Flow;
use dialects::{CiscoCall, ParkEvent, PhoneDialog, StatusText, park_monitor, status_line};
use serde::{Deserialize, Serialize};
use sip_core::{Dialog, Oversize, ServerKey};
use sip_msg::{Compose, Message, Name};

use crate::calls::leg::{Leg, Usage};
use crate::calls::{info, park, quirks, sips};
use crate::house::House;
use crate::keys::{Alarm, BindingKey, Errand, LegKey, Owner, ParkedKey};
use crate::lamps;
use crate::lots::{self, ParkedCall, Teller};
use crate::refusal::Refusal;
use crate::told::Asked;
use crate::watches;

/// For how long the screen shows the slot, in seconds.
const SHOWN_S: u8 = 10;
/// How long the phone has to take that in before its leg ends.
const BEFORE_THE_END: Duration = Duration::from_secs(1);
/// What a monitored park's NOTIFYs promise, in seconds.
const MONITORED_S: u32 = 3600;

/// The dialog of a phone's REFER, by which it is told what becomes of the parked call.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Monitor {
    dialog: Dialog,
    binding: Option<BindingKey>,
    version: u64,
}

impl Monitor {
    /// After a restart the phone has another key.
    pub(crate) fn renamed(&mut self, name: impl Fn(BindingKey) -> Option<BindingKey>) {
        self.binding = self.binding.and_then(name);
    }
}

/// The leg of this phone that a soft key means.
pub(crate) fn meant(
    house: &House,
    binding: Option<BindingKey>,
    call: &CiscoCall,
) -> Option<LegKey> {
    let is_it = |leg: &Leg| {
        let (ours, theirs) = (leg.dialog.local.tag(), leg.dialog.remote.tag());
        leg.usage == Usage::Call
            && binding.is_some()
            && leg.binding == binding
            && call.is(leg.dialog.call_id(), theirs.unwrap_or_default(), ours.unwrap_or_default())
    };
    house.legs.iter().find(|(_, leg)| is_it(leg)).map(|(key, _)| key)
}

/// Parks the call of a leg. A refusal is the answer to the REFER, and the call goes on.
pub(crate) fn park(
    house: &mut House,
    server: ServerKey,
    request: &Message,
    flow: Flow,
    key: LegKey,
    monitored: bool,
) {
    let may = house.legs.get(key).ok_or(Refusal::NotAnswered);
    let may = may.and_then(|leg| lots::entitled(house, leg, &flow));
    let parked = match may.and_then(|()| info::park_at(house, key, None)) {
        Ok(parked) => parked,
        Err(refusal) => return house.refuse_ask(server, request, Asked::Park, &refusal),
    };
    let mut dialog = Dialog::heard(request, flow);
    dialog.local.set_tag(&house.chance.token(10));
    let own = house.contact(&flow, "park", sips::is_sips(request.uri()));
    let draft = Compose::response_to(request, 202, None)
        .to_tag(dialog.local.tag().unwrap_or_default())
        .line(Name::Contact, format!("<{own}>"))
        .finish();
    house.layer.respond(house.at, server, 202, &draft);
    let binding = house.legs.get(key).and_then(|leg| leg.binding);
    if let Some(call) = house.lots.get_mut(parked) {
        call.monitor = monitored.then(|| Box::new(Monitor { dialog, binding, version: 0 }));
    }
    park::go(house, parked, Teller::SoftKey(key));
}

/// The park stands: the phone is told where, and then its leg ends.
pub(crate) fn done(house: &mut House, key: ParkedKey, parker: LegKey) {
    let Some(call) = house.lots.get(key) else { return };
    if call.monitor.is_some() {
        news(house, key, ParkEvent::Parked);
    } else {
        let slot = call.id.slot.to_string();
        show(house, parker, &slot);
    }
    let grace = quirks::bye_grace(house, parker).max(BEFORE_THE_END);
    house.alarms.set(Alarm::Bye(parker), house.at + grace);
}

/// Tells a line on the phone's screen: a REFER out of dialog, which wants no subscription.
fn show(house: &mut House, parker: LegKey, slot: &str) {
    let Some(leg) = house.legs.get(parker) else { return };
    let Some(binding) = leg.binding else { return };
    let phone = PhoneDialog {
        call_id: leg.dialog.call_id(),
        local_tag: leg.dialog.remote.tag().unwrap_or_default(),
        remote_tag: leg.dialog.local.tag().unwrap_or_default(),
    };
    let body = status_line(phone, StatusText::ParkedAt(slot), SHOWN_S);
    let Some((flow, draft)) = lamps::status_refer(house, binding, &body) else { return };
    house.layer.request(house.at, flow, Owner::Leg(parker, Errand::Answer), &draft, Oversize::Stay);
}

/// News of a parked call for the phone that monitors it.
pub(crate) fn news(house: &mut House, key: ParkedKey, event: ParkEvent) {
    let Some(call) = house.lots.get_mut(key) else { return };
    let Some(mut monitor) = call.monitor.take() else { return };
    let Some(call) = house.lots.get(key) else { return };
    let (uris, leg) = (uris_of(house, call, &monitor), call.leg);
    send(house, leg, &mut monitor, event, &uris);
    if let Some(call) = house.lots.get_mut(key) {
        call.monitor = Some(monitor);
    }
}

/// The last word about a call that has left its slot.
pub(crate) fn over(house: &mut House, call: &mut ParkedCall, event: ParkEvent) {
    if let Some(mut monitor) = call.monitor.take() {
        let uris = uris_of(house, call, &monitor);
        send(house, call.leg, &mut monitor, event, &uris);
    }
}

/// The slot's URI, and the parkee's.
fn uris_of(house: &House, call: &ParkedCall, monitor: &Monitor) -> (String, String) {
    let names_parkee = watches::profile_of(house, monitor.binding).quirks.names_parkee;
    let parkee = call.shown(names_parkee).uri.to_string();
    (format!("sip:{}@{}", call.id.slot, call.id.domain), parkee)
}

fn send(
    house: &mut House,
    leg: LegKey,
    monitor: &mut Monitor,
    event: ParkEvent,
    (slot, parkee): &(String, String),
) {
    let spelling = watches::profile_of(house, monitor.binding).quirks.cisco_spelling;
    let body = park_monitor(spelling, monitor.version, event, slot, parkee);
    monitor.version += 1;
    let state = match event.is_last() {
        true => "terminated;reason=noresource".to_owned(),
        false => format!("active;expires={MONITORED_S}"),
    };
    let flow = monitor.dialog.flow;
    let own = house.contact(&flow, "park", sips::is_sips(monitor.dialog.target()));
    let draft = monitor
        .dialog
        .request("NOTIFY")
        .line(Name::Contact, format!("<{own}>"))
        .line(Name::Event, "refer")
        .line(Name::SubscriptionState, state)
        .body(&body.content_type, body.bytes)
        .finish();
    house.layer.request(house.at, flow, Owner::Leg(leg, Errand::Answer), &draft, Oversize::Stay);
}
