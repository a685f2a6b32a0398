//! One worker's share of the streams: plans go in, packets go in and come out rewritten, music comes
//! out when it is due. The caller owns the sockets and the clock.

use std::collections::VecDeque;
use std::net::SocketAddr;

use base::{Chance, Moment};
use rustc_hash::FxHashMap;
use slab::Slab;
use smallvec::SmallVec;

use crate::clip::Opened;
use crate::egress::{Egress, Paced};
use crate::latch::{Admission, Latch, canonical, reachable};
use crate::packet::{Header, is_rtcp};
use crate::plan::{Hears, MediaNotice, PairId, Plan, StreamKind, StreamPlan};
use crate::pressed::Pressed;
use crate::rtcp::Renaming;
use crate::tune::{Tunes, packet_time, units};
use crate::verdict::{Component, Counts, Outgoing, Verdict, Why};
use crate::wheel::{Place, Wheel, moment_of};

/// How often comfort noise is sent, in milliseconds: often enough for whoever watches for silence.
const NOISE_TIME: u8 = 120;
/// The level of comfort noise, in -dBov (RFC 3389 §3.1): a quiet room.
const NOISE: &[u8] = &[70];

/// The streams of one worker. Feed it plans and packets; after each, and at [`Relay::next`], take
/// what is [`Relay::due`] until none is left; take the notices at leisure.
#[derive(Debug)]
pub struct Relay {
    paths: Slab<Path>,
    by_pair: FxHashMap<PairId, usize>,
    wheel: Wheel,
    tunes: Tunes,
    chance: Chance,
    notices: VecDeque<MediaNotice>,
    counts: Counts,
    in_use: usize,
}

/// One pair: what comes in from its far side and what goes out to it.
#[derive(Debug)]
struct Path {
    pair: PairId,
    /// None while it is only known from others' plans.
    plan: Option<StreamPlan>,
    rtp: Latch,
    rtcp: Latch,
    egress: Egress,
    /// The keys that its far side has pressed.
    pressed: Pressed,
    /// Who hears this pair's far side; the last one to say so does.
    listeners: SmallVec<[PairId; 2]>,
    playing: Option<Playing>,
    /// What is played before what the plan says.
    opened: Option<Opened>,
    /// How much of the tune has been played, in units of 10 ms: music that comes back goes on there.
    played: u64,
}

/// Music or comfort noise on the wheel.
#[derive(Debug, Clone, Copy)]
struct Playing {
    place: Place,
    /// Milliseconds in a packet.
    length: u8,
}

impl Path {
    fn new(pair: PairId) -> Path {
        Path {
            pair,
            plan: None,
            rtp: Latch::default(),
            rtcp: Latch::default(),
            egress: Egress::default(),
            pressed: Pressed::default(),
            listeners: SmallVec::new(),
            playing: None,
            opened: None,
            played: 0,
        }
    }

    /// From which socket and to which address RTP, or RTCP, goes to the far side.
    fn way_out(&self, plan: &StreamPlan, rtcp: bool) -> Option<(Component, SocketAddr)> {
        let signalled = reachable(plan.far);
        let rtp = self.rtp.source().or(signalled);
        if !rtcp || plan.rtcp_mux {
            return Some((Component::Rtp, rtp?));
        }
        if let Some(source) = self.rtcp.source() {
            return Some((Component::Rtcp, source));
        }
        // Behind an address translator what was signalled leads nowhere: try beside the RTP source.
        let elsewhere =
            self.rtp.source().filter(|s| signalled.is_none_or(|far| far.ip() != s.ip()));
        let beside = |a: SocketAddr| Some(SocketAddr::new(a.ip(), a.port().checked_add(1)?));
        let to = match elsewhere {
            Some(source) => beside(source)?,
            None => reachable(plan.far_rtcp).or_else(|| rtp.and_then(beside))?,
        };
        Some((Component::Rtcp, to))
    }
}

impl Relay {
    /// A relay without streams. `chance` names those streams that begin with music.
    pub fn new(tunes: Tunes, chance: Chance) -> Relay {
        Relay {
            paths: Slab::new(),
            by_pair: FxHashMap::default(),
            wheel: Wheel::default(),
            tunes,
            chance,
            notices: VecDeque::new(),
            counts: Counts::default(),
            in_use: 0,
        }
    }

