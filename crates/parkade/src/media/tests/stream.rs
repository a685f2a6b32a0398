//! A call in packets: a phone, two sockets of ours, and a PBX.

use std::fs::File;
use std::net::{SocketAddr, UdpSocket};

use crate::media::kernel::Way;
use crate::media::tests::net::{Net, any, at};

/// The usual ends.
pub(in crate::media) const PHONE: &str = "192.0.2.10:4000";
pub(in crate::media) const OURS: [&str; 2] = ["192.0.2.1:30000", "198.51.100.1:30002"];
pub(in crate::media) const PBX: &str = "198.51.100.20:5000";

/// What the phone of the usual ends says to the PBX, where ours are bound to the wildcard.
pub(in crate::media) fn way() -> Way {
    Way { from: at(PHONE), at: at("0.0.0.0:30000"), by: at("0.0.0.0:30002"), to: at(PBX) }
}

/// One stream, RTP or RTCP, with all four ends.
pub(in crate::media) struct Stream {
    pub(in crate::media) phone: UdpSocket,
    /// Our socket towards the phone, and towards the PBX.
    pub(in crate::media) ours: [UdpSocket; 2],
    pub(in crate::media) pbx: UdpSocket,
    /// From the phone, and from the PBX.
    pub(in crate::media) ways: [Way; 2],
}

impl Stream {
    /// Sockets at these addresses: the phone in its network, the PBX in that one; ours are bound to
    /// the wildcard.
    pub(in crate::media) fn between(
        net: &Net,
        phone: &str,
        ours: [&str; 2],
        (pbx_side, pbx): (&File, &str),
    ) -> Stream {
        let wildcard = |address: &str| SocketAddr::new(any(at(address).ip()), at(address).port());
        let ours_bound = ours.map(|address| UdpSocket::bind(wildcard(address)).unwrap());
        let there =
            Way { from: at(phone), at: wildcard(ours[0]), by: wildcard(ours[1]), to: at(pbx) };
        let back = Way { from: there.to, at: there.by, by: there.at, to: there.from };
        Stream {
            phone: net.socket(&net.phones, phone),
            ours: ours_bound,
            pbx: net.socket(pbx_side, pbx),
            ways: [there, back],
        }
    }

    /// Between the usual ends.
    pub(in crate::media) fn usual(net: &Net) -> Stream {
        Stream::between(net, PHONE, OURS, (&net.pbx, PBX))
    }
}
