//! The first look at a request outside of any dialog: an ask about parking, a call or subscription
//! through the house, a registration, or something that simply passes.

use base::{Flow, Side, SlotName};
use dialects::{Dialled, Invite, Place, RemoteCc, SoftKey};
use sip_core::ServerKey;
use sip_msg::{Compose, Message, Name, SipUri};

use crate::calls::{
    ALLOW, Callee, Pass, PassKind, by_dial, by_invite, by_park_server, by_soft_key, find_by_ids,
    has_call, held_call, may_come, may_go, may_reach, meant_by_soft_key, only_sdp, open, reserve,
    start, uri_towards_pbx,
};
use crate::caps;
use crate::cluster;
use crate::contacts::Aor;
use crate::house::House;
use crate::keys::{BindingKey, LegKey, ParkedKey};
use crate::lots::{self, Ask};
use crate::refusal::Refusal;
use crate::register;
use crate::told::Asked;
use crate::watches;

/// Takes a request without a To tag.
pub(crate) fn receive(house: &mut House, server: ServerKey, request: Message, flow: Flow) {
    let method = request.cseq().1.to_string();
    if let Err(refusal) = may_come(house, request.uri(), &flow) {
        return house.refuse(server, &request, &refusal);
    }
    if method == "OPTIONS" && is_for_us(house, &request, &flow) {
        return answer_options(house, server, &request);
    }
    if request.max_forwards() == Some(0) {
        return house.answer(server, &request, 483);
    }
    if house.passes.is_loop(&request, flow.side) {
        return house.answer(server, &request, 482);
    }
    if flow.side == Side::Phones && method == "INVITE" && cluster::is_vouched(house, &request) {
        return cluster::take(house, server, &request, flow);
    }
    match flow.side {
        Side::Phones => from_phone(house, server, request, flow, &method),
        Side::Pbx => from_pbx(house, server, request, flow, &method),
    }
}

fn is_for_us(house: &House, request: &Message, flow: &Flow) -> bool {
    SipUri::read(request.uri())
        .is_some_and(|uri| uri.user().is_none_or(str::is_empty) && house.is_us(&uri, flow))
}

fn answer_options(house: &mut House, server: ServerKey, request: &Message) {
    let tag = house.chance.token(10);
    let draft = Compose::response_to(request, 200, None)
        .to_tag(&tag)
        .line(Name::Allow, ALLOW)
        .line(Name::Accept, "application/sdp")
        .line(Name::Supported, "replaces, norefersub, timer, 100rel")
        .finish();
    house.layer.respond(house.at, server, 200, &draft);
}

fn from_phone(house: &mut House, server: ServerKey, request: Message, flow: Flow, method: &str) {
    if method == "REGISTER" {
        return register::pass_on(house, server, request, flow);
    }
    let (aor, binding) = lots::asker(house, &request, &flow);
    if method == "REFER" && soft_key(house, server, &request, flow, binding) {
        return;
    }
    if method == "REFER" && by_park_server(house, server, &request, flow, (aor.as_ref(), binding)) {
        return;
    }
    if method == "SUBSCRIBE"
        && let Some(watched) = aor.as_ref().and_then(|aor| watches::watched(house, &request, aor))
    {
        return watches::open(house, server, &request, flow, binding, watched);
    }
    if method == "INVITE"
        && let Some(aor) = &aor
    {
        match invite(house, &request, aor, binding, &flow) {
            Ok(None) => {}
            Ok(Some(errand)) => {
                return serve(house, server, &request, flow, (aor, binding), errand);
            }
            Err((asked, refusal)) => return house.refuse_ask(server, &request, asked, &refusal),
        }
    }
    let hops = match may_go(request.uri(), house.uplink.hops(house.at)) {
        Ok(hops) => hops,
        Err(refusal) => return house.refuse(server, &request, &refusal),
    };
    let uri = uri_towards_pbx(house, &request, &flow, hops.first());
    go_through(house, server, request, flow, binding, Callee { hops, uri, binding: None });
}

/// A soft key of a Cisco phone that is about a call through the house; then it has been dealt with.
fn soft_key(
    house: &mut House,
    server: ServerKey,
    request: &Message,
    flow: Flow,
    binding: Option<BindingKey>,
) -> bool {
    let asked = match RemoteCc::read(request) {
        Ok(asked) => asked,
        Err(bad) => {
            let refusal = Refusal::Status(bad.status, bad.why.into());
            house.refuse_ask(server, request, Asked::Park, &refusal);
            return true;
        }
    };
    match asked {
        Some(RemoteCc::SoftKey {
            key: key @ (SoftKey::Park | SoftKey::ParkMonitor),
            call: Some(call),
        }) => match meant_by_soft_key(house, binding, &call) {
            Some(leg) => {
                let monitored = key == SoftKey::ParkMonitor;
                by_soft_key(house, server, request, flow, leg, monitored);
                true
            }
            // It may be a call that does not go through us: the PBX may know.
            None => false,
        },
        // The outcome of a REFER of ours, which named us.
        Some(RemoteCc::News)
            if SipUri::read(request.uri()).is_some_and(|uri| house.is_us(&uri, &flow)) =>
        {
            house.answer(server, request, 202);
            true
        }
        _ => false,
    }
}

/// What an INVITE of a phone asks of us.
enum Wish {
    Park(Ask),
    Reserve(LegKey, SlotName),
    Retrieve(ParkedKey),
}

