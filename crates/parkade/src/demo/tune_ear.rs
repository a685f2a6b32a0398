//! An ear that knows the tune: is each packet a piece of it, and the one that follows the last?

use rtp_flow::Encoded;

/// Milliseconds in a packet of the demo's phones.
const PACKET: u8 = 20;
/// The same in the tune's unit of 10 ms.
const STEP: u64 = 2;
/// An RTP header without extensions (RFC 3550 §5.1), which is all that the house sends.
const HEADER: usize = 12;

/// The ear of one listener.
#[derive(Debug)]
pub(super) struct TuneEar {
    tune: Encoded,
    /// Where in the tune the last packet was.
    at: Option<u64>,
    in_a_row: u32,
}

impl TuneEar {
    pub(super) fn new(tune: Encoded) -> TuneEar {
        TuneEar { tune, at: None, in_a_row: 0 }
    }

    /// Hears an RTP packet.
    pub(super) fn hear(&mut self, packet: &[u8]) {
        let payload = packet.get(HEADER..).unwrap_or_default();
        let next = self.at.map(|at| (at + STEP) % self.tune.len());
        // What repeats itself within the tune must not look like a jump.
        if let Some(next) = next.filter(|next| self.tune.packet(*next, PACKET) == payload) {
            self.at = Some(next);
            self.in_a_row += 1;
            return;
        }
        self.at = self.tune.position_of(payload, PACKET);
        self.in_a_row = u32::from(self.at.is_some());
    }

    /// How many packets were of the tune, each following the one before it, up to the last one heard.
    pub(super) fn in_a_row(&self) -> u32 {
        self.in_a_row
    }

    /// Where in the tune the last packet was, in seconds.
    pub(super) fn seconds(&self) -> f64 {
        self.at.unwrap_or_default() as f64 / 100.0
    }

    /// Forgets what it heard.
    pub(super) fn forget(&mut self) {
        (self.at, self.in_a_row) = (None, 0);
    }
}

#[cfg(test)]
mod tests {
    use rtp_flow::{Codec, Encoded, melody};

    use super::{HEADER, TuneEar};

    #[test]
    fn packets_of_the_tune_count_as_long_as_each_follows_the_last() {
        let tune = Encoded::encode(Codec::Pcma, &melody()).unwrap();
        let mut ear = TuneEar::new(tune.clone());
        let packet = |at| [&[0; HEADER][..], &tune.packet(at, 20)].concat();
        for at in [400, 402, 404] {
            ear.hear(&packet(at));
        }
        assert_eq!((ear.in_a_row(), ear.seconds()), (3, 4.04));
        ear.hear(&packet(800));
        assert_eq!(ear.in_a_row(), 1);
        ear.hear(&[0x55; HEADER + 160]);
        assert_eq!(ear.in_a_row(), 0);
    }
}
