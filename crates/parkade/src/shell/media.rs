//! The media workers as the engine's task sees them.

use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use base::{Moment, Side};
use rtp_flow::{Codec, MediaNotice, Plan, Tunes, Why};
use tokio::sync::mpsc;

use crate::config::{FastPath, MediaSettings, Settings};
use crate::kept_sockets::KeptSockets;
use crate::media::{
    CannotCarry, Claim, Forwarder, Kernel, MediaConfig, MediaCounts, MediaWorkers, MusicProblem,
    Shifter, load,
};
use crate::shell::failure::CannotStart;

/// How long the table of an earlier run forwards its calls beside this one, which binds their ports meanwhile.
const TAKE_OVER: Duration = Duration::from_secs(1);
/// How long the end of a stream may wait for company.
const UNHURRIED: Duration = Duration::from_millis(50);

/// The running media workers; they end with it.
#[derive(Debug)]
pub(super) struct Media {
    workers: Arc<MediaWorkers>,
    forwarder: Option<Arc<Forwarder>>,
    waiting: Vec<Plan>,
    due: Option<Moment>,
    /// What the music and the prompts were made from.
    loaded: (MediaSettings, Vec<Codec>),
    /// They are still to be made: where calls wait to be taken up their ports come first.
    music_waits: bool,
}

impl Media {
    /// Loads the music and starts the workers. Where calls wait to be taken up music comes last: it takes a
    /// while, and nobody is to miss an answer meanwhile.
    pub(super) fn start(
        settings: &Settings,
        calls_wait: bool,
        kept: Arc<KeptSockets>,
        notices: mpsc::UnboundedSender<MediaNotice>,
    ) -> Result<Media, CannotStart> {
        let media = &settings.media;
        let codecs = settings.engine.music_codecs.clone();
        let tunes = match calls_wait {
            true => Tunes::default(),
            false => load(media, &codecs).map_err(no_music)?,
        };
        let forwarder = fast_path(media, calls_wait)?.map(Arc::new);
        let config = MediaConfig {
            phones: media.phones_address,
            pbx: media.pbx_address,
            ports: media.first_port..=media.last_port,
            workers: media.workers,
            pin: media.pin.clone(),
            io: media.io,
        };
        let notify = move |notice| {
            // Nobody is left to be told when the program ends.
            let _ = notices.send(notice);
        };
        let workers = MediaWorkers::start(&config, &tunes, forwarder.clone(), kept, notify)
            .map_err(no_workers)?;
        let loaded = (media.clone(), codecs);
        let workers = Arc::new(workers);
        let (waiting, due, music_waits) = (Vec::new(), None, calls_wait);
        Ok(Media { workers, forwarder, waiting, due, loaded, music_waits })
    }

    /// Takes an order for the workers. It waits for [`Media::flush`], so that a worker is woken once
    /// for all orders of a batch.
    pub(super) fn order(&mut self, at: Moment, plan: Plan) {
        let due = match plan {
            // Nobody hears the difference, and the next call's orders take it along.
            Plan::Release { .. } => at + UNHURRIED,
            Plan::Stock { .. } | Plan::Rebind { .. } | Plan::Stream(_) | Plan::Measure(_) => at,
        };
        // Here is somebody who may want to hear it.
        if matches!(plan, Plan::Stream(_)) && std::mem::take(&mut self.music_waits) {
            let (settings, codecs) = self.loaded.clone();
            self.load_aside(move |workers| catch_up(workers, &settings, &codecs));
        }
        self.due = Some(self.due.map_or(due, |earlier| earlier.min(due)));
        self.waiting.push(plan);
    }

    /// The sides for which port pairs are among the waiting orders.
    pub(super) fn stocking(&self) -> Vec<Side> {
        let sides = self.waiting.iter().filter_map(|plan| match plan {
            Plan::Stock { side, .. } => Some(*side),
            Plan::Rebind { .. } | Plan::Stream(_) | Plan::Release { .. } | Plan::Measure(_) => None,
        });
        sides.collect()
    }

    /// When the waiting orders are to be handed over.
    pub(super) fn due(&self) -> Option<Moment> {
        self.due
    }

    /// Hands over what waits, if it is due; never waits for the workers.
    pub(super) fn flush(&mut self, at: Moment) {
        if self.due.is_some_and(|due| due <= at) {
            self.due = None;
            for plan in self.waiting.drain(..) {
                self.workers.order(plan);
            }
        }
    }

    /// Loads other music, on a thread of its own; calls hear it as soon as it is ready. The music
    /// stays as it is if the new one cannot be loaded.
    pub(super) fn reload(&mut self, settings: &Settings) {
        let wanted = (settings.media.clone(), settings.engine.music_codecs.clone());
        if wanted == self.loaded {
            return;
        }
        self.loaded = wanted.clone();
        if self.music_waits {
            return;
        }
        self.load_aside(move |workers| match load(&wanted.0, &wanted.1) {
            Ok(tunes) => {
                retune(workers, &tunes);
                tracing::info!("music reloaded");
            }
            Err(why) => tracing::error!("the music stays as it was: {why}"),
        });
    }

