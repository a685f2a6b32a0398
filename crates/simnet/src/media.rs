//! The world's media: the port pairs of the house, the plans that they were given, and the relay
//! that carries them out. Who hears whom can be read off the plans alone, or be heard.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;
use std::time::Duration;

use base::{Chance, Moment, Side};
use bytes::Bytes;
use rtp_flow::{
    Codec, Component, Door, Encoded, FastPath, Hears, MediaNotice, OldPort, Pair, PairId, Passed,
    PathOrder, Plan, Quality, Relay, StreamPlan, TUNE_RATE, Tune, Tunes, Verdict, WorkerId,
};

use crate::tone::{self, MUSIC};

/// How much longer a packet may become.
const TAG_ROOM: usize = 64;

/// What feeds an address, as far as the plans say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Feed {
    Music,
    Silence,
    /// Whoever sends to this address of the house.
    Whoever(SocketAddr),
}

/// Pairs, plans, relay.
#[derive(Debug)]
pub(crate) struct Media {
    ips: [IpAddr; 2],
    pairs: BTreeMap<PairId, (Pair, SocketAddr)>,
    at: BTreeMap<SocketAddr, PairId>,
    plans: BTreeMap<PairId, StreamPlan>,
    used: BTreeSet<PairId>,
    next_port: [u16; 2],
    left: [u16; 2],
    /// How many pairs each side has in all.
    all: u16,
    /// How late pairs come that are ordered, and how many at a time.
    pace: Option<(Duration, u16)>,
    coming: VecDeque<(Moment, MediaNotice)>,
    relay: Relay,
    /// What goes without the relay: who sends to which address of the house, and what came of it.
    fast: BTreeMap<(SocketAddr, SocketAddr), (FastPath, Passed)>,
    real: bool,
    /// What needs no look goes past the relay.
    paths: bool,
    /// Others take the ports before the next run has them again.
    pub(crate) taken: bool,
    /// How often it has been killed.
    runs: u64,
}

fn index(side: Side) -> usize {
    match side {
        Side::Phones => 0,
        Side::Pbx => 1,
    }
}

/// The world's music: ten times 120 ms, a whole number of periods; and its clips, a tone each.
fn tunes() -> Tunes {
    static MADE: OnceLock<Tunes> = OnceLock::new();
    MADE.get_or_init(|| {
        let codecs = [Codec::Pcma, Codec::Pcmu];
        let tune = Tune::encode(&sine(MUSIC, 1_200), &codecs);
        let mut tunes = Tunes::new(tune.into_iter().collect());
        for (hertz, clip) in tone::clips() {
            let mut sound = Tune::default();
            for codec in codecs {
                if let Ok(encoded) = Encoded::once(codec, &sine(hertz, 240)) {
                    sound.put(codec, encoded);
                }
            }
            tunes.put_clip(clip, sound);
        }
        tunes
    })
    .clone()
}

fn tunes_if(real: bool) -> Tunes {
    if real { tunes() } else { Tunes::new(Vec::new()) }
}

fn sine(hertz: u32, ms: u32) -> Vec<i16> {
    let turn = std::f64::consts::TAU * f64::from(hertz) / f64::from(TUNE_RATE);
    let samples = 0..TUNE_RATE / 1_000 * ms;
    samples.map(|n| ((f64::from(n) * turn).sin() * 8_000.0) as i16).collect()
}

impl Media {
    /// Media with `pairs` port pairs on each side; if it is not `real` there are plans, but no packets.
    pub(crate) fn new(ips: [IpAddr; 2], pairs: u16, real: bool) -> Media {
        Media {
            ips,
            pairs: BTreeMap::new(),
            at: BTreeMap::new(),
            plans: BTreeMap::new(),
            used: BTreeSet::new(),
            next_port: [30_000; 2],
            left: [pairs; 2],
            all: pairs,
            pace: None,
            coming: VecDeque::new(),
            relay: Relay::new(tunes_if(real), Chance::from_seed(77)),
            fast: BTreeMap::new(),
            real,
            paths: false,
            taken: false,
            runs: 0,
        }
    }

    /// The workers have gone, with all that they knew.
    pub(crate) fn killed(&mut self) {
        let mut fresh = Media::new(self.ips, self.all, self.real);
        // Other sources than before.
        fresh.runs = self.runs + 1;
        fresh.taken = self.taken;
        fresh.pace = self.pace;
        fresh.relay = Relay::new(tunes_if(self.real), Chance::from_seed(77 + fresh.runs));
        *self = if self.paths { fresh.past_the_relay() } else { fresh };
    }

    /// Pairs come so much later than they are ordered, and no more than `most` at a time.
    pub(crate) fn slowly(mut self, late: Duration, most: u16) -> Media {
        self.pace = Some((late, most));
        self
    }

    /// When pairs come that are ordered.
    pub(crate) fn next_pairs(&self) -> Option<Moment> {
        self.coming.front().map(|(at, _)| *at)
    }

