//! A call in packets: a phone, two sockets of ours, and a PBX.

use std::fs::File;
use std::net::{SocketAddr, UdpSocket};

use crate::media::kernel::{Applied, Claim, Kernel, Way, WayOrder};
use crate::media::tests::net::{Net, any, at, heard, silent};

/// What the tests bind.
pub(super) fn claim() -> Claim {
    let wildcard = any(at("192.0.2.1:1").ip());
    Claim { ports: 30_000..=39_999, phones: wildcard, pbx: wildcard }
}

/// One stream, RTP or RTCP, with all four ends.
pub(super) struct Stream {
    pub(super) phone: UdpSocket,
    /// Our socket towards the phone, and towards the PBX.
    pub(super) ours: [UdpSocket; 2],
    pub(super) pbx: UdpSocket,
    /// From the phone, and from the PBX.
    pub(super) ways: [Way; 2],
}

impl Stream {
    /// Sockets at these addresses: the phone in its network, the PBX in that one; ours are bound to
    /// the wildcard.
    pub(super) fn between(
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

    /// Opens both directions, or closes them.
    #[track_caller]
    pub(super) fn order(&self, kernel: &Kernel, order: fn(Way) -> WayOrder) -> Applied {
        let applied = kernel.apply(&self.ways.map(order)).unwrap();
        assert_eq!(applied.refused, []);
        applied
    }

    /// That packets go both ways, that each far side sees only our address, and that nothing of it
    /// comes to our sockets.
    #[track_caller]
    pub(super) fn goes_through(&self, ours: [&str; 2]) {
        for round in 0..3u8 {
            self.phone.send_to(&[round; 172], ours[0]).unwrap();
            assert_eq!(heard(&self.pbx), (vec![round; 172], at(ours[1])));
            self.pbx.send_to(&[round + 100; 172], ours[1]).unwrap();
            assert_eq!(heard(&self.phone), (vec![round + 100; 172], at(ours[0])));
        }
        self.ours.iter().for_each(silent);
    }
}
