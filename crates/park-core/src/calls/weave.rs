//! An extension's dialog state is the PBX's, and its subscription passes through. What is parked at
//! that extension is woven into the PBX's bodies, and told in between when it changes: the lamp of one
//! key then shows both (RFC 4235).

use std::time::Duration;

use base::{Domain, Side, SlotName};
use bytes::Bytes;
use dialects::{DIALOG, DialogStyle, ParkedDialog, dialog_info_version};
use serde::{Deserialize, Serialize};
use sip_msg::{Message, Name};

use crate::calls::leg::{Leg, Stage, Usage};
use crate::calls::outcome::EVENTS_GRACE;
use crate::calls::{send, within};
use crate::command::{SubscriptionView, Watches};
use crate::house::House;
use crate::keys::{Alarm, Errand, LegKey};
use crate::lots::{self, ParkedCall, SlotId};
use crate::patience::Taken;
use crate::watches::{self, dialog_of};

const DIALOG_INFO: &str = "application/dialog-info+xml";

/// What a phone that watches an extension has been told.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Woven {
    /// The extension, as a slot of any lot of its domain.
    slot: SlotName,
    domain: Domain,
    /// What was subscribed to, literally.
    entity: Box<str>,
    /// The Event header of the subscription.
    event: Box<str>,
    /// What the PBX said last; none: it has yet to say anything.
    last: Option<Said>,
    /// The version that the phone was told last.
    version: Option<u64>,
    /// By how much what the phone is told runs ahead of the PBX's versions: ours are counted, too.
    ahead: u64,
    /// The ids of the parked calls that the phone was told of last.
    told: Vec<String>,
    #[serde(default)]
    in_flight: bool,
    #[serde(default)]
    stale: bool,
}

/// What the PBX has said of an extension.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Said {
    /// Empty: it knows of no call, and says so without a body.
    body: Bytes,
    /// Of the last body that it sent, if it has sent one.
    version: Option<u64>,
}

impl Woven {
    /// The version of a notice that is ours.
    fn own_version(&mut self) -> u64 {
        self.ahead = self.ahead.wrapping_add(1);
        self.next_version()
    }

    fn next_version(&mut self) -> u64 {
        let version = self.version.map_or(0, |told| told.wrapping_add(1));
        *self.version.insert(version)
    }

    /// The version of a notice to which the PBX gives this one. Its first comes next after ours.
    fn version_for(&mut self, theirs: u64) -> u64 {
        let is_first = self.last.as_ref().is_none_or(|said| said.version.is_none());
        if is_first && self.version.is_some() {
            self.ahead = self.next_version().wrapping_sub(theirs);
        }
        *self.version.insert(theirs.wrapping_add(self.ahead))
    }

    /// What is parked there and what has gone, as an addition to what the PBX said last.
    fn body(
        &self,
        style: DialogStyle,
        version: u64,
        dialogs: &[ParkedDialog],
        gone: &[String],
    ) -> Bytes {
        let gone: Vec<&str> = gone.iter().map(String::as_str).collect();
        let said = self.last.as_ref();
        let woven = said.and_then(|said| style.weave(&said.body, Some(version), dialogs, &gone));
        woven.unwrap_or_else(|| style.write(dialogs, &gone).full(&self.entity, version).bytes)
    }
}

/// What a SUBSCRIBE that passes watches, if it is an extension's dialog state.
pub(crate) fn watching(house: &House, request: &Message, phone: &Leg) -> Option<Box<Woven>> {
    if phone.side != Side::Phones || within::event_of(request) != "dialog" {
        return None;
    }
    let watched = lots::aor_of(house, request.uri(), &phone.dialog.flow)?;
    let own = phone.aor.as_ref()?;
    lots::is_extension(house, &watched).then(|| {
        Box::new(Woven {
            slot: SlotName::from(watched.extension.as_str()),
            // The phone may name the PBX by another name than it registers at.
            domain: own.domain.clone(),
            entity: request.uri().into(),
            event: request.get(Name::Event).unwrap_or("dialog").into(),
            last: None,
            version: None,
            ahead: 0,
            told: Vec::new(),
            in_flight: false,
            stale: false,
        })
    })
}

/// The ids of the calls that are parked now, and of those that were told of and have gone.
fn come_and_gone(woven: &Woven, dialogs: &[ParkedDialog]) -> (Vec<String>, Vec<String>) {
    let now: Vec<String> = dialogs.iter().map(|dialog| dialog.id.clone()).collect();
    let gone = woven.told.iter().filter(|id| !now.contains(id)).cloned().collect();
    (now, gone)
}

fn parked_at(house: &House, woven: &Woven) -> Vec<ParkedDialog> {
    let is_here = |call: &ParkedCall| call.id.slot == woven.slot && call.id.domain == woven.domain;
    house.lots.told_of(is_here).map(|(_, call)| dialog_of(call)).collect()
}

fn style_of(house: &House, leg: &Leg) -> DialogStyle {
    watches::profile_of(house, leg.binding).extension_style()
}

