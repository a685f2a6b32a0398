//! How long the timers run: RFC 3261 table 4 with the additions of RFC 6026 §8.

use std::time::Duration;

/// The three base intervals from which every transaction timer follows (RFC 3261 §17.1.1.1, §17.1.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// T1, the estimate of the round trip: 500 ms unless the network is known better.
    pub t1: Duration,
    /// T2, the longest pause between two sendings of the same thing: 4 s.
    pub t2: Duration,
    /// T4, how long a datagram may wander in the network: 5 s.
    pub t4: Duration,
}

impl Default for Timing {
    fn default() -> Timing {
        Timing {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
        }
    }
}

impl Timing {
    /// 64·T1, how long one side waits for the other: timers B, F, H, L and M, and how long after a
    /// CANCEL a final answer may take (§9.1).
    pub fn patience(&self) -> Duration {
        self.t1 * 64
    }

    /// Timer D: how long an INVITE client answers a repeated refusal with its ACK.
    pub fn d(&self, reliable: bool) -> Duration {
        if reliable { Duration::ZERO } else { self.patience().max(Duration::from_secs(32)) }
    }

    /// Timer I: how long an INVITE server absorbs repeated ACKs.
    pub fn i(&self, reliable: bool) -> Duration {
        if reliable { Duration::ZERO } else { self.t4 }
    }

    /// Timer J: how long a non-INVITE server repeats its answer to a repeated request.
    pub fn j(&self, reliable: bool) -> Duration {
        if reliable { Duration::ZERO } else { self.patience() }
    }

    /// Timer K: how long a non-INVITE client absorbs repeated answers.
    pub fn k(&self, reliable: bool) -> Duration {
        if reliable { Duration::ZERO } else { self.t4 }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Timing;

    #[test]
    fn the_intervals_are_those_of_the_table_in_the_rfc() {
        let timing = Timing::default();
        let ms = Duration::from_millis;
        let table = [
            ("T1, A, E, G at first", timing.t1, ms(500)),
            ("T2, the cap of E and G", timing.t2, ms(4_000)),
            ("T4", timing.t4, ms(5_000)),
            ("B, F, H, L, M", timing.patience(), ms(32_000)),
            ("D over UDP", timing.d(false), ms(32_000)),
            ("D over TCP", timing.d(true), ms(0)),
            ("I over UDP", timing.i(false), ms(5_000)),
            ("I over TCP", timing.i(true), ms(0)),
            ("J over UDP", timing.j(false), ms(32_000)),
            ("J over TCP", timing.j(true), ms(0)),
            ("K over UDP", timing.k(false), ms(5_000)),
            ("K over TCP", timing.k(true), ms(0)),
        ];
        for (timer, is, should) in table {
            assert_eq!(is, should, "{timer}");
        }
    }

    #[test]
    fn timer_d_is_never_under_thirty_two_seconds_over_udp() {
        let timing = Timing { t1: Duration::from_millis(10), ..Timing::default() };
        assert_eq!(timing.d(false), Duration::from_secs(32));
    }
}