    fn load_aside(&self, loading: impl FnOnce(&Weak<MediaWorkers>) + Send + 'static) {
        let workers = Arc::downgrade(&self.workers);
        let thread = thread::Builder::new().name("music".into());
        if let Err(error) = thread.spawn(move || loading(&workers)) {
            tracing::error!(%error, "the music stays as it was");
        }
    }

    /// What the workers have carried since the start.
    pub(super) fn counts(&self) -> MediaCounts {
        self.workers.counts()
    }

    /// Ends the workers, and says what they have carried. Where calls are left to the next start, what the
    /// kernel forwards for them it goes on forwarding.
    pub(super) fn stop(self, calls_stay: bool) {
        if let Some(forwarder) = self.forwarder.filter(|_| calls_stay) {
            forwarder.stay();
        }
        let MediaCounts { forwarded, fast, paced, unsent, huge, errors, full, dropped, .. } =
            self.workers.counts();
        let all = dropped.iter().sum::<u64>() + huge;
        // Nobody hears who is parked: that is no loss.
        let unheard = dropped[Why::Unheard as usize];
        tracing::info!(
            relayed = forwarded,
            by_kernel = fast,
            music = paced,
            unheard,
            unsent,
            errors,
            held_up = full,
            dropped = all - unheard,
            "packets carried"
        );
        // If music is being loaded, whoever loads it is the last to let go of them.
        if let Some(workers) = Arc::into_inner(self.workers) {
            workers.stop();
        }
    }
}

fn retune(workers: &Weak<MediaWorkers>, tunes: &Tunes) {
    if let Some(workers) = workers.upgrade() {
        workers.retune(tunes);
    }
}

/// Loads the music for those who wait for it: first in the codecs in which that is quick. They hear the built-in
/// music where theirs cannot be had; it could when they were parked.
fn catch_up(workers: &Weak<MediaWorkers>, settings: &MediaSettings, codecs: &[Codec]) {
    let quick: Vec<Codec> = codecs.iter().copied().filter(|codec| codec.is_quick()).collect();
    for codecs in [quick.as_slice(), codecs] {
        let tunes = load(settings, codecs).or_else(|why| {
            tracing::error!("built-in music is played instead: {why}");
            load(&MediaSettings::default(), codecs)
        });
        match tunes {
            Ok(tunes) => retune(workers, &tunes),
            Err(why) => tracing::error!("there is no music: {why}"),
        }
    }
}

/// Opens the fast path if it is wanted and there is one.
fn fast_path(media: &MediaSettings, calls_wait: bool) -> Result<Option<Forwarder>, CannotStart> {
    if media.fast_path == FastPath::Off || media.one_ssrc {
        remove_dead_tables();
    }
    if media.fast_path == FastPath::Off {
        return Ok(None);
    }
    let ports = media.first_port..=media.last_port;
    let claim = Claim { ports, phones: media.phones_address, pbx: media.pbx_address };
    let (opened, named) = if media.one_ssrc {
        (shifter(&claim), "bpf")
    } else {
        (table(&claim, calls_wait), "nftables")
    };
    match opened {
        Ok(forwarder) => Ok(Some(forwarder)),
        Err(why) if media.fast_path != FastPath::Auto => {
            Err(CannotStart::Media(format!("fast_path = \"{named}\" cannot be had: {why}")))
        }
        Err(why) => {
            tracing::info!("the kernel forwards nothing, Parkade does: {why}");
            Ok(None)
        }
    }
}

fn table(claim: &Claim, calls_wait: bool) -> Result<Forwarder, String> {
    let opened = if calls_wait { Kernel::take_over(claim, TAKE_OVER) } else { Kernel::open(claim) };
    let kernel = opened.map_err(|why| why.to_string())?;
    tracing::info!("the kernel forwards for calls that talk: table inet {}", kernel.table());
    Ok(Forwarder::Table(kernel))
}

fn shifter(claim: &Claim) -> Result<Forwarder, String> {
    let shifter = Shifter::open(claim.sockets()).map_err(|why| why.to_string())?;
    tracing::info!("the kernel forwards for calls that talk, one SSRC for each: a BPF program");
    Ok(Forwarder::Program(Box::new(shifter)))
}

fn remove_dead_tables() {
    match Kernel::remove_dead() {
        Ok(dead) if dead.is_empty() => {}
        Ok(dead) => tracing::info!("removed what a killed parkade has left: tables {dead:?}"),
        // Who may not remove any has hardly left any.
        Err(why) => tracing::debug!("tables of a killed parkade are not looked for: {why}"),
    }
}

fn no_music(why: MusicProblem) -> CannotStart {
    CannotStart::Media(why.to_string())
}

fn no_workers(why: CannotCarry) -> CannotStart {
    CannotStart::Media(why.to_string())
}
