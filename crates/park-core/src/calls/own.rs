//! Requests of our own in a leg, and what their answers mean.

use std::time::Duration;

use base::Side;
use sip_core::ClientKey;
use sip_msg::{Message, Name, sdp_part};

use crate::calls::leg::{ByeDue, Invite, Stage, With};
use crate::calls::{info, media, parked, pass, probe, recall, ring, route, weave};
use crate::calls::{leaving, progress, send};
use crate::house::House;
use crate::keys::{Alarm, Errand, LegKey, Within};
use crate::patience::Taken;

/// Ends a leg with a BYE of ours, or calls its INVITE back, as its stage asks.
pub(crate) fn bye(house: &mut House, key: LegKey, why: Option<&str>) {
    let Some(leg) = house.legs.get_mut(key) else { return };
    match leg.stage {
        Stage::Ending => return,
        Stage::Early => return parked::hang_up_early(house, key),
        Stage::Up => {}
    }
    if leg.heard.is_some_and(|heard| !house.layer.is_pending(heard.key)) {
        leg.bye_due = Some(ByeDue { why: why.map(Into::into) });
        leg.with = With::Nobody;
        return media::plan(house, key);
    }
    leg.stage = Stage::Ending;
    if let With::Parked(parked) = leg.with {
        let call_id = leg.dialog.call_id().to_string();
        parked::leg_ends(house, parked, &call_id, Some(why.unwrap_or("ended")));
    }
    let Some(leg) = house.legs.get_mut(key) else { return };
    // What was asked of this leg by others must not wait for ever.
    let partner = leg.partner();
    leg.with = With::Nobody;
    if let Some(partner) = partner.and_then(|other| house.legs.get_mut(other))
        && partner.with == With::Leg(key)
    {
        partner.with = With::Nobody;
    }
    media::plan(house, key);
    let Some(leg) = house.legs.get_mut(key) else { return };
    let mut draft = leg.dialog.request("BYE");
    if let Some(why) = why {
        draft = draft.line(Name::Reason, format!("SIP;cause=200;text=\"{why}\""));
    }
    if send::send_own(house, key, draft, Errand::Bye).is_none() {
        leaving::end_leg(house, key);
    }
}

/// Sends our INVITE in a dialog that is up.
pub(crate) fn reinvite(house: &mut House, key: LegKey, sdp: Vec<u8>) {
    let Some(leg) = house.legs.get_mut(key) else { return };
    let mut draft = leg.dialog.request("INVITE").line(Name::Allow, send::ALLOW);
    let cseq = leg.dialog.last_cseq();
    if let Some(session) = leg.session {
        let refresher = if session.ours { "uac" } else { "uas" };
        draft = draft
            .line(Name::SessionExpires, format!("{};refresher={refresher}", session.interval_s))
            .line(Name::Supported, "timer");
    }
    draft = draft.body("application/sdp", sdp);
    let client = send::send_own(house, key, draft, Errand::Offer);
    if let (Some(leg), Some(key)) = (house.legs.get_mut(key), client) {
        leg.sent = Some(Invite::new(key, cseq));
    }
}

/// Acknowledges a 2xx to an INVITE of ours.
pub(crate) fn ack(house: &mut House, key: LegKey, client: ClientKey, response: &Message) {
    let Some(leg) = house.legs.get(key) else { return };
    let draft = leg.dialog.numbered("ACK", response.cseq().0).finish();
    let hop = route::next_hop(leg);
    house.layer.ack(house.at, client, hop, &draft);
}

/// Acknowledges an INVITE that was passed to this leg and answered, where the ACK was to come from a
/// leg that it is no longer with.
pub(crate) fn acknowledge_if_due(house: &mut House, key: LegKey) {
    let Some(leg) = house.legs.get_mut(key) else { return };
    let Some(sent) = leg.sent.filter(|sent| sent.answered) else { return };
    leg.sent = None;
    let draft = leg.dialog.numbered("ACK", sent.cseq).finish();
    let Some(leg) = house.legs.get(key) else { return };
    let hop = route::next_hop(leg);
    house.layer.ack(house.at, sent.key, hop, &draft);
}

