//! What the program is told of a call, and what it makes of its packets.

use base::Moment;
use rtp_flow::{Passed, Sent, Shift};

use crate::media::kernel::WayOrder;
use crate::media::shifter::{Shifted, Shifter};
use crate::media::tests::net::{at, heard, silent};
use crate::media::tests::stream::Stream;

/// What the tests bind.
pub(super) const SOCKETS: u32 = 4_000;

/// What the phone calls itself, and as whom the PBX knows what it hears.
pub(super) const SSRC: u32 = 0x1234_5678;
pub(super) const STREAM: u32 = 0xfeed_f00d;

/// The program; none, said aloud, where it cannot be loaded.
pub(super) fn shifter() -> Option<Shifter> {
    match Shifter::open(SOCKETS) {
        Ok(shifter) => Some(shifter),
        Err(why) => {
            eprintln!("SKIPPED, no program can be loaded into this kernel: {why}");
            None
        }
    }
}

/// By how much the tests move things.
pub(super) fn moved() -> Shift {
    let last = Sent { sequence: 777 + 99, timestamp: 0xffff_ff00, at: Moment::ZERO };
    Shift { from_ssrc: SSRC, to_ssrc: STREAM, sequence: 777, timestamp: 0xffff_0000, last }
}

/// RTP of the phone: its numbers begin at 100, its time runs with them.
pub(super) fn rtp(ssrc: u32, seq: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x80, 8];
    bytes.extend(seq.to_be_bytes());
    bytes.extend((0xff00 + u32::from(seq.wrapping_sub(99)) * 160).to_be_bytes());
    bytes.extend(ssrc.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// The same as the PBX gets it.
pub(super) fn shifted(seq: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = rtp(STREAM, seq, payload);
    let timestamp = u32::from_be_bytes(bytes[4..8].try_into().unwrap());
    bytes[2..4].copy_from_slice(&seq.wrapping_add(777).to_be_bytes());
    bytes[4..8].copy_from_slice(&timestamp.wrapping_add(0xffff_0000).to_be_bytes());
    bytes
}

impl Stream {
    /// Opens both directions: what the phone sends is moved, what the PBX sends is nothing's first.
    #[track_caller]
    pub(super) fn open(&self, shifter: &Shifter) {
        let [there, back] = self.ways;
        let last = Sent { sequence: 99, timestamp: 0, at: Moment::ZERO };
        let as_it_is = Shift { from_ssrc: SSRC, to_ssrc: SSRC, sequence: 0, timestamp: 0, last };
        let orders =
            [(WayOrder::Open(there), Some(moved())), (WayOrder::Open(back), Some(as_it_is))];
        assert_eq!(shifter.apply(Moment::ZERO, &orders).refused, []);
    }

    /// Closes what comes from the phone; what went that way.
    #[track_caller]
    pub(super) fn close(&self, shifter: &Shifter, now: Moment) -> Passed {
        let Shifted { refused, ended } =
            shifter.apply(now, &[(WayOrder::Close(self.ways[0]), None)]);
        assert_eq!((refused, ended.len()), (vec![], 1));
        ended[0].1
    }

    /// That packets go both ways, that each far side sees only our address and one stream, and that
    /// nothing of it comes to our sockets. The numbers go on from 100.
    #[track_caller]
    pub(super) fn goes_through_as_one(&self, ours: [&str; 2]) {
        for seq in 100..103 {
            let payload = [seq as u8; 160];
            self.phone.send_to(&rtp(SSRC, seq, &payload), ours[0]).unwrap();
            assert_eq!(heard(&self.pbx), (shifted(seq, &payload), at(ours[1])));
            self.pbx.send_to(&rtp(SSRC, seq, &payload), ours[1]).unwrap();
            assert_eq!(heard(&self.phone), (rtp(SSRC, seq, &payload), at(ours[0])));
        }
        self.ours.iter().for_each(silent);
    }
}
