//! Clips: short sounds that are played once. Two are tones that are always there, synthesised; the
//! others are prompts, one for each sign of a number, where the operator has them.

use std::f32::consts::TAU;

use smallvec::SmallVec;

use crate::plan::Codec;
use crate::tune::{Encoded, TUNE_RATE, Tune, Tunes, units};

/// A short sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Clip(u8);

/// The signs that may have a prompt, in the order of their clips.
const SIGNS: &str = "0123456789*#";
/// How many clips come before those of the signs.
const TONES: usize = 2;

impl Clip {
    /// The tone that says that a call is parked.
    pub const PARKED: Clip = Clip(0);
    /// The tone before two hear each other who were brought together.
    pub const COURTESY: Clip = Clip(1);

    /// The prompt of a sign: a digit, `*` or `#`.
    pub fn of_sign(sign: char) -> Option<Clip> {
        SIGNS.find(sign).map(|at| Clip((TONES + at) as u8))
    }

    /// All signs that may have a prompt.
    pub fn signs() -> impl Iterator<Item = char> {
        SIGNS.chars()
    }

    fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The tones that need no file, with their samples: mono, at [`TUNE_RATE`].
    pub fn tones() -> [(Clip, Vec<i16>); TONES] {
        // A fourth up: done. It begins late: a phone that has just been answered may not listen yet.
        let parked = [(0.0, 0.12), (880.0, 0.12), (1_175.0, 0.2), (0.0, 0.04)];
        [(Clip::PARKED, notes(&parked)), (Clip::COURTESY, notes(&[(660.0, 0.2), (0.0, 0.04)]))]
    }
}

/// Notes (hertz, seconds) one after another, faded in and out; 0 Hz is a rest.
fn notes(notes: &[(f32, f32)]) -> Vec<i16> {
    const LOUD: f32 = 7_000.0;
    let fade = 0.008 * TUNE_RATE as f32;
    let mut sound = Vec::new();
    for (hertz, seconds) in notes {
        let len = (seconds * TUNE_RATE as f32) as usize;
        sound.extend((0..len).map(|n| {
            let edge = (n.min(len - n) as f32 / fade).min(1.0);
            ((TAU * hertz * n as f32 / TUNE_RATE as f32).sin() * edge * LOUD) as i16
        }));
    }
    sound
}

/// What is played once, before what a far side then hears: it begins as soon as it is planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The clips, in order; those that are not there are left out.
    pub clips: SmallVec<[Clip; 8]>,
    /// In which codec.
    pub codec: Codec,
    /// With which payload type.
    pub payload_type: u8,
    /// Milliseconds of sound in a packet, as for music.
    pub ptime: u8,
    /// Given back when it is over: whoever planned it knows by it whose it was.
    pub mark: u64,
}

/// An opening, and how far it has been played.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) opening: Opening,
    clip: usize,
    /// In the clip, in units of 10 ms.
    position: u64,
}

impl Opened {
    pub(crate) fn new(opening: Opening) -> Opened {
        Opened { opening, clip: 0, position: 0 }
    }

    /// The payload of the next packet of `length` milliseconds; none when it is over.
    pub(crate) fn next(&mut self, tunes: &Tunes, length: u8) -> Option<bytes::Bytes> {
        let encoded = self.here(tunes)?;
        let payload = encoded.packet(self.position, length);
        self.position += units(length);
        Some(payload)
    }

    /// Whether there is nothing left.
    pub(crate) fn is_over(&mut self, tunes: &Tunes) -> bool {
        self.here(tunes).is_none()
    }

    /// The clip that goes on, or the next that is there.
    fn here<'t>(&mut self, tunes: &'t Tunes) -> Option<&'t Encoded> {
        loop {
            let clip = self.opening.clips.get(self.clip)?;
            let encoded = tunes.clip(*clip).and_then(|tune| tune.encoded(self.opening.codec));
            match encoded.filter(|encoded| self.position < encoded.len()) {
                Some(encoded) => return Some(encoded),
                None => (self.clip, self.position) = (self.clip + 1, 0),
            }
        }
    }
}

/// The clips by their numbers; one that is not there is in no codec. Cloning copies no sound.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Clips(Vec<Tune>);

impl Clips {
    pub(crate) fn get(&self, clip: Clip) -> Option<&Tune> {
        self.0.get(clip.index())
    }

    pub(crate) fn put(&mut self, clip: Clip, sound: Tune) {
        if self.0.len() <= clip.index() {
            self.0.resize_with(clip.index() + 1, Tune::default);
        }
        self.0[clip.index()] = sound;
    }
}