/// The body of a NOTIFY on its way to a phone, with what is parked woven in, and its type; `None`: as
/// it is.
pub(crate) fn passing(
    house: &mut House,
    request: &Message,
    to: LegKey,
) -> Option<(&'static str, Bytes)> {
    let leg = house.legs.get(to)?;
    let woven = leg.woven.as_ref()?;
    if request.cseq().1 != "NOTIFY" {
        return None;
    }
    let body = request.body();
    let theirs = if body.is_empty() {
        None
    } else {
        let kind = request.content_type()?.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case(DIALOG_INFO) {
            return None;
        }
        Some(dialog_info_version(&body)?)
    };
    let (dialogs, style) = (parked_at(house, woven), style_of(house, leg));
    let woven = house.legs.get_mut(to)?.woven.as_mut()?;
    let (now, gone) = come_and_gone(woven, &dialogs);
    let is_same = dialogs.is_empty() && gone.is_empty();
    let version = match theirs {
        Some(theirs) => Some(woven.version_for(theirs)),
        // A body where the PBX has none is a notice of ours.
        None => (!is_same).then(|| woven.own_version()),
    };
    let known = woven.last.take().and_then(|said| said.version);
    let body = Bytes::copy_from_slice(&body);
    woven.last = Some(Said { body, version: theirs.or(known) });
    if version == theirs && is_same {
        return None;
    }
    woven.told = now;
    Some((DIALOG_INFO, woven.body(style, version?, &dialogs, &gone)))
}

/// What is parked in a slot has changed: whoever watches that extension is told.
pub(crate) fn changed(house: &mut House, id: &SlotId) {
    let watches = |leg: &Leg| {
        leg.usage == Usage::Events
            && leg.woven.as_ref().is_some_and(|w| w.slot == id.slot && w.domain == id.domain)
    };
    let watching: Vec<LegKey> =
        house.legs.iter().filter(|(_, leg)| watches(leg)).map(|(key, _)| key).collect();
    for key in watching {
        tell(house, key);
    }
}

/// After a restart a phone may have missed a notice: what it was shown, and what is there now, is told.
pub(crate) fn again(house: &mut House, key: LegKey) {
    let Some(leg) = house.legs.get(key) else { return };
    let Some(woven) = leg.woven.as_ref().filter(|woven| !woven.told.is_empty()) else { return };
    let dialogs = parked_at(house, woven);
    let (now, gone) = come_and_gone(woven, &dialogs);
    if now == woven.told && gone.is_empty() {
        // Told of the same once more, by forgetting that it was.
        if let Some(woven) = house.legs.get_mut(key).and_then(|leg| leg.woven.as_mut()) {
            woven.told.clear();
        }
    }
    tell(house, key);
}

fn tell(house: &mut House, key: LegKey) {
    let Some(leg) = house.legs.get(key).filter(|leg| leg.stage == Stage::Up) else { return };
    let Some(woven) = &leg.woven else { return };
    let (dialogs, style) = (parked_at(house, woven), style_of(house, leg));
    let until = house.alarms.at(Alarm::Events(key)).unwrap_or(house.at);
    let left = until.since(house.at).saturating_sub(EVENTS_GRACE);
    let Some(leg) = house.legs.get_mut(key) else { return };
    let Some(woven) = leg.woven.as_mut() else { return };
    if woven.in_flight {
        woven.stale = true;
        return;
    }
    let (now, gone) = come_and_gone(woven, &dialogs);
    // The PBX's first notice says what else there is, and takes ours along.
    if woven.last.is_none() || woven.told == now || left < Duration::from_secs(1) {
        return;
    }
    woven.told = now;
    woven.in_flight = true;
    let version = woven.own_version();
    let body = woven.body(style, version, &dialogs, &gone);
    let event = woven.event.to_string();
    let draft = leg
        .dialog
        .request("NOTIFY")
        .line(Name::Event, event)
        .line(Name::SubscriptionState, format!("active;expires={}", left.as_secs()))
        .body(DIALOG_INFO, body);
    send::send_own(house, key, draft, Errand::Woven);
}

/// Who watches an extension, and may be told by us what is parked there.
pub(crate) fn views(house: &House) -> Vec<SubscriptionView> {
    let view = |(key, leg): (LegKey, &Leg)| {
        let woven = leg.woven.as_ref()?;
        let until = house.alarms.at(Alarm::Events(key)).unwrap_or(house.at);
        Some(SubscriptionView {
            who: leg.name(),
            domain: woven.domain.to_string(),
            at: leg.dialog.flow.peer.to_string(),
            event: "dialog".into(),
            watches: Watches::Extension,
            what: woven.slot.to_string(),
            expires_in_s: until.since(house.at).saturating_sub(EVENTS_GRACE).as_secs(),
        })
    };
    house.legs.iter().filter_map(view).collect()
}

/// The phone has answered a notice of ours, or has not.
pub(crate) fn told(house: &mut House, key: LegKey, taken: Taken) {
    house.tally.notice(DIALOG, true, &taken);
    let Some(woven) = house.legs.get_mut(key).and_then(|leg| leg.woven.as_mut()) else { return };
    woven.in_flight = false;
    if std::mem::take(&mut woven.stale) {
        tell(house, key);
    }
}
