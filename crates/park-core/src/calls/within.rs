//! Requests within a dialog: passed to the leg it is with, read as an ask, or answered by ourselves
//! where nobody else is there to answer.

use base::{Flow, Side};
use dialects::Refer;
use sip_core::{NotOurs, ServerKey};
use sip_msg::{Message, Name, SipUri};

use crate::calls::leaving::end_leg;
use crate::calls::leg::{Leg, PassedRefer, Stage, Usage, With};
use crate::calls::passes::{Pass, PassKind};
use crate::calls::{answer, ids, info, park, parked, pass, route};
use crate::house::House;
use crate::keys::LegKey;
use crate::lots;
use crate::refusal::Refusal;

/// How many REFERs of a leg are kept in mind: more are never under way at once.
const MOST_REFERS: usize = 4;

/// The leg that a Request-URI of ours names.
pub(crate) fn leg_of(house: &House, uri: &str) -> Option<LegKey> {
    house.legs.by_token(SipUri::read(uri)?.user()?)
}

/// Takes a request with a To tag, or one whose Request-URI names a leg.
pub(crate) fn in_dialog(
    house: &mut House,
    server: ServerKey,
    request: Message,
    flow: Flow,
    key: LegKey,
) {
    let at_side = house.legs.get(key).map(|leg| leg.side);
    if at_side != Some(flow.side) {
        return house.answer(server, &request, 481);
    }
    let Some(leg) = house.legs.get_mut(key) else { return };
    match leg.dialog.admit(&request) {
        Err(NotOurs::NoSuchDialog) => return house.answer(server, &request, 481),
        Err(NotOurs::OutOfOrder) => return house.answer(server, &request, 500),
        Ok(()) => {}
    }
    if flow.side == Side::Phones || flow.peer == leg.dialog.flow.peer {
        // A phone behind NAT may have moved; a new connection replaces a closed one.
        leg.dialog.flow = flow;
    }
    let method = request.cseq().1.to_string();
    if method == "REFER" && flow.side == Side::Phones && asks_to_park(house, server, &request, key)
    {
        return;
    }
    if method == "INFO" && info::take(house, server, &request, &flow, key) {
        return;
    }
    let Some(leg) = house.legs.get(key) else { return };
    if method == "NOTIFY" && event_of(&request) == "refer" && !asked_by_partner(leg, &request) {
        return answer::by_ourselves(house, server, &request, key);
    }
    match leg.with {
        With::Leg(other) => pass_on(house, server, request, flow, key, other),
        _ if method == "BYE" => {
            house.answer(server, &request, 200);
            parked::far_end_left(house, key);
        }
        _ => answer::by_ourselves(house, server, &request, key),
    }
}

/// Whether a REFER asks to park; then it has been dealt with.
fn asks_to_park(house: &mut House, server: ServerKey, request: &Message, key: LegKey) -> bool {
    let refer = match Refer::read(request) {
        Ok(refer) => refer,
        Err(_) => {
            let refusal = Refusal::Status(400, "Refer-To missing, repeated or unreadable".into());
            house.refuse(server, request, &refusal);
            return true;
        }
    };
    let target = refer.replaces.as_ref().and_then(|id| ids::of_phone(house, id));
    if target.is_some_and(|(_, leg)| leg.partner().is_some()) {
        // Two calls are joined, one of which was retrieved: its number was a slot's, but nothing is
        // to be parked.
        return false;
    }
    let aor = house.legs.get(key).and_then(|leg| lots::speaker(house, leg));
    let Some(aor) = aor else { return false };
    let ask = match lots::refer_ask(house, &aor, &refer) {
        Ok(None) => return false,
        Ok(Some(ask)) => Ok(ask),
        Err(refusal) => Err(refusal),
    };
    park::by_refer(house, server, request, key, &refer, ask);
    true
}

