//! Which sound is whose: each party sends a sine of its own, and the world's music is one too, so
//! that a listener can tell them apart.

use rtp_flow::{Clip, level, loudness};

/// The tone that the virtual world plays as music, in hertz.
pub(crate) const MUSIC: u32 = 370;
/// Below this level there is nothing to hear, in dBFS.
const SILENCE: f64 = -50.0;

/// The tone of party number `n`, in hertz: all differ by 110 Hz.
pub fn frequency(n: usize) -> u32 {
    480 + 110 * (n as u32 % 24)
}

/// The signs by which stories name the clips: that of a park, that of courtesy, then the prompts'.
const CLIPS: &str = "+~0123456789*#";

/// The tones that stand for clips: above those of the first ten parties.
pub(crate) fn clips() -> impl Iterator<Item = (u32, Clip)> {
    let clip = |sign| match sign {
        '+' => Some(Clip::PARKED),
        '~' => Some(Clip::COURTESY),
        _ => Clip::of_sign(sign),
    };
    (0u32..).zip(CLIPS.chars()).filter_map(move |(n, sign)| Some((1_600 + 90 * n, clip(sign)?)))
}

/// The sign of the clip that has this tone.
pub(crate) fn sign_of(hertz: u32) -> Option<char> {
    let at = clips().position(|(tone, _)| tone == hertz)?;
    CLIPS.chars().nth(at)
}

/// Which of the `known` frequencies dominates, if anything can be heard at all: `Ok(None)` is
/// silence, `Err(())` something that is none of them.
pub(crate) fn dominant(samples: &[i16], known: &[u32]) -> Result<Option<u32>, ()> {
    if samples.is_empty() || level(samples) < SILENCE {
        return Ok(None);
    }
    let tones = known.iter().map(|hertz| (*hertz, loudness(samples, f64::from(*hertz))));
    match tones.max_by(|a, b| a.1.total_cmp(&b.1)) {
        Some((hertz, share)) if share > 0.6 => Ok(Some(hertz)),
        _ => Err(()),
    }
}

#[cfg(test)]
mod tests {
    use rtp_flow::{Codec, Tone, samples_of};

    use super::{MUSIC, dominant, frequency};

    #[test]
    fn each_party_is_told_from_every_other_and_from_music() {
        let known: Vec<u32> = (0..24).map(frequency).chain([MUSIC]).collect();
        for hertz in &known {
            for codec in [Codec::Pcma, Codec::Pcmu] {
                let mut tone = Tone::new(f64::from(*hertz));
                let heard: Vec<i16> =
                    (0..5).flat_map(|_| samples_of(codec, &tone.payload(codec, 20))).collect();
                assert_eq!(dominant(&heard, &known), Ok(Some(*hertz)));
            }
        }
    }

    #[test]
    fn silence_is_silence() {
        assert_eq!(dominant(&[0; 800], &[frequency(1)]), Ok(None));
    }
}
