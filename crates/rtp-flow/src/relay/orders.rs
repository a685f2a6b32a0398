//! What is ordered of the streams.

use std::time::Duration;

use base::Moment;

use crate::clip::Opened;
use crate::egress::Egress;
use crate::plan::{Hears, Label, MediaNotice, PairId, Plan, StreamPlan};
use crate::relay::path::{Lingering, Path, Playing, relearn, same_feed};
use crate::relay::streams::Relay;
use crate::srtp::Session;
use crate::tune::packet_time;

/// How often comfort noise is sent, in milliseconds: often enough for whoever watches for silence.
const NOISE_TIME: u8 = 120;
/// How long music goes on where somebody is to be heard instead, until he is: as long as it takes from
/// an answer to the first packet, and not so long that it could be taken for no answer.
const LINGER: Duration = Duration::from_millis(100);

impl Relay {
    /// Takes an order. [`Plan::Stock`] is for the program, which owns the ports; it is ignored here.
    pub fn plan(&mut self, now: Moment, plan: Plan) {
        match plan {
            Plan::Stock { .. } | Plan::Rebind { .. } => {}
            Plan::Stream(plan) => self.stream(now, plan),
            Plan::Release { pair, label } => self.release(pair, label),
            Plan::Measure(pair) => self.measure(pair),
        }
    }

    fn stream(&mut self, now: Moment, mut plan: StreamPlan) {
        canonical_guard(&mut plan);
        let key = self.key(plan.pair);
        let before = self.paths[key].plan.take();
        let opening = plan.opening.take();
        let same_feed =
            opening.is_none() && before.as_ref().is_some_and(|b| same_feed(&b.hears, &plan.hears));
        if opening.is_some() || before.as_ref() != Some(&plan) {
            self.close_around(key, before.as_ref(), Some(&plan));
        }
        self.lock(now, key, &plan);
        let path = &mut self.paths[key];
        if let Some(before) = &before {
            relearn(path, now, before, &plan);
        }
        let watched = before.as_ref().is_some_and(|before| before.silence.is_some());
        if plan.silence.is_some() && !watched {
            path.expected = (now, false);
            self.look_on(now);
        }
        let path = &mut self.paths[key];
        path.plan = Some(plan.clone());
        self.in_use += usize::from(before.is_none());
        if same_feed {
            return;
        }
        let before = before.map(|before| before.hears);
        if let Some(Hears::Stream { from, .. }) = before {
            self.unlisten(from, plan.pair);
        }
        let lingers = match (before, &plan.hears, &opening) {
            (Some(music), Hears::Stream { .. }, None) => self.lingers(now, key, &music),
            _ => None,
        };
        if lingers.is_none() {
            self.stop_playing(key);
            self.paths[key].egress.feed = None;
        }
        self.paths[key].lingering = lingers;
        if let Hears::Stream { from, .. } = plan.hears {
            let heard = self.key(from);
            self.paths[heard].listeners.push(plan.pair);
        }
        self.paths[key].opened = opening.map(|opening| Opened::new(*opening));
        self.feed(now, key);
    }

    /// Has a pair speak by the keys of its plan. What goes out under another key than before is another
    /// stream, and so is what follows in the clear.
    fn lock(&mut self, now: Moment, key: usize, plan: &StreamPlan) {
        let path = &mut self.paths[key];
        let anew = match (&mut path.srtp, &plan.srtp) {
            (None, None) => return,
            (Some(_), None) => {
                path.srtp = None;
                path.egress = Egress::new(self.manner);
                return;
            }
            (Some(session), Some(keys)) => session.rekey(now, keys, &mut self.chance),
            (none, Some(keys)) => {
                *none = Some(Box::new(Session::new(keys, &mut self.chance)));
                true
            }
        };
        if anew {
            path.egress = Egress::under_key(now, path.egress.ssrc, &mut self.chance);
        }
    }

    /// The music that a far side goes on hearing until somebody speaks to it, if it hears any.
    fn lingers(&self, now: Moment, key: usize, before: &Hears) -> Option<Lingering> {
        let path = &self.paths[key];
        let &Hears::Music { tune, codec, payload_type, .. } = before else { return None };
        let plays = path.playing.is_some() && path.opened.is_none();
        plays.then_some(Lingering { tune, codec, payload_type, until: now + LINGER })
    }

    /// Begins what the far side of a pair hears now, if it is to be paced.
    pub(super) fn feed(&mut self, now: Moment, key: usize) {
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

    pub(super) fn stop_playing(&mut self, key: usize) {
        self.paths[key].lingering = None;
        if let Some(playing) = self.paths[key].playing.take() {
            self.wheel.leave(key, playing.place);
        }
    }

    fn release(&mut self, pair: PairId, label: Option<Box<Label>>) {
        let Some(&key) = self.by_pair.get(&pair) else { return };
        self.stop_playing(key);
        let plan = self.paths[key].plan.take();
        self.in_use -= usize::from(plan.is_some());
        self.close_around(key, plan.as_ref(), None);
        if let (Some(_), Some(label)) = (&plan, label) {
            self.take_leave(pair, label, self.paths[key].reception.quality());
        }
        let listeners = std::mem::take(&mut self.paths[key].listeners);
        // What the next call on this pair hears must owe nothing to this one.
        self.paths[key] = Path { listeners, ..Path::new(pair, self.manner) };
        if let Some(Hears::Stream { from, .. }) = plan.map(|p| p.hears) {
            self.unlisten(from, pair);
        }
        self.forget_if_unknown(pair);
    }

    fn measure(&mut self, pair: PairId) {
        let quality = self.by_pair.get(&pair).map(|&key| self.paths[key].reception.quality());
        let quality = quality.unwrap_or_default();
        self.notices.push_back(MediaNotice::Quality { pair, label: None, quality });
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
}

/// The guard in canonical form, as packets are compared with it.
pub(super) fn canonical_guard(plan: &mut StreamPlan) {
    for guarded in &mut plan.guard {
        *guarded = guarded.to_canonical();
    }
}
