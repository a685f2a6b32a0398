//! By which interface a peer is reached, and what kind of interface that is.

use std::io;
use std::net::IpAddr;

use netlink_bindings::rt_link::{self, Ifinfomsg, OpGetlinkDo};
use netlink_bindings::rt_route::{self, OpGetrouteDo, Rtmsg};

use crate::media::kernel::Rtnetlink;

/// The families of addresses, as linux/socket.h has them.
const INET: u8 = 2;
const INET6: u8 = 10;
/// The kind of interface whose packets begin with an Ethernet header (linux/if_arp.h).
const ETHERNET: u16 = 1;

/// An interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) name: String,
    pub(super) ethernet: bool,
    /// The longest packet that goes out in one piece, IP header with it.
    pub(super) mtu: u16,
}

/// The number of the interface by which packets to a peer go out.
///
/// # Errors
/// If no route leads there.
pub(super) fn towards(netlink: &mut Rtnetlink, peer: IpAddr) -> io::Result<u32> {
    let (family, bits) = if peer.is_ipv4() { (INET, 32) } else { (INET6, 128) };
    let header = Rtmsg { rtm_family: family, rtm_dst_len: bits, ..Rtmsg::new() };
    let mut request = rt_route::Request::new().op_getroute_do(&header);
    request.encode().push_dst(peer);
    let mut interface = None;
    netlink.ask(&request, |message| {
        interface = OpGetrouteDo::decode_request(message).1.get_oif().ok();
    })?;
    interface.ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// What an interface is.
///
/// # Errors
/// If there is none of that number.
pub(super) fn link(netlink: &mut Rtnetlink, interface: u32) -> io::Result<Link> {
    let header = Ifinfomsg { ifi_index: interface as i32, ..Ifinfomsg::new() };
    let request = rt_link::Request::new().op_getlink_do(&header);
    let mut found = None;
    netlink.ask(&request, |message| {
        let (header, link) = OpGetlinkDo::decode_request(message);
        let (Ok(name), Ok(mtu)) = (link.get_ifname(), link.get_mtu()) else { return };
        found = Some(Link {
            name: name.to_string_lossy().into_owned(),
            ethernet: header.ifi_type == ETHERNET,
            mtu: mtu.try_into().unwrap_or(u16::MAX),
        });
    })?;
    found.ok_or_else(|| io::ErrorKind::NotFound.into())
}
