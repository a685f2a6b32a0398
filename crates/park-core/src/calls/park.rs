//! Park: a parker's leg steps aside, the parkee's goes into a slot and hears music, and the parker is
//! told. On any failure the call stays up exactly as it was.

use dialects::{ParkEvent, Place, Refer};
use sip_core::ServerKey;
use sip_msg::Message;

use crate::calls::leg::{Leg, Progress, Stage, Usage, With};
use crate::calls::{
    call_id, dialled, ids, info, media, own, parked, progress, quirks, reminder, report, soft_key,
};
use crate::cluster::{self, Stake};
use crate::house::House;
use crate::keys::{Alarm, Errand, LegKey, Owner, ParkedKey};
use crate::lamps::{self, News};
use crate::lots::{self, Ask, ParkedCall, Recall, Teller};
use crate::refusal::Refusal;
use crate::told::{Asked, Fact};
use crate::watches;

/// A REFER in a phone's leg asks to park.
pub(crate) fn by_refer(
    house: &mut House,
    server: ServerKey,
    request: &Message,
    key: LegKey,
    refer: &Refer,
    ask: Result<Ask, Refusal>,
) {
    let Some(leg) = house.legs.get(key) else { return };
    let flow = leg.dialog.flow;
    let quiet = refer.wants_no_subscription && quirks::of(house, key).refer_sub;
    let consult = refer.replaces.as_ref().and_then(|id| consultation(house, key, id));
    if let Err(refusal) = lots::entitled(house, leg, &flow) {
        return house.refuse_ask(server, request, Asked::Park, &refusal);
    }
    if leg.progress.is_some() {
        // The telling of one REFER is not over yet.
        return house.refuse_ask(server, request, Asked::Park, &Refusal::OfferOpen);
    }
    if leg.stage != Stage::Up {
        // An early dialog cannot be told by NOTIFY for certain: it may be one fork of several.
        return house.refuse_ask(server, request, Asked::Park, &Refusal::NotAnswered);
    }
    // Parked already, by dialling; the phone now completes its transfer into that leg.
    if let (With::Nobody, Some(consult)) = (leg.with, consult) {
        house.alarms.set(Alarm::Bye(consult), house.at + quirks::bye_grace(house, consult));
        progress::accept(house, server, request, key, quiet);
        if !quiet {
            progress::start_progress(house, key, request.cseq().0, 200);
        }
        return;
    }
    let outcome = ask.and_then(|ask| do_park(house, key, &ask));
    match outcome {
        Err(refusal) if quiet => house.refuse_ask(server, request, Asked::Park, &refusal),
        Err(refusal) => {
            progress::accept(house, server, request, key, quiet);
            progress::start_progress(house, key, request.cseq().0, refusal.status());
            refused(house, key, request, &refusal);
        }
        Ok(parked) => {
            let teller = if quiet {
                house.layer.adopt(server, Owner::Leg(key, Errand::Answer));
                Teller::Answer(key, server)
            } else {
                progress::accept(house, server, request, key, quiet);
                if let Some(leg) = house.legs.get_mut(key) {
                    leg.progress = Some(Progress::of(request.cseq().0));
                }
                progress::tell_progress(house, key, 100, false);
                Teller::Progress(key)
            };
            go(house, parked, teller);
        }
    }
    if let Some(consult) = consult {
        house.alarms.set(Alarm::Bye(consult), house.at + quirks::bye_grace(house, consult));
    }
}

/// The leg of the same phone, answered by us, that a REFER's Replaces names.
fn consultation(house: &House, key: LegKey, id: &sip_msg::ReplacesId) -> Option<LegKey> {
    let (found, leg) = ids::of_phone(house, id)?;
    (found != key && matches!(leg.with, With::Parking(_) | With::Nobody)).then_some(found)
}

fn refused(house: &mut House, key: LegKey, request: &Message, refusal: &Refusal) {
    let who = house.legs.get(key).and_then(|leg| leg.aor.clone());
    let who = who.map_or_else(|| request.from().uri().into(), |aor| aor.extension.to_string());
    house.tell_refused(request.call_id(), Asked::Park, who, refusal);
}

