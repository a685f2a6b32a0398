//! Who it is that speaks, as far as can be told before a message is read: whoever keeps strangers in
//! bounds must leave phones and the PBX alone.

use std::net::IpAddr;

use base::{Flow, Side};

use crate::calls;
use crate::engine::Engine;
use crate::house::House;
use crate::lots;
use crate::watches;

/// Who speaks by a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// The PBX.
    Pbx,
    /// Somebody on the PBX's side who may not speak there.
    Foreign,
    /// A phone that is registered by this very flow, a device that need not register, or another node.
    Known,
    /// Somebody who names a leg or a subscription by its token. We have given that to its peer and to nobody
    /// else, so what we send there arrives.
    InDialog,
    /// Nobody known, but at an address where phones are registered.
    Neighbour,
    /// Nobody known.
    Stranger,
}

impl Engine {
    /// Who speaks by this flow. `uri` is the Request-URI, if it is a request.
    pub fn standing(&self, flow: &Flow, uri: Option<&str>) -> Standing {
        of(&self.house, flow, uri)
    }
}

/// See [`Engine::standing`].
pub(crate) fn of(house: &House, flow: &Flow, uri: Option<&str>) -> Standing {
    let ip = flow.peer.ip();
    if flow.side == Side::Pbx {
        let trusted = house.settings.pbx_trusted.as_deref();
        return match () {
            () if house.uplink.trusts(ip, trusted) => Standing::Pbx,
            () if names_ours(house, uri) => Standing::InDialog,
            () => Standing::Foreign,
        };
    }
    let is_node = house.cluster.is_node(ip, house.at);
    if is_node
        || house.contacts.has_flow(flow)
        || lots::is_trusted(house, flow)
        || is_pbx(house, ip)
    {
        return Standing::Known;
    }
    if names_ours(house, uri) {
        return Standing::InDialog;
    }
    if house.contacts.is_home(ip) { Standing::Neighbour } else { Standing::Stranger }
}

/// Whether the PBX itself is there: a wide `pbx.trusted` may hold the phones too, and does not count.
fn is_pbx(house: &House, ip: IpAddr) -> bool {
    house.uplink.trusts(ip, None)
}

fn names_ours(house: &House, uri: Option<&str>) -> bool {
    uri.is_some_and(|uri| {
        calls::leg_of(house, uri).is_some() || watches::of_uri(house, uri).is_some()
    })
}
