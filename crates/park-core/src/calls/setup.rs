//! Calls and subscriptions through the house: their two legs made, answered, cancelled, ended.

use base::{Flow, Side};
use sip_core::{Dialog, Party, ServerKey};
use sip_msg::{Message, Name};

use crate::calls::leg::{Identity, Leg, Usage, With};
use crate::calls::passes::{Pass, PassKind};
use crate::calls::{pass, route, sips, weave};
use crate::house::House;
use crate::keys::{BindingKey, LegKey, PassKey};

/// Who is called: by which hops, under which Request-URI.
#[derive(Debug)]
pub(crate) struct Callee {
    pub(crate) hops: Vec<Flow>,
    pub(crate) uri: String,
    pub(crate) binding: Option<BindingKey>,
}

/// Opens a call or a subscription through the house: a leg on either side.
pub(crate) fn open(
    house: &mut House,
    server: ServerKey,
    request: Message,
    arrived: Flow,
    caller: Option<BindingKey>,
    callee: Callee,
) {
    open_as(house, server, request, arrived, caller, (callee, None));
}

/// The same towards another node, with our word for who calls.
pub(crate) fn open_vouched(
    house: &mut House,
    server: ServerKey,
    request: Message,
    arrived: Flow,
    caller: Option<BindingKey>,
    (callee, word): (Callee, String),
) {
    open_as(house, server, request, arrived, caller, (callee, Some(word)));
}

fn open_as(
    house: &mut House,
    server: ServerKey,
    request: Message,
    arrived: Flow,
    caller: Option<BindingKey>,
    (callee, word): (Callee, Option<String>),
) {
    let kind = match request.cseq().1 {
        "INVITE" => PassKind::Invite,
        _ => PassKind::Subscribe,
    };
    let usage = if kind == PassKind::Invite { Usage::Call } else { Usage::Events };
    let from = caller_leg(house, &request, arrived, usage, caller);
    let to = callee_leg(house, &request, arrived, usage, &callee);
    if kind == PassKind::Subscribe {
        let woven = house.legs.get(from).and_then(|leg| weave::watching(house, &request, leg));
        if let Some(leg) = house.legs.get_mut(from) {
            leg.woven = woven;
        }
    }
    join(house, from, to);
    let mut pass = Pass::new(server, request, arrived, kind, callee.hops);
    pass.from = Some(from);
    pass.to = Some(to);
    pass.uri = callee.uri.into();
    pass.word = word.map(Into::into);
    pass::start(house, pass);
}

fn join(house: &mut House, one: LegKey, other: LegKey) {
    if let Some(leg) = house.legs.get_mut(one) {
        leg.with = With::Leg(other);
    }
    if let Some(leg) = house.legs.get_mut(other) {
        leg.with = With::Leg(one);
    }
}

/// The leg of who called.
pub(crate) fn caller_leg(
    house: &mut House,
    request: &Message,
    arrived: Flow,
    usage: Usage,
    binding: Option<BindingKey>,
) -> LegKey {
    let token = house.chance.token(16);
    let mut leg = Leg::new(house.at, token, arrived.side, usage, Dialog::heard(request, arrived));
    leg.who = Identity::of(request);
    leg.is_sips = sips::is_sips(request.uri());
    leg.takes_update = allows_update(request);
    owned_by(house, &mut leg, binding);
    house.legs.insert(leg)
}

fn callee_leg(
    house: &mut House,
    request: &Message,
    arrived: Flow,
    usage: Usage,
    callee: &Callee,
) -> LegKey {
    let side = arrived.side.other();
    let party = |house: &House, name| {
        let value = request.get(name).unwrap_or_default();
        let rewritten = match side {
            Side::Pbx => route::party_towards_pbx(house, value, &arrived),
            Side::Phones => None,
        };
        Party::read(rewritten.as_deref().unwrap_or(value))
    };
    let (local, remote) = (party(house, Name::From), party(house, Name::To));
    let flow = callee.hops.first().copied().unwrap_or(arrived);
    let dialog = Dialog::opened(request.call_id(), local, remote, request.cseq().0, flow);
    let token = house.chance.token(16);
    let mut leg = Leg::new(house.at, token, side, usage, dialog);
    leg.who = request.get(Name::To).and_then(Identity::read).unwrap_or_default();
    leg.dialog.set_target(&callee.uri);
    leg.is_sips = sips::is_sips(&callee.uri);
    owned_by(house, &mut leg, callee.binding);
    house.legs.insert(leg)
}

fn owned_by(house: &House, leg: &mut Leg, binding: Option<BindingKey>) {
    leg.binding = binding;
    leg.aor = binding.and_then(|key| house.contacts.get(key)).map(|bound| bound.aor.clone());
}

pub(crate) fn allows_update(message: &Message) -> bool {
    message.values(Name::Allow).any(|method| method == "UPDATE")
}

/// A CANCEL has been answered; its INVITE is called back.
pub(crate) fn cancelled(house: &mut House, key: PassKey, request: &Message) {
    let Some(pass) = house.passes.get_mut(key) else { return };
    pass.cancelled = true;
    let reason = request.get(Name::Reason).map(ToString::to_string);
    if let Some(client) = pass.client {
        house.layer.cancel(house.at, client, reason.as_deref());
    }
}
