//! Requests that pass from one side of the house to the other, and the responses that come back.
//! Foreign text is copied; what is written anew is only what belongs to a leg: Request-URI, Route,
//! Contact, CSeq, the dialog's ids, and SDP lines. Via belongs to the transaction layer.

use base::{Flow, Side};
use sip_core::{ClientKey, Failure, Oversize};
use sip_msg::{Draft, Edit, Message, Name, NameAddr};

use crate::calls::leg::{Invite, Stage};
use crate::calls::media;
use crate::calls::passes::{Pass, PassKind};
use crate::calls::{ids, quirks, route, sips, weave};
use crate::calls::{leaving, outcome};
use crate::cluster::NODE_HEADER;
use crate::house::House;
use crate::keys::{Alarm, LegKey, Owner, PassKey, Within};
use crate::refusal::Refusal;
use crate::register;
use crate::told::Fact;

/// Sends a request on its way; a refusal answers it.
pub(crate) fn start(house: &mut House, pass: Pass) {
    let key = house.passes.insert(pass);
    let Some(pass) = house.passes.get(key) else { return };
    let server = pass.server;
    house.layer.adopt(server, Owner::Pass(key, pass.within()));
    if let Err(refusal) = send(house, key) {
        refuse(house, key, &refusal);
    }
}

/// Ends a request under way with a refusal of ours.
pub(crate) fn refuse(house: &mut House, key: PassKey, refusal: &Refusal) {
    let Some(pass) = house.passes.remove(key) else { return };
    house.alarms.stop(Alarm::Silent(key));
    house.refuse(pass.server, &pass.request, refusal);
    outcome::not_done(house, &pass, refusal.status());
}

/// Whether it goes elsewhere soon if nothing is heard.
fn is_impatient(pass: &Pass) -> bool {
    pass.hops.len() > 1 || pass.word.is_some()
}

fn send(house: &mut House, key: PassKey) -> Result<(), Refusal> {
    let Some(pass) = house.passes.get(key) else { return Ok(()) };
    let request = pass.request.clone();
    let (kind, from, to, within) = (pass.kind, pass.from, pass.to, pass.within());
    let hop = pass.hops.first().copied().ok_or(Refusal::NoPbx)?;
    let draft = draft(house, key, &request, hop)?;
    let has_next = house.passes.get(key).is_some_and(is_impatient);
    let oversize = if hop.side == Side::Pbx { Oversize::TryTcp } else { Oversize::Stay };
    let client = house.layer.request(house.at, hop, Owner::Pass(key, within), &draft, oversize);
    if has_next {
        house.alarms.set(Alarm::Silent(key), house.at + house.settings.failover_after);
    }
    let Some(pass) = house.passes.get_mut(key) else { return Ok(()) };
    pass.client = Some(client);
    let (server, cseq) = (pass.server, pass.cseq);
    if matches!(kind, PassKind::Invite | PassKind::Reinvite) {
        if let Some(leg) = from.and_then(|leg| house.legs.get_mut(leg)) {
            leg.heard = Some(Invite::new(server, request.cseq().0));
        }
        if let Some(leg) = to.and_then(|leg| house.legs.get_mut(leg)) {
            leg.sent = Some(Invite::new(client, cseq));
        }
    }
    Ok(())
}

fn draft(house: &mut House, key: PassKey, request: &Message, hop: Flow) -> Result<Draft, Refusal> {
    let Some(pass) = house.passes.get(key) else { return Err(Refusal::NoPbx) };
    let (from, to, cseq) = (pass.from, pass.to, pass.cseq);
    let opens = pass.opens_dialog() || to.is_none();
    let (uri, arrived, kind) = (pass.uri.clone(), pass.arrived, pass.kind);
    // Nobody else's word goes on.
    let mut edit = Edit::of(request).remove_other(NODE_HEADER);
    if let Some(word) = &pass.word {
        edit = edit.set_other(NODE_HEADER, word.to_string());
    }
    edit = edit.remove(Name::RecordRoute);
    let forwards = request.max_forwards().map_or(70, |left| left.saturating_sub(1));
    edit = edit.set(Name::MaxForwards, forwards.to_string());
    if opens {
        edit = edit.request_line(&uri);
        edit = route::keep_foreign_routes(house, request, &arrived, edit);
        edit = route::rewrite_parties(house, request, &arrived, hop.side, edit);
    }
    if kind == PassKind::Register {
        edit = register::contacts_towards_pbx(house, request, &arrived, &hop, edit);
    }
    if let Some(leg) = to.and_then(|to| house.legs.get_mut(to)) {
        leg.dialog.flow = if opens { hop } else { leg.dialog.flow };
        if !opens {
            let method = request.cseq().1;
            let tags = (request.from_tag(), request.to_tag());
            edit = leg.dialog.address(edit, cseq, method, tags);
        }
    }
    if let (Some(from), Some(to)) = (from, to) {
        edit = own_lines(house, request, (from, to), edit);
        if let Some(body) = media::carry(house, from, to, request)? {
            edit = edit.body(None, body);
        } else if let Some((kind, body)) = weave::passing(house, request, to) {
            let had_none = request.body().is_empty();
            edit = edit.body(had_none.then_some(kind), body);
        }
    }
    Ok(ids::translate(house, request, hop.side.other(), edit).finish())
}

