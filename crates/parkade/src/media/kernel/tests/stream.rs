//! What the table is told of a call, and what it does then.

use crate::media::kernel::{Applied, Claim, Kernel, Way, WayOrder};
use crate::media::tests::net::{any, at, heard, silent};
use crate::media::tests::stream::Stream;

/// What the tests bind.
pub(super) fn claim() -> Claim {
    let wildcard = any(at("192.0.2.1:1").ip());
    Claim { ports: 30_000..=39_999, phones: wildcard, pbx: wildcard }
}

impl Stream {
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