/// Notes the SDP that a message carries as what the far end of a leg receives.
pub(crate) fn note_answer(house: &mut House, key: LegKey, message: &Message) {
    let body = message.body();
    let Some(part) = message.content_type().and_then(|kind| sdp_part(kind, &body)) else {
        return;
    };
    let sdp = bytes::Bytes::copy_from_slice(&body[part]);
    if let Some(leg) = house.legs.get_mut(key) {
        leg.media.received = Some(sdp.clone());
    }
    media::note_far(house, key, &sdp);
    media::plan(house, key);
}

/// An answer to a request of ours in a leg.
pub(crate) fn response(
    house: &mut House,
    key: LegKey,
    errand: Errand,
    client: ClientKey,
    response: &Message,
    flow: base::Flow,
) {
    let status = response.status();
    if house.legs.get(key).is_none() {
        let within = if errand == Errand::Ring { Within::NoDialog } else { Within::Dialog };
        return leaving::see_off(house, within, client, response, flow);
    }
    if status < 200 {
        if let Some(leg) = house.legs.get_mut(key) {
            leg.rings |= errand == Errand::Ring && pass::is_ringing(status);
        }
        return;
    }
    match errand {
        Errand::Bye => leaving::end_leg(house, key),
        Errand::Progress { last } => progress::progress_told(house, key, last),
        Errand::Offer => parked::offer_answered(house, key, client, response),
        Errand::Refresh => refreshed(house, key, client, response),
        Errand::HandOver => recall::hand_over_answered(house, key, status),
        Errand::Ring => ring::answered(house, key, client, response, flow),
        Errand::Woven => weave::told(house, key, Taken::of(response)),
        Errand::Key => info::key_passed(house, key),
        Errand::Probe => probe::probed(house, key, status),
        Errand::Answer => {}
    }
}

/// No answer to a request of ours in a leg.
pub(crate) fn failed(house: &mut House, key: LegKey, errand: Errand) {
    if house.legs.get(key).is_none() {
        return;
    }
    match errand {
        Errand::Bye => leaving::end_leg(house, key),
        Errand::Progress { last } => progress::progress_told(house, key, last),
        Errand::Offer => parked::offer_failed(house, key, 408),
        Errand::Refresh => parked::lost(house, key),
        Errand::HandOver => recall::hand_over_answered(house, key, 408),
        Errand::Ring => ring::not_answered(house, key),
        Errand::Woven => weave::told(house, key, Taken::NOT_ANSWERED),
        Errand::Key => info::key_passed(house, key),
        Errand::Probe => probe::probed(house, key, 408),
        Errand::Answer => {}
    }
}

/// Sets the alarm for our next session refresh, if refreshing is ours (RFC 4028 §10: at half time).
pub(crate) fn keep_session(house: &mut House, key: LegKey) {
    let Some(session) = house.legs.get(key).and_then(|leg| leg.session) else { return };
    let half = Duration::from_secs(u64::from(session.interval_s) / 2);
    // Where the far end refreshes, silence beyond the interval means that it has gone.
    let whole = Duration::from_secs(u64::from(session.interval_s));
    let after = if session.ours { half } else { whole };
    house.alarms.set(Alarm::Refresh(key), house.at + after);
}

/// A refresh is due, or the far end's has not come.
pub(crate) fn refresh(house: &mut House, key: LegKey) {
    let Some(leg) = house.legs.get_mut(key) else { return };
    let Some(session) = leg.session else { return };
    if leg.side != Side::Pbx || leg.stage != Stage::Up {
        return;
    }
    if !session.ours {
        return parked::lost(house, key);
    }
    if leg.takes_update {
        let draft = leg
            .dialog
            .request("UPDATE")
            .line(Name::SessionExpires, format!("{};refresher=uac", session.interval_s))
            .line(Name::Supported, "timer");
        send::send_own(house, key, draft, Errand::Refresh);
    } else {
        parked::offer(house, key);
    }
    keep_session(house, key);
}

fn refreshed(house: &mut House, key: LegKey, _client: ClientKey, response: &Message) {
    match response.status() {
        408 | 481 => parked::lost(house, key),
        405 | 501 => {
            if let Some(leg) = house.legs.get_mut(key) {
                leg.takes_update = false;
            }
            parked::offer(house, key);
        }
        _ => {}
    }
}