    /// Other music from now on; what plays goes on in the new tune of its number.
    pub fn retune(&mut self, tunes: Tunes) {
        self.tunes = tunes;
    }

    /// Takes an order. [`Plan::Stock`] is for the program, which owns the ports; it is ignored here.
    pub fn plan(&mut self, now: Moment, plan: Plan) {
        match plan {
            Plan::Stock { .. } => {}
            Plan::Stream(plan) => self.stream(now, plan),
            Plan::Release(pair) => self.release(pair),
        }
    }

    /// What becomes of a packet that arrived at `pair` from `from`: it is rewritten in `buf` for
    /// whoever hears it. Nothing is allocated.
    pub fn on_packet(
        &mut self,
        now: Moment,
        pair: PairId,
        component: Component,
        from: SocketAddr,
        buf: &mut [u8],
    ) -> Verdict {
        match self.judge(now, pair, component, canonical(from), buf) {
            Ok(verdict) => {
                self.counts.forwarded += 1;
                verdict
            }
            Err(why) => self.counts.drop(why),
        }
    }

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

    /// The next thing that the engine should know.
    pub fn notice(&mut self) -> Option<MediaNotice> {
        self.notices.pop_front()
    }

    /// How many packets had which fate.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How many pairs are in use.
    pub fn len(&self) -> usize {
        self.in_use
    }

    /// Whether no pair is in use.
    pub fn is_empty(&self) -> bool {
        self.in_use == 0
    }

    fn key(&mut self, pair: PairId) -> usize {
        let paths = &mut self.paths;
        *self.by_pair.entry(pair).or_insert_with(|| paths.insert(Path::new(pair)))
    }

    fn stream(&mut self, now: Moment, mut plan: StreamPlan) {
        for guarded in &mut plan.guard {
            *guarded = guarded.to_canonical();
        }
        let key = self.key(plan.pair);
        let before = self.paths[key].plan.take();
        let opening = plan.opening.take();
        let same_feed =
            opening.is_none() && before.as_ref().is_some_and(|b| same_feed(&b.hears, &plan.hears));
        let path = &mut self.paths[key];
        if let Some(before) = &before {
            relearn(path, now, before, &plan);
        }
        path.plan = Some(plan.clone());
        self.in_use += usize::from(before.is_none());
        if same_feed {
            return;
        }
        if let Some(Hears::Stream { from, .. }) = before.map(|b| b.hears) {
            self.unlisten(from, plan.pair);
        }
        self.stop_playing(key);
        self.paths[key].egress.feed = None;
        if let Hears::Stream { from, .. } = plan.hears {
            let heard = self.key(from);
            self.paths[heard].listeners.push(plan.pair);
        }
        self.paths[key].opened = opening.map(|opening| Opened::new(*opening));
        self.feed(now, key);
    }

    /// Begins what the far side of a pair hears now, if it is to be paced.
    fn feed(&mut self, now: Moment, key: usize) {
        let path = &self.paths[key];
        let hears = path.plan.as_ref().map(|plan| &plan.hears);
        let length = match (&path.opened, hears) {
            (Some(Opened { opening, .. }), _) => packet_time(opening.codec, opening.ptime),
            (None, Some(Hears::Music { codec, ptime, .. })) => packet_time(*codec, *ptime),
            (None, Some(Hears::Silence { .. })) => NOISE_TIME,
            (None, Some(Hears::Nothing | Hears::Stream { .. }) | None) => return,
        };
        self.stand(now, key, length);
    }

    fn stand(&mut self, now: Moment, key: usize, length: u8) {
        let wish = self.paths[key].egress.next_expected();
        let place = self.wheel.stand(now, wish, key, length);
        self.paths[key].playing = Some(Playing { place, length });
    }

    fn stop_playing(&mut self, key: usize) {
        if let Some(playing) = self.paths[key].playing.take() {
            self.wheel.leave(key, playing.place);
        }
    }