/// The lines of a request that are the leg's own: Contact, and those that name a request of ours by
/// its CSeq number: RAck an INVITE, Event a REFER.
fn own_lines<'m>(
    house: &House,
    request: &Message,
    (from, to): (LegKey, LegKey),
    edit: Edit<'m>,
) -> Edit<'m> {
    let Some(leg) = house.legs.get(to) else { return edit };
    let mut edit = contact(house, request, to, edit);
    if let Some(event) = refer_event(house, request, from) {
        edit = edit.set(Name::Event, event);
    }
    if let Some(rack) = request.get(Name::RAck)
        && let Some(sent) = leg.sent
    {
        let mut words = rack.split_whitespace();
        let number = words.next().unwrap_or("1");
        let method = words.nth(1).unwrap_or("INVITE");
        edit = edit.set(Name::RAck, format!("{number} {} {method}", sent.cseq));
    }
    edit
}

/// The Event of a NOTIFY about a REFER that went out by `from`, as it was numbered where it came from.
fn refer_event(house: &House, request: &Message, from: LegKey) -> Option<String> {
    let (kind, id) = request.get(Name::Event)?.split_once(";id=")?;
    let id: u32 = id.trim().parse().ok()?;
    let theirs = house.legs.get(from)?.refers.iter().find(|refer| refer.ours == id)?.theirs;
    let is_refer = kind.trim().eq_ignore_ascii_case("refer");
    (is_refer && theirs != id).then(|| format!("refer;id={theirs}"))
}

/// Our Contact in place of the foreign one, with the foreign one's parameters.
fn contact<'m>(house: &House, message: &Message, leg: LegKey, edit: Edit<'m>) -> Edit<'m> {
    let Some(leg) = house.legs.get(leg) else { return edit };
    let Some(foreign) = message.get(Name::Contact) else { return edit };
    let own = sips::own_contact(house, leg);
    let value = match NameAddr::read(foreign) {
        Some(address) => address.with_uri(&own),
        None => format!("<{own}>"),
    };
    edit.set(Name::Contact, value)
}

/// A response has come for a request under way.
pub(crate) fn response(
    house: &mut House,
    (key, within): (PassKey, Within),
    client: ClientKey,
    response: &Message,
    flow: Flow,
) {
    let status = response.status();
    let current = house.passes.get(key).is_some_and(|pass| pass.client == Some(client));
    if !current {
        // The pass is over, or went on to another hop.
        return leaving::see_off(house, within, client, response, flow);
    }
    house.alarms.stop(Alarm::Silent(key));
    if let Some(hop) = house.passes.get(key).and_then(|pass| pass.hops.first()) {
        house.uplink.spoke(&hop.clone());
    }
    if status == 100 || (status == 503 && next_hop(house, key)) {
        return;
    }
    let Some(pass) = house.passes.get(key) else { return };
    let request = pass.request.clone();
    let (server, from, to, arrived) = (pass.server, pass.from, pass.to, pass.arrived);
    let detached = pass.detached;
    if pass.opens_dialog()
        && status < 300
        && let Some(leg) = to.and_then(|to| house.legs.get_mut(to))
    {
        leg.dialog.learn(response);
        leg.rings |= is_ringing(status);
    }
    let rings = from.is_some_and(|from| quirks::hides_early_media(house, from, response));
    match response_draft(house, &request, response, (from, to), &arrived) {
        Ok(edit) => {
            let status = if rings { 180 } else { status };
            let edit = if detached { edit.remove(Name::Contact) } else { edit };
            let draft = edit.finish();
            // What a final answer changes comes before it goes out: the next request may come at once.
            if detached {
                leaving::see_off(house, Within::Dialog, client, response, flow);
            }
            if is_denial(&request, &arrived, response) {
                house.tell(None, Fact::Denied { by: arrived, status });
            }
            if status >= 200 {
                house.passes.remove(key).inspect(|pass| outcome::finish(house, pass, response));
            }
            house.layer.respond(house.at, server, status, &draft);
        }
        Err(refusal) => {
            leaving::end_bad_answer(house, key, client, response, flow);
            refuse(house, key, &refusal);
        }
    }
}

/// Whether a response says that a phone rings, or that the far side knows how far the call has come.
pub(crate) fn is_ringing(status: u16) -> bool {
    (180..190).contains(&status)
}

/// Whether the PBX refuses a phone for what it is or knows. That it is asked for credentials at first, or again as
/// the challenge was old, is no denial (RFC 3261 §22.2).
fn is_denial(request: &Message, arrived: &Flow, response: &Message) -> bool {
    if arrived.side != Side::Phones || request.to_tag().is_some() {
        return false;
    }
    let tried = |credentials, challenge| {
        let is_stale = |value: &str| {
            let value = value.to_ascii_lowercase();
            value.contains("stale=true") || value.contains("stale=\"true\"")
        };
        request.get(credentials).is_some() && !response.get(challenge).is_some_and(is_stale)
    };
    match response.status() {
        401 => tried(Name::Authorization, Name::WwwAuthenticate),
        407 => tried(Name::ProxyAuthorization, Name::ProxyAuthenticate),
        403 | 404 => true,
        _ => false,
    }
}

