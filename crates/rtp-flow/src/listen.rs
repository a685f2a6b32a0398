//! What a stream sounds like: tones made for a test, and measured by whoever must prove who hears
//! whom. G.711 only; it is what every party of a test can speak.

use std::f64::consts::TAU;

use audio_codec::pcma::{PcmaDecoder, PcmaEncoder};
use audio_codec::pcmu::{PcmuDecoder, PcmuEncoder};
use audio_codec::{Decoder, Encoder};

use crate::plan::Codec;

const RATE: f64 = 8_000.0;
/// The amplitude of a [`Tone`]: -12 dBFS, as speech.
const AMPLITUDE: f64 = 8_192.0;
/// How many samples an [`Ear`] listens to: 200 ms.
const ATTENTION: usize = 1_600;
/// Below this level there is nothing to hear, in dBFS.
const SILENCE: f64 = -50.0;

/// The samples in a G.711 payload, at 8 kHz; none for any other codec.
pub fn samples_of(codec: Codec, payload: &[u8]) -> Vec<i16> {
    match codec {
        Codec::Pcma => PcmaDecoder::new().decode(payload),
        Codec::Pcmu => PcmuDecoder::new().decode(payload),
        Codec::G722 | Codec::G729 | Codec::Opus => Vec::new(),
    }
}

/// How loud samples are, in dBFS: 0 is a full-scale square wave.
pub fn level(samples: &[i16]) -> f64 {
    10.0 * (power(samples) / (32_768.0 * 32_768.0)).max(1e-12).log10()
}

/// How much of the samples' power, 0 to 1, is at `hertz` (Goertzel; the band is as wide as the
/// samples are short).
pub fn loudness(samples: &[i16], hertz: f64) -> f64 {
    let whole = power(samples) * samples.len() as f64;
    if whole <= 0.0 {
        return 0.0;
    }
    let twice_cos = 2.0 * (TAU * hertz / RATE).cos();
    let (mut last, mut before) = (0.0, 0.0);
    for sample in samples {
        (last, before) = (f64::from(*sample) + twice_cos * last - before, last);
    }
    let energy = last * last + before * before - twice_cos * last * before;
    (2.0 * energy / (samples.len() as f64 * whole)).min(1.0)
}

fn power(samples: &[i16]) -> f64 {
    let squares: f64 = samples.iter().map(|s| f64::from(*s) * f64::from(*s)).sum();
    squares / samples.len().max(1) as f64
}

/// A sine that never stops, as RTP payloads.
#[derive(Debug, Clone)]
pub struct Tone {
    hertz: f64,
    sent: u64,
}

impl Tone {
    /// A tone of this frequency.
    pub fn new(hertz: f64) -> Tone {
        Tone { hertz, sent: 0 }
    }

    /// The next `ms` milliseconds in G.711; empty for any other codec.
    pub fn payload(&mut self, codec: Codec, ms: u8) -> Vec<u8> {
        let turn = TAU * self.hertz / RATE;
        let samples: Vec<i16> = (self.sent..self.sent + 8 * u64::from(ms))
            .map(|n| ((n as f64 * turn).sin() * AMPLITUDE) as i16)
            .collect();
        self.sent += samples.len() as u64;
        match codec {
            Codec::Pcma => PcmaEncoder::new().encode(&samples),
            Codec::Pcmu => PcmuEncoder::new().encode(&samples),
            Codec::G722 | Codec::G729 | Codec::Opus => Vec::new(),
        }
    }
}

/// Listens to the last 200 ms of a stream.
#[derive(Debug, Clone, Default)]
pub struct Ear {
    heard: Vec<i16>,
}

impl Ear {
    /// Hears a payload.
    pub fn hear(&mut self, codec: Codec, payload: &[u8]) {
        self.heard.extend(samples_of(codec, payload));
        let forgotten = self.heard.len().saturating_sub(ATTENTION);
        self.heard.drain(..forgotten);
    }

    /// Forgets everything.
    pub fn forget(&mut self) {
        self.heard.clear();
    }

    /// Whether anything is to be heard at all.
    pub fn is_silent(&self) -> bool {
        self.heard.is_empty() || level(&self.heard) < SILENCE
    }

    /// How loud it is, in dBFS.
    pub fn level(&self) -> f64 {
        level(&self.heard)
    }

    /// Whether a tone of this frequency is most of what is heard.
    pub fn hears_tone(&self, hertz: f64) -> bool {
        !self.is_silent() && loudness(&self.heard, hertz) > 0.7
    }

    /// The frequency of the one tone that is heard, to a few hertz; none if there is silence, speech
    /// or music.
    pub fn tone(&self) -> Option<f64> {
        let mut best = (0.0, 0.0);
        for (from, to, step) in [(60.0, 3_900.0, 4.0), (-4.0, 4.0, 0.5)] {
            let base: f64 = if from < 0.0 { best.0 } else { 0.0 };
            let mut hertz = base + from;
            while hertz <= base + to {
                let share = loudness(&self.heard, hertz);
                if share > best.1 {
                    best = (hertz, share);
                }
                hertz += step;
            }
        }
        (!self.is_silent() && best.1 > 0.7).then_some(best.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Ear, Tone, level};
    use crate::plan::Codec;

    fn ear_of(codec: Codec, hertz: f64) -> Ear {
        let (mut tone, mut ear) = (Tone::new(hertz), Ear::default());
        for _ in 0..10 {
            ear.hear(codec, &tone.payload(codec, 20));
        }
        ear
    }

    #[test]
    fn a_tone_is_heard_at_its_frequency_in_both_laws() {
        for codec in [Codec::Pcma, Codec::Pcmu] {
            for hertz in [300.0, 440.0, 1_003.0, 2_750.0] {
                let heard = ear_of(codec, hertz).tone().unwrap();
                assert!((heard - hertz).abs() < 2.0, "{codec:?}: {hertz} heard as {heard}");
            }
        }
    }

    #[test]
    fn one_tone_is_not_taken_for_another() {
        let ear = ear_of(Codec::Pcma, 440.0);
        assert!(ear.hears_tone(440.0));
        assert!(!ear.hears_tone(480.0) && !ear.hears_tone(880.0));
        assert!((ear.level() - -15.0).abs() < 1.0, "{}", ear.level());
    }

    #[test]
    fn silence_has_no_tone() {
        let mut ear = Ear::default();
        assert!(ear.is_silent() && ear.tone().is_none());
        ear.hear(Codec::Pcma, &[0xd5; 1_600]);
        assert!(ear.is_silent() && ear.tone().is_none());
        assert!(level(&[]) < -100.0);
    }
}