fn invite(
    house: &House,
    request: &Message,
    aor: &Aor,
    binding: Option<BindingKey>,
    flow: &Flow,
) -> Result<Option<Wish>, (Asked, Refusal)> {
    let asked = Invite::read(request)
        .map_err(|bad| (Asked::Call, Refusal::Status(bad.status, bad.why.to_string().into())))?;
    let retrieves = |refusal| (Asked::Retrieve, refusal);
    let entitled = || {
        let may = binding.is_some() || lots::is_trusted(house, flow);
        if may { Ok(()) } else { Err(Refusal::NotEntitled) }
    };
    if let Some(id) = &asked.replaces
        && let Some(parked) = find_by_ids(house, id)
    {
        entitled().map_err(retrieves)?;
        let call = house.lots.get(parked);
        if call.is_some_and(|call| !call.policy.lets_retrieve(&aor.extension)) {
            return Err(retrieves(Refusal::MayNotRetrieve));
        }
        return Ok(Some(Wish::Retrieve(parked)));
    }
    let meant = lots::invite_ask(house, aor, &asked).map_err(retrieves)?;
    let Some((lot, dialled)) = meant else { return Ok(None) };
    let parks = matches!(dialled, Dialled::Park(_));
    entitled().map_err(|refusal| (if parks { Asked::Park } else { Asked::Retrieve }, refusal))?;
    if asked.replaces.is_some() {
        // It wants that very call and no other that may wait there (RFC 3891 §3).
        return Err(retrieves(Refusal::Status(
            481,
            "the call to replace is not parked here".into(),
        )));
    }
    let ask = |place: Place| Ask { lot, place };
    let wanted = |place: Place| lots::wanted(house, aor, &ask(place)).map_err(retrieves);
    Ok(Some(match dialled {
        Dialled::Park(place) => Wish::Park(ask(place)),
        // Who has no call has nothing to park, and means whatever waits longest.
        Dialled::AnySlot if !has_call(house, binding) => Wish::Retrieve(wanted(Place::AnySlot)?),
        Dialled::AnySlot => Wish::Park(ask(Place::AnySlot)),
        Dialled::Retrieve(place) => Wish::Retrieve(wanted(place)?),
        Dialled::PickUp(extension) => Wish::Retrieve(wanted(Place::Extension(extension))?),
        Dialled::Number(slot) => {
            match wanted(Place::Slot(slot.clone())) {
                // Empty, and the phone holds a call: it is going to transfer it there.
                Err((asked, Refusal::SlotEmpty)) => match held_call(house, binding) {
                    Some(parker) => Wish::Reserve(parker, slot),
                    None => return Err((asked, Refusal::SlotEmpty)),
                },
                found => Wish::Retrieve(found?),
            }
        }
    }))
}

fn serve(
    house: &mut House,
    server: ServerKey,
    request: &Message,
    flow: Flow,
    (aor, binding): (&Aor, Option<BindingKey>),
    wish: Wish,
) {
    if let Err(refusal) = only_sdp(request) {
        let retrieves = matches!(wish, Wish::Retrieve(_));
        let asked = if retrieves { Asked::Retrieve } else { Asked::Park };
        return house.refuse_ask(server, request, asked, &refusal);
    }
    match wish {
        Wish::Park(ask) => by_dial(house, server, request, flow, binding, &ask),
        Wish::Reserve(parker, slot) => {
            reserve(house, server, request, flow, binding, (parker, slot));
        }
        Wish::Retrieve(parked) if house.lots.get(parked).is_some_and(|call| !call.is_here()) => {
            let passed = cluster::pass_on(house, server, request, flow, (aor, binding), parked);
            if let Err(refusal) = passed {
                house.refuse_ask(server, request, Asked::Retrieve, &refusal);
            }
        }
        Wish::Retrieve(parked) => {
            by_invite(house, server, request, flow, binding, parked);
        }
    }
}

fn from_pbx(house: &mut House, server: ServerKey, request: Message, flow: Flow, method: &str) {
    let Some(binding) = callee(house, &request, &flow) else {
        let status = if method == "OPTIONS" { 200 } else { 404 };
        return house.answer(server, &request, status);
    };
    let Some(bound) = house.contacts.get(binding) else { return };
    let (hops, uri) = (vec![bound.flow], bound.contact.to_string());
    if let Err(refusal) = may_reach(request.uri(), &uri, &bound.flow) {
        return house.refuse(server, &request, &refusal);
    }
    go_through(house, server, request, flow, None, Callee { hops, uri, binding: Some(binding) });
}

/// The binding that the PBX means: by our Contact's user part, else by the extension.
fn callee(house: &House, request: &Message, flow: &Flow) -> Option<BindingKey> {
    let uri = SipUri::read(request.uri())?;
    let user = uri.user()?;
    if let Some((key, _)) = house.contacts.by_token(user) {
        return Some(key);
    }
    let named = lots::aor_of(house, request.uri(), flow)?;
    let to = lots::aor_of(house, request.to().uri(), flow);
    let of = |aor: &Aor| house.contacts.of(aor).last().copied();
    of(&named).or_else(|| {
        // The PBX calls us by our address; the domain is the one in To.
        let domain = to?.domain;
        of(&Aor { extension: named.extension, domain })
    })
}

fn go_through(
    house: &mut House,
    server: ServerKey,
    request: Message,
    flow: Flow,
    caller: Option<BindingKey>,
    callee: Callee,
) {
    match request.cseq().1 {
        // What is parked may still be retrieved; whatever else is new finds another way.
        "INVITE" | "SUBSCRIBE" if house.draining => {
            house.refuse(server, &request, &Refusal::Draining);
        }
        "INVITE" | "SUBSCRIBE" | "REFER" => match caps::room_for_legs(house) {
            Ok(()) => open(house, server, request, flow, caller, callee),
            Err(refusal) => house.refuse(server, &request, &refusal),
        },
        _ => {
            let mut pass = Pass::new(server, request, flow, PassKind::Plain, callee.hops);
            pass.uri = callee.uri.into();
            start(house, pass);
        }
    }
}
