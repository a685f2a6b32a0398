//! The streams of one worker: plans go in, packets go in and come out rewritten, music comes
//! out when it is due. The caller owns the sockets and the clock.

use std::collections::VecDeque;

use base::{Chance, Moment};
use bytes::BytesMut;
use rustc_hash::FxHashMap;
use slab::Slab;

use crate::egress::Manner;
use crate::fast_path::PathOrder;
use crate::plan::{MediaNotice, PairId};
use crate::relay::fast::{Closing, Leaving};
use crate::relay::path::Path;
use crate::tune::Tunes;
use crate::verdict::Counts;
use crate::wheel::Wheel;

/// The streams of one worker. Feed it plans and packets; after each, and at [`Relay::next`], take
/// what is [`Relay::due`] until none is left; take the notices at leisure.
#[derive(Debug)]
pub struct Relay {
    pub(super) paths: Slab<Path>,
    pub(super) by_pair: FxHashMap<PairId, usize>,
    pub(super) wheel: Wheel,
    pub(super) tunes: Tunes,
    pub(super) chance: Chance,
    pub(super) notices: VecDeque<MediaNotice>,
    /// Where music is encrypted: memory for many packets at a time.
    pub(super) sealed: BytesMut,
    pub(super) counts: Counts,
    pub(super) in_use: usize,
    pub(super) manner: Manner,
    /// Whether fast paths are opened.
    pub(super) fast: bool,
    /// Whether anything has ever left by a fast path: then the host lets such packets through.
    pub(super) proven: bool,
    pub(super) path_orders: VecDeque<PathOrder>,
    /// How many fast paths are open.
    pub(super) open: usize,
    /// Fast paths whose last counts are still to come.
    pub(super) closing: Vec<Closing>,
    /// Pairs that are no longer in use, whose last counts are still to come.
    pub(super) leaving: Vec<Leaving>,
    pub(super) look_at: Option<Moment>,
    pub(super) count_at: Moment,
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
            sealed: BytesMut::new(),
            counts: Counts::default(),
            in_use: 0,
            manner: Manner::OneStream,
            fast: false,
            proven: false,
            path_orders: VecDeque::new(),
            open: 0,
            closing: Vec::new(),
            leaving: Vec::new(),
            look_at: None,
            count_at: Moment::ZERO,
        }
    }

    /// The same, but what needs no look is left to whoever takes [`Relay::path_order`]s. Then each
    /// source keeps its own SSRC: nobody could change it on a fast path.
    pub fn by_fast_paths(self) -> Relay {
        Relay { manner: Manner::AsItComes, fast: true, ..self }
    }

    /// The same, but whoever takes the orders rewrites RTP as a [`Shift`](crate::Shift) says. Then a
    /// far side hears one stream whoever feeds it, and [`Relay::make_way`] goes before each plan.
    pub fn by_shifting_paths(self) -> Relay {
        Relay { manner: Manner::OneStream, fast: true, ..self }
    }

    /// Other music from now on; what plays goes on in the new tune of its number.
    pub fn retune(&mut self, tunes: Tunes) {
        self.tunes = tunes;
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

    pub(super) fn key(&mut self, pair: PairId) -> usize {
        let (paths, manner) = (&mut self.paths, self.manner);
        *self.by_pair.entry(pair).or_insert_with(|| paths.insert(Path::new(pair, manner)))
    }
}