    fn release(&mut self, pair: PairId) {
        let Some(&key) = self.by_pair.get(&pair) else { return };
        self.stop_playing(key);
        let plan = self.paths[key].plan.take();
        self.in_use -= usize::from(plan.is_some());
        let listeners = std::mem::take(&mut self.paths[key].listeners);
        // What the next call on this pair hears must owe nothing to this one.
        self.paths[key] = Path { listeners, ..Path::new(pair) };
        if let Some(Hears::Stream { from, .. }) = plan.map(|p| p.hears) {
            self.unlisten(from, pair);
        }
        self.forget_if_unknown(pair);
    }

    /// `listener` no longer hears `from`.
    fn unlisten(&mut self, from: PairId, listener: PairId) {
        let Some(&key) = self.by_pair.get(&from) else { return };
        self.paths[key].listeners.retain(|l| *l != listener);
        self.forget_if_unknown(from);
    }

    fn forget_if_unknown(&mut self, pair: PairId) {
        let Some(&key) = self.by_pair.get(&pair) else { return };
        if self.paths[key].plan.is_none() && self.paths[key].listeners.is_empty() {
            self.paths.remove(key);
            self.by_pair.remove(&pair);
        }
    }

    fn judge(
        &mut self,
        now: Moment,
        pair: PairId,
        component: Component,
        from: SocketAddr,
        buf: &mut [u8],
    ) -> Result<Verdict, Why> {
        let &key = self.by_pair.get(&pair).ok_or(Why::Idle)?;
        let (kind, rtcp) = self.admit(now, key, component, from, buf)?;
        if kind == StreamKind::Rtp && !rtcp {
            self.watch_keys(now, key, buf);
        }
        let listener = *self.paths[key].listeners.last().ok_or(Why::Unheard)?;
        let &to_key = self.by_pair.get(&listener).ok_or(Why::Unheard)?;
        if key == to_key {
            return Err(Why::Unheard);
        }
        let (source, sink) = self.paths.get2_mut(key, to_key).ok_or(Why::Unheard)?;
        let plan = sink.plan.as_ref().ok_or(Why::Unheard)?;
        let Hears::Stream { payloads, .. } = &plan.hears else { return Err(Why::Unheard) };
        let (component, to) = sink.way_out(plan, rtcp).ok_or(Why::Nowhere)?;
        let forward = |len| Ok(Verdict::Forward { pair: listener, component, to, len });
        if kind == StreamKind::Opaque || plan.kind == StreamKind::Opaque {
            return forward(buf.len());
        }
        if rtcp {
            let renaming = Renaming::between(pair, &source.egress, listener, &sink.egress);
            return match renaming.apply(buf) {
                None => Err(Why::NotRtp),
                Some(0) => Err(Why::Unrelated),
                Some(len) => forward(len),
            };
        }
        if sink.opened.is_some() {
            return Err(Why::Unheard);
        }
        let mut header = Header::read(buf).ok_or(Why::NotRtp)?;
        if let Some((_, out)) = payloads.iter().find(|(come, _)| *come == header.payload_type) {
            header.payload_type = *out;
        }
        sink.egress.pass_on(now, pair, &mut header).map_err(|_late| Why::Late)?;
        header.write_over(buf);
        forward(buf.len())
    }

    /// Lets a packet in or not: first by what it is, then by where it comes from. Says how it is to
    /// be treated and whether it is RTCP.
    fn admit(
        &mut self,
        now: Moment,
        key: usize,
        component: Component,
        from: SocketAddr,
        buf: &[u8],
    ) -> Result<(StreamKind, bool), Why> {
        let path = &mut self.paths[key];
        let plan = path.plan.as_ref().ok_or(Why::Idle)?;
        let rtcp = match (plan.kind, component) {
            (StreamKind::Opaque, component) => component == Component::Rtcp,
            (StreamKind::Rtp, Component::Rtcp) if is_rtcp(buf, true) => true,
            (StreamKind::Rtp, Component::Rtcp) => return Err(Why::NotRtp),
            (StreamKind::Rtp, Component::Rtp) if is_rtcp(buf, plan.rtcp_mux) => true,
            (StreamKind::Rtp, Component::Rtp) => {
                Header::read(buf).ok_or(Why::NotRtp)?;
                false
            }
        };
        let signalled = match component {
            Component::Rtp => reachable(plan.far),
            Component::Rtcp => reachable(plan.far_rtcp),
        };
        let latch = match component {
            Component::Rtp => &mut path.rtp,
            Component::Rtcp => &mut path.rtcp,
        };
        match latch.admit(now, from, &plan.guard, signalled) {
            Admission::Refused => return Err(Why::Stranger),
            Admission::Latched if component == Component::Rtp => {
                self.notices.push_back(MediaNotice::Latched { pair: path.pair, from });
            }
            Admission::Latched | Admission::Heard => {}
        }
        Ok((plan.kind, rtcp))
    }