/// Puts the parkee of a leg into its slot. On refusal nothing has changed.
pub(crate) fn do_park(house: &mut House, key: LegKey, ask: &Ask) -> Result<ParkedKey, Refusal> {
    let leg = house.legs.get(key).ok_or(Refusal::NotAnswered)?;
    let partner = leg.partner().ok_or(Refusal::Status(481, "no call in this dialog".into()))?;
    let parkee = house.legs.get(partner).ok_or(Refusal::NotAnswered)?;
    if leg.usage != Usage::Call || leg.stage != Stage::Up || parkee.stage != Stage::Up {
        return Err(Refusal::NotAnswered);
    }
    media::can_be_fed(house, partner)?;
    let aor = lots::speaker(house, leg).ok_or(Refusal::NotEntitled)?;
    let (parker_phone, parker_who) = (leg.binding, leg.who.clone());
    let parkee = parkee.who.clone();
    let spot = lots::spot(house, &aor, ask)?;
    let policy = spot.policy;
    cluster::usable(house, &policy)?;
    let most = policy.max_calls;
    let park = house.chance.token(20);
    let call = ParkedCall {
        leg: partner,
        node: None,
        stake: Stake::None,
        sought: matches!(ask.place, Place::AnySlot | Place::Group).then(|| ask.clone()),
        id: spot.id,
        group: spot.group,
        parker: aor.extension.clone(),
        parker_phone,
        parker_who,
        parkee,
        since: house.at,
        watch_id: park.as_str().into(),
        park: park.into(),
        retrieve: spot.retrieve,
        teller: Teller::Nobody,
        monitor: None,
        asked_for_codec: false,
        claim: None,
        delivery: None,
        recall: if policy.recall.after.is_zero() { Recall::Over } else { Recall::Waiting },
        stage: policy.first_stage(),
        attempt: 0,
        policy,
    };
    let parked = house.lots.admit(call, most, key)?;
    if let Some(leg) = house.legs.get_mut(key) {
        leg.with = With::Nobody;
    }
    if let Some(leg) = house.legs.get_mut(partner) {
        leg.with = With::Parked(parked);
    }
    for leg in [key, partner] {
        own::acknowledge_if_due(house, leg);
    }
    media::plan(house, key);
    Ok(parked)
}

/// The parkee is in its slot: music on, and the other nodes asked for the place if it is theirs too. `teller`
/// waits to hear whether the park stands.
pub(crate) fn go(house: &mut House, key: ParkedKey, teller: Teller) {
    let Some(call) = house.lots.get_mut(key) else { return };
    call.teller = teller;
    let leg = call.leg;
    media::plan(house, leg);
    own::keep_session(house, leg);
    if !cluster::ask(house, key) {
        stand(house, key);
    }
}

/// The place is had: the parkee's PBX is asked to listen, if it must be, and then the park stands.
pub(crate) fn stand(house: &mut House, key: ParkedKey) {
    let Some(call) = house.lots.get(key).filter(|call| !call.stands()) else { return };
    let leg = call.leg;
    let anchored = house.legs.get(leg).is_some_and(|leg| leg.media.anchored);
    if parked::needs_offer(house, leg) {
        if anchored
            && media::music_format(house, leg).is_none()
            && let Some(call) = house.lots.get_mut(key)
        {
            call.asked_for_codec = true;
        }
        parked::offer(house, leg);
    }
    // Where media comes to us already the park stands, whatever the PBX says to our offer.
    if anchored {
        confirmed(house, key);
    }
}

/// The park stands: the parker is told, once, and the time to its recall begins.
pub(crate) fn confirmed(house: &mut House, key: ParkedKey) {
    let Some(call) = house.lots.get_mut(key) else { return };
    let teller = std::mem::replace(&mut call.teller, Teller::Nobody);
    let after = call.policy.recall.after;
    match teller {
        Teller::Nobody => return,
        Teller::Progress(parker) => progress::outcome(house, parker, 200),
        Teller::Apart { telling, .. } => {
            let dialog = watches::dialog_of(call);
            progress::outcome_of(house, telling, dialog);
        }
        Teller::Answer(parker, server) => {
            if let Some(request) = house.layer.request_of(server).cloned() {
                progress::accept(house, server, &request, parker, true);
            }
        }
        Teller::Command(parker, command) => {
            let number = call.retrieve.clone();
            info::command_done(house, parker, &command, &number);
        }
        Teller::SoftKey(parker) => soft_key::done(house, key, parker),
        Teller::Keys(parker) => info::keys_done(house, parker),
        Teller::Dialled(parker, dialled) => {
            let slot = call.id.slot.clone();
            dialled::parked(house, parker, dialled, slot);
        }
    }
    tell_parked(house, key);
    if !after.is_zero() {
        house.alarms.set(Alarm::Recall(key), house.at + after);
    }
    reminder::begin(house, key);
    if let Some(call) = house.lots.get(key) {
        let news = News::by(ParkEvent::Parked, call.parker.as_str());
        let call = lamps::Seen::of(call);
        lamps::changed_at(house, &call, &news);
    }
}

