//! What a far side gets, whoever feeds it, in one of two manners. As one unbroken RTP stream: the SSRC
//! is that of the first source; at each switch to another feed the sequence goes on by one, the
//! timestamp by the time that has passed, and the marker is set. Or, where packets may go without us,
//! as it comes: at each switch to another feed the marker is set, and the SSRC is another source's
//! (RFC 3550 §5.1, §8). Within a feed, loss and order stay as they are.

use std::time::Duration;

use base::{Chance, Moment};

use crate::fast_path::{Sent, Shift};
use crate::packet::{HEADER_LEN, Header, is_rtcp, static_clock};
use crate::plan::PairId;
use crate::reception::measured;
use crate::wheel::moment_of;

/// After how many packets of a feed its clock is measured.
const MEASURED_AFTER: u32 = 32;
/// For how long packets of a source's former SSRC still count as under way.
const UNDER_WAY: Duration = Duration::from_millis(100);

/// How a far side gets what several feed in turn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As one stream.
    #[default]
    OneStream,
    /// Each source under its own name.
    AsItComes,
}

/// The stream towards one far side.
#[derive(Debug, Clone)]
pub(crate) struct Egress {
    manner: Manner,
    /// Its source identity; meaningless until it has started.
    pub(crate) ssrc: u32,
    /// Whether it has ever been anything else than its first source's own stream.
    pub(crate) switched: bool,
    /// What is being sent: nothing between two feeds.
    pub(crate) feed: Option<Feed>,
    /// Packets sent, as a sender report counts them (RFC 3550 §6.4.1).
    pub(crate) packets: u32,
    /// Payload bytes sent (ibid.).
    pub(crate) octets: u32,
    started: bool,
    /// The newest sequence number sent, …
    seq: u16,
    /// … the newest timestamp, …
    timestamp: u32,
    /// … and when that was first sent.
    at: Moment,
    /// Clock ticks in a packet.
    step: u32,
    clock: u32,
}

/// Who feeds a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Feed {
    /// Another pair's far side.
    Relayed(Relayed),
    /// Our own music or comfort noise.
    Paced {
        /// The wheel's tick at which it began, …
        since: u64,
        /// … and the timestamp there.
        timestamp: u32,
    },
}

/// A source whose packets are passed on, and what is added to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Relayed {
    pub(crate) from: PairId,
    pub(crate) ssrc: u32,
    pub(crate) seq_offset: u16,
    pub(crate) timestamp_offset: u32,
    /// The newest sequence number of the source.
    newest: u16,
    /// How many numbers the feed has lasted; what is older belongs before the switch.
    lasted: u32,
    /// The source's own timestamp when it began, and when that was: its clock is measured by them.
    began: (u32, Moment),
    /// The SSRC that the source had before, until what is under way of it has come.
    former: Option<(u32, Moment)>,
    /// Whether nothing was sent before it, so that older packets cannot collide with anything.
    first: bool,
}

/// The packet is older than the switch to its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Late;

/// How a packet stands to those that its source has sent before.
enum Standing {
    /// The newest, by so many numbers.
    Newer(u16),
    /// Out of order, but of this feed.
    Older,
    /// From before this feed.
    Late,
    /// The source has begun anew; this was its SSRC before.
    Anew(Option<(u32, Moment)>),
}

/// What our own music or noise puts into one packet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paced {
    pub(crate) tick: u64,
    pub(crate) clock: u32,
    /// Milliseconds in the packet.
    pub(crate) length: u8,
    pub(crate) payload_type: u8,
    pub(crate) payload_len: usize,
}

impl Relayed {
    fn standing(&self, now: Moment, header: &Header) -> Standing {
        if self.ssrc != header.ssrc {
            return match self.former {
                Some((ssrc, until)) if ssrc == header.ssrc && now < until => Standing::Late,
                _ => Standing::Anew(Some((self.ssrc, now + UNDER_WAY))),
            };
        }
        let ahead = header.seq.wrapping_sub(self.newest);
        let behind = self.newest.wrapping_sub(header.seq);
        if ahead <= Shift::AHEAD {
            Standing::Newer(ahead)
        } else if behind > Shift::BEHIND {
            Standing::Anew(self.former)
        } else if u32::from(behind) > self.lasted && !self.first {
            Standing::Late
        } else {
            Standing::Older
        }
    }
}

impl Default for Egress {
    fn default() -> Self {
        Egress {
            manner: Manner::OneStream,
            ssrc: 0,
            switched: false,
            feed: None,
            packets: 0,
            octets: 0,
            started: false,
            seq: 0,
            timestamp: 0,
            at: Moment::ZERO,
            step: 160,
            clock: 8_000,
        }
    }
}

impl Egress {
    /// A stream in which nothing has been sent.
    pub(crate) fn new(manner: Manner) -> Egress {
        Egress { manner, ..Egress::default() }
    }