fn response_draft<'m>(
    house: &mut House,
    request: &Message,
    response: &'m Message,
    (from, to): (Option<LegKey>, Option<LegKey>),
    arrived: &Flow,
) -> Result<Edit<'m>, Refusal> {
    let mut edit = Edit::of(response);
    let (number, method) = request.cseq();
    edit = edit.set(Name::From, request.get(Name::From).unwrap_or_default());
    edit = edit.set(Name::CallId, request.call_id());
    edit = edit.set(Name::CSeq, format!("{number} {method}"));
    let mut party = request.get(Name::To).unwrap_or_default().to_string();
    if let (None, Some(tag)) = (request.to_tag(), response.to_tag()) {
        party = format!("{party};tag={tag}");
    }
    edit = edit.set(Name::To, party);
    let routes = request.all(Name::RecordRoute).map(Into::into).collect();
    edit = edit.set_all(Name::RecordRoute, routes);
    if let (Some(from), Some(to)) = (from, to) {
        if response.status() < 300 {
            edit = contact(house, response, from, edit);
        }
        if quirks::hides_early_media(house, from, response) {
            edit = only_ringing(edit);
        } else if let Some(body) = media::carry(house, to, from, response)? {
            edit = edit.body(None, body);
        }
    } else if method == "REGISTER" {
        edit = register::own_contacts_back(house, request, response, arrived, edit);
    }
    Ok(edit)
}

/// A provisional response as a plain 180.
fn only_ringing(edit: Edit<'_>) -> Edit<'_> {
    [Name::ContentDisposition, Name::ContentEncoding, Name::ContentLanguage]
        .into_iter()
        .fold(edit.status_line(180, None).body(None, Vec::new()), Edit::remove)
}

/// A request that an earlier run of the program was passing on goes on, or is refused where what went on
/// could not be read.
pub(crate) fn goes_on(house: &mut House, key: PassKey) {
    let Some(pass) = house.passes.get(key) else { return };
    let Some(client) = pass.client else {
        return refuse(house, key, &Refusal::Status(503, "restarted".into()));
    };
    if is_impatient(pass) && !house.layer.heard_anything(client) {
        house.alarms.set(Alarm::Silent(key), house.at + house.settings.failover_after);
    }
}

/// No final answer has come.
pub(crate) fn failed(house: &mut House, key: PassKey, client: ClientKey, why: Failure) {
    if house.passes.get(key).is_none_or(|pass| pass.client != Some(client)) {
        return;
    }
    if next_hop(house, key) {
        return;
    }
    let Some(pass) = house.passes.get(key) else { return };
    // Another node is not the PBX.
    if pass.word.is_none() && pass.hops.first().is_some_and(|hop| hop.side == Side::Pbx) {
        let hop = pass.hops[0];
        silent(house, hop);
    }
    let Some(pass) = house.passes.remove(key) else { return };
    let status = match why {
        Failure::Timeout if pass.cancelled => 487,
        Failure::Timeout => 408,
        Failure::Unreachable => 503,
    };
    // A BYE that nobody answers has still ended the call (RFC 3261 §15.1.1).
    let status = if pass.kind == PassKind::Bye { 200 } else { status };
    house.answer(pass.server, &pass.request, status);
    outcome::not_done(house, &pass, status);
}

/// The PBX address keeps silent: on to the next, if nothing at all was heard.
pub(crate) fn kept_silent(house: &mut House, key: PassKey) {
    let Some(client) = house.passes.get(key).and_then(|pass| pass.client) else { return };
    if house.layer.heard_anything(client) {
        return;
    }
    if house.passes.get(key).is_some_and(|pass| pass.word.is_some()) {
        house.layer.abandon(house.at, client);
        let node = house.passes.get(key).and_then(|pass| pass.hops.first()).map(|hop| hop.peer);
        let node = node.map(|peer| format!("at {peer}")).unwrap_or_default();
        return refuse(house, key, &Refusal::NodeAway(node));
    }
    if next_hop(house, key) {
        house.layer.abandon(house.at, client);
    }
}

fn silent(house: &mut House, hop: Flow) {
    house.uplink.fell_silent(hop, house.at, house.settings.failover_rest);
    house.tell(None, Fact::PbxSilent { at: hop.peer });
}

/// Goes on to the next hop; says whether there was one.
fn next_hop(house: &mut House, key: PassKey) -> bool {
    let Some(pass) = house.passes.get_mut(key) else { return false };
    if pass.hops.len() < 2 || pass.cancelled {
        return false;
    }
    let hop = pass.hops.remove(0);
    if let Some(leg) = pass.to.and_then(|to| house.legs.get_mut(to))
        && leg.stage != Stage::Early
    {
        return false;
    }
    silent(house, hop);
    route::retarget(house, key);
    if let Err(refusal) = send(house, key) {
        refuse(house, key, &refusal);
    }
    true
}