fn pass_on(
    house: &mut House,
    server: ServerKey,
    request: Message,
    flow: Flow,
    from: LegKey,
    to: LegKey,
) {
    let method = request.cseq().1.to_string();
    let kind = match method.as_str() {
        "INVITE" => PassKind::Reinvite,
        "BYE" => PassKind::Bye,
        _ => PassKind::Plain,
    };
    let busy = |key: LegKey| {
        house.legs.get(key).is_some_and(|leg| leg.heard.is_some() || leg.sent.is_some())
    };
    let offers = kind == PassKind::Reinvite;
    if offers && (busy(from) || busy(to)) {
        return house.refuse(server, &request, &Refusal::OfferOpen);
    }
    if request.max_forwards() == Some(0) {
        return house.answer(server, &request, 483);
    }
    let Some(leg) = house.legs.get_mut(from) else { return };
    if matches!(method.as_str(), "SUBSCRIBE" | "NOTIFY" | "REFER") {
        leg.dialog.refresh_target(&request);
    }
    let early = leg.usage == Usage::Call && leg.stage == Stage::Early;
    if kind == PassKind::Bye && early {
        // A BYE for an early dialog ends the call that is being set up (RFC 3261 §15).
        house.answer(server, &request, 200);
        return parked::hang_up_early(house, from);
    }
    let Some(partner) = house.legs.get_mut(to) else { return };
    let cseq = partner.dialog.next_cseq();
    if method == "REFER" {
        partner.refers.truncate(MOST_REFERS - 1);
        let refer = PassedRefer { ours: cseq, theirs: request.cseq().0, by: from };
        partner.refers.insert(0, refer);
    }
    if partner.dialog.remote.tag().is_none()
        && partner.usage == Usage::Events
        && let Some(tag) = request.from_tag()
    {
        // A NOTIFY that overtakes the answer to its SUBSCRIBE (RFC 6665 §4.1.2.4).
        let tag = tag.to_string();
        if let Some(leg) = house.legs.get_mut(from) {
            leg.dialog.remote.set_tag(&tag);
        }
    }
    let Some(partner) = house.legs.get(to) else { return };
    let hop = route::next_hop(partner);
    let before = offers.then(|| {
        let of = |key: LegKey| house.legs.get(key).map(|leg| leg.media.before());
        Box::new((of(from).unwrap_or_default(), of(to).unwrap_or_default()))
    });
    if kind == PassKind::Bye {
        for key in [from, to] {
            if let Some(leg) = house.legs.get_mut(key) {
                leg.stage = Stage::Ending;
            }
        }
    }
    let mut pass = Pass::new(server, request, flow, kind, vec![hop]);
    pass.from = Some(from);
    pass.to = Some(to);
    pass.cseq = cseq;
    pass.before = before;
    pass::start(house, pass);
}

/// A subscription that passes through has run out without a word.
pub(crate) fn events_over(house: &mut House, key: LegKey) {
    let partner = house.legs.get(key).and_then(|leg| leg.partner());
    end_leg(house, key);
    if let Some(partner) = partner {
        end_leg(house, partner);
    }
}

/// Whether the REFER that a NOTIFY tells of came from the leg that this one is with: not if it was
/// ours, or that of a phone which has parked the call meanwhile. Without an `id` it is about the
/// first REFER (RFC 3515 §2.4.6), which few keep to: about the last, then.
fn asked_by_partner(leg: &Leg, request: &Message) -> bool {
    let event = request.get(Name::Event).unwrap_or_default();
    let named = event.split(';').find_map(|param| param.trim().strip_prefix("id="));
    let named: Option<u32> = named.and_then(|id| id.trim().parse().ok());
    let passed = match named {
        Some(_) if named == leg.asked_to_go => return false,
        Some(id) => leg.refers.iter().find(|refer| refer.ours == id),
        None => leg.refers.first(),
    };
    match passed {
        Some(refer) => Some(refer.by) == leg.partner(),
        None => leg.asked_to_go.is_none(),
    }
}

/// The value of an Event header without its parameters.
pub(crate) fn event_of(request: &Message) -> String {
    let event = request.get(Name::Event).unwrap_or_default();
    event.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
