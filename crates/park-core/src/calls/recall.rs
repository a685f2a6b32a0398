//! Recall: when a parked call's time is up, phones ring; the first to answer has it, and until then
//! anyone may still retrieve it. Timers run on the clock, not on media. Who is rung, when, and what
//! then is decided here; how a phone is rung, and what its answer means, in `ring`.

use std::time::Duration;

use base::Extension;
use dialects::ParkEvent;
use sip_msg::{Message, Name};
use smallvec::SmallVec;

use crate::calls::leg::With;
use crate::calls::{call_id, own, park, parked, pbx_domain};
use crate::calls::{report, retrieve, ring, send, soft_key};
use crate::contacts::Aor;
use crate::house::House;
use crate::keys::{Alarm, BindingKey, Errand, LegKey, ParkedKey};
use crate::lamps::News;
use crate::lobby;
use crate::lots::{Recall, RecallStage};
use crate::settings::{RecallThen, RecallTo};
use crate::told::Fact;

/// How long beyond the ring time the PBX may take to say what became of a hand-over.
const HAND_OVER_GRACE: Duration = Duration::from_secs(60);

/// The time of a parked call is up, or the pause before the next attempt is over.
pub(crate) fn due(house: &mut House, key: ParkedKey) {
    if lobby::holds(house) {
        // Phones that ring need ports.
        return house.alarms.set(Alarm::Recall(key), house.at);
    }
    let Some(call) = house.lots.get_mut(key) else { return };
    if call.claim.is_some() || call.delivery.is_some() {
        call.recall = Recall::Overdue;
        return;
    }
    if !matches!(call.recall, Recall::Waiting | Recall::Overdue) {
        return;
    }
    call.attempt += 1;
    let targets: Vec<String> = match call.stage {
        RecallStage::Parker => vec![call.parker.to_string()],
        RecallStage::Group => call.policy.recall.group.clone(),
    };
    let domain = call.id.domain.clone();
    let phone = call
        .parker_phone
        .filter(|_| call.policy.recall.same_phone && call.stage == RecallStage::Parker);
    let of = |target: &String| {
        let extension = Extension::from(target.as_str());
        house.contacts.of(&Aor { extension, domain: domain.clone() })
    };
    let bindings: Vec<BindingKey> = match phone.filter(|key| house.contacts.get(*key).is_some()) {
        Some(phone) => vec![phone],
        None => targets.iter().flat_map(of).collect(),
    };
    let by_pbx = !call.policy.recall.ignore_dnd && call.stage == RecallStage::Parker;
    match (by_pbx || bindings.is_empty(), targets.first()) {
        (true, Some(target)) => {
            tell_attempt(house, key, target);
            hand_over(house, key, target, false);
        }
        (true, None) => attempt_over(house, key),
        (false, _) => ring_all(house, key, &targets.join(", "), &bindings),
    }
}

fn ring_all(house: &mut House, key: ParkedKey, to: &str, bindings: &[BindingKey]) {
    let Some(call) = house.lots.get_mut(key) else { return };
    call.recall = Recall::Ringing { to: to.into(), legs: SmallVec::new() };
    let ring = call.policy.recall.ring;
    let marked = call.policy.recall.prefix.replace("{slot}", call.id.slot.as_str());
    tell_attempt(house, key, to);
    soft_key::news(house, key, ParkEvent::Reminder);
    for binding in bindings {
        // A phone that cannot be rung for want of a port does not keep the others from ringing.
        let rung = ring::one(house, key, *binding, &marked);
        if let (Ok(leg), Some(call)) = (rung, house.lots.get_mut(key))
            && let Recall::Ringing { legs, .. } = &mut call.recall
        {
            legs.push(leg);
        }
    }
    house.alarms.set(Alarm::Ring(key), house.at + ring);
    let none = house.lots.get(key).is_some_and(
        |call| matches!(&call.recall, Recall::Ringing { legs, .. } if legs.is_empty()),
    );
    if none {
        attempt_over(house, key);
    }
}

fn tell_attempt(house: &mut House, key: ParkedKey, to: &str) {
    let Some(call) = house.lots.get(key) else { return };
    let (to, attempt) = (to.to_string(), call.attempt);
    report::tell(house, key, |of| Fact::Recalling { of, to, attempt });
}

/// An attempt has led to nothing: a pause, the group, or what comes after the last one.
pub(crate) fn attempt_over(house: &mut House, key: ParkedKey) {
    house.alarms.stop(Alarm::Ring(key));
    let Some(call) = house.lots.get_mut(key) else { return };
    if call.attempt < call.policy.recall.attempts {
        return wait(house, key);
    }
    let to_group = call.stage == RecallStage::Parker
        && call.policy.recall.to == RecallTo::ParkerThenGroup
        && !call.policy.recall.group.is_empty();
    if to_group {
        call.stage = RecallStage::Group;
        call.attempt = 0;
        return wait(house, key);
    }
    call.recall = Recall::Over;
    let then = call.policy.recall.then.clone();
    let word = match &then {
        RecallThen::Stay => "stay".into(),
        RecallThen::Hangup => "hangup".into(),
        RecallThen::Transfer(to) => to.clone(),
    };
    report::tell(house, key, |of| Fact::RecallUnanswered { of, then: word });
    match then {
        RecallThen::Stay => {}
        RecallThen::Hangup => parked::hang_up(house, key, "nobody took the parked call"),
        RecallThen::Transfer(to) => hand_over(house, key, &to, true),
    }
}

