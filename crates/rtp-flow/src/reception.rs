//! What comes from one far side, measured packet by packet (RFC 3550 §6.4.1, §A.1, §A.3, §A.8).

use std::time::Duration;

use base::Moment;

use crate::packet::{Header, static_clock};
use crate::quality::{Quality, Reported};
use crate::rtcp::Block;

/// A packet further ahead than this is of a source that has begun anew (RFC 3550 §A.1).
const DROPOUT: u16 = 3_000;
/// The clocks in use for RTP, in hertz.
const CLOCKS: [u32; 9] = [8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 48_000, 90_000];
/// After how many packets of a source its clock is measured.
const MEASURED_AFTER: u32 = 32;
/// After how many packets jitter says something: its estimate has forgotten the first then.
const SETTLED: u32 = 16;

/// The measures of one far side.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reception {
    source: Option<Source>,
    expected: u64,
    received: u64,
    unseen: u64,
    reordered: u64,
    repeated: u64,
    sources: u32,
    worst_jitter: Duration,
    reported: Option<Reported>,
}

/// One SSRC of it.
#[derive(Debug, Clone, Copy)]
struct Source {
    ssrc: u32,
    newest: u16,
    timestamp: u32,
    payload_type: u8,
    /// Which of the 64 packets before the newest have come, the newest in the lowest bit.
    came: u64,
    /// How many have gone by unseen since the newest.
    unseen: u64,
    packets: u32,
    began: (u32, Moment),
    clock: Option<u32>,
    /// Arrival less timestamp of the newest, in clock ticks.
    transit: Option<u32>,
    /// In sixteenths of a tick.
    jitter: u32,
}

/// The clock that leads from one (timestamp, moment) to another, if it is one of those in use.
pub(crate) fn measured(from: (u32, Moment), to: (u32, Moment)) -> Option<u32> {
    let micros = to.1.since(from.1).as_micros() as u64;
    if micros < 200_000 {
        return None;
    }
    let rate = u64::from(to.0.wrapping_sub(from.0)) * 1_000_000 / micros;
    let nearest = CLOCKS.into_iter().min_by_key(|clock| u64::from(*clock).abs_diff(rate))?;
    (u64::from(nearest).abs_diff(rate) * 5 < u64::from(nearest)).then_some(nearest)
}

impl Source {
    fn begin(now: Moment, header: &Header) -> Source {
        Source {
            ssrc: header.ssrc,
            newest: header.seq,
            timestamp: header.timestamp,
            payload_type: header.payload_type,
            came: 1,
            unseen: 0,
            packets: 1,
            began: (header.timestamp, now),
            clock: static_clock(header.payload_type),
            transit: None,
            jitter: 0,
        }
    }

    fn jitter(&self) -> Duration {
        let clock = u64::from(self.clock.unwrap_or(8_000));
        Duration::from_micros(u64::from(self.jitter) * 1_000_000 / 16 / clock)
    }

    /// Takes a newer packet's time into account (§A.8). A timestamp that stands still, a digit or a
    /// video frame, says nothing; nor does one of another payload type.
    fn time(&mut self, now: Moment, header: &Header) {
        if header.payload_type != self.payload_type {
            (self.payload_type, self.transit) = (header.payload_type, None);
            self.clock = static_clock(header.payload_type).or(self.clock);
        }
        if self.clock.is_none() && self.packets >= MEASURED_AFTER {
            self.clock = measured(self.began, (header.timestamp, now));
        }
        let Some(clock) = self.clock else { return };
        if header.timestamp == self.timestamp && self.transit.is_some() {
            return;
        }
        let arrival = u128::from(now.as_micros()) * u128::from(clock) / 1_000_000;
        let transit = (arrival as u32).wrapping_sub(header.timestamp);
        if let Some(before) = self.transit {
            let apart = (transit.wrapping_sub(before) as i32).unsigned_abs();
            // More than a second is no jitter: the source has set its clock.
            if apart <= clock {
                self.jitter = self.jitter + apart - ((self.jitter + 8) >> 4);
            }
        }
        self.transit = Some(transit);
    }
}

impl Reception {
    /// A packet has come.
    pub(crate) fn hear(&mut self, now: Moment, header: &Header) {
        self.received += 1;
        let Some(source) = self.source.as_mut().filter(|source| source.ssrc == header.ssrc) else {
            let unseen = self.source.map_or(0, |source| source.unseen);
            self.expected += unseen + 1;
            self.sources += 1;
            self.source = Some(Source::begin(now, header));
            return;
        };
        let ahead = header.seq.wrapping_sub(source.newest);
        let behind = source.newest.wrapping_sub(header.seq);
        source.packets = source.packets.saturating_add(1);
        if source.unseen > 0 {
            // Of those that went by, as many are missing as the numbers have gone on further.
            let missing = ahead.wrapping_sub(1).wrapping_sub(source.unseen as u16) as i16;
            self.expected += source.unseen + 1 + u64::from(missing.max(0).unsigned_abs());
            let jitter = source.jitter;
            *source = Source { packets: source.packets, ..Source::begin(now, header) };
            source.jitter = jitter;
        } else if ahead == 0 {
            self.repeated += 1;
            self.received -= 1;
        } else if ahead <= DROPOUT {
            self.expected += u64::from(ahead);
            source.time(now, header);
            source.came = source.came.checked_shl(ahead.into()).unwrap_or(0) | 1;
            (source.newest, source.timestamp) = (header.seq, header.timestamp);
            if source.packets > SETTLED {
                self.worst_jitter = self.worst_jitter.max(source.jitter());
            }
        } else if behind < 64 {
            let bit = 1 << behind;
            if source.came & bit == 0 {
                self.reordered += 1;
                source.came |= bit;
            } else {
                self.repeated += 1;
                self.received -= 1;
            }
        } else {
            self.expected += 1;
            *source = Source { clock: source.clock, ..Source::begin(now, header) };
        }
    }

    /// So many have gone by on a fast path.
    pub(crate) fn passed_by(&mut self, packets: u64) {
        self.received += packets;
        self.unseen += packets;
        match &mut self.source {
            Some(source) => source.unseen += packets,
            None => self.expected += packets,
        }
    }

    /// The far side has reported what it hears of a stream of that clock.
    pub(crate) fn report(&mut self, block: Block, clock: u32) {
        let micros = u64::from(block.jitter) * 1_000_000 / u64::from(clock.max(1));
        let Block { fraction_lost, lost, .. } = block;
        let jitter = Duration::from_micros(micros);
        self.reported = Some(Reported { fraction_lost, lost, jitter });
    }

    /// What it has been like so far.
    pub(crate) fn quality(&self) -> Quality {
        let waiting = self.source.map_or(0, |source| source.unseen);
        Quality {
            received: self.received,
            unseen: self.unseen,
            lost: (self.expected + waiting).saturating_sub(self.received),
            reordered: self.reordered,
            repeated: self.repeated,
            sources: self.sources,
            jitter: self.source.map_or(Duration::ZERO, |source| source.jitter()),
            worst_jitter: self.worst_jitter,
            reported: self.reported,
        }
    }
}
