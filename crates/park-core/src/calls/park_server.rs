//! A REFER outside of any dialog that asks a park server to take a call over: whom it is addressed to
//! says where, its Refer-To names the parkee, and the Replaces in that the call (RFC 5359 §2.15, and
//! the BLISS draft, which puts the slot into an `orbit` parameter and has the server choose one by
//! 302). The call is one of ours, so nobody need be called: it is parked, the outcome is told in the
//! dialog of the REFER, and the parker gets the BYE that the parkee would have sent.

use std::time::Duration;

use base::Flow;
use dialects::{OrbitAsk, Place, Refer, orbit_uri};
use sip_core::ServerKey;
use sip_msg::{Compose, Message, Name, ReplacesId};

use crate::calls::leg::{Progress, Stage, Usage, With};
use crate::calls::{ids, park, progress, quirks, send, setup, sips};
use crate::contacts::Aor;
use crate::house::House;
use crate::keys::{BindingKey, LegKey};
use crate::lots::{self, Ask, Teller};
use crate::refusal::Refusal;
use crate::told::Asked;

/// For how long a slot that was offered is kept for who was sent to it.
const HELD: Duration = Duration::from_secs(10);
/// What the BLISS draft's server says of itself (RFC 3840, RFC 4235 §5).
const FEATURES: &str = "automaton;byeless;+sip.rendering=\"no\"";

/// Takes a REFER outside of a dialog, if it asks to park a call; then it has been dealt with.
pub(crate) fn take(
    house: &mut House,
    server: ServerKey,
    request: &Message,
    flow: Flow,
    (aor, binding): (Option<&Aor>, Option<BindingKey>),
) -> bool {
    let refer = match Refer::read(request) {
        Ok(refer) => refer,
        Err(bad) => {
            house.refuse_ask(
                server,
                request,
                Asked::Park,
                &Refusal::Status(bad.status, bad.why.into()),
            );
            return true;
        }
    };
    let (Some(aor), Some(id), true) = (aor, &refer.replaces, refer.calls) else { return false };
    // A number or a server that is none of ours: somebody is to take the call, not to park it.
    let ask = match lots::server_ask(house, aor, &refer) {
        Ok(None) => return false,
        Ok(Some(ask)) => Ok(ask),
        Err(refusal) => Err(refusal),
    };
    let done = meant(house, id, binding, &flow)
        .and_then(|key| park(house, server, request, flow, (key, aor, &refer), ask?));
    if let Err(refusal) = done {
        house.refuse_ask(server, request, Asked::Park, &refusal);
    }
    true
}

/// The leg of this very phone that a Replaces names.
fn meant(
    house: &House,
    id: &ReplacesId,
    binding: Option<BindingKey>,
    flow: &Flow,
) -> Result<LegKey, Refusal> {
    let mut named = ids::all_of_phones(house, id).filter(|(_, leg)| leg.usage == Usage::Call);
    let first = named.next().ok_or_else(|| match ids::is_early(house, id) {
        true => Refusal::NotAnswered,
        false => Refusal::Status(481, "no such call".into()),
    })?;
    let (key, leg) = std::iter::once(first)
        .chain(named)
        .find(|(_, leg)| {
            let is_its = binding.is_some() && leg.binding == binding;
            is_its || leg.dialog.flow.peer == flow.peer
        })
        .ok_or(Refusal::NotEntitled)?;
    lots::entitled(house, leg, flow)?;
    Ok(key)
}

fn park(
    house: &mut House,
    server: ServerKey,
    request: &Message,
    flow: Flow,
    (key, aor, refer): (LegKey, &Aor, &Refer),
    ask: Ask,
) -> Result<(), Refusal> {
    let leg = house.legs.get(key).ok_or(Refusal::NotAnswered)?;
    if leg.stage == Stage::Early {
        return Err(Refusal::NotAnswered);
    }
    if leg.progress.is_some() {
        // The telling of one REFER is not over yet.
        return Err(Refusal::OfferOpen);
    }
    let (redirects, heeds) = {
        let quirks = quirks::of(house, key);
        (quirks.park_redirect, quirks.refer_sub)
    };
    let names_none = refer.orbit == Some(OrbitAsk::ParkAnywhere) && ask.place == Place::AnySlot;
    if names_none && redirects && leg.partner().is_some() {
        return offer(house, server, request, (key, aor), &ask);
    }
    let parked = park::do_park(house, key, &ask)?;
    let teller = if refer.wants_no_subscription && heeds {
        Teller::Answer(key, server)
    } else {
        Teller::Apart { parker: key, telling: tell(house, server, request, flow, key) }
    };
    park::go(house, parked, teller);
    Ok(())
}

/// Sends the phone to a free slot, and keeps that for it until it has asked again.
fn offer(
    house: &mut House,
    server: ServerKey,
    request: &Message,
    (key, aor): (LegKey, &Aor),
    ask: &Ask,
) -> Result<(), Refusal> {
    let slot = lots::hold(house, ask.lot, aor, key, HELD)?;
    let uri = orbit_uri(request.uri(), slot.as_str())
        .ok_or(Refusal::Status(416, "a park server has a SIP URI".into()))?;
    let tag = house.chance.token(10);
    let draft = Compose::response_to(request, 302, None)
        .to_tag(&tag)
        .line(Name::Contact, format!("<{uri}>"))
        .finish();
    house.layer.respond(house.at, server, 302, &draft);
    Ok(())
}

/// Accepts the REFER, and opens the leg by which its outcome is told.
fn tell(
    house: &mut House,
    server: ServerKey,
    request: &Message,
    flow: Flow,
    parker: LegKey,
) -> LegKey {
    let binding = house.legs.get(parker).and_then(|leg| leg.binding);
    let telling = setup::caller_leg(house, request, flow, Usage::Events, binding);
    let tag = house.chance.token(10);
    let status = quirks::of(house, parker).refer_status;
    let mut draft = Compose::response_to(request, status, None).to_tag(&tag);
    if let Some(leg) = house.legs.get_mut(telling) {
        leg.dialog.local.set_tag(&tag);
        leg.is_answered(house.at);
        leg.with = With::Telling(parker);
        leg.progress = Some(Progress::of(request.cseq().0));
        let token = leg.token.clone();
        let own = house.contact(&flow, &token, sips::is_sips(request.uri()));
        draft = draft.line(Name::Contact, format!("<{own}>;{FEATURES}"));
    }
    for route in request.all(Name::RecordRoute) {
        draft = draft.line(Name::RecordRoute, route);
    }
    let draft =
        draft.line(Name::Allow, send::ALLOW).line(Name::Supported, "replaces, norefersub").finish();
    house.layer.respond(house.at, server, status, &draft);
    progress::tell_progress(house, telling, 100, false);
    telling
}