/// The next attempt comes after a pause.
fn wait(house: &mut House, key: ParkedKey) {
    let Some(call) = house.lots.get_mut(key) else { return };
    call.recall = Recall::Waiting;
    let (pause, attempt) = (call.policy.recall.pause, call.attempt);
    house.alarms.set(Alarm::Recall(key), house.at + pause);
    report::tell(house, key, |of| Fact::Waiting { of, recall_in: Some(pause), attempt });
}

/// Has the PBX take the parkee elsewhere: a REFER on the parkee's own leg.
fn hand_over(house: &mut House, key: ParkedKey, to: &str, last: bool) {
    let domain = pbx_domain(house);
    let Some(call) = house.lots.get_mut(key) else { return };
    let host = if call.id.domain.as_str().is_empty() { domain } else { call.id.domain.to_string() };
    let is_uri = ["sip:", "sips:", "tel:"].iter().any(|scheme| to.starts_with(scheme));
    let uri = if is_uri { to.to_string() } else { format!("sip:{to}@{host}") };
    let referred_by = format!("<sip:{}@{host}>", call.parker);
    call.recall = Recall::HandingOver { to: to.to_string(), last };
    let (leg_key, wait) = (call.leg, call.policy.recall.ring + HAND_OVER_GRACE);
    house.alarms.set(Alarm::HandOver(key), house.at + wait);
    let Some(leg) = house.legs.get_mut(leg_key) else { return };
    let draft = leg
        .dialog
        .request("REFER")
        .line(Name::ReferTo, format!("<{uri}>"))
        .line(Name::ReferredBy, referred_by);
    leg.asked_to_go = Some(leg.dialog.last_cseq());
    send::send_own(house, leg_key, draft, Errand::HandOver);
}

/// The PBX has answered the REFER.
pub(crate) fn hand_over_answered(house: &mut House, key: LegKey, status: u16) {
    if status >= 300
        && let Some(With::Parked(parked)) = house.legs.get(key).map(|leg| leg.with)
    {
        hand_over_failed(house, parked);
    }
}

/// The PBX tells how far it has come with taking the parkee elsewhere. After the last word it sends no
/// BYE: that is ours to send.
pub(crate) fn hand_over_progress(house: &mut House, key: LegKey, request: &Message) {
    let body = request.body();
    let text = String::from_utf8_lossy(&body);
    let status = text.split_whitespace().nth(1).and_then(|code| code.parse::<u16>().ok());
    let state = request.get(Name::SubscriptionState).unwrap_or_default().to_ascii_lowercase();
    let ended = state.trim_start().starts_with("terminated");
    let with = house.legs.get(key).map(|leg| leg.with);
    match (with, status) {
        (Some(With::Parked(parked)), Some(200..=299)) => handed_over(house, key, parked),
        (Some(With::Parked(parked)), Some(300..)) => hand_over_failed(house, parked),
        (Some(With::Parked(parked)), _) if ended => hand_over_failed(house, parked),
        // Somebody has taken the call meanwhile, but the PBX has the parkee: nobody is left here.
        (Some(With::Leg(other)), Some(200..=299)) => {
            own::bye(house, other, Some("the PBX has transferred the parkee"));
            own::bye(house, key, None);
        }
        _ => {}
    }
}

/// The PBX has the parkee: because we asked for it in a recall, or because the parker had transferred
/// it before it parked it.
fn handed_over(house: &mut House, key: LegKey, parked: ParkedKey) {
    let to = match house.lots.get(parked).map(|call| &call.recall) {
        Some(Recall::HandingOver { to, .. }) => Some(to.clone()),
        _ => None,
    };
    let end = News { event: ParkEvent::Forwarded, by: to.clone() };
    let Some(call) = parked::take_out(house, parked, None, end) else { return };
    if let Some(claim) = call.claim {
        retrieve::lost_parkee(house, claim.by);
    }
    let to = to.unwrap_or_else(|| "where the parker had transferred it".into());
    let call_id = call_id(house, key);
    report::tell_end(house, &call, Some(&call_id), |of| Fact::HandedOver { of, to });
    park::parkee_left(house, &call);
    own::bye(house, key, None);
}

/// The PBX could not, or does not say: the call stays parked.
pub(crate) fn hand_over_failed(house: &mut House, key: ParkedKey) {
    house.alarms.stop(Alarm::HandOver(key));
    let Some(call) = house.lots.get_mut(key) else { return };
    let Recall::HandingOver { last, .. } = call.recall else { return };
    if last {
        call.recall = Recall::Over;
        let attempt = call.attempt;
        report::tell(house, key, |of| Fact::Waiting { of, recall_in: None, attempt });
    } else {
        attempt_over(house, key);
    }
}
