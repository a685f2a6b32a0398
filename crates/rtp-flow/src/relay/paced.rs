//! Music and comfort noise, each packet when it is due.

use std::net::SocketAddr;

use base::Moment;
use bytes::{Bytes, BytesMut};

use crate::egress::Paced;
use crate::packet::HEADER_LEN;
use crate::plan::{Hears, MediaNotice};
use crate::relay::path::{Lingering, Path};
use crate::relay::streams::Relay;
use crate::tune::units;
use crate::verdict::Outgoing;
use crate::wheel::moment_of;

/// The level of comfort noise, in -dBov (RFC 3389 §3.1): a quiet room.
const NOISE: &[u8] = &[70];
/// Encrypted packets are made in pieces of memory of this size.
const PIECE: usize = 32_768;

impl Relay {
    /// The next packet of music or comfort noise that is due at `now`; call until there is none.
    pub fn due(&mut self, now: Moment) -> Option<Outgoing> {
        while let Some((key, tick)) = self.wheel.due(now) {
            if let Some(outgoing) = self.play(key, tick) {
                self.counts.paced += 1;
                return Some(outgoing);
            }
        }
        None
    }

    /// When music is due next; none if nobody hears any.
    pub fn next(&self) -> Option<Moment> {
        self.wheel.next()
    }

    /// What the stream on the wheel under `key` sends at `tick`.
    fn play(&mut self, key: usize, tick: u64) -> Option<Outgoing> {
        if self.paths.get(key)?.opened.is_some() {
            return self.play_opening(key, tick);
        }
        let lingering = self.paths.get(key)?.lingering;
        if lingering.is_some_and(|music| music.until <= moment_of(tick)) {
            self.stop_playing(key);
            return None;
        }
        let path = self.paths.get_mut(key)?;
        let (plan, length) = (path.plan.as_ref()?, path.playing.as_ref()?.length);
        let (_, to) = path.way_out(plan, false)?;
        let (payload, payload_type, clock) = match &plan.hears {
            Hears::Stream { .. } => {
                let Lingering { tune, codec, payload_type, .. } = lingering?;
                let payload = self.tunes.encoded(tune, codec)?.packet(path.played, length);
                path.played += units(length);
                (payload, payload_type, codec.clock())
            }
            Hears::Music { tune, codec, payload_type, .. } => {
                let payload = self.tunes.encoded(*tune, *codec)?.packet(path.played, length);
                path.played += units(length);
                (payload, *payload_type, codec.clock())
            }
            Hears::Silence { payload_type, clock } => {
                (Bytes::from_static(NOISE), *payload_type, *clock)
            }
            Hears::Nothing => return None,
        };
        let paced = Paced { tick, clock, length, payload_type, payload_len: payload.len() };
        let header = path.egress.pace(paced, &mut self.chance).to_bytes();
        path.outgoing(to, header, payload, &mut self.sealed)
    }

    /// The same while there is an opening. It goes on also where its far side cannot be reached yet.
    fn play_opening(&mut self, key: usize, tick: u64) -> Option<Outgoing> {
        let path = self.paths.get_mut(key)?;
        let length = path.playing.as_ref()?.length;
        let opened = path.opened.as_mut()?;
        let (payload_type, clock) = (opened.opening.payload_type, opened.opening.codec.clock());
        let mark = opened.opening.mark;
        let payload = opened.next(&self.tunes, length);
        let is_over = opened.is_over(&self.tunes);
        let to = path.plan.as_ref().and_then(|plan| path.way_out(plan, false));
        let outgoing = payload.zip(to).and_then(|(payload, (_, to))| {
            let paced = Paced { tick, clock, length, payload_type, payload_len: payload.len() };
            let header = path.egress.pace(paced, &mut self.chance).to_bytes();
            path.outgoing(to, header, payload, &mut self.sealed)
        });
        if is_over {
            path.opened = None;
            self.notices.push_back(MediaNotice::Opened { mark });
            self.stop_playing(key);
            self.feed(moment_of(tick), key);
        }
        outgoing
    }
}

impl Path {
    /// A packet of our own as it leaves: encrypted where the far side speaks SRTP. None where its key is
    /// used up.
    fn outgoing(
        &mut self,
        to: SocketAddr,
        header: [u8; HEADER_LEN],
        mut payload: Bytes,
        room: &mut BytesMut,
    ) -> Option<Outgoing> {
        if let Some(session) = &mut self.srtp {
            let len = HEADER_LEN + payload.len();
            let whole = len + session.sender.growth();
            if room.capacity() < whole {
                room.reserve(PIECE.max(whole));
            }
            room.extend_from_slice(&header);
            room.extend_from_slice(&payload);
            room.resize(whole, 0);
            let mut packet = room.split();
            session.sender.rtp(&mut packet, len).ok()?;
            payload = packet.freeze().slice(HEADER_LEN..);
        }
        Some(Outgoing { pair: self.pair, to, header, payload })
    }
}
