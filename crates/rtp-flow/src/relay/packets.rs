//! What becomes of a packet that comes in.

use std::net::SocketAddr;

use base::Moment;

use crate::fast_path::Door;
use crate::latch::{Admission, canonical, reachable};
use crate::packet::{Header, is_rtcp};
use crate::plan::{Hears, MediaNotice, PairId, StreamKind};
use crate::relay::path::Path;
use crate::relay::streams::Relay;
use crate::rtcp::{Renaming, reported};
use crate::srtp::{Rejected, Unsent};
use crate::verdict::{Component, Verdict, Why};

/// What has come.
#[derive(Debug, Clone, Copy)]
enum Packet {
    Rtp(Header),
    Rtcp,
    /// Not ours to read.
    Opaque,
    /// The same at the second port.
    OpaqueRtcp,
}

impl Relay {
    /// As [`Relay::on_datagram`], for a packet that fills its buffer: nothing can be added to it, and so
    /// nothing can be encrypted.
    pub fn on_packet(
        &mut self,
        now: Moment,
        pair: PairId,
        component: Component,
        from: SocketAddr,
        packet: &mut [u8],
    ) -> Verdict {
        let len = packet.len();
        self.on_datagram(now, Door { pair, component }, from, packet, len)
    }

    /// What becomes of a packet that arrived at a socket from `from`, and has the first `len` bytes of
    /// `room`: it is rewritten there for whoever hears it. Nothing is allocated.
    pub fn on_datagram(
        &mut self,
        now: Moment,
        at: Door,
        from: SocketAddr,
        room: &mut [u8],
        len: usize,
    ) -> Verdict {
        match self.judge(now, at, canonical(from), room, len) {
            Ok(Verdict::Again) => Verdict::Again,
            Ok(verdict) => {
                self.counts.forwarded += 1;
                verdict
            }
            Err(why) => self.counts.drop(why),
        }
    }

    fn judge(
        &mut self,
        now: Moment,
        Door { pair, component: at }: Door,
        from: SocketAddr,
        room: &mut [u8],
        len: usize,
    ) -> Result<Verdict, Why> {
        let &key = self.by_pair.get(&pair).ok_or(Why::Idle)?;
        let len = self.unlock(now, key, at, from, &mut room[..len])?;
        let buf = &mut room[..len];
        let packet = self.admit(now, key, at, from, buf)?;
        if let Packet::Rtp(header) = &packet
            && self.is_elsewhere(now, key, header)
        {
            return Ok(Verdict::Again);
        }
        self.measure_packet(now, key, &packet, buf);
        let listener = *self.paths[key].listeners.last().ok_or(Why::Unheard)?;
        let &to_key = self.by_pair.get(&listener).ok_or(Why::Unheard)?;
        if key == to_key {
            return Err(Why::Unheard);
        }
        let (source, sink) = self.paths.get2_mut(key, to_key).ok_or(Why::Unheard)?;
        let plan = sink.plan.as_ref().ok_or(Why::Unheard)?;
        let Hears::Stream { payloads, .. } = &plan.hears else { return Err(Why::Unheard) };
        let rtcp = matches!(packet, Packet::Rtcp | Packet::OpaqueRtcp);
        let (by, to) = sink.way_out(plan, rtcp).ok_or(Why::Nowhere)?;
        let opaque = plan.kind == StreamKind::Opaque;
        let len = match packet {
            Packet::Rtcp if !opaque => {
                let renaming = Renaming::between(pair, &source.egress, listener, &sink.egress);
                match renaming.apply(buf) {
                    None => return Err(Why::NotRtp),
                    Some(0) => return Err(Why::Unrelated),
                    Some(len) => len,
                }
            }
            Packet::Rtp(_) if !opaque && sink.opened.is_some() => return Err(Why::Unheard),
            Packet::Rtp(mut header) if !opaque => {
                if let Some((_, out)) =
                    payloads.iter().find(|(come, _)| *come == header.payload_type)
                {
                    header.payload_type = *out;
                }
                sink.egress.pass_on(now, pair, &mut header).map_err(|_late| Why::Late)?;
                header.write_over(buf);
                buf.len()
            }
            // What one end has encrypted the other cannot read, nor may it go out as we have read it.
            _ if source.srtp.is_some() || sink.srtp.is_some() => return Err(Why::Unheard),
            _ => {
                sink.egress.heed(buf);
                buf.len()
            }
        };
        let len = sink.seal(rtcp, room, len)?;
        if let (Packet::Rtp(_), Some(_)) = (packet, self.paths[to_key].lingering) {
            self.stop_playing(to_key);
        }
        if self.fast {
            self.consider(now, (key, at, from), (to_key, by, to));
        }
        Ok(Verdict::Forward { pair: listener, component: by, to, len })
    }

