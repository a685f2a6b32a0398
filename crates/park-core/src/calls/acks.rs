//! ACKs for 2xx: passed to where the 2xx came from, or settled here where nobody is behind the leg.

use sip_core::{ClientKey, ServerKey};
use sip_msg::{Edit, Message, Name, NameAddr, SipUri};

use crate::calls::leg::{Waiting, With};
use crate::calls::{dialled, media, own, parked, retrieve, route, sips};
use crate::house::House;
use crate::keys::LegKey;

/// What waited for the end of an offer goes on.
pub(crate) fn go_on(house: &mut House, key: LegKey) {
    let Some(leg) = house.legs.get_mut(key) else { return };
    if leg.waiting == Waiting::Offer && leg.heard.is_none() && leg.sent.is_none() {
        leg.waiting = Waiting::No;
        parked::offer_again(house, key);
    }
}

/// An ACK has come for a 2xx of a leg that has ended.
pub(crate) fn late_ack(house: &mut House, request: &Message) {
    let uri = SipUri::read(request.uri());
    if let Some(server) = uri.and_then(|uri| house.legs.late_ack(uri.user()?)) {
        house.layer.acked(house.at, server);
    }
}

/// An ACK for a 2xx of ours has come: it goes on to where the 2xx came from.
pub(crate) fn ack(house: &mut House, request: &Message, key: LegKey) {
    let Some(leg) = house.legs.get_mut(key) else { return };
    let Some(heard) = leg.heard.filter(|heard| heard.cseq == request.cseq().0) else { return };
    leg.heard = None;
    let bye_due = leg.bye_due.take();
    house.layer.acked(house.at, heard.key);
    if let Some(bye) = bye_due {
        return own::bye(house, key, bye.why.as_deref());
    }
    let Some(leg) = house.legs.get(key) else { return };
    match leg.with {
        With::Leg(other) => {
            let sent = house.legs.get(other).and_then(|leg| leg.sent);
            if let Some(sent) = sent {
                pass_ack(house, request, key, other, sent.key, sent.cseq);
            }
            go_on(house, key);
            go_on(house, other);
        }
        With::Retrieving(parked) => retrieve::acked(house, request, key, parked),
        _ => {
            // The partner was joined with somebody else while the ACK was under way.
            own::note_answer(house, key, request);
            dialled::acked(house, key);
            go_on(house, key);
        }
    }
}

fn pass_ack(
    house: &mut House,
    request: &Message,
    from: LegKey,
    to: LegKey,
    client: ClientKey,
    cseq: u32,
) {
    let mut edit = Edit::of(request).remove(Name::RecordRoute);
    let body = media::carry(house, from, to, request).ok().flatten();
    let Some(leg) = house.legs.get_mut(to) else { return };
    leg.sent = None;
    edit = leg.dialog.address(edit, cseq, "ACK", (request.from_tag(), request.to_tag()));
    let forwards = request.max_forwards().map_or(70, |left| left.saturating_sub(1));
    edit = edit.set(Name::MaxForwards, forwards.to_string());
    if let Some(body) = body {
        edit = edit.body(None, body);
    }
    let Some(leg) = house.legs.get(to) else { return };
    if let Some(foreign) = request.get(Name::Contact).and_then(NameAddr::read) {
        let own = sips::own_contact(house, leg);
        edit = edit.set(Name::Contact, foreign.with_uri(&own));
    }
    let hop = route::next_hop(leg);
    house.layer.ack(house.at, client, hop, &edit.finish());
}

/// Our 2xx was never acknowledged: the dialog is ended (RFC 3261 §13.3.1.4).
pub(crate) fn unacknowledged(house: &mut House, server: ServerKey) {
    let found = house
        .legs
        .iter()
        .find(|(_, leg)| leg.heard.is_some_and(|heard| heard.key == server))
        .map(|(key, _)| key);
    let Some(key) = found else { return house.legs.no_ack(server) };
    if let Some(leg) = house.legs.get_mut(key) {
        leg.heard = None;
        leg.bye_due = None;
    }
    let with = house.legs.get(key).map(|leg| leg.with);
    match with {
        Some(With::Retrieving(parked)) => retrieve::give_up(house, key, parked, "no ACK"),
        Some(With::Leg(other)) => {
            own::bye(house, other, Some("no ACK"));
            own::bye(house, key, Some("no ACK"));
        }
        _ => own::bye(house, key, Some("no ACK")),
    }
}