/// Says that a call is parked, and who is to be paged for it.
fn tell_parked(house: &mut House, key: ParkedKey) {
    let Some(call) = house.lots.get(key) else { return };
    let after = call.policy.recall.after;
    let (parked, took) = (report::who_of(call), house.at.since(call.since));
    let free = lots::free_beside(house, &call.id);
    let recall_in = (!after.is_zero()).then_some(after);
    report::tell(house, key, |of| Fact::Parked { of, parked, recall_in, took, free });
    page(house, key);
}

/// Says who is to be paged for a call.
pub(crate) fn page(house: &mut House, key: ParkedKey) {
    let Some(call) = house.lots.get(key).filter(|call| !call.policy.page.is_empty()) else {
        return;
    };
    let (page, retrieve) = (call.policy.page.clone(), call.retrieve.clone());
    let (name, parkee) = (call.parkee.name.as_deref().map(Into::into), call.parkee.user());
    let parker = call.parker.to_string();
    report::tell(house, key, |of| Fact::Page { of, page, retrieve, name, parkee, parker });
}

/// The PBX did not agree to what the park needs. Where the park stands already nothing is lost: the
/// parkee hears what the PBX plays. Where media never came to us the park is undone.
pub(crate) fn not_confirmed(house: &mut House, key: ParkedKey, status: u16) {
    let Some(call) = house.lots.get(key) else { return };
    if call.stands() {
        return;
    }
    let status = if (400..700).contains(&status) { status } else { 488 };
    let refusal = Refusal::Status(status, "the PBX refused to send its media here".into());
    undo_park(house, key, &refusal);
}

/// Whether a call can go back to its parker: nobody has been told that it is parked, and the parker is there.
pub(crate) fn can_be_undone(house: &House, key: ParkedKey) -> bool {
    let parker = house.lots.get(key).and_then(|call| call.teller.parker());
    let leg = parker.and_then(|parker| house.legs.get(parker));
    leg.is_some_and(|leg| leg.stage == Stage::Up)
}

/// Takes back a park that does not stand, and joins the two legs again.
pub(crate) fn undo_park(house: &mut House, key: ParkedKey, refusal: &Refusal) {
    let Some(call) = parked::take_out(house, key, None, ParkEvent::Error) else { return };
    let Some(parker) = tell_failed(house, &call.teller, refusal, Some("not parked")) else {
        return;
    };
    if house.legs.get(parker).is_none() {
        // The parker has hung up meanwhile; nobody else holds the parkee.
        return own::bye(house, call.leg, Some("the parker has gone"));
    }
    if let Some(leg) = house.legs.get_mut(parker) {
        leg.with = With::Leg(call.leg);
    }
    if let Some(leg) = house.legs.get_mut(call.leg) {
        leg.with = With::Leg(parker);
    }
    media::plan(house, parker);
    media::plan(house, call.leg);
}

/// The parkee has gone before the parker was told: there is no call any more, and so it is told.
pub(crate) fn parkee_left(house: &mut House, call: &ParkedCall) {
    let gone = Refusal::Status(480, "the parkee has gone".into());
    if let Some(parker) = tell_failed(house, &call.teller, &gone, None) {
        own::bye(house, parker, None);
    }
}

/// Tells whoever waits for it that the park does not stand, in the words of its dialect; gives the
/// parker's leg. `why` is for a leg that only dialled the code, and ends.
fn tell_failed(
    house: &mut House,
    teller: &Teller,
    refusal: &Refusal,
    why: Option<&str>,
) -> Option<LegKey> {
    let parker = match *teller {
        Teller::Nobody => return None,
        Teller::Answer(parker, server) => {
            if let Some(request) = house.layer.request_of(server).cloned() {
                house.refuse_ask(server, &request, Asked::Park, refusal);
            }
            return Some(parker);
        }
        Teller::Progress(parker) => {
            progress::outcome(house, parker, refusal.status());
            parker
        }
        Teller::Apart { parker, telling } => {
            progress::outcome(house, telling, refusal.status());
            parker
        }
        Teller::Command(parker, ref command) => {
            let words = why.map_or_else(|| refusal.to_string(), Into::into);
            info::refuse_command(house, parker, command, refusal.status(), &words);
            parker
        }
        Teller::SoftKey(parker) | Teller::Keys(parker) => parker,
        Teller::Dialled(parker, dialled) => {
            own::bye(house, dialled, why);
            parker
        }
    };
    let (who, call_id) = (house.legs.get(parker).map(Leg::name), call_id(house, parker));
    house.tell_refused(&call_id, Asked::Park, who.unwrap_or_default(), refusal);
    Some(parker)
}