    /// Checks and decrypts what comes from a far side that speaks SRTP with us; gives how many bytes are
    /// left. Until then it moves nothing: not even where its source is.
    fn unlock(
        &mut self,
        now: Moment,
        key: usize,
        at: Component,
        from: SocketAddr,
        packet: &mut [u8],
    ) -> Result<usize, Why> {
        let path = &mut self.paths[key];
        let (Some(plan), Some(session)) = (&path.plan, &mut path.srtp) else {
            return Ok(packet.len());
        };
        let (mut latch, signalled) = match at {
            Component::Rtp => (path.rtp, reachable(plan.far)),
            Component::Rtcp => (path.rtcp, reachable(plan.far_rtcp)),
        };
        if latch.admit(now, from, &plan.guard, signalled) == Admission::Refused {
            return Err(Why::Stranger);
        }
        let rtcp = at == Component::Rtcp || is_rtcp(packet, plan.rtcp_mux);
        session.open(now, rtcp, packet).map_err(|rejected| match rejected {
            Rejected::Malformed => Why::NotRtp,
            Rejected::Forged => Why::Forged,
            Rejected::Replayed => Why::Replayed,
        })
    }

    /// Lets a packet in or not: first by what it is, then by where it comes from.
    fn admit(
        &mut self,
        now: Moment,
        key: usize,
        at: Component,
        from: SocketAddr,
        buf: &[u8],
    ) -> Result<Packet, Why> {
        let path = &mut self.paths[key];
        let plan = path.plan.as_ref().ok_or(Why::Idle)?;
        let packet = match (plan.kind, at) {
            (StreamKind::Opaque, Component::Rtp) => Packet::Opaque,
            (StreamKind::Opaque, Component::Rtcp) => Packet::OpaqueRtcp,
            (StreamKind::Rtp, Component::Rtcp) if is_rtcp(buf, true) => Packet::Rtcp,
            (StreamKind::Rtp, Component::Rtcp) => return Err(Why::NotRtp),
            (StreamKind::Rtp, Component::Rtp) if is_rtcp(buf, plan.rtcp_mux) => Packet::Rtcp,
            (StreamKind::Rtp, Component::Rtp) => Packet::Rtp(Header::read(buf).ok_or(Why::NotRtp)?),
        };
        let (latch, signalled) = match at {
            Component::Rtp => (&mut path.rtp, reachable(plan.far)),
            Component::Rtcp => (&mut path.rtcp, reachable(plan.far_rtcp)),
        };
        let elsewhere = path.fast.is_open(at) && latch.source() != Some(from);
        if elsewhere && plan.guard.contains(&from.ip()) {
            // Until it has been seen otherwise the source goes on speaking, where nobody looks.
            latch.hear(now);
        }
        let admission = latch.admit(now, from, &plan.guard, signalled);
        if elsewhere && plan.guard.contains(&from.ip()) {
            self.come_back(now, key);
        }
        match admission {
            Admission::Refused => return Err(Why::Stranger),
            Admission::Latched => self.moved(key, at, from),
            Admission::Heard => {}
        }
        Ok(packet)
    }

    /// A far side is somewhere else than it was, or is heard for the first time.
    fn moved(&mut self, key: usize, at: Component, from: SocketAddr) {
        // What goes to where it was must go to where it is.
        let hears = self.paths[key].plan.as_ref().map(|plan| plan.hears.clone());
        self.close_to(hears.as_ref());
        if at == Component::Rtp {
            let pair = self.paths[key].pair;
            self.notices.push_back(MediaNotice::Latched { pair, from });
        }
    }

    /// What a packet says of the stream that it belongs to.
    fn measure_packet(&mut self, now: Moment, key: usize, packet: &Packet, buf: &[u8]) {
        match packet {
            Packet::Rtp(header) => {
                self.paths[key].reception.hear(now, header);
                self.watch_keys(now, key, header, buf);
            }
            Packet::Rtcp => {
                let path = &mut self.paths[key];
                if let Some(block) = reported(buf, path.egress.ssrc) {
                    path.reception.report(block, path.egress.clock());
                }
            }
            Packet::Opaque | Packet::OpaqueRtcp => {}
        }
    }

    /// Tells of a key, if a packet begins one and somebody wants to know.
    fn watch_keys(&mut self, now: Moment, key: usize, header: &Header, packet: &[u8]) {
        let path = &mut self.paths[key];
        let Some(watch) = path.plan.as_ref().and_then(|plan| plan.keys.as_ref()) else { return };
        if watch.payload_types.contains(&header.payload_type)
            && let Some(event) = path.pressed.hear(now, header, Header::payload_of(packet))
        {
            let (mark, timestamp) = (watch.mark, header.timestamp);
            self.notices.push_back(MediaNotice::Key { mark, event, timestamp });
        }
    }
}

impl Path {
    /// Encrypts what has the first `len` bytes of a room, where the far side speaks SRTP with us; gives
    /// its new length.
    fn seal(&mut self, rtcp: bool, room: &mut [u8], len: usize) -> Result<usize, Why> {
        let Some(session) = &mut self.srtp else { return Ok(len) };
        let sealed = match rtcp {
            true => session.sender.rtcp(room, len),
            false => session.sender.rtp(room, len),
        };
        sealed.map_err(|unsent| match unsent {
            Unsent::Misfit => Why::NoRoom,
            Unsent::Used => Why::Replayed,
        })
    }
}
