//! Which of our addresses leads to a peer, where a socket is bound to a wildcard.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use rustc_hash::FxHashMap;

use base::Moment;

/// Routes change seldom; a wrong one lasts no longer than this.
const KEPT: std::time::Duration = std::time::Duration::from_secs(60);

/// More peers than any house has PBX addresses.
const MOST: usize = 1024;

/// The routes that were looked up, by peer.
#[derive(Debug, Default)]
pub(super) struct Routes {
    known: FxHashMap<IpAddr, (IpAddr, Moment)>,
}

impl Routes {
    /// Our address towards `peer`; none if no route leads there.
    pub(super) fn towards(&mut self, at: Moment, peer: IpAddr) -> Option<IpAddr> {
        if let Some((local, until)) = self.known.get(&peer)
            && at < *until
        {
            return Some(*local);
        }
        let local = look_up(peer).ok()?;
        if self.known.len() >= MOST {
            self.known.clear();
        }
        self.known.insert(peer, (local, at + KEPT));
        Some(local)
    }
}

/// Asks the system by connecting a socket, which sends nothing.
fn look_up(peer: IpAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match peer {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
    socket.connect(SocketAddr::new(peer, 5060))?;
    Ok(socket.local_addr()?.ip().to_canonical())
}