    /// A stream under a key, of which one `former` may have been sent under the same: it is one stream
    /// whoever feeds it, and its source is nobody's own, since that may have used the key.
    pub(crate) fn under_key(now: Moment, former: u32, chance: &mut Chance) -> Egress {
        let (ssrc, chosen) = (chance.u32(), chance.u64());
        Egress {
            ssrc: ssrc ^ u32::from(ssrc == former),
            switched: true,
            started: true,
            // Far from where it runs over, so that its receiver counts right (RFC 3711 §3.3.1).
            seq: chosen as u16 & 0x7fff,
            timestamp: (chosen >> 16) as u32,
            at: now,
            ..Egress::default()
        }
    }

    /// Takes note of the source of a packet that goes by unread, if it looks like RTP: should we speak
    /// under its key later, it is not by its name.
    pub(crate) fn heed(&mut self, packet: &[u8]) {
        if let Some(fixed) = packet.first_chunk::<HEADER_LEN>()
            && fixed[0] >> 6 == 2
            && !is_rtcp(packet, true)
        {
            self.ssrc = u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]);
        }
    }

    /// Its clock, in hertz, as far as it is known.
    pub(crate) fn clock(&self) -> u32 {
        self.clock
    }

    /// When the next packet would come if the last feed went on; none if there was no feed yet.
    pub(crate) fn next_expected(&self) -> Option<Moment> {
        let micros = u64::from(self.step) * 1_000_000 / u64::from(self.clock.max(1));
        self.started.then(|| self.at + Duration::from_micros(micros))
    }

    /// Rewrites the header of a packet from `from`'s far side so that it goes on this stream.
    ///
    /// # Errors
    /// [`Late`] if its place on the stream has been taken by what was sent before the switch.
    pub(crate) fn pass_on(
        &mut self,
        now: Moment,
        from: PairId,
        header: &mut Header,
    ) -> Result<(), Late> {
        if self.manner == Manner::AsItComes {
            self.let_pass(now, from, header);
            return Ok(());
        }
        let feed = match self.feed {
            Some(Feed::Relayed(source)) if source.from == from => Some(source),
            _ => None,
        };
        let standing = feed.map_or(Standing::Anew(None), |source| source.standing(now, header));
        let source = match (feed, standing) {
            (_, Standing::Late) => return Err(Late),
            (Some(source), Standing::Older) => source,
            (Some(source), Standing::Newer(ahead)) => self.go_on(now, source, ahead, header),
            (_, Standing::Anew(former)) => self.begin(now, from, header, former),
            (None, _) => self.begin(now, from, header, None),
        };
        self.feed = Some(Feed::Relayed(source));
        header.seq = header.seq.wrapping_add(source.seq_offset);
        header.timestamp = header.timestamp.wrapping_add(source.timestamp_offset);
        header.ssrc = self.ssrc;
        self.count(header.payload_len);
        Ok(())
    }

    /// A packet goes on as it came, but for the marker where its source has just taken over.
    fn let_pass(&mut self, now: Moment, from: PairId, header: &mut Header) {
        let source = match self.feed {
            Some(Feed::Relayed(source)) if source.from == from => {
                match source.standing(now, header) {
                    Standing::Newer(ahead) => self.go_on(now, source, ahead, header),
                    Standing::Older | Standing::Late => source,
                    Standing::Anew(_) => {
                        // It says for itself where what it begins anew begins.
                        let marker = header.marker;
                        let source = self.begin(now, from, header, None);
                        header.marker = marker;
                        source
                    }
                }
            }
            _ => self.begin(now, from, header, None),
        };
        self.feed = Some(Feed::Relayed(source));
        self.count(header.payload_len);
    }

    /// The header of a packet of our own. `chance` names the stream if this is its first packet.
    pub(crate) fn pace(&mut self, paced: Paced, chance: &mut Chance) -> Header {
        let now = moment_of(paced.tick);
        let mut marker = false;
        let timestamp = match self.feed {
            Some(Feed::Paced { since, timestamp }) => {
                let ticks = paced.tick.saturating_sub(since) * u64::from(paced.clock) / 1_000;
                timestamp.wrapping_add(ticks as u32)
            }
            _ => {
                marker = true;
                if !self.started || self.manner == Manner::AsItComes {
                    let (chosen, former) = (chance.u64(), self.ssrc);
                    (self.seq, self.timestamp) = (chosen as u16, (chosen >> 16) as u32);
                    self.ssrc = chance.u32();
                    self.ssrc ^= u32::from(self.ssrc == former);
                    (self.started, self.at) = (true, now);
                }
                self.switched |= self.manner == Manner::OneStream;
                self.run_at(paced.clock);
                let timestamp = self.resume(now);
                self.feed = Some(Feed::Paced { since: paced.tick, timestamp });
                timestamp
            }
        };
        self.seq = self.seq.wrapping_add(1);
        (self.timestamp, self.at) = (timestamp, now);
        self.step = paced.clock / 1_000 * u32::from(paced.length);
        self.count(paced.payload_len);
        Header {
            marker,
            payload_type: paced.payload_type,
            seq: self.seq,
            timestamp,
            ssrc: self.ssrc,
            payload_len: paced.payload_len,
        }
    }

    /// Starts to pass on a source: transparently if it is the stream's first, else in step with what
    /// was sent before.
    fn begin(
        &mut self,
        now: Moment,
        from: PairId,
        header: &mut Header,
        former: Option<(u32, Moment)>,
    ) -> Relayed {
        let mut source = Relayed {
            from,
            ssrc: header.ssrc,
            seq_offset: 0,
            timestamp_offset: 0,
            newest: header.seq,
            lasted: 0,
            began: (header.timestamp, now),
            former,
            first: !self.started,
        };
        if let Some(clock) = static_clock(header.payload_type) {
            self.run_at(clock);
        }
        if self.manner == Manner::AsItComes {
            header.marker |= self.started;
            (self.ssrc, self.started) = (header.ssrc, true);
        } else if self.started {
            self.switched = true;
            header.marker = true;
            source.seq_offset = self.seq.wrapping_add(1).wrapping_sub(header.seq);
            source.timestamp_offset = self.resume(now).wrapping_sub(header.timestamp);
        } else {
            (self.ssrc, self.started) = (header.ssrc, true);
        }
        self.seq = header.seq.wrapping_add(source.seq_offset);
        self.timestamp = header.timestamp.wrapping_add(source.timestamp_offset);
        self.at = now;
        source
    }

    /// Takes note of the newest packet of a source.
    fn go_on(&mut self, now: Moment, mut source: Relayed, ahead: u16, header: &Header) -> Relayed {
        source.newest = header.seq;
        let before = source.lasted;
        source.lasted = before.saturating_add(u32::from(ahead));
        self.seq = header.seq.wrapping_add(source.seq_offset);
        let timestamp = header.timestamp.wrapping_add(source.timestamp_offset);
        let delta = timestamp.wrapping_sub(self.timestamp);
        // A timestamp that stands still (a digit, a video frame) keeps the moment at which it began.
        if delta != 0 && delta < u32::MAX / 2 {
            if ahead == 1 && delta <= self.clock / 8 {
                self.step = delta;
            }
            (self.timestamp, self.at) = (timestamp, now);
        }
        if before < MEASURED_AFTER
            && source.lasted >= MEASURED_AFTER
            && static_clock(header.payload_type).is_none()
            && let Some(clock) = measured(source.began, (header.timestamp, now))
        {
            self.clock = clock;
        }
        source
    }

    /// The timestamp at which a new feed goes on at `now`: later by what has passed, and by no less
    /// than the last packet's length, so that the two do not overlap.
    fn resume(&self, now: Moment) -> u32 {
        let micros = now.since(self.at).as_micros();
        let ticks = micros * u128::from(self.clock) / 1_000_000;
        self.timestamp.wrapping_add((ticks as u32).max(self.step))
    }

    fn run_at(&mut self, clock: u32) {
        if clock != self.clock && self.clock != 0 {
            self.step = (u64::from(self.step) * u64::from(clock) / u64::from(self.clock)) as u32;
        }
        self.clock = clock;
    }

    /// What makes the packets of `from` go on this stream without us. None as long as one that comes
    /// out of order may be from before the switch to them.
    pub(crate) fn shift(&self, from: PairId) -> Option<Shift> {
        let Some(Feed::Relayed(source)) = self.feed else { return None };
        let settled = source.from == from && source.lasted >= u32::from(Shift::BEHIND);
        settled.then_some(Shift {
            from_ssrc: source.ssrc,
            to_ssrc: self.ssrc,
            sequence: source.seq_offset,
            timestamp: source.timestamp_offset,
            last: Sent { sequence: self.seq, timestamp: self.timestamp, at: self.at },
        })
    }

    /// So many packets of `from` have gone on this stream without us, and so far it has gone by them.
    pub(crate) fn went_by(&mut self, from: PairId, packets: u64, octets: u64, last: Option<Sent>) {
        let Some(Feed::Relayed(source)) = &mut self.feed else { return };
        if source.from != from {
            return;
        }
        self.packets = self.packets.wrapping_add(packets as u32);
        self.octets = self.octets.wrapping_add(octets as u32);
        // What had come before them may have been sent by us after them.
        if let Some(last) = last.filter(|last| last.at >= self.at) {
            source.newest = last.sequence.wrapping_sub(source.seq_offset);
            source.lasted = source.lasted.saturating_add(packets.try_into().unwrap_or(u32::MAX));
            (self.seq, self.timestamp, self.at) = (last.sequence, last.timestamp, last.at);
        }
    }

    fn count(&mut self, payload_len: usize) {
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(payload_len as u32);
    }
}
