//! Where a request goes: the next hop of a leg, and the URIs that name us instead of the PBX.

use std::net::SocketAddr;

use base::{Flow, Side, Transport};
use sip_msg::{Edit, Message, Name, NameAddr, SipUri};

use crate::calls::leg::Leg;
use crate::house::House;
use crate::keys::PassKey;

/// The flow by which requests in a leg's dialog go. Phones are reached by the flow they came by. The
/// PBX is reached as its Route or Contact says where that is an address, else by the flow too.
pub(crate) fn next_hop(leg: &Leg) -> Flow {
    let flow = leg.dialog.flow;
    if leg.side == Side::Phones {
        return flow;
    }
    let first = leg.dialog.routes().first().and_then(|route| NameAddr::read(route));
    let uri = first.as_ref().map_or(leg.dialog.target(), |route| route.uri());
    let Some(uri) = SipUri::read(uri) else { return flow };
    let Some(ip) = uri.host_ip() else { return flow };
    let asked = Transport::of_uri(uri.is_sips(), uri.param("transport"));
    let transport = asked.unwrap_or(flow.transport);
    let peer = SocketAddr::new(ip, uri.port().unwrap_or(transport.default_port()));
    if (peer, transport) == (flow.peer, flow.transport) || ip.is_ipv4() != flow.local.is_ipv4() {
        return flow;
    }
    // A stream that the PBX opened to us comes from a port on which it does not listen. By TLS it is
    // for requests of ours only where that was agreed, which the program knows (RFC 5923).
    let same_stream =
        transport == Transport::Tcp && flow.transport == transport && ip == flow.peer.ip();
    if same_stream && flow.conn.is_some() {
        return flow;
    }
    Flow { transport, peer, conn: None, ..flow }
}

/// The Request-URI towards the PBX: where a phone names us as its server, the PBX's host stands.
pub(crate) fn uri_towards_pbx(
    house: &House,
    request: &Message,
    arrived: &Flow,
    hop: Option<&Flow>,
) -> String {
    let foreign = request.uri();
    match SipUri::read(foreign) {
        Some(uri) if house.is_us(&uri, arrived) => match pbx_host(house, hop) {
            Some(host) => uri.with_host_port(&host),
            None => foreign.to_string(),
        },
        _ => foreign.to_string(),
    }
}

/// The PBX's host, with its port where the target names one.
fn pbx_host(house: &House, hop: Option<&Flow>) -> Option<String> {
    if let Some(domain) = &house.settings.rewrite_domain {
        return Some(domain.to_string());
    }
    let target = hop.and_then(|hop| house.uplink.target_of(hop)).or_else(|| house.uplink.uri(0))?;
    let uri = SipUri::read(target)?;
    let host = match uri.host_ip() {
        Some(ip) if ip.is_ipv6() => format!("[{ip}]"),
        _ => uri.host().to_string(),
    };
    Some(uri.port().map_or(host.clone(), |port| format!("{host}:{port}")))
}

/// The domain of the PBX without a port.
pub(crate) fn pbx_domain(house: &House) -> String {
    let host = pbx_host(house, None).unwrap_or_default();
    match SipUri::read(&format!("sip:{host}")) {
        Some(uri) if uri.host_ip().is_some_and(|ip| ip.is_ipv6()) => format!("[{}]", uri.host()),
        Some(uri) => uri.host().to_string(),
        None => host,
    }
}

/// The Request-URI again, for the next hop of a request that failed at the one before.
pub(crate) fn retarget(house: &mut House, key: PassKey) {
    let Some(pass) = house.passes.get(key) else { return };
    let hop = pass.hops.first().copied();
    if hop.is_none_or(|hop| hop.side == Side::Phones) {
        return;
    }
    let uri = uri_towards_pbx(house, &pass.request, &pass.arrived, hop.as_ref());
    if let Some(pass) = house.passes.get_mut(key) {
        pass.uri = uri.into();
    }
}

/// Takes the Route that brought the request to us away and leaves the others (RFC 3261 §16.4).
pub(crate) fn keep_foreign_routes<'m>(
    house: &House,
    request: &Message,
    arrived: &Flow,
    edit: Edit<'m>,
) -> Edit<'m> {
    if request.get(Name::Route).is_none() {
        return edit;
    }
    let is_ours = |route: &&str| {
        NameAddr::read(route)
            .and_then(|address| {
                SipUri::read(address.uri()).map(|uri| house.is_our_route(&uri, arrived))
            })
            .unwrap_or(false)
    };
    let routes = request.values(Name::Route).skip_while(is_ours).map(Into::into).collect();
    edit.set_all(Name::Route, routes)
}

/// A From or To value as the PBX is to see it.
pub(crate) fn party_towards_pbx(house: &House, value: &str, arrived: &Flow) -> Option<String> {
    let domain = house.settings.rewrite_domain.as_ref()?;
    let address = NameAddr::read(value)?;
    let uri = SipUri::read(address.uri())?;
    house.is_us(&uri, arrived).then(|| address.with_uri(&uri.with_host_port(domain.as_str())))
}

/// From and To hosts become the PBX's domain where they named us and the operator asked for it.
pub(crate) fn rewrite_parties<'m>(
    house: &House,
    request: &Message,
    arrived: &Flow,
    towards: Side,
    mut edit: Edit<'m>,
) -> Edit<'m> {
    if towards == Side::Phones || house.settings.rewrite_domain.is_none() {
        return edit;
    }
    for name in [Name::From, Name::To] {
        if let Some(value) = request.get(name)
            && let Some(rewritten) = party_towards_pbx(house, value, arrived)
        {
            edit = edit.set(name, rewritten);
        }
    }
    edit
}
