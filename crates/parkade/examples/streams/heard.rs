//! What one end hears: losses, jitter, and changes of what it hears.

use crate::packet::{Read, SAMPLE};

/// The newest packet.
struct Last {
    at: i64,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    is_talk: bool,
}

/// A change from talk to music or back.
#[derive(Clone, Copy)]
pub(crate) struct Switch {
    pub(crate) to_talk: bool,
    /// Nanoseconds between the last packet of the one and the first of the other.
    pub(crate) gap: i64,
}

/// One end's ear.
#[derive(Default)]
pub(crate) struct Heard {
    last: Option<Last>,
    /// Interarrival jitter in nanoseconds (RFC 3550 §6.4.1).
    pub(crate) jitter: f64,
    pub(crate) packets: u64,
    /// Sequence numbers that have not come.
    pub(crate) missing: i64,
    pub(crate) switches: Vec<Switch>,
}

impl Heard {
    /// What comes from now on counts.
    pub(crate) fn forget(&mut self) {
        *self = Heard::default();
    }

    /// A packet has come.
    pub(crate) fn take(&mut self, at: i64, read: &Read) {
        self.packets += 1;
        let is_talk = read.talk.is_some();
        let now = Last {
            at,
            sequence: read.sequence,
            timestamp: read.timestamp,
            ssrc: read.ssrc,
            is_talk,
        };
        if let Some(last) = &self.last {
            if last.is_talk != is_talk {
                self.switches.push(Switch { to_talk: is_talk, gap: at - last.at });
            } else if last.ssrc == read.ssrc {
                let step = read.sequence.wrapping_sub(last.sequence).cast_signed();
                self.missing += i64::from(step) - 1;
                if step <= 0 {
                    // It was counted as missing when a later one came.
                    self.missing -= i64::from(step);
                    return;
                }
                let ticks = read.timestamp.wrapping_sub(last.timestamp).cast_signed();
                let apart = (at - last.at - i64::from(ticks) * SAMPLE).abs() as f64;
                self.jitter += (apart - self.jitter) / 16.0;
            }
        }
        self.last = Some(now);
    }
}
