//! The telling of a REFER's outcome: 202, NOTIFY 100, and a last NOTIFY when the first is answered
//! (RFC 3515 §2.4.4); or, with `Refer-Sub: false`, the answer alone (RFC 4488 §4).

use dialects::{ParkedDialog, sipfrag, sipfrag_of};
use sip_core::ServerKey;
use sip_msg::{Message, Name, reason_phrase};

use crate::calls::leg::{Progress, With};
use crate::calls::{leaving, own, quirks, send};
use crate::house::House;
use crate::keys::{Alarm, Errand, LegKey};

pub(crate) fn accept(
    house: &mut House,
    server: ServerKey,
    request: &Message,
    key: LegKey,
    quiet: bool,
) {
    let status = if quiet { 200 } else { quirks::of(house, key).refer_status };
    let mut draft = send::answer_in(house, key, request, status);
    if quiet {
        if request.cseq().1 == "REFER" {
            draft = draft.line(Name::ReferSub, "false");
        }
        house.alarms.set(Alarm::Bye(key), house.at + quirks::bye_grace(house, key));
    }
    house.layer.respond(house.at, server, status, &draft.finish());
}

/// Tells the outcome in one NOTIFY, first and last.
pub(crate) fn start_progress(house: &mut House, key: LegKey, id: u32, status: u16) {
    if let Some(leg) = house.legs.get_mut(key) {
        let told = Progress { first_answered: true, outcome: Some(status), ..Progress::of(id) };
        leg.progress = Some(told);
    }
    tell_progress(house, key, status, true);
}

/// A NOTIFY with the outcome of a REFER so far (RFC 3515 §2.4.4).
pub(crate) fn tell_progress(house: &mut House, key: LegKey, status: u16, last: bool) {
    let Some(leg) = house.legs.get_mut(key) else { return };
    let Some(progress) = leg.progress.clone() else { return };
    let state = if last { "terminated;reason=noresource" } else { "active;expires=60" };
    let reason = reason_phrase(status);
    let fragment = match progress.parked.filter(|_| last && status < 300) {
        Some(parked) => sipfrag_of(status, reason, &parked),
        None => sipfrag(status, reason),
    };
    let draft = leg
        .dialog
        .request("NOTIFY")
        .line(Name::Event, format!("refer;id={}", progress.id))
        .line(Name::SubscriptionState, state)
        .body(&fragment.content_type, fragment.bytes);
    send::send_own(house, key, draft, Errand::Progress { last });
}

/// The phone has answered a NOTIFY about its REFER.
pub(crate) fn progress_told(house: &mut House, key: LegKey, last: bool) {
    let grace = house.at + quirks::bye_grace(house, key);
    let Some(leg) = house.legs.get_mut(key) else { return };
    let Some(progress) = &mut leg.progress else { return };
    if !last {
        progress.first_answered = true;
        if let Some(outcome) = progress.outcome {
            tell_progress(house, key, outcome, true);
        }
        return;
    }
    let parked = progress.outcome.is_some_and(|outcome| outcome < 300);
    leg.progress = None;
    if let With::Telling(parker) = leg.with {
        leaving::end_leg(house, key);
        let is_parked = house.legs.get(parker).is_some_and(|leg| leg.with == With::Nobody);
        if parked && is_parked {
            own::bye(house, parker, None);
        }
        return;
    }
    // After a refusal the leg is still with the parkee's; it stays.
    if parked && leg.with == With::Nobody {
        house.alarms.set(Alarm::Bye(key), grace);
    }
}

/// The outcome is known: it is told as soon as the first NOTIFY has been answered.
pub(crate) fn outcome(house: &mut House, key: LegKey, status: u16) {
    let Some(progress) = house.legs.get_mut(key).and_then(|leg| leg.progress.as_mut()) else {
        return;
    };
    progress.outcome = Some(status);
    if progress.first_answered {
        tell_progress(house, key, status, true);
    }
}

/// The call is parked, and known by these ids from now on.
pub(crate) fn outcome_of(house: &mut House, key: LegKey, parked: ParkedDialog) {
    if let Some(progress) = house.legs.get_mut(key).and_then(|leg| leg.progress.as_mut()) {
        progress.parked = Some(Box::new(parked));
    }
    outcome(house, key, 200);
}