    /// What is told of them.
    pub(crate) fn pairs_come(&mut self) -> Option<MediaNotice> {
        self.coming.pop_front().map(|(_, notice)| notice)
    }

    /// Binds the ports that an earlier run had.
    fn rebind(&mut self, ports: &[OldPort]) -> MediaNotice {
        if std::mem::take(&mut self.taken) {
            self.next_port = [35_000; 2];
            let lost = ports.iter().map(|old| (old.side, old.port)).collect();
            return MediaNotice::Rebound { pairs: Vec::new(), lost };
        }
        let mut pairs = Vec::new();
        for old in ports {
            let i = index(old.side);
            self.left[i] = self.left[i].saturating_sub(1);
            pairs.push(self.bind(old.side, old.port));
        }
        MediaNotice::Rebound { pairs, lost: Vec::new() }
    }

    fn bind(&mut self, side: Side, port: u16) -> Pair {
        let id = PairId(self.pairs.len() as u32);
        let pair = Pair { id, side, worker: WorkerId(0), port };
        let address = SocketAddr::new(self.ips[index(side)], port);
        self.pairs.insert(id, (pair, address));
        self.at.insert(address, id);
        pair
    }

    /// The same, but what needs no look goes past the relay, as on fast paths in the kernel.
    pub(crate) fn past_the_relay(mut self) -> Media {
        self.relay = self.relay.by_fast_paths();
        self.paths = true;
        self
    }

    /// Carries out a plan; gives what the engine is to be told, or what is wrong with the plan.
    pub(crate) fn plan(&mut self, now: Moment, plan: Plan) -> Result<Option<MediaNotice>, String> {
        match &plan {
            Plan::Stock { side, count } => {
                let Some((late, most)) = self.pace else {
                    return Ok(Some(self.stock(*side, *count)));
                };
                let notice = self.stock(*side, most.min(*count));
                self.coming.push_back((now + late, notice));
            }
            Plan::Rebind { ports } => return Ok(Some(self.rebind(ports))),
            Plan::Measure(pair) if !self.real => {
                let quality = Quality::default();
                return Ok(Some(MediaNotice::Quality { pair: *pair, label: None, quality }));
            }
            Plan::Measure(_) => {}
            Plan::Release { pair, .. } => {
                self.plans.remove(pair);
                self.used.insert(*pair);
            }
            Plan::Stream(stream) => {
                if !self.pairs.contains_key(&stream.pair) {
                    return Err(format!("a plan for {:?}, which nobody has stocked", stream.pair));
                }
                self.plans.insert(stream.pair, stream.clone());
                self.used.remove(&stream.pair);
                // Where nothing is played nobody waits for its end.
                if let (false, Some(opening)) = (self.real, &stream.opening) {
                    return Ok(Some(MediaNotice::Opened { mark: opening.mark }));
                }
            }
        }
        if self.real {
            self.relay.plan(now, plan);
            self.obey();
        }
        Ok(None)
    }

    /// What must hold of all plans once the engine is idle: whoever is heard is in use, is on the other
    /// side of the house, and is heard by one only.
    pub(crate) fn check(&self) -> Result<(), String> {
        let mut heard = BTreeMap::new();
        for (pair, plan) in &self.plans {
            let Hears::Stream { from, .. } = &plan.hears else { continue };
            if !self.plans.contains_key(from) {
                return Err(format!("{pair:?} hears {from:?}, which is not in use"));
            }
            if self.side(*pair) == self.side(*from) {
                return Err(format!("{pair:?} hears {from:?} of its own side"));
            }
            if let Some(other) = heard.insert(*from, *pair) {
                return Err(format!("{from:?} is heard by both {pair:?} and {other:?}"));
            }
            // Who hears somebody else than who hears him stands in two calls at once.
            if let Some(Hears::Stream { from: back, .. }) = self.plans.get(from).map(|p| &p.hears)
                && back != pair
            {
                return Err(format!("{pair:?} hears {from:?}, who hears {back:?}"));
            }
        }
        Ok(())
    }

    fn side(&self, pair: PairId) -> Option<Side> {
        self.pairs.get(&pair).map(|(pair, _)| pair.side)
    }

    fn stock(&mut self, side: Side, count: u16) -> MediaNotice {
        let i = index(side);
        let count = count.min(self.left[i]);
        if count == 0 {
            return MediaNotice::Exhausted { side, refused: false };
        }
        self.left[i] -= count;
        let mut pairs = Vec::new();
        for _ in 0..count {
            // Ports of an earlier run are not free.
            while self.at.contains_key(&SocketAddr::new(self.ips[i], self.next_port[i])) {
                self.next_port[i] += 2;
            }
            let port = self.next_port[i];
            self.next_port[i] += 2;
            pairs.push(self.bind(side, port));
        }
        MediaNotice::Stocked { pairs }
    }

