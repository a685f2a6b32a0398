//! A call that another node has is taken there: this node passes the INVITE on, with its word for who asks, as a
//! call through whose way out is that node instead of the PBX. The node that is asked never passes on what was
//! passed on to it, so nothing can go round.

use base::{Flow, Transport};
use sip_core::ServerKey;
use sip_msg::Message;

use crate::calls::{self, Callee};
use crate::caps;
use crate::cluster::fact::ClusterFact;
use crate::cluster::vouch;
use crate::contacts::Aor;
use crate::house::House;
use crate::keys::{BindingKey, ParkedKey};
use crate::refusal::Refusal;
use crate::told::{Asked, Fact};

/// Passes an INVITE for a call on to the node that has it.
///
/// # Errors
/// The node cannot be reached, or there is no room for the call.
pub(crate) fn pass_on(
    house: &mut House,
    server: ServerKey,
    request: &Message,
    flow: Flow,
    (who, binding): (&Aor, Option<BindingKey>),
    parked: ParkedKey,
) -> Result<(), Refusal> {
    let call = house.lots.get(parked).ok_or(Refusal::SlotEmpty)?;
    let node = call.node.as_deref().ok_or(Refusal::SlotEmpty)?.to_owned();
    let (slot, park) = (call.id.slot.to_string(), call.park.to_string());
    let gone = || Refusal::NodeAway(node.clone());
    let hop = house.cluster.reach(&node).ok_or_else(gone)?;
    caps::room_for_legs(house)?;
    let nonce = house.chance.token(24);
    let settings = house.settings.cluster.as_ref().ok_or_else(gone)?;
    let word = vouch::write(settings, &node, request, who, &park, (house.at, &nonce));
    let word = word.ok_or_else(gone)?;
    house.cluster.counts.passed_on += 1;
    let transport = match hop.transport {
        Transport::Udp => String::new(),
        stream => format!(";transport={}", stream.in_uri()),
    };
    let uri = format!("sip:{slot}@{}{transport}", hop.peer);
    let callee = Callee { hops: vec![hop], uri, binding: None };
    calls::open_vouched(house, server, request.clone(), flow, binding, (callee, word));
    Ok(())
}

/// Whether a request comes with another node's word, true or not.
pub(crate) fn is_vouched(house: &House, request: &Message) -> bool {
    house.settings.cluster.is_some() && request.other(vouch::HEADER).is_some()
}

/// Takes a request that another node vouches for: as if its phone had asked here.
pub(crate) fn take(house: &mut House, server: ServerKey, request: &Message, flow: Flow) {
    let Some(settings) = house.settings.cluster.clone() else { return };
    let value = request.other(vouch::HEADER).unwrap_or_default();
    let vouched = match vouch::check(&settings, &mut house.cluster, request, value, house.at) {
        Ok(vouched) => vouched,
        Err(why) => {
            house.cluster.counts.forged += 1;
            let what = ClusterFact::NotBelieved { from: flow.peer, why };
            house.tell(Some(request.call_id()), Fact::Cluster { what });
            return house.refuse_ask(server, request, Asked::Retrieve, &Refusal::NotEntitled);
        }
    };
    house.cluster.prove(flow.peer.ip(), house.at);
    house.cluster.counts.vouched += 1;
    let wanted = wanted(house, &vouched);
    let wanted = wanted.and_then(|parked| calls::only_sdp(request).map(|()| parked));
    match wanted {
        Ok(parked) => {
            let taker = calls::by_invite(house, server, request, flow, None, parked);
            // Who has taken it is known by the word of its node.
            if let Some(leg) = taker.and_then(|key| house.legs.get_mut(key)) {
                leg.aor = Some(vouched.who);
            }
        }
        Err(refusal) => house.refuse_ask(server, request, Asked::Retrieve, &refusal),
    }
}

fn wanted(house: &House, vouched: &vouch::Vouched) -> Result<ParkedKey, Refusal> {
    let parked = house.lots.named(&vouched.park).ok_or(Refusal::SlotEmpty)?;
    let call = house.lots.get(parked).filter(|call| call.is_here());
    let call = call.filter(|call| call.id.domain == vouched.who.domain);
    let call = call.ok_or(Refusal::SlotEmpty)?;
    match call.policy.lets_retrieve(&vouched.who.extension) {
        true => Ok(parked),
        false => Err(Refusal::MayNotRetrieve),
    }
}
