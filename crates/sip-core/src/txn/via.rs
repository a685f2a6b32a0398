//! Vias, which this layer owns: ours on the way out, the sender's on the way back, and where an
//! answer goes (RFC 3261 §18.1.1, §18.2, RFC 3581).

use std::net::{IpAddr, SocketAddr};

use base::{Flow, Side, Transport};
use sip_msg::{Message, Name, Via, via_seen_from};
use smallvec::SmallVec;

use super::branch::Branch;

/// The Via of a request of ours, as a value. Datagrams ask for `rport`: the answer then comes
/// through whatever translates addresses on the way. A PBX may send its requests by a TLS connection
/// that we opened (`alias`, RFC 5923 §5); phones are reached by theirs.
pub(super) fn of_ours(flow: &Flow, branch: Branch) -> String {
    let transport = flow.transport.in_via();
    let branch = branch.text();
    let port = flow.local.port();
    let wish = match (flow.transport, flow.side) {
        (Transport::Udp, _) => ";rport",
        (Transport::Tls, Side::Pbx) => ";alias",
        (Transport::Tcp | Transport::Tls, _) => "",
    };
    match flow.local.ip() {
        IpAddr::V4(ip) => format!("SIP/2.0/{transport} {ip}:{port};branch={branch}{wish}"),
        IpAddr::V6(ip) => format!("SIP/2.0/{transport} [{ip}]:{port};branch={branch}{wish}"),
    }
}

/// The Vias of an answer to `request`, which came from `source`.
pub(super) fn of_answer(request: &Message, source: SocketAddr) -> SmallVec<[String; 2]> {
    let mut values = request.values(Name::Via);
    let top = values.next().unwrap_or("");
    let top = via_seen_from(top, source).unwrap_or_else(|| top.to_owned());
    std::iter::once(top).chain(values.map(str::to_owned)).collect()
}

/// The way back to whom `via` stands for.
pub(super) fn way_back(flow: Flow, via: &Via<'_>) -> Flow {
    if flow.transport.is_reliable() {
        return flow;
    }
    let from_where_it_says = via.host_ip() == Some(flow.peer.ip());
    if via.rport().is_some() || !from_where_it_says {
        return flow;
    }
    let peer = SocketAddr::new(flow.peer.ip(), listening_port(flow.transport, via));
    Flow { peer, ..flow }
}

/// The port at which the sender listens for a new connection, should the one that it used be closed
/// before the answer (RFC 3261 §18.2.2).
pub(super) fn listening_port(transport: Transport, via: &Via<'_>) -> u16 {
    via.port().unwrap_or(transport.default_port())
}

/// Whether what was sent by `sent` was sent by `failed`. What went without a connection of its own
/// may have been given any to the same peer.
pub(super) fn is_same_way(sent: &Flow, failed: &Flow) -> bool {
    let may_have_used = sent.conn.is_none() || sent.conn == failed.conn;
    may_have_used && Flow { conn: None, ..*sent } == Flow { conn: None, ..*failed }
}