    /// What the house sends to `address` when it is heard by it, by the plans.
    pub(crate) fn feed(&self, address: SocketAddr) -> Vec<Feed> {
        let towards = self.plans.values().filter(|plan| plan.far == Some(address));
        let feeds = towards.filter_map(|plan| match &plan.hears {
            Hears::Nothing => None,
            Hears::Music { .. } => Some(Feed::Music),
            Hears::Silence { .. } => Some(Feed::Silence),
            Hears::Stream { from, .. } => Some(Feed::Whoever(self.pairs.get(from)?.1)),
        });
        feeds.collect()
    }

    /// Which tune the house sends to `address`, if it sends one.
    pub(crate) fn tune(&self, address: SocketAddr) -> Option<u16> {
        self.plans.values().filter(|plan| plan.far == Some(address)).find_map(|plan| {
            match plan.hears {
                Hears::Music { tune, .. } => Some(tune),
                _ => None,
            }
        })
    }

    /// Whether who sends from `ip` to `address` may be heard there, by the plans.
    pub(crate) fn admits(&self, address: SocketAddr, ip: IpAddr) -> bool {
        let plan = self.at.get(&address).and_then(|pair| self.plans.get(pair));
        plan.is_none_or(|plan| plan.guard.contains(&ip))
    }

    /// Whether an address is one of the house's.
    pub(crate) fn is_house(&self, address: SocketAddr) -> bool {
        self.ips.contains(&address.ip())
    }

    /// A packet has arrived at one of the house's ports: where it goes on from and to.
    pub(crate) fn arrive(
        &mut self,
        now: Moment,
        from: SocketAddr,
        to: SocketAddr,
        bytes: &Bytes,
    ) -> Option<(SocketAddr, SocketAddr, Bytes)> {
        let rtcp = to.port() % 2 == 1;
        let pair = *self.at.get(&SocketAddr::new(to.ip(), to.port() & !1))?;
        let component = if rtcp { Component::Rtcp } else { Component::Rtp };
        if let Some((path, passed)) = self.fast.get_mut(&(from, to)) {
            passed.came += 1;
            passed.left += 1;
            let path = *path;
            return Some((self.source(path.by.pair, path.by.component)?, path.to, bytes.clone()));
        }
        let mut buffer = bytes.to_vec();
        buffer.resize(bytes.len() + TAG_ROOM, 0);
        let at = Door { pair, component };
        let verdict = self.relay.on_datagram(now, at, from, &mut buffer, bytes.len());
        self.obey();
        match verdict {
            Verdict::Forward { pair, component, to, len } => {
                buffer.truncate(len);
                Some((self.source(pair, component)?, to, Bytes::from(buffer)))
            }
            // Nothing is rewritten past this relay.
            Verdict::Drop(_) | Verdict::Again => None,
        }
    }

    /// Music that is due: from, to, packet.
    pub(crate) fn due(&mut self, now: Moment) -> Vec<(SocketAddr, SocketAddr, Bytes)> {
        if self.relay.next_look().is_some_and(|at| at <= now) {
            if self.relay.wants_counts(now) {
                for (path, passed) in self.fast.values() {
                    self.relay.passed(now, path.at, path.from, *passed);
                }
            }
            self.relay.look(now);
            self.obey();
        }
        let mut due = Vec::new();
        while let Some(out) = self.relay.due(now) {
            let mut packet = out.header.to_vec();
            packet.extend_from_slice(&out.payload);
            if let Some(from) = self.source(out.pair, Component::Rtp) {
                due.push((from, out.to, Bytes::from(packet)));
            }
        }
        due
    }

    /// Does what the relay leaves to others.
    fn obey(&mut self) {
        while let Some(order) = self.relay.path_order() {
            let (PathOrder::Open(path) | PathOrder::Close(path)) = order;
            let Some(at) = self.source(path.at.pair, path.at.component) else { continue };
            let key = (path.from, at);
            if let PathOrder::Open(_) = order {
                self.fast.insert(key, (path, Passed::default()));
            } else if let Some((path, passed)) = self.fast.remove(&key) {
                self.relay.closed(&path, passed);
            }
        }
    }

    /// How many packets have gone past the relay so far, as far as it knows.
    pub(crate) fn gone_past(&self) -> u64 {
        self.relay.counts().fast
    }

    fn source(&self, pair: PairId, component: Component) -> Option<SocketAddr> {
        let address = self.pairs.get(&pair)?.1;
        let port = address.port() + u16::from(component == Component::Rtcp);
        Some(SocketAddr::new(address.ip(), port))
    }

    /// When music, or a look at who is silent, is due next.
    pub(crate) fn next(&self) -> Option<Moment> {
        let both = [self.relay.next(), self.relay.next_look()];
        both.into_iter().flatten().min()
    }

    /// What the relay has to tell the engine.
    pub(crate) fn notices(&mut self) -> Vec<MediaNotice> {
        std::iter::from_fn(|| self.relay.notice()).collect()
    }

    /// How many streams are planned.
    pub(crate) fn planned(&self) -> usize {
        self.plans.len()
    }
}
