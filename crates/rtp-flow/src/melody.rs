//! The tune that is always there: a calm progression of soft bells over a quiet bass, synthesised, so
//! that nothing need be configured and no recording's rights are asked for.

use std::f32::consts::TAU;

use crate::tune::TUNE_RATE;

/// Seconds in a beat: a calm walk. The loop is then a whole number of 120 ms.
const BEAT: f32 = 0.81;
/// Beats in the loop: eight bars of four.
const BEATS: usize = 32;
/// The level of the whole, as root mean square in full scale: -20 dBFS.
const LEVEL: f32 = 0.1;

/// One bar each: bass note, then four notes to be broken into the bar. Semitones above A3 (220 Hz),
/// where a telephone still sounds; C, a minor, F and G, with their colour notes.
const BARS: [(i32, [i32; 4]); 8] = [
    (3, [10, 15, 19, 22]),
    (0, [7, 12, 15, 19]),
    (-4, [8, 12, 15, 20]),
    (-2, [10, 14, 17, 19]),
    (3, [10, 15, 19, 27]),
    (0, [12, 15, 19, 24]),
    (-4, [8, 15, 17, 20]),
    (-2, [10, 14, 17, 22]),
];
/// The tune above: (beat, semitones above A3, beats that it lasts).
const TUNE: [(f32, i32, f32); 17] = [
    (0.0, 27, 2.0),
    (2.5, 26, 1.0),
    (4.0, 24, 3.0),
    (8.0, 20, 1.5),
    (9.5, 22, 1.5),
    (11.0, 24, 2.0),
    (13.0, 22, 1.0),
    (14.0, 19, 2.5),
    (16.0, 27, 2.0),
    (18.5, 29, 1.0),
    (20.0, 31, 2.0),
    (22.0, 27, 1.5),
    (24.0, 24, 2.0),
    (26.0, 22, 1.0),
    (27.0, 20, 1.0),
    (28.0, 22, 2.0),
    (30.0, 26, 1.5),
];

/// 26 seconds of music to be looped: mono, at [`TUNE_RATE`], the end running into the beginning.
pub fn melody() -> Vec<i16> {
    let len = (BEATS as f32 * BEAT * TUNE_RATE as f32) as usize;
    let mut sound = vec![0.0f32; len];
    for (bar, (bass, chord)) in BARS.iter().enumerate() {
        let start = bar as f32 * 4.0;
        ring(&mut sound, start, *bass, 4.0, 0.5, 0.25);
        ring(&mut sound, start + 2.0, bass + 7, 2.0, 0.3, 0.25);
        for (i, note) in chord.iter().chain([&chord[2], &chord[1]]).enumerate() {
            ring(&mut sound, start + 0.5 + i as f32 * 0.5, *note, 1.5, 0.22, 0.6);
        }
    }
    for (beat, note, beats) in TUNE {
        ring(&mut sound, beat, note, beats + 1.0, 0.55, 0.45);
    }
    let power = sound.iter().map(|s| f64::from(s * s)).sum::<f64>() / len as f64;
    let gain = LEVEL / (power.sqrt() as f32).max(f32::EPSILON);
    // Peaks are rounded off rather than cut.
    sound.iter().map(|s| ((s * gain * 1.2).tanh() / 1.2 * 32_767.0) as i16).collect()
}

/// Adds one note. Its tail goes on over the end of the loop into the beginning, so there is no seam.
fn ring(sound: &mut [f32], beat: f32, semitones: i32, beats: f32, loudness: f32, bright: f32) {
    let rate = TUNE_RATE as f32;
    let pitch = 220.0 * (semitones as f32 / 12.0).exp2();
    let (start, held) = ((beat * BEAT * rate) as usize, (beats * BEAT * rate) as usize);
    let tail = (0.35 * rate) as usize;
    let attack = (0.012 + 0.02 * (1.0 - bright)) * rate;
    for (partial, weight) in [(1.0, 1.0), (2.0, 0.35 * bright), (3.0, 0.12 * bright)] {
        // A rotating pair of numbers is a sine, and much quicker than one.
        let (mut x, mut y) = (1.0f32, 0.0f32);
        let (turn_y, turn_x) = (TAU * pitch * partial / rate).sin_cos();
        let fading = (-1.6 * (0.6 + 0.4 * partial) / rate).exp();
        let mut strength = loudness * weight;
        for i in 0..held + tail {
            (x, y) = (x * turn_x - y * turn_y, x * turn_y + y * turn_x);
            strength *= fading;
            let rising = (i as f32 / attack).min(1.0);
            let falling = ((held + tail - i) as f32 / tail as f32).min(1.0);
            let at = (start + i) % sound.len();
            sound[at] += y * strength * rising * falling;
        }
    }
}