    /// Tells of a key, if a packet begins one and somebody wants to know.
    fn watch_keys(&mut self, now: Moment, key: usize, packet: &[u8]) {
        let path = &mut self.paths[key];
        let Some(watch) = path.plan.as_ref().and_then(|plan| plan.keys.as_ref()) else { return };
        let Some(header) = Header::read(packet) else { return };
        if watch.payload_types.contains(&header.payload_type)
            && let Some(event) = path.pressed.hear(now, &header, Header::payload_of(packet))
        {
            let (mark, timestamp) = (watch.mark, header.timestamp);
            self.notices.push_back(MediaNotice::Key { mark, event, timestamp });
        }
    }

    /// What the stream on the wheel under `key` sends at `tick`.
    fn play(&mut self, key: usize, tick: u64) -> Option<Outgoing> {
        if self.paths.get(key)?.opened.is_some() {
            return self.play_opening(key, tick);
        }
        let path = self.paths.get_mut(key)?;
        let (plan, length) = (path.plan.as_ref()?, path.playing.as_ref()?.length);
        let (_, to) = path.way_out(plan, false)?;
        let (payload, payload_type, clock) = match &plan.hears {
            Hears::Music { tune, codec, payload_type, .. } => {
                let payload = self.tunes.encoded(*tune, *codec)?.packet(path.played, length);
                path.played += units(length);
                (payload, *payload_type, codec.clock())
            }
            Hears::Silence { payload_type, clock } => {
                (bytes::Bytes::from_static(NOISE), *payload_type, *clock)
            }
            Hears::Nothing | Hears::Stream { .. } => return None,
        };
        let paced = Paced { tick, clock, length, payload_type, payload_len: payload.len() };
        let header = path.egress.pace(paced, &mut self.chance);
        Some(Outgoing { pair: path.pair, to, header: header.to_bytes(), payload })
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
        let outgoing = payload.zip(to).map(|(payload, (_, to))| {
            let paced = Paced { tick, clock, length, payload_type, payload_len: payload.len() };
            let header = path.egress.pace(paced, &mut self.chance);
            Outgoing { pair: path.pair, to, header: header.to_bytes(), payload }
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

/// Whether a far side that heard the one and now hears the other hears the same source go on.
fn same_feed(before: &Hears, after: &Hears) -> bool {
    match (before, after) {
        (Hears::Nothing, Hears::Nothing) => true,
        (Hears::Stream { from: a, .. }, Hears::Stream { from: b, .. }) => a == b,
        (
            Hears::Music { codec: a, ptime: a_time, .. },
            Hears::Music { codec: b, ptime: b_time, .. },
        ) => a == b && packet_time(*a, *a_time) == packet_time(*b, *b_time),
        (Hears::Silence { clock: a, .. }, Hears::Silence { clock: b, .. }) => a == b,
        _ => false,
    }
}

/// Learns the far side's addresses anew where the plan says others than before.
fn relearn(path: &mut Path, now: Moment, before: &StreamPlan, after: &StreamPlan) {
    let both =
        [(&mut path.rtp, before.far, after.far), (&mut path.rtcp, before.far_rtcp, after.far_rtcp)];
    for (latch, was, is) in both {
        let (was, is) = (reachable(was), reachable(is));
        let source = latch.source();
        if source.is_some_and(|source| !after.guard.contains(&source.ip())) {
            *latch = Latch::default();
        } else if is.is_some() && is != was && is != source {
            latch.learn_anew(now);
        }
    }
}
